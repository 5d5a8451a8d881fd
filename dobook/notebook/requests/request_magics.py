"""`%request`, `%%request`, `%rpc`: asking objects and the Worker; `%requests`: what was asked."""

import argparse
import difflib
import re
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

from IPython.core.magic import line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from dobook.errors import UnknownNameError, UsageError, suggest
from dobook.notebook.core.arguments import read_json, read_value, with_names
from dobook.notebook.core.display import Hint
from dobook.notebook.core.frame import Frame
from dobook.notebook.core.magic import MagicsBase, command, keeping, target_argument
from dobook.notebook.core.request_line import METHODS, read_body, read_url, request_init
from dobook.notebook.core.session import Session, Target
from dobook.notebook.requests.load import ask_many, parse_rate
from dobook.notebook.requests.request_console import RequestConsole
from dobook.notebook.requests.request_frames import answers_frame, requests_frame
from dobook.runtime.calls.rpc import RESERVED

_PATH = re.compile(r"""["'](/[\w./-]*)["']""")


@magics_class
class RequestMagics(MagicsBase):
    """The magics that ask."""

    @line_cell_magic
    @command
    @magic_arguments()
    @argument(
        "words_given",
        nargs="*",
        metavar="WORD",
        help="[METHOD] [BINDING/name] [/path?query]: the method (GET if left out), the object (the "
        "Worker if left out), the path or a whole URL (/ if left out).",
    )
    @argument("-H", "--header", action="append", default=[], help="A header, 'name: value'.")
    @argument("--json", metavar="JSON", help="The body, as JSON; $name takes a variable.")
    @argument(
        "--body",
        metavar="TEXT",
        help="The body, as text; $name takes a variable, bytes as they are.",
    )
    @argument("--repeat", type=int, metavar="N", help="Send it N times and return a DataFrame.")
    @argument(
        "--concurrency",
        type=int,
        metavar="N",
        help="With --repeat: so many at once; by default one, with --rate any number.",
    )
    @argument("--rate", metavar="RATE", help="With --repeat: so often in virtual time, like 20/s.")
    @argument(
        "--console",
        action="store_true",
        help="Give a form for requests to the object, or to the Worker, with a history.",
    )
    @keeping("answer")
    def request(self, args: argparse.Namespace, cell: str | None = None) -> Any:
        """Send an object, or the Worker, a request and return the Response.

        As a cell magic the cell is the JSON body, and the method is POST if left out. Time passes
        as far as the handler needs. `$name` in the path stands for a variable of the notebook.

        Returns the Response; its body can still be read: `await _.json()`. With --repeat a
        DataFrame of the answers, whose
        `.attrs` hold the latency's percentiles; with --console the console.

        Example::

            %request GET COUNTER/a /value
            %request POST COUNTER/a /add -H 'x-user: ada' --json {"by": 2}
            %request GET /value?id=a
            %request COUNTER/a /add --repeat 100 --concurrency 10
            %request COUNTER/a /add --repeat 200 --rate 20/s
            %request --console COUNTER/a
        """
        given = [with_names(word, self.names) for word in args.words_given]
        if args.console:
            if len(given) > 1:
                raise UsageError("a console is for one object: %request --console BINDING/name")
            return self._keep(args, RequestConsole(self.session, *given))
        if not given:
            raise UsageError("say what to ask: %request [METHOD] [BINDING/name] [/path?query].")
        method, where, path = self._read(given, default="GET" if cell is None else "POST")
        target = None if where is None else self.session.target(where)
        init = self._init(args, method, cell)
        url = read_url(path)
        if args.rate is not None and args.repeat is None:
            raise UsageError("say how many: --repeat N beside --rate.")
        if args.repeat is not None:
            return self._keep(args, self._repeat(target, url, init, args))
        response = self.session.runtime.run(self._send(target, url, init))
        if response.status == 404 and self.session.hints:
            self._hint(target, url)
        return self._keep(args, response)

    def _read(self, words: list[str], *, default: str) -> tuple[str, str | None, str]:
        """Return method, object (None for the Worker) and path of a request's words."""
        rest = list(words)
        method = default
        if "/" not in rest[0]:
            method = rest.pop(0).upper()
            if any(n.binding == words[0] for n in self.session.kernel.namespaces):
                raise UsageError(f"{words[0]} is a class; name one of its objects: {words[0]}/name")
            if method not in METHODS:
                raise UsageError(f"no method {words[0]!r}. {suggest(words[0], METHODS)}")
        where = None
        if rest and not rest[0].startswith("/") and "://" not in rest[0]:
            where = rest.pop(0)
        path = rest.pop(0) if rest else "/"
        if rest or not ("://" in path or path.startswith("/")):
            wrong = rest[0] if rest else path
            if wrong[:1] in "{[" and wrong:
                raise UsageError(f"for a body there is --json: --json '{' '.join(rest) or wrong}'")
            raise UsageError(
                f"{wrong!r} is one word too many, or a path that does not begin with '/'. Write "
                "%request METHOD BINDING/name /path?query"
            )
        return method, where, path

    def _init(self, args: argparse.Namespace, method: str, cell: str | None) -> dict[str, Any]:
        given = [body for body in (args.json, args.body, cell) if body is not None]
        if len(given) > 1:
            raise UsageError("give one body: --json, --body or the cell.")
        headers = [with_names(header, self.names) for header in args.header]
        if args.body is not None:
            return request_init(method, headers, text=read_body(args.body, self.names))
        if given and given[0].strip():
            return request_init(method, headers, json=read_json(given[0], self.names))
        return request_init(method, headers)

    def _send(self, target: Target | None, url: str, init: dict[str, Any]) -> Awaitable[Any]:
        if target is None:
            return self.session.runtime.fetch(url, init)
        return target.stub.fetch(url, init)  # type: ignore[no-any-return]

    def _repeat(
        self, target: Target | None, url: str, init: dict[str, Any], args: argparse.Namespace
    ) -> Frame:
        runtime = self.session.runtime
        answers = ask_many(
            runtime,
            lambda: self._send(target, url, init),
            args.repeat,
            concurrency=args.concurrency,
            every_ms=None if args.rate is None else parse_rate(args.rate),
        )
        label = "the Worker" if target is None else target.label
        return answers_frame(answers, label, runtime.clock.now_ms)

    def _keep(self, args: argparse.Namespace, answer: object) -> Any:
        if args.variable is not None:
            self.shell.push({args.variable: answer})
        return answer

    def _hint(self, target: Target | None, url: str) -> None:
        known = mentioned_paths(self.session, "" if target is None else target.namespace.binding)
        path = urlsplit(url).path
        near = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
        if near and path not in known:
            display(Hint(f"The code mentions no path {path!r}. Did you mean {near[0]!r}?"))

    @line_magic
    @command
    @magic_arguments()
    @target_argument
    @argument("method", nargs="?", metavar="METHOD", help="The method's name.")
    @argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="ARG",
        help="Its arguments: JSON, Python literals or $name of a variable; also as name=value.",
    )
    def rpc(self, args: argparse.Namespace) -> Any:
        """Call a method of an object and return its result.

        Example::

            %rpc COUNTER/a add 2
            %rpc CHAT/lobby say "hello" {"bold": true}
            %rpc COUNTER/a add by=2
        """
        target = self.session.target(args.target)
        kind = target.namespace.cls
        known = [n for n in dir(kind) if not n.startswith("_") and n not in RESERVED]
        if args.method is None:
            raise UsageError(f"which method? {args.target} has {', '.join(known) or 'none'}.")
        if not hasattr(kind, args.method) and not args.method.startswith("_"):
            raise UnknownNameError("method", args.method, known)
        words = args.words[len(args.words) - len(args.arguments) :]
        named = [re.match(r"([A-Za-z_]\w*)=", word) for word in words]
        values = [
            read_value(word[m.end() :] if m else word, self.names)
            for word, m in zip(words, named, strict=True)
        ]
        keywords = {m[1]: value for m, value in zip(named, values, strict=True) if m}
        plain = [value for m, value in zip(named, values, strict=True) if not m]
        return self.session.runtime.run(getattr(target.stub, args.method)(*plain, **keywords))

    @line_magic
    @command
    @magic_arguments()
    @argument("target", nargs="?", metavar="OBJ", help="Only this object: BINDING/name, or worker.")
    @argument("--errors", action="store_true", help="Only those that failed: error or status 500.")
    def requests(self, args: argparse.Namespace) -> Frame:
        """Show what was asked of the Worker and the objects since the runtime began.

        Returns a DataFrame: at, object, method, path, status, took_ms, error.

        Example::

            %requests
            %requests COUNTER/a --errors
        """
        runtime = self.session.runtime
        runtime.settle(alarms=False)
        asked = self.session.log.entries()
        if args.target is not None:
            if args.target != "worker":
                args.target = self.session.target(args.target).label
            asked = [a for a in asked if a.object == args.target]
        if args.errors:
            asked = [a for a in asked if a.error or (a.status or 0) >= 500]
        none = "no request failed" if args.errors else "nothing has been asked yet"
        return requests_frame(asked, runtime.clock.now_ms, none)


def mentioned_paths(session: Session, binding: str) -> list[str]:
    """Return the text constants that look like paths in a class's code, in order.

    Args:
        session: The session.
        binding: The class's binding; empty for the Worker, which may pass on to any class.
    """
    sources = [d.class_source for d in session.definitions.values() if binding in ("", d.binding)]
    if not binding and session.worker is not None:
        sources.insert(0, session.worker.class_source)
    return list(dict.fromkeys(path for source in sources for path in _PATH.findall(source)))
