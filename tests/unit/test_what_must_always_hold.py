"""Each rule of docs/DEVELOPER_GUIDE.md, "What must always hold", has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
GUIDE = TESTS.parent / "docs" / "DEVELOPER_GUIDE.md"


def rules_of_the_guide() -> set[int]:
    section = GUIDE.read_text().split("## What must always hold")[1].split("\n## ")[0]
    return {int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)}


def rules_with_a_test() -> set[int]:
    marked = re.compile(r"^@pytest\.mark\.holds\((\d+)\)\ndef test_", re.MULTILINE)
    return {int(number) for path in TESTS.rglob("test_*.py") for number in marked.findall(path.read_text())}


def test_every_rule_has_a_test_that_names_it() -> None:
    assert rules_of_the_guide() == set(range(1, 8))
    assert rules_with_a_test() == rules_of_the_guide()
