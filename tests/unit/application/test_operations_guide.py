"""docs/OPERATIONS.md names reasons as the code writes them, so that a search for one finds its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
CODE = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "source" / "solution" / "application" / "use_cases").glob("*.py"))
)


def reasons() -> list[str]:
    """First column of the table of reasons."""
    table = GUIDE.partition("| a reason begins with |")[2].partition("\n\n")[0]
    return re.findall(r"^\| ([^-|][^|]*) \|", table.partition("\n")[2], flags=re.MULTILINE)


def test_the_guide_has_a_table_of_reasons() -> None:
    assert len(reasons()) >= 7


@pytest.mark.parametrize("reason", reasons())
def test_each_reason_of_the_guide_is_one_the_code_gives(reason: str) -> None:
    for words in re.split(r" ?… ?|\b5\b", reason):
        assert words.strip() in CODE, f"no use case writes {words!r}"
