"""`View`: what all live views share. A view is a subclass in one .py file, with one .js file beside it.

A view shows the same facts as the static text and HTML of the same thing, follows what cells do, and
its buttons act through the runtime as cells do. No module of a view is imported before a front end
is there to show it: ipywidgets takes its time.

How to write one:

- `file` names its JavaScript, `NAME.js` beside the class, which has a function `draw(facts, ui)`; see
  `common.js`, which is put in front of it. Styles of its own go into `NAME.css`. `parts` are other
  views that it draws inside of itself, by calling `NAME(facts, ui)` with their `file`.
- `look()` returns the facts to show, as plain JSON with a `title`. It never turns the runtime's
  loop: it is called after every turn while somebody looks.
- `do_NAME(**fields)` is what an element with `data-do="NAME"` does. It may turn the loop. What it
  returns is said below the view. What it raises is shown there too, with the user's line, and so is
  what handlers print meanwhile: neither is lost in a log that nobody reads.
- `shown_by` is how a notebook shows it; a test looks for a notebook that does.
- `static()` returns text and HTML with the same facts, for use without a front end.

State is in traits alone, so that several displays of one view stay in step.
"""

import contextlib
import io
import sys
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from dobook.notebook.core import tracebacks
from dobook.notebook.core.session import Session
from dobook.notebook.core.tracebacks import one_line

_MOST_SAID = 4_000  # characters of what handlers print during one action


class View(anywidget.AnyWidget):
    """A live view of something of a session's runtime.

    Args:
        session: The notebook's session. Its runtime may be another one later on, after
            `%dobook reset`; a view looks at the one in use.
    """

    file: ClassVar[str] = ""
    parts: "ClassVar[tuple[type[View], ...]]" = ()
    shown_by: ClassVar[str] = ""  # a pattern of what a notebook's cell says to show it
    facts = traitlets.Dict().tag(sync=True)
    outcome = traitlets.Dict().tag(sync=True)  # of the last action
    following = traitlets.Bool(default_value=True).tag(sync=True)

    def __init__(self, session: Session, **traits: Any) -> None:
        self.session = session
        self._acted = 0
        self.looked = 0  # the number of its last look, for the hub
        super().__init__(facts=self.look(), **traits)
        self.on_msg(self._heard)
        # A message of the front end when it draws the view would be the natural sign. But one that
        # arrives while an async cell runs takes that cell's end from it (ipykernel 7): it stays [*].
        if session.shows_views:
            session.views.follow(self)

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "file" in vars(cls):  # not the class that anywidget makes of each instance
            views = (*cls.parts, cls)
            drawn = [
                f"const {v.file} = (() => {{\n{v.source('js')}return draw;\n}})();\n" for v in views
            ]
            cls._esm = f"{_common('js')}{''.join(drawn)}export default view({cls.file});\n"
            cls._css = _common("css") + "".join(view.source("css") for view in views)
        super().__init_subclass__(**keywords)

    @classmethod
    def source(cls, suffix: str) -> str:
        """Return its JavaScript ("js") or its own styles ("css"), empty if it has none."""
        module = sys.modules[cls.__module__].__file__
        return "" if module is None else _read(Path(module).with_name(f"{cls.file}.{suffix}"))

    # ------------------------------------------------------------------ for subclasses

    def look(self) -> dict[str, Any]:
        """Return the facts as they are now, as plain JSON."""
        raise NotImplementedError

    def static(self) -> tuple[str, str]:
        """Return text and HTML with the same facts."""
        raise NotImplementedError

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Read the facts again and send what has changed to the front end."""
        if self.session.kernel.closed:
            return
        try:
            with self.session.kernel.driver.held:  # in real time another thread turns it
                self.facts = self.look()
        except Exception as error:  # a view must neither end a cell nor hide the error
            problem, place = self._problem(error)
            self._tell("look", problem=problem, place=place)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.facts.get('title', '')}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        if not self.session.shows_views:
            bundle = {}  # without a front end the model's id is useless, and it differs each time
        text, html = self.static()
        return {**bundle, "text/plain": text, "text/html": html}, metadata

    # ------------------------------------------------------------------ acting

    def _heard(self, _view: Any, message: Any, _buffers: Any) -> None:
        fields = dict(message)
        what = fields.pop("do", "")
        self.session.views.on_main(lambda: self.act(what, **fields))

    def act(self, what: str, **fields: Any) -> None:
        """Do what a button says, and show what came of it.

        Args:
            what: The name of a `do_…` method.
            fields: Its arguments.
        """
        problem, place, note, lines = "", "", None, io.StringIO()
        with contextlib.redirect_stdout(lines):
            try:
                note = getattr(self, f"do_{what}")(**fields)
            except KeyboardInterrupt:
                problem = "interrupted"
                self.session.kernel.driver.end_begun()
            except Exception as error:
                problem, place = self._problem(error)
        self.session.views.refresh()
        self.refresh()  # it may be one that does not follow any more
        said = lines.getvalue().rstrip()[-_MOST_SAID:]
        self._tell(what, problem=problem, place=place, note=note or "", lines=said)

    def do_follow(self) -> None:
        """Follow again, after others have taken this view's place."""
        self.session.views.follow(self)

    def _tell(self, what: str, **said: str) -> None:
        self._acted += 1
        self.outcome = {"n": self._acted, "what": what, **said}

    def _problem(self, error: BaseException) -> tuple[str, str]:
        place = "\n".join(tracebacks.users_lines(error, self.session.shell))
        text = one_line(error)
        kind = type(error).__name__
        return text if kind == "UsageError" else f"{kind}: {text}", place


def _common(suffix: str) -> str:
    return _read(Path(__file__).with_name(f"common.{suffix}"))


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""
