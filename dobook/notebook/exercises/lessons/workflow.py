"""08 A workflow: a checkout that undoes itself."""

from collections.abc import Iterator
from typing import Any

from dobook.notebook.exercises.registry import exercise
from dobook.notebook.exercises.verdict import Point
from dobook.notebook.exercises.work import Missing, Play, Work

_STEPS = ["reserve", "charge", "ship"]


@exercise("workflow-1", "A saga Checkout: reserve, charge, ship; a declined card undoes the rest.")
def workflow_1(work: Work) -> Iterator[Point]:
    """Check a success, a declined card, and a charge that is retried under the same key."""
    cls = work.class_of("Checkout", "run_step", "undo_step")
    if not any(base.__name__ == "Saga" for base in cls.__mro__[1:]):
        raise Missing("Checkout is not a Saga: %pattern Saga, and then class Checkout(Saga).")
    yield Point(holds=True, text="there is a class Checkout, and it is a Saga")
    with work.playing("Checkout") as play:
        good = _run(play, "good", "ok")
        if good.get("status") != "completed":
            failed = [s for s in good["steps"] if s.get("error")]
            why = f": {failed[0]['name']} raised {failed[0]['error']}" if failed else ""
            raise Missing(f"with a good card the saga ends as {good.get('status')!r}{why}")
        data = good["data"]
        right = data.get("stock") == 4 and data.get("shipped") is True
        yield Point(
            holds=right,
            text="with a good card one piece is taken from the stock, and it is shipped"
            if right
            else 'with stock 5 and a good card, data["stock"] ended as '
            f'{data.get("stock")!r} (wanted 4) and data["shipped"] as {data.get("shipped")!r} '
            "(wanted True).",
        )
        result = good["steps"][1].get("result")
        key = result.get("receipt") if isinstance(result, dict) else None
        id_ = play.stub("Checkout", "good").id
        yield Point(
            holds=key == f"{id_}:1",
            text="the receipt of a charge is its key, so that the bank can tell a repetition"
            if key == f"{id_}:1"
            else f'charge returned {result!r}. Return {{"receipt": key}}: the key is the same for '
            "each attempt.",
        )
        bad = _run(play, "bad", "declined")
        if bad.get("status") != "failed":
            raise Missing(
                f"with the card declined the saga ended as {bad.get('status')!r}, not 'failed'. "
                'charge raises when data["card"] is "declined".'
            )
        yield Point(holds=True, text="a declined card fails the saga")
        stock, shipped = bad["data"].get("stock"), bad["data"].get("shipped")
        yield Point(
            holds=stock == 5,
            text="the piece goes back to the stock"
            if stock == 5
            else f'after the failure data["stock"] is {stock!r}, not 5. undo_step puts back what '
            "reserve took.",
        )
        yield Point(
            holds=not shipped,
            text="nothing is shipped that was not paid"
            if not shipped
            else "a parcel left although the card was declined. Look at the step's name.",
        )


def _run(play: Play, name: str, card: str) -> dict[str, Any]:
    stub = play.stub("Checkout", name)
    play.call(stub, "start", _STEPS, {"stock": 5, "card": card})
    play.wait("10m")
    state: dict[str, Any] = play.call(stub, "status")
    return state
