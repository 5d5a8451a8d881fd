"""Projects that a notebook runs: folders with a wrangler configuration, beside the cells' own classes."""

from pathlib import Path
from typing import TYPE_CHECKING

from dobook.notebook.core.display import Card, count
from dobook.project import Project

if TYPE_CHECKING:
    from dobook.notebook.core.session import Session
    from dobook.runtime.runtime import Runtime


class Projects:
    """The projects of a notebook; the last one answers its requests.

    Args:
        session: The notebook's session.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._open: dict[str, Project] = {}

    @property
    def names(self) -> set[str]:
        """The names of their Workers."""
        return {*self._open}

    @property
    def front(self) -> str:
        """The name of the one that answers, "" without any."""
        return [*self._open][-1] if self._open else ""

    def open(self, path: str | Path, environment: str | None = None) -> Card:
        """Deploy a project to the notebook's runtime; again, with the code its files have now.

        Args:
            path: Its folder, or its configuration.
            environment: An environment of the configuration.

        Returns:
            Its card.

        Raises:
            DobookError: If it is not a project, or Cloudflare would refuse it.
        """
        project = Project(path, environment)
        before = self._open.pop(project.name, None)
        if before is not None:
            before.close()
        self._open[project.name] = project
        self._session.worker = None
        try:
            project.deploy(self._session.runtime)
        except BaseException:
            del self._open[project.name]
            project.close()
            raise
        return _card(project)

    def deploy(self, runtime: "Runtime") -> None:
        """Deploy all of them again, to another runtime."""
        for project in self._open.values():
            project.deploy(runtime)

    def close(self) -> None:
        """Close all projects."""
        for project in self._open.values():
            project.close()
        self._open.clear()


def _card(project: Project) -> Card:
    configuration, code = project.configuration, project.code
    assert code is not None
    objects = [f"env.{b.name}: {b.class_name}" for b in configuration.durable_objects]
    services = [f"env.{s.binding}: {s.service}" for s in configuration.services]
    rows = [
        ("main", configuration.main or "none"),
        ("objects", ", ".join(objects) or "none"),
        ("handlers", ", ".join(_handlers(code.entry)) or "none"),
    ]
    if services:
        rows.append(("services", ", ".join(services)))
    if configuration.vars:
        rows.append(("variables", ", ".join(configuration.vars)))
    if configuration.crons:
        rows.append(("crons", "; ".join(configuration.crons)))
    if configuration.unsupported:
        names = ", ".join(f"env.{b.name} ({b.kind})" for b in configuration.unsupported)
        rows.append(("not offered", names))
    modules = [] if project.space is None else [*project.space.modules]
    rows.append(("modules", f"{count(len(modules), 'module')}: {', '.join(modules)}"))
    rows += [("warning", text) for text in project.warnings]
    return Card(project.name, tuple(rows), "project, answers %request METHOD /path")


def _handlers(entry: object) -> list[str]:
    if isinstance(entry, dict):
        return [f"on_{kind}" for kind in entry]
    return [kind for kind in ("fetch", "scheduled") if hasattr(entry, kind)]
