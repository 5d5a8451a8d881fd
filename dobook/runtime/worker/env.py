"""`env`: what code reaches by name.

Source: developers.cloudflare.com/workers/runtime-apis/bindings/
"""

from typing import Any

from dobook.errors import UsageError, suggest
from dobook.runtime.reports.portable import remark_if_called

_NO_BINDINGS = (
    "There are none yet: a class gets one from a cell that begins with %%durable_object, or from "
    "runtime.register(Class)."
)
_AS_DICT = "env as a dict: env of Cloudflare's Python SDK is not one (TypeError)."


class Env:
    """`env`: what an object reaches by name, its bindings and variables."""

    def __init__(self) -> None:
        self._bindings: dict[str, Any] = {}
        self._secrets = ""
        self._exports: Any = None  # of the Worker whose `env` it is; made when it is asked for

    def take_secrets_from(self, file: str) -> None:
        """Name the file that secrets are written into, for the error of one that is missing."""
        self._secrets = file

    def bind(self, name: str, value: object) -> None:
        """Make something available under a name.

        Raises:
            UsageError: If the name could not be written as `env.NAME`.
        """
        if not name.isidentifier():
            raise UsageError(f"{name!r} cannot be a binding: write it as a Python identifier.")
        self._bindings[name] = value

    def unbind(self, name: str) -> None:
        """Take a name away; an unknown one is ignored."""
        self._bindings.pop(name, None)

    def names(self) -> list[str]:
        """Return the names, in the order they were bound."""
        return list(self._bindings)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._bindings[name]
        except KeyError:
            known = suggest(name, self._bindings) if self._bindings else _NO_BINDINGS
            if self._secrets and name.isupper():
                known += f" A secret? Write {name}=… into {self._secrets}."
            raise AttributeError(f"env has no binding {name!r}. {known}") from None

    def __getitem__(self, name: str) -> Any:
        remark_if_called(f"{_AS_DICT} Write env.{name}, or getattr(env, name).")
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        remark_if_called(f"{_AS_DICT} Write hasattr(env, name).")
        return name in self._bindings

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._bindings]

    def __repr__(self) -> str:
        return f"<env: {', '.join(self._bindings) or 'no bindings'}>"
