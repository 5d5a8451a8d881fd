"""`dobook serve`: the classes of a Python file, or a state directory's, behind a server."""

import argparse
import importlib.util
import logging
import os
import secrets
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dobook.cli.output import complain, say
from dobook.errors import DobookError, UsageError, suggest

if TYPE_CHECKING:
    from dobook.runtime.runtime import Runtime

_DESCRIPTION = (
    "Serves the Durable Objects of a Python file over HTTP and WebSockets, in real time, until "
    "interrupted. The file's Worker answers, if it has one (a class Default of WorkerEntrypoint, or "
    "a function on_fetch); otherwise /BINDING/name/... asks an object. A whole project with a "
    "wrangler configuration is what `dobook run` is for."
)


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
    serve = commands.add_parser(
        "serve", help="serve a Python file's objects over HTTP", description=_DESCRIPTION
    )
    serve.add_argument("file", type=Path, metavar="FILE", help="a Python file with the classes")
    serve.add_argument("--state", type=Path, metavar="FOLDER", help="keep the objects' state there")
    serve.add_argument(
        "--durability",
        choices=("power", "process"),
        default="power",
        help="what answers wait for, with --state: the disk, or the operating system alone",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8787, help="the port (8787); 0 for any")
    serve.add_argument(
        "--token",
        default=os.environ.get("DOBOOK_TOKEN", ""),
        help="what clients have to show, as ?token= or Authorization: Bearer; made up where other "
        "machines can connect (default: the environment's DOBOOK_TOKEN)",
    )
    serve.add_argument("--prefix", default="", metavar="PATH", help="a path that a proxy leaves on")
    serve.add_argument(
        "--behind-proxy",
        action="store_true",
        help="a proxy on this machine has checked who asks: any Host is fine",
    )
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a further Host to obey"
    )
    serve.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a further origin whose pages may ask, like https://example.com",
    )
    serve.add_argument("--no-pages", action="store_true", help="no pages under /_dobook/")
    serve.add_argument("--quiet", action="store_true", help="do not log every request")
    serve.add_argument("--max-body", type=int, metavar="BYTES", help="the longest body")
    serve.set_defaults(run=serve_file)


def serve_file(options: argparse.Namespace) -> int:
    """Run the subcommand; returns the exit status."""
    import dobook

    try:
        from dobook.project.transport import Transport
        from dobook.serve import Limits, serve
        from dobook.serve.settings import is_loopback

        module = _load(options.file)
        runtime = dobook.Runtime(
            options.state, durability=options.durability, start=int(time.time() * 1000)
        )
    except DobookError as error:
        return complain(error)
    with runtime:
        try:
            register(runtime, module)
            runtime.network.real = Transport(runtime)
            token = options.token
            if not token and not is_loopback(options.host):
                token = secrets.token_urlsafe(24)
            limits = {} if options.max_body is None else {"body_bytes": options.max_body}
            logging.basicConfig(
                level=logging.WARNING if options.quiet else logging.INFO,
                format="%(asctime)s %(message)s",
                datefmt="%H:%M:%S",
            )
            serve(
                runtime,
                ready=lambda server: say(
                    f"{options.file} is ready on {server.url_with_token} (Ctrl-C stops it)"
                ),
                host=options.host,
                port=options.port,
                token=token,
                prefix=options.prefix,
                behind_proxy=options.behind_proxy,
                hosts=tuple(options.allow_host),
                origins=tuple(options.allow_origin),
                pages=not options.no_pages,
                limits=Limits(**limits),
            )
        except DobookError as error:
            return complain(error)
    say("stopped; everything that was acknowledged is kept")
    return 0


def register(runtime: "Runtime", module: ModuleType) -> None:
    """Register the classes of a module with a runtime, and its Worker.

    Raises:
        UsageError: If it has none.
    """
    from dobook.workers import DurableObject, WorkerEntrypoint

    own = [value for value in vars(module).values() if isinstance(value, type)]
    own = [cls for cls in own if cls.__module__ == module.__name__]
    objects = [cls for cls in own if issubclass(cls, DurableObject)]
    workers = [cls for cls in own if issubclass(cls, WorkerEntrypoint)]
    if not objects and not workers:
        raise UsageError(
            f"{module.__file__} has no class of DurableObject or WorkerEntrypoint. "
            + suggest("DurableObject", [cls.__name__ for cls in own])
        )
    for cls in objects:
        runtime.register(cls)
    worker = next((cls for cls in workers if cls.__name__ == "Default"), None)
    entry: Any = worker or getattr(module, "on_fetch", None)
    if entry is not None:
        others = [cls for cls in workers if cls is not worker]
        runtime.serve_worker(entry, entrypoints=others)


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(
            f"{path} is not a file. Name the Python file with the classes; a project's folder is "
            "served by `dobook run`."
        )
    name = path.stem if path.stem.isidentifier() else "served"
    spec = importlib.util.spec_from_file_location(f"dobook_served_{name}", path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))  # what it imports lies beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        traceback.print_exc()
        raise UsageError(f"{path} could not be imported.") from error
    return module
