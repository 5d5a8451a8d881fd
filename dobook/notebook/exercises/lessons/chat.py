"""05 A chat room: a poll with live counts."""

from collections.abc import Iterator

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Missing, Work
from dobook.runtime.access import kernel_of


@exercise("chat-1", "A class Poll: votes over WebSockets, counts to everyone, hibernating.")
def chat_1(work: Work) -> Iterator[Point]:
    """Check the counts for a newcomer, votes sent to all, bad input, and eviction."""
    work.class_of("Poll", "fetch")
    yield Point(holds=True, text="there is a class Poll with fetch")
    with work.playing("Poll") as play:
        poll = play.stub("Poll")
        ada = play.connect(poll, "/websocket?name=ada")
        first = ada.take()
        if first != [{}]:
            yield Point(
                holds=False,
                text=f"on connecting ada was sent {first}, not [{{}}]: the counts so far as JSON, "
                "nothing else.",
            )
            return
        yield Point(holds=True, text="a newcomer gets the counts so far")
        ken = play.connect(poll, "/websocket?name=ken")
        ken.take()
        ada.take()
        ada.say('{"vote": "cats"}')
        heard = (ada.take(), ken.take())
        if heard != ([{"cats": 1}], [{"cats": 1}]):
            yield Point(
                holds=False,
                text=f"ada voted for cats: she was sent {heard[0]} and ken {heard[1]}, not "
                '[{"cats": 1}] each.',
            )
            return
        yield Point(holds=True, text="a vote is told to everyone")
        ken.say('{"vote": "dogs"}')
        ada.say('{"vote": "dogs"}')
        counts = (ken.take() or [None])[-1]
        right = counts in ({"dogs": 2}, {"dogs": 2, "cats": 0})
        yield Point(
            holds=right,
            text="whoever votes again changes the vote"
            if right
            else f"ada voted for cats and then for dogs, ken for dogs: the counts are {counts}, not "
            '{"dogs": 2}. Keep each name\'s vote, and count them.',
        )
        ada.take()
        ada.say("no JSON")
        ada.say('{"wish": "fish"}')
        answers, silence = ada.take(), ken.take()
        good = len(answers) == 2 and all(isinstance(a, dict) and "error" in a for a in answers)
        yield Point(
            holds=good and not silence,
            text="what cannot be read is answered with an error, to its sender alone"
            if good and not silence
            else f'ada said "no JSON" and {{"wish": "fish"}}: she was sent {answers} and ken '
            f'{silence}; she gets {{"error": …}} each time, and ken nothing.',
        )
        play.wait("1m")  # nobody says anything, and the object may go
        if kernel_of(play.runtime).actor_of(poll).instance is not None:
            raise Missing(
                "a minute without a word, and it never leaves memory: sockets taken with accept() "
                "keep it there. Use ctx.acceptWebSocket, webSocketMessage, and an attachment for "
                "the name."
            )
        ken.say('{"vote": "cats"}')
        after = (ada.take(), ken.take())
        want = {"dogs": 1, "cats": 1}
        holds = after == ([want], [want])
        yield Point(
            holds=holds,
            text="the poll goes on after it has been out of memory, with everyone connected"
            if holds
            else f"after eviction ken voted for cats: ada was sent {after[0]} and ken {after[1]}, "
            f"not [{want}] each. Keep the votes in self.ctx.storage and the name in an attachment.",
        )
