"""`dobook run`: a Python Workers project behind a server, or asked a few requests in virtual time.

Source: developers.cloudflare.com/workers/wrangler/commands/#dev
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from dobook.cli.output import complain, say
from dobook.errors import DobookError, UsageError

_DESCRIPTION = (
    "Runs a Python Workers project as it is, from its wrangler.toml, wrangler.jsonc or wrangler.json. "
    "Without --request it is a server in real time, until interrupted. With --request it answers "
    "these in virtual time, prints each status and body, and ends; --header, --body and --json "
    "belong to the --request before them, and --advance lets time pass in between."
)


def add_to(commands: Any) -> None:
    """Add the subcommand to the command's parser."""
    run = commands.add_parser("run", help="run a Python Workers project", description=_DESCRIPTION)
    run.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="the project's folder, or its configuration; further ones are Workers that service "
        "bindings of the first lead to",
    )
    run.add_argument("-e", "--env", metavar="NAME", help="an environment of the configuration")
    run.add_argument("--state", type=Path, metavar="FOLDER", help="keep the objects' state there")
    run.add_argument("--seed", type=int, default=0, help="where everything random comes from")
    asking = run.add_argument_group("requests in virtual time")
    for option, metavar, text in (
        ("--request", "'GET /path'", "a request to answer; may be given again"),
        ("--header", "'Name: value'", "a header of the request before it; may be given again"),
        ("--body", "TEXT", "the body of the request before it; @FILE for that of a file"),
        ("--json", "JSON", "the same, with the type of JSON"),
        ("--advance", "1h30m", "let time pass; alarms, timers and crons on the way run"),
    ):
        asking.add_argument(option, metavar=metavar, action=_Step, help=text, dest="steps")
    asking.add_argument("--headers", action="store_true", help="print the answers' headers too")
    serving = run.add_argument_group("server")
    serving.add_argument("--port", type=int, default=8787, help="where to listen (default: 8787)")
    serving.add_argument("--host", default="127.0.0.1", help="at which address")
    serving.add_argument("--token", default="", help="what clients have to show")
    network = run.add_mutually_exclusive_group()
    network.add_argument(
        "--network",
        action="store_true",
        default=None,
        help="let fetch() and WebSocket reach the network (as the server does)",
    )
    network.add_argument(
        "--no-network",
        action="store_false",
        dest="network",
        help="let nothing leave (as with --request)",
    )
    run.set_defaults(run=run_projects, steps=[])


class _Step(argparse.Action):
    """Keeps the order in which options of different names were given."""

    def __call__(
        self, parser: object, namespace: Any, values: object, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (option_string, values)])


def run_projects(options: argparse.Namespace) -> int:
    """Run the subcommand; returns the exit status."""
    from dobook.project import open_projects
    from dobook.project.transport import Transport
    from dobook.runtime.reports.users_code import users_part

    try:
        steps = _read_steps(options.steps)
        opened = open_projects(
            options.paths,
            options.env,
            path=options.state,
            seed=options.seed,
            **({} if steps else {"start": int(time.time() * 1000)}),
        )
    except DobookError as error:
        return complain(error)
    except Exception as error:
        traceback.print_exception(error.with_traceback(users_part(error.__traceback__)))
        return complain("the project could not be imported.")
    with opened:
        for project in opened.projects:
            for warning in project.warnings:
                complain(f"{project.name}: {warning}")
        if options.network if options.network is not None else not steps:
            opened.runtime.network.real = Transport(opened.runtime)
        if steps:
            return _answer(opened.runtime, steps, headers=options.headers)
        return _serve(opened, options)


def _read_steps(given: list[tuple[str, str]]) -> list[Any]:
    """Return the requests, and the text of how far time goes in between."""
    from dobook.project.requests import Asked

    steps: list[Any] = []
    for option, value in given:
        if option == "--request":
            steps.append(Asked.parse(value))
            continue
        if option == "--advance":
            steps.append(value)
            continue
        if not steps or not isinstance(steps[-1], Asked):
            raise UsageError(f"{option} belongs to a --request; put it behind one.")
        if option == "--header":
            name, colon, text = value.partition(":")
            if not colon:
                raise UsageError(f"{value!r} is not a header. Write 'Name: value'.")
            steps[-1].headers.append((name.strip(), text.strip()))
            continue
        steps[-1].body = Path(value[1:]).read_bytes() if value.startswith("@") else value
        if option == "--json":
            try:
                json.loads(steps[-1].body)
            except ValueError as error:
                raise UsageError(f"--json was given no JSON: {error}") from None
            steps[-1].headers.append(("Content-Type", "application/json"))
        if steps[-1].method == "GET":
            steps[-1].method = "POST"
    return steps


def _answer(runtime: Any, steps: list[Any], *, headers: bool) -> int:
    from dobook.project.requests import Asked, answer

    failed = False
    for step in steps:
        try:
            if not isinstance(step, Asked):
                runs = runtime.advance(step)
                say(f"+{step}: {len(runs)} alarm{'' if len(runs) == 1 else 's'}")
                for run in runs:
                    say(f"  {run}")
                say("")
                continue
            say(str(step))
            result = answer(runtime, step)
        except DobookError as error:
            return complain(error)
        first, _, body = str(result).partition("\n")
        say(first)
        if headers:
            for name, value in result.headers:
                say(f"{name}: {value}")
            say("")
        if body:
            say(body)
        say("")
        if result.error:
            print(result.error, end="", file=sys.stderr)  # noqa: T201 - a command's answer
            failed = True
    runtime.settle()
    return 1 if failed else 0


def _serve(opened: Any, options: argparse.Namespace) -> int:
    try:
        from dobook.serve import serve

        serve(
            opened.runtime,
            ready=lambda server: say(
                f"{opened.projects[0].name} is ready on {server.url} (Ctrl-C stops it)"
            ),
            host=options.host,
            port=options.port,
            token=options.token,
        )
    except UsageError as error:
        return complain(error)
    return 0
