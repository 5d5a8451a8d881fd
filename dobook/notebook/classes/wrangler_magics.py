"""`%%wrangler` and `%wrangler`: the configuration of the notebook's Worker."""

import argparse
from dataclasses import dataclass
from typing import Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from dobook.errors import UsageError
from dobook.notebook.core.display import Card, box, heading, pre
from dobook.notebook.core.magic import MagicsBase, command
from dobook.wrangler import Configuration, Deployment, parse
from dobook.wrangler.writing import to_jsonc, to_toml


@dataclass(frozen=True, slots=True, repr=False)
class ConfigurationText:
    """A configuration as its file has it; `str()` gives the text.

    Attributes:
        name: What the file is called.
        text: What it says.
        note: A few words beside the name.
    """

    name: str
    text: str
    note: str = ""

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{self.name}  {self.note}\n\n{self.text}".rstrip()

    def _repr_html_(self) -> str:
        return box(heading(self.name, self.note), pre(self.text.rstrip()))


@magics_class
class WranglerMagics(MagicsBase):
    """The magic of the configuration."""

    @line_cell_magic
    @command
    @magic_arguments()
    @argument("--env", metavar="NAME", help="Which environment of the text, as in wrangler --env.")
    @argument(
        "--format",
        choices=("toml", "jsonc"),
        help="How %%wrangler shows the configuration: toml (the default) or jsonc.",
    )
    @argument(
        "--delete-class",
        metavar="CLASS",
        help="Delete a class with all its objects; the kept configuration gets the migration.",
    )
    @argument(
        "--keep",
        action="store_true",
        help="Forget the text of the last cell; the configuration is kept for you again.",
    )
    def wrangler(self, args: argparse.Namespace, cell: str | None = None) -> Any:
        """Show the Worker's configuration; with a cell, deploy with the cell's text as it.

        Without a %%wrangler cell the configuration is kept for you: each class gets a binding and a
        migration, and %wrangler shows them. A cell with TOML or JSON takes over: its migrations are
        applied, its bindings are made, and what Cloudflare would refuse is refused. Classes that no
        cell has defined yet are waited for.

        Returns the configuration's text; with a cell, a card that says what has been done.

        Example::

            %wrangler --format jsonc

            %%wrangler
            [[durable_objects.bindings]]
            name = "COUNTER"
            class_name = "Counter"

            [[migrations]]
            tag = "v1"
            new_sqlite_classes = ["Counter"]
        """
        deployer = self.session.deployer
        if cell is not None:
            if args.delete_class or args.keep or args.format:
                raise UsageError("--format, --delete-class and --keep are for %wrangler on a line.")
            configuration = parse("\n" + cell, environment=args.env)  # the magic's line counts
            return _card(configuration, deployer.apply(configuration))
        if args.env:
            raise UsageError("--env chooses from the text of a cell: %%wrangler --env NAME")
        if args.keep:
            deployer.apply(None)
        if args.delete_class:
            deployer.delete(args.delete_class)
        kind = args.format or "toml"
        write = to_toml if kind == "toml" else to_jsonc
        kept = "kept for you" if deployer.given is None else "from a %%wrangler cell"
        return ConfigurationText(f"wrangler.{kind}", write(deployer.configuration), kept)


def _card(configuration: Configuration, deployment: Deployment) -> Card:
    bindings = [
        f"env.{b.name}: {b.class_name}" + (f" of {b.script_name}" if b.script_name else "")
        for b in configuration.durable_objects
    ]
    rows = [
        ("bindings", "\n".join(bindings) or "none"),
        ("migrations", "\n".join(deployment.done) or "nothing new"),
    ]
    if deployment.waiting:
        waiting = ", ".join(deployment.waiting)
        rows[1:] = [("waiting", f"nothing is deployed before a cell defines {waiting}")]
    if deployment.tag is not None:
        rows.append(("applied", f"up to {deployment.tag}"))
    if configuration.vars:
        rows.append(("vars", ", ".join(configuration.vars)))
    if configuration.unsupported:
        kinds = ", ".join(f"env.{b.name} ({b.kind})" for b in configuration.unsupported)
        rows.append(("not offered", f"{kinds}: using one is an error here"))
    rows += [("warning", text) for text in deployment.warnings]
    note = "not deployed yet" if deployment.waiting else "deployed"
    return Card(deployment.script, tuple(rows), note)
