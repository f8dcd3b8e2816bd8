"""The expressions give the names that the reference gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain import naming
from solution.glue import names
from tests.descriptions import CORPUS, awkward_texts, descriptions, encodings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = "archive_id string, description string, override string"


def archive_id(number: int) -> str:
    return f"{number:0138d}"


def named(spark: SparkSession, rows: Sequence[tuple[str, str, str | None]]) -> tuple[dict[str, str], set[str]]:
    """Names by archive id, and the ids that the expressions left to the reference."""
    # kept, as the job does: the expressions are compiled and computed once for both halves
    kept = names.with_names(spark.createDataFrame(rows, SCHEMA)).persist()
    decided, odd = names.complete_names(kept)
    by_expressions = {row["archive_id"]: row["name"] for row in decided.collect()}
    by_reference = {row["archive_id"]: row["name"] for row in odd.collect()}
    kept.unpersist()
    assert not by_expressions.keys() & by_reference.keys()
    return by_expressions | by_reference, set(by_reference)


def test_the_corpus_is_named_as_the_reference_names_it(spark: SparkSession) -> None:
    rows = [(archive_id(number), description, None) for number, (description, _) in enumerate(CORPUS)]
    found, _ = named(spark, rows)
    assert found == {
        archive_id(number): name.replace("{id}", archive_id(number)) for number, (_, name) in enumerate(CORPUS)
    }


def test_any_description_and_override_is_named_as_the_reference_names_it(spark: SparkSession) -> None:
    rows: list[tuple[str, str, str | None]] = []

    @settings(max_examples=600, database=None, deadline=None)
    @given(descriptions, st.none() | awkward_texts)
    def collect(description: str, override: str | None) -> None:
        rows.append((archive_id(len(rows)), description, override))

    collect()
    found, _ = named(spark, rows)
    assert found == {key: naming.base_name(key, description, override) for key, description, override in rows}


def test_what_backup_tools_write_is_decided_without_python(spark: SparkSession) -> None:
    paths = ["photos/2013/img 1.jpg", "C:\\Users\\me\\файл.txt", "/srv/日本語/naïve.tar.gz", "a//b/../c.txt"]
    texts = ["", *paths, *(text for path in paths for text in encodings(path) if "\\u" not in text)]
    _, by_reference = named(spark, [(archive_id(number), text, None) for number, text in enumerate(texts)])
    assert not by_reference


def test_suffixes_are_those_of_the_reference(spark: SparkSession) -> None:
    wanted = ["a.jpg", "dir.d/b.tar.gz", ".profile", "x/.tar.gz", "é日.ñ", "no extension", "ends.with.", "a.tar.gz/b"]
    rows = spark.createDataFrame(
        [(archive_id(number), name) for number, name in enumerate(wanted)], "archive_id string, name string"
    )
    for attempt in (0, 1, 12):
        for row in names.suffixed(rows, attempt).collect():
            assert row["new_name"] == naming.with_suffix(row["name"], row["archive_id"], attempt)


def test_ordinary_characters_are_those_that_normalisation_leaves_alone() -> None:
    ordinary = {chr(code) for code in range(0x10000) if re.match(f"[{names.ORDINARY_CHARACTERS}]", chr(code))}
    assert len(ordinary) > 20_000
    joins_to_the_left = {
        chr(int(parts[1], 16))
        for code in range(0x110000)
        if len(parts := unicodedata.decomposition(chr(code)).split()) == 2 and not parts[0].startswith("<")
    }
    joins_to_the_left |= {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    assert not ordinary & joins_to_the_left
    for character in ordinary:
        assert unicodedata.is_normalized("NFC", character), hex(ord(character))
        assert unicodedata.combining(character) == 0
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
