"""The synthetic inventories of the benchmark hold what they say."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from solution.domain import naming
from tests.bench import inventories
from tests.bench.inventories import Kind

HUNDREDS = 20


def test_every_hundred_rows_hold_the_mix() -> None:
    assert sum(inventories.MIX.values()) == 100
    for hundred in range(3):
        kinds = Counter(inventories.kind_of(100 * hundred + place) for place in range(100))
        assert kinds == inventories.MIX


def test_five_rows_in_a_hundred_ask_for_the_name_of_another() -> None:
    named = [Kind.PLAIN, Kind.JSON, Kind.FAST_GLACIER, Kind.MT_AWS]
    names = Counter(
        naming.base_name("id", inventories.description_of(number))
        for number in range(100 * HUNDREDS)
        if inventories.kind_of(number) in named
    )
    assert Counter(names.values()) == {2: 5 * HUNDREDS, 1: (90 - 10) * HUNDREDS}
    assert not any(name.startswith((naming.ERROR_PREFIX, naming.UNDEFINED_PREFIX)) for name in names)


def test_awkward_descriptions_hold_line_breaks_quotes_and_letters_of_other_scripts() -> None:
    awkward = "".join(
        inventories.description_of(number)
        for number in range(100 * HUNDREDS)
        if inventories.kind_of(number) is Kind.AWKWARD
    )
    assert {"\n", '"', "\\", "日", "\u0301"} <= set(awkward)


def test_a_file_is_as_glacier_writes_it_and_always_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    inventories.write(first, 300)
    inventories.write(second, 300)
    assert first.read_bytes() == second.read_bytes()
    with first.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, doublequote=False, escapechar="\\")
    assert ",".join(header) == inventories.HEADER
    assert [row[1] for row in rows] == [inventories.description_of(number) for number in range(300)]
    assert {(len(row[0]), len(row[4])) for row in rows} == {(138, 64)}
    assert len({row[0] for row in rows}) == 300
