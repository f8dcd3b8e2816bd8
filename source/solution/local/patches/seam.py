"""How a patch takes hold of MiniStack: every name it replaces or calls is checked first, at start-up.

MiniStack has no public interface for what we change, so a new version may rename it. Then nothing must start: an
emulator that is half patched would let through what AWS refuses.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from importlib import import_module, metadata
from types import ModuleType
from typing import Any, Final

from solution.local.errors import IncompatibleEmulatorError

PINNED_VERSION: Final = "1.5.33"
"""The MiniStack that our patches were written for and tested with."""


def check_version() -> None:
    """Refuse any other MiniStack.

    Raises:
        IncompatibleEmulatorError: another version is installed, or none.
    """
    try:
        installed = metadata.version("ministack")
    except metadata.PackageNotFoundError:
        installed = "none"
    if installed != PINNED_VERSION:
        raise _incompatible(f"MiniStack {PINNED_VERSION} is needed, {installed} is installed")


class Seam:
    """One module of MiniStack, opened for replacing names in it."""

    def __init__(self, module: str | ModuleType) -> None:
        self._module = import_module(module) if isinstance(module, str) else module

    def require(self, *names: str) -> None:
        """Check names that a patch uses without replacing them.

        Raises:
            IncompatibleEmulatorError: one is missing.
        """
        for name in names:
            self._get(name)

    def replace(self, name: str, make: Callable[[Any], Any], *, parameters: Iterable[str]) -> None:
        """Replace a function by what ``make`` returns for the original.

        Args:
            name: the function, or ``Class.method``.
            make: takes the original, returns the replacement.
            parameters: parameter names that the original must have, in order.

        Raises:
            IncompatibleEmulatorError: the name is missing or takes other parameters.
        """
        original = self._get(name)
        expected, found = list(parameters), list(inspect.signature(original).parameters)
        if found != expected:
            raise _incompatible(f"{self._named(name)} takes ({', '.join(found)}), expected ({', '.join(expected)})")
        replacement = make(original)
        if inspect.isfunction(replacement):
            # The next patch of the same name finds the parameters that it expects.
            functools.update_wrapper(replacement, original)
        self._set(name, replacement)

    def set(self, name: str, value: Any) -> None:
        """Replace a value that must exist.

        Raises:
            IncompatibleEmulatorError: the name is missing.
        """
        self._get(name)
        self._set(name, value)

    def set_entry(self, name: str, key: str, value: Any) -> None:
        """Add or replace an entry of a dictionary that must exist.

        Raises:
            IncompatibleEmulatorError: the name is missing or is no dictionary.
        """
        table = self._get(name)
        if not isinstance(table, dict):
            raise _incompatible(f"{self._named(name)} is no dictionary")
        table[key] = value

    def replace_text(self, name: str, old: str, new: str) -> None:
        """Replace a passage, found exactly once, of a program that is kept as text.

        Raises:
            IncompatibleEmulatorError: the name is missing, or the passage is not there exactly once.
        """
        text = self._get(name)
        if not isinstance(text, str) or text.count(old) != 1:
            raise _incompatible(f"{self._named(name)} does not hold the passage {old.strip()!r} exactly once")
        self._set(name, text.replace(old, new))

    def _get(self, name: str) -> Any:
        holder: Any = self._module
        for part in name.split("."):
            if not hasattr(holder, part):
                raise _incompatible(f"{self._named(name)} does not exist")
            holder = getattr(holder, part)
        return holder

    def _set(self, name: str, value: Any) -> None:
        *path, last = name.split(".")
        holder: Any = self._module
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, value)

    def _named(self, name: str) -> str:
        return f"{self._module.__name__}.{name}"


def _incompatible(cause: str) -> IncompatibleEmulatorError:
    return IncompatibleEmulatorError(
        f"{cause}, so the local AWS would behave differently from what its tests prove (pinned: {PINNED_VERSION})",
        f"Run: pip install ministack=={PINNED_VERSION}",
    )
