"""`%serve`: the notebook's runtime behind HTTP and WebSockets, in real time, while cells are idle."""

import argparse
import os
import secrets

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.errors import UsageError
from dobook.notebook.core.display import Card, count
from dobook.notebook.core.magic import MagicsBase, command
from dobook.notebook.serving.server_link import ServedUrl


@magics_class
class ServingMagics(MagicsBase):
    """The magic of the server."""

    @line_magic
    @command
    @magic_arguments()
    @argument("--port", type=int, metavar="N", help="The port (8787); 0 for any that is free.")
    @argument("--host", metavar="ADDRESS", help="The address to listen at (127.0.0.1).")
    @argument(
        "--token",
        metavar="TEXT",
        help="What clients have to show. Made up where other machines can connect.",
    )
    @argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="A further Host to obey."
    )
    @argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="A further origin whose pages may ask, like https://example.com.",
    )
    @argument(
        "--network",
        action="store_true",
        help="Meanwhile let fetch() and WebSocket of the objects reach other hosts.",
    )
    @argument("--stop", action="store_true", help="Stop the server; time is virtual again.")
    def serve(self, args: argparse.Namespace) -> ServedUrl | Card:
        """Answer browsers, curl and other programs with the objects of this notebook.

        The Worker answers if there is one, otherwise /BINDING/name/... asks an object. Time is real
        meanwhile: the clock continues from where it stands, alarms run when due; cells and
        magics work as before, except %fast_forward. Only this machine can connect, unless --host
        says otherwise. Under JupyterHub and Binder the URL leads through their proxy.

        Returns the URL, a text. With --stop a card.

        Example::

            %serve
            %serve --port 0
            %serve --stop
        """
        session = self.session
        if args.stop:
            return self._stop()
        if session.server is not None and session.server.running:
            if args.port not in (None, session.server.port):
                raise UsageError(f"the server runs at {session.server.url}. First: %serve --stop")
            return ServedUrl.of(session.server)
        from dobook.serve import Server
        from dobook.serve.settings import DEFAULT_HOST, DEFAULT_PORT, is_loopback

        host = args.host or DEFAULT_HOST
        token = args.token or ("" if is_loopback(host) else secrets.token_urlsafe(24))
        session.server = Server(
            session.runtime,
            host=host,
            port=DEFAULT_PORT if args.port is None else args.port,
            token=token,
            hosts=tuple(args.allow_host),
            origins=tuple(args.allow_origin),
            behind_proxy="JUPYTERHUB_SERVICE_PREFIX" in os.environ,
        ).start()
        if args.network:
            from dobook.project.transport import Transport

            session.runtime.network.real = Transport(session.runtime)
        return ServedUrl.of(session.server)

    def _stop(self) -> Card:
        server, self.session.server = self.session.server, None
        if server is None or not server.running:
            raise UsageError("no server is running. Start one: %serve")
        url = server.url
        server.stop()
        self.session.runtime.network.real = None
        rows = (
            ("served", count(server.served, "request")),
            ("clock", "virtual again: moves when told to"),
        )
        return Card(url, rows, "stopped")
