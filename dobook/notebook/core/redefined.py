"""Warns of a deployed class that a plain cell defines again, which changes nothing."""

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell

from dobook.notebook.core.definitions import is_object
from dobook.notebook.core.session import Session


def install(shell: InteractiveShell, session: Session) -> Callable[[], None]:
    """Warn of a class that a plain cell defines again although a magic has deployed it.

    Returns:
        What undoes it.
    """
    told: set[int] = set()

    def ran(_result: object = None) -> None:
        for definition in session.definitions.values():
            found = shell.user_ns.get(definition.class_name)
            if found is definition.cls or not isinstance(found, type) or id(found) in told:
                continue
            if is_object(found) and found.__module__ == "__main__":
                told.add(id(found))
                print(  # noqa: T201 - below the cell, where the class was written
                    f"{definition.class_name} is deployed from a %%durable_object cell, and this "
                    "cell is not one: the old code still runs. Begin the cell with "
                    "%%durable_object."
                )

    shell.events.register("post_run_cell", ran)
    return lambda: shell.events.unregister("post_run_cell", ran)
