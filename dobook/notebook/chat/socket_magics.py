"""`%websocket`: connecting a client to an object, inside the runtime; `%chat`: several at once."""

import argparse
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from dobook.errors import UsageError
from dobook.notebook.chat.transcripts import NotebookClient, clients_frame
from dobook.notebook.core.arguments import with_names
from dobook.notebook.core.display import Hint
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, keeping
from dobook.notebook.core.request_line import read_header
from dobook.runtime.client import DEFAULT_PATH

_ACCEPT = "self.ctx.acceptWebSocket(server), or server.accept(), before the response."


@magics_class
class SocketMagics(MagicsBase):
    """The magics of WebSockets."""

    @line_magic
    @command
    @magic_arguments()
    @argument(
        "target",
        nargs="?",
        metavar="OBJ",
        help="The object: BINDING/name; the Worker for a path. Left out: list the clients.",
    )
    @argument(
        "path",
        nargs="?",
        metavar="PATH",
        help=f"The path and query to ask for ({DEFAULT_PATH}).",
    )
    @argument("--name", default="", metavar="NAME", help="Who connects; sent as ?name=NAME.")
    @argument("-H", "--header", action="append", default=[], help="A header, 'name: value'.")
    @argument(
        "--send",
        action="append",
        default=[],
        metavar="TEXT",
        help="Send this once connected; may be given several times. $name takes a variable.",
    )
    @keeping("client")
    def websocket(self, args: argparse.Namespace) -> NotebookClient | Frame:
        """Connect a WebSocket client to an object, inside the runtime, and return the client.

        The client sends (`ada.send("hi")`), awaits the next message (`await ada.receive()`), has a
        `transcript` and its `frame`, closes (`ada.close()`) or hangs up without a word
        (`ada.drop()`). Virtual time holds for it too.

        Returns the client. Without an object a DataFrame of the clients of this session: client
        (string), object (string), path (string), state (string), sent (Int64), received (Int64).

        Example::

            ada = %websocket CHAT/lobby --name ada
            %websocket CHAT/lobby /room?color=red --name bob --as bob
            %websocket
        """
        session = self.session
        session.clients[:] = [c for c in session.clients if c.runtime is session.runtime]
        if args.target is None:
            return clients_frame(session.clients, session.runtime.clock.now_ms)
        target, path = with_names(args.target, self.names), args.path
        if target.startswith("/"):
            if path is not None:
                raise UsageError(f"{path!r} is one word too many. Write %websocket OBJ PATH.")
            target, path = "", target
        path = with_names(path or DEFAULT_PATH, self.names)
        if not path.startswith("/"):
            raise UsageError(f"a path begins with '/', not {path[:20]!r}.")
        stub = session.target(target).stub if target else ""
        client = NotebookClient.connect(
            session.runtime,
            stub,
            path,
            name=with_names(args.name, self.names),
            headers=dict(read_header(with_names(h, self.names)) for h in args.header),
        )
        session.clients.append(client)
        if client.unaccepted and session.hints:
            display(
                Hint(f"{client.label} has not accepted its end, and so hears nothing: {_ACCEPT}")
            )
        for text in args.send:
            client.send(with_names(text, self.names))
        if args.variable is not None:
            self.shell.push({args.variable: client}, interactive=False)
        return client

    @line_magic
    @command
    @magic_arguments()
    @argument("target", metavar="OBJ", help="The object: BINDING/name.")
    @argument("people", nargs="+", metavar="NAME", help="Who is in the room.")
    @argument(
        "--path", default=DEFAULT_PATH, metavar="PATH", help=f"What they ask for ({DEFAULT_PATH})."
    )
    def chat(self, args: argparse.Namespace) -> Any:
        """Show a room with several people at once, each with a connection of their own.

        Every person has a pane: what they see, a line to say something, buttons to leave, to drop
        out without a word, and to come back. Works with objects whose messages are texts or JSON
        with `type`, `text` and `name`, as the chat room of the documentation.

        Returns the room; `room.people["ada"]` is a client.

        Example::

            %chat CHAT/lobby ada bob
        """
        from dobook.notebook.chat.chat_view import ChatRoom

        target = self.session.target(with_names(args.target, self.names))
        if len(set(args.people)) < len(args.people):
            raise UsageError("two people in a room need two names.")
        return ChatRoom(self.session, target.label, args.people, args.path)
