"""A name of the emulator that is not as expected stops everything, and is named."""

from __future__ import annotations

import types
from typing import Any

import pytest

from solution.local import IncompatibleEmulatorError
from solution.local.patches.seam import PINNED_VERSION, Seam, check_version


@pytest.fixture
def module() -> types.ModuleType:
    """A stand-in for a module of the emulator."""
    made = types.ModuleType("emulator")

    def greet(name: str, loud: bool = False) -> str:
        return name.upper() if loud else name

    made.greet = greet  # type: ignore[attr-defined]
    made.PROGRAM = "one two"  # type: ignore[attr-defined]
    made.TABLE = {}  # type: ignore[attr-defined]
    return made


def test_a_replacement_gets_the_original_and_keeps_its_signature(module: types.ModuleType) -> None:
    seam = Seam(module)
    for _ in range(2):
        seam.replace("greet", _politely, parameters=("name", "loud"))
    assert module.greet("ann", loud=True) == "dear dear ANN"


def _politely(original: Any) -> Any:
    def greet(*arguments: Any, **options: Any) -> str:
        return f"dear {original(*arguments, **options)}"

    return greet


def test_a_missing_name_is_named_with_the_pinned_version(module: types.ModuleType) -> None:
    with pytest.raises(IncompatibleEmulatorError, match=rf"emulator\.wave does not exist.*{PINNED_VERSION}"):
        Seam(module).require("greet", "wave")


def test_changed_parameters_are_refused(module: types.ModuleType) -> None:
    with pytest.raises(IncompatibleEmulatorError, match=r"emulator\.greet takes \(name, loud\), expected \(name\)"):
        Seam(module).replace("greet", _politely, parameters=("name",))


@pytest.mark.parametrize(("old", "said"), [("three", "'three' exactly once"), ("o", "'o' exactly once")])
def test_a_passage_must_be_there_exactly_once(module: types.ModuleType, old: str, said: str) -> None:
    with pytest.raises(IncompatibleEmulatorError, match=said):
        Seam(module).replace_text("PROGRAM", old, "x")
    Seam(module).replace_text("PROGRAM", "one", "three")
    assert vars(module)["PROGRAM"] == "three two"


def test_an_entry_needs_a_dictionary(module: types.ModuleType) -> None:
    Seam(module).set_entry("TABLE", "k", 1)
    assert vars(module)["TABLE"] == {"k": 1}
    with pytest.raises(IncompatibleEmulatorError, match="is no dictionary"):
        Seam(module).set_entry("PROGRAM", "k", 1)


def test_any_other_version_of_the_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_version()
    monkeypatch.setattr("solution.local.patches.seam.metadata.version", lambda _: "9.9.9")
    with pytest.raises(IncompatibleEmulatorError, match=rf"{PINNED_VERSION} is needed, 9\.9\.9 is installed"):
        check_version()
