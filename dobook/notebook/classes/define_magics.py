"""`%%durable_object` and `%%worker`: a cell's classes become objects and the Worker."""

import argparse
import dataclasses

from IPython.core.magic import cell_magic, line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from dobook.errors import UsageError
from dobook.notebook.core.definitions import is_worker, require, run_cell
from dobook.notebook.core.display import Card
from dobook.notebook.core.entrypoints import define_workers, front_of
from dobook.notebook.core.magic import MagicsBase, command

_OBJECT_EXAMPLE = "class Counter(DurableObject): …, after: from workers import DurableObject"
_WORKER_EXAMPLE = "class Default(WorkerEntrypoint): …, after: from workers import WorkerEntrypoint"


@magics_class
class DefineMagics(MagicsBase):
    """The magics that define classes."""

    @cell_magic
    @command
    @magic_arguments()
    @argument("--binding", metavar="NAME", help="The name in env; by default COUNTER for Counter.")
    @argument(
        "--storage",
        choices=("sqlite", "kv"),
        help="sqlite (the default): SQL and key-value, as new_sqlite_classes gives; "
        "kv: key-value alone, as new_classes gives.",
    )
    @argument("--name", metavar="NAME", help="The class's name when deployed, if not its own.")
    @argument(
        "--renamed-from",
        metavar="CLASS",
        help="The class whose objects it takes over: a migration with renamed_classes is added.",
    )
    def durable_object(self, args: argparse.Namespace, cell: str) -> Card | None:
        """Run the cell and make the DurableObject classes it defines available.

        The code runs in the notebook's namespace. Each class gets a binding in `env`. Defining a
        class again is a deployment: its instances restart with the new code, storage and alarms
        stay.

        Returns the class's card.

        Example::

            %%durable_object
            from workers import DurableObject

            class Counter(DurableObject):
                async def increment(self):
                    n = (await self.ctx.storage.get("n") or 0) + 1
                    await self.ctx.storage.put("n", n)
                    return n
        """
        found = run_cell(self.shell, f"%%durable_object {args.line}".rstrip(), cell)
        objects = [d for d in found if not is_worker(d.cls)]
        require(objects, "class with the base DurableObject", _OBJECT_EXAMPLE, cell)
        if len(objects) > 1 and (args.binding or args.name or args.renamed_from):
            names = ", ".join(d.class_name for d in objects)
            raise UsageError(
                "--binding, --name and --renamed-from are for one class, and this cell defines "
                f"{names}."
            )
        cards = [
            self.session.define(
                dataclasses.replace(
                    definition,
                    class_name=args.name or definition.class_name,
                    binding=args.binding or "",
                    storage=args.storage or "",
                ),
                renamed_from=args.renamed_from,
            )
            for definition in objects
        ]
        if workers := [d for d in found if is_worker(d.cls)]:
            cards += define_workers(self.session, workers)
        for card in cards[:-1]:
            display(card)
        return cards[-1]

    @line_cell_magic
    @command
    @magic_arguments()
    @argument("--project", metavar="PATH", help="A Python Workers project to run as it is.")
    @argument("--env", metavar="NAME", help="An environment of the project's configuration.")
    def worker(self, args: argparse.Namespace, cell: str | None = None) -> Card | None:
        """Run the cell and make the WorkerEntrypoint it defines answer requests from outside.

        The class named Default counts, or the only one there is. Its `env` has the bindings of the
        objects; `%request METHOD /path` asks it. Beside a Default, classes with other names are
        entrypoints, which `ctx.exports` reaches.

        With --project the code is that of a folder with a wrangler configuration, which is
        deployed beside the notebook's own classes; run it again after the files have changed.

        Returns the Worker's card.

        Example::

            %worker --project ../my-project

            %%worker
            from workers import WorkerEntrypoint

            class Default(WorkerEntrypoint):
                async def fetch(self, request):
                    return await self.env.COUNTER.getByName("a").fetch(request)
        """
        if args.project is not None:
            if any(line.strip() and line.lstrip()[0] != "#" for line in (cell or "").splitlines()):
                raise UsageError("a project has its own code; leave the rest of the cell empty.")
            return self.session.projects.open(args.project, args.env)
        if cell is None:
            raise UsageError("write the Worker below %%worker, or name one: %worker --project PATH")
        found = run_cell(self.shell, f"%%worker {args.line}".rstrip(), cell)
        workers = [d for d in found if is_worker(d.cls)]
        require(workers, "class with the base WorkerEntrypoint", _WORKER_EXAMPLE, cell)
        front_of(self.session, workers)  # raises before anything is deployed
        for definition in found:
            if not is_worker(definition.cls):
                display(self.session.define(definition))
        cards = define_workers(self.session, workers)
        for card in cards[:-1]:
            display(card)
        return cards[-1]
