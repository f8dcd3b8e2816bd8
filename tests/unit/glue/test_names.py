"""What patterns decide is what the reference gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from solution.domain import naming
from solution.glue import names
from tests.descriptions import CORPUS, descriptions, encodings

if TYPE_CHECKING:
    import pytest

ARCHIVE_ID = "7" * 138


def name_of(description: str) -> str:
    return names.name_of(ARCHIVE_ID.encode(), description.encode()).decode()


def test_the_corpus_is_named_as_the_reference_names_it() -> None:
    assert {text: name_of(text) for text, _ in CORPUS} == {
        text: name.replace("{id}", ARCHIVE_ID) for text, name in CORPUS
    }


@settings(max_examples=2000, database=None, deadline=None)
@given(descriptions)
def test_any_description_is_named_as_the_reference_names_it(description: str) -> None:
    assert name_of(description) == naming.base_name(ARCHIVE_ID, description)


def test_what_backup_tools_write_is_decided_without_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(naming, "base_name")
    for path in ("photos/2013/img 1.jpg", "a,b/c.tar.gz", "no extension", "srv/it's/x.profile"):
        assert {name_of(text) for text in (path, *encodings(path))} == {path}


def test_names_are_decided_by_patterns_with_care() -> None:
    for path in (
        "/a",
        "a/",
        "a//b",
        "./a",
        "a/./b",
        "a/../b",
        "..",
        ".",
        "a/..",
        " a",
        "a ",
        "a\\b",
        "a\x7f",
        "x" * 953,
    ):
        for text in (path, *encodings(path)):
            assert name_of(text) == naming.base_name(ARCHIVE_ID, text)
