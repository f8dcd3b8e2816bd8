"""Names: what each description means, and that every name is safe, short, unique and stable."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solution.domain import naming
from solution.domain.naming import Claim
from tests.descriptions import CORPUS, awkward_texts, descriptions, encodings

ARCHIVE_ID = "A" * 138
BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: a name with them reads otherwise than it is."""


def assert_safe(name: str) -> None:
    assert name
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
    assert not BIDIRECTIONAL.intersection(name)
    assert "\\" not in name
    assert not {"", ".", ".."}.intersection(name.split("/"))


@pytest.mark.parametrize(("description", "name"), CORPUS)
def test_each_description_of_the_corpus_gives_its_name(description: str, name: str) -> None:
    assert naming.base_name(ARCHIVE_ID, description) == name.replace("{id}", ARCHIVE_ID)


@given(descriptions, st.none() | awkward_texts)
def test_every_name_is_a_safe_key_with_room_for_the_run_and_a_suffix(description: str, override: str | None) -> None:
    name = naming.base_name(ARCHIVE_ID, description, override)
    assert_safe(name)
    longest = naming.with_suffix(name, ARCHIVE_ID, 1)
    assert_safe(longest)
    assert naming.RUN_PREFIX_BYTES + len(longest.encode()) <= naming.MAX_KEY_BYTES


@given(awkward_texts)
def test_every_format_gives_back_the_path_that_was_put_in(path: str) -> None:
    expected = naming.safe_key(path) or naming.UNDEFINED_PREFIX + ARCHIVE_ID
    assert {naming.base_name(ARCHIVE_ID, description) for description in encodings(path)} == {expected}


@given(descriptions, awkward_texts)
def test_an_override_wins_unless_nothing_is_left_of_it(description: str, override: str) -> None:
    name = naming.base_name(ARCHIVE_ID, description, override)
    assert name == (naming.safe_key(override) or naming.base_name(ARCHIVE_ID, description))


def test_a_long_name_keeps_its_beginning_and_its_extension() -> None:
    name = naming.safe_key("archive/" + "é" * 2000 + ".tar.gz")
    assert name.startswith("archive/ééé")
    assert name.endswith(".tar.gz")
    assert len(name.encode()) in (naming.MAX_BASE_BYTES - 1, naming.MAX_BASE_BYTES)


@pytest.mark.parametrize(
    "letter",
    [
        "e\N{COMBINING DOT BELOW}\N{COMBINING ACUTE ACCENT}",
        "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}",
        "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}",
        "\N{SNOW CAPPED MOUNTAIN}\N{VARIATION SELECTOR-16}",
        "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI VOWEL SIGN I}",
        "\N{GRINNING FACE}",
        "ab",
    ],
)
def test_a_long_name_is_cut_between_letters(letter: str) -> None:
    whole = unicodedata.normalize("NFC", letter)
    for first in range(12):
        name = naming.safe_key("x" * first + letter * 500 + ".jpg")
        match = re.fullmatch(r"(x*)(.+)-[0-9a-f]{20}\.jpg", name)
        assert match
        kept = match[2]
        assert letter == "ab" or kept == whole * (len(kept) // len(whole))
        assert naming.MAX_BASE_BYTES - len(name.encode()) < 1 + len(whole.encode())


def test_a_name_that_is_all_one_letter_is_cut_somewhere() -> None:
    name = naming.safe_key("e" + "\N{COMBINING DOT BELOW}" * 2000)
    assert naming.MAX_BASE_BYTES - 2 <= len(name.encode()) <= naming.MAX_BASE_BYTES


def test_a_number_of_any_length_does_not_cost_a_name() -> None:
    assert naming.base_name(ARCHIVE_ID, f'{{"Path": "a.txt", "Size": {"9" * 10_000}}}') == "a.txt"


def test_nesting_of_any_depth_is_an_error_and_no_crash() -> None:
    assert naming.base_name(ARCHIVE_ID, '{"Path": "a.txt", "n": ' + "[" * 50_000) == naming.ERROR_PREFIX + ARCHIVE_ID


def test_long_names_that_begin_alike_stay_apart() -> None:
    first, second = (naming.safe_key("x" * 2000 + ending + ".jpg") for ending in "ab")
    assert first != second


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dir/photo.jpg", r"dir/photo-[0-9a-f]{20}\.jpg"),
        ("backup.tar.gz", r"backup-[0-9a-f]{20}\.tar\.gz"),
        ("dir/.tar.gz", r"dir/\.tar-[0-9a-f]{20}\.gz"),
        ("dir.d/.profile", r"dir\.d/\.profile-[0-9a-f]{20}"),
        ("no extension", r"no extension-[0-9a-f]{20}"),
        ("v1.2/README", r"v1\.2/README-[0-9a-f]{20}"),
    ],
)
def test_a_suffix_stands_before_the_extension(name: str, expected: str) -> None:
    assert re.fullmatch(expected, naming.with_suffix(name, ARCHIVE_ID))


def claims_of(names: list[str]) -> list[Claim]:
    return [Claim(archive_id=f"id{number}", name=name, rank=(number % 3,)) for number, name in enumerate(names)]


@given(st.lists(st.sampled_from(["a.jpg", "b", "c/d.tar.gz", "é"]), max_size=30), st.randoms(use_true_random=False))
def test_names_are_unique_and_do_not_depend_on_the_order_of_rows(names: list[str], shuffler: random.Random) -> None:
    claims = claims_of(names)
    given_names = naming.unique_names(claims)
    assert len(set(given_names.values())) == len(claims) == len(given_names)
    shuffler.shuffle(claims)
    assert naming.unique_names(claims) == given_names


@given(
    st.lists(st.sampled_from(["a.jpg", "b", "c/d.tar.gz", "x" * naming.MAX_BASE_BYTES]), min_size=2, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(0, 2)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_names_that_look_like_suffixed_ones_stay_unique_in_any_order(
    names: list[str], looks: list[tuple[int, int, int]], shuffler: random.Random
) -> None:
    # what somebody may have called an archive who had seen an earlier run
    seen = [naming.with_suffix(names[name % len(names)], f"id{one}", attempt) for name, one, attempt in looks]
    claims = claims_of([*names, *(naming.safe_key(name) for name in seen)])
    given_names = naming.unique_names(claims)
    assert len(set(given_names.values())) == len(claims)
    assert all(len(name.encode()) <= naming.MAX_NAME_BYTES for name in given_names.values())
    shuffler.shuffle(claims)
    assert naming.unique_names(claims) == given_names


def test_the_lowest_rank_keeps_the_name_and_then_the_lowest_archive_id() -> None:
    claims = [
        Claim(archive_id="z", name="n", rank=(0,)),
        Claim(archive_id="b", name="n", rank=(1,)),
        Claim(archive_id="a", name="n", rank=(1,)),
        Claim(archive_id="d", name="m", rank=(1,)),
        Claim(archive_id="c", name="m", rank=(1,)),
    ]
    names = naming.unique_names(claims)
    assert {key for key, name in names.items() if name in ("n", "m")} == {"z", "c"}


def test_a_suffix_never_takes_the_name_of_an_archive_that_happens_to_be_called_so() -> None:
    twin = naming.with_suffix("photo.jpg", "id1")
    third = naming.with_suffix("photo.jpg", "id1", 1)
    names = naming.unique_names(claims_of(["photo.jpg", "photo.jpg", twin, third]))
    assert names["id0"] == "photo.jpg"
    assert names["id2"] == twin
    assert names["id3"] == third
    assert len(set(names.values())) == 4
