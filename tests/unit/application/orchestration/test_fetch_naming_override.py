"""The user's names, fetched."""

from __future__ import annotations

import pytest

from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.in_memory.notices import InMemoryWeb
from solution.application.use_cases import fetch_naming_override as module
from solution.application.use_cases.fetch_naming_override import FetchNamingOverride, OverrideFile
from solution.domain.errors import InvalidInput, NotPossible

URL = "https://host/names.csv"
KEY = "run-1/naming_overrides/overrides.csv"


def _fetch(body: bytes, files: InMemoryInventoryFiles, *, piece: int = 7) -> OverrideFile:
    return FetchNamingOverride(web=InMemoryWeb({URL: body}, piece=piece), files=files)(run="run-1", url=URL)


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b"GlacierArchiveID,FileName\na,b\n",
        b"\xef\xbb\xbfGlacierArchiveID,FileName\r\na,b\r\n",
        b'"GlacierArchiveID","FileName"\n',
        b"GlacierArchiveID,FileName",
    ],
)
def test_the_file_arrives_as_it_is(body: bytes, piece: int) -> None:
    files = InMemoryInventoryFiles()
    assert _fetch(body, files, piece=piece) == OverrideFile(key=KEY, size=len(body))
    assert files.files == {KEY: body}


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b"FileName,GlacierArchiveID\n", b"x" * 5000])
def test_another_header_is_refused_and_nothing_kept(body: bytes) -> None:
    files = InMemoryInventoryFiles()
    with pytest.raises(InvalidInput, match="its first line must be 'GlacierArchiveID,FileName'"):
        _fetch(body, files)
    assert files.files == {}


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_names_that_are_not_utf_8_are_refused_with_their_line_and_nothing_kept(piece: int) -> None:
    files = InMemoryInventoryFiles()
    good = "GlacierArchiveID,FileName\na,gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n\n".encode()
    with pytest.raises(InvalidInput, match=r"NamingOverrideFile, line 3: not UTF-8, its byte 0xfc .* save it in UTF-8"):
        _fetch(good + "b,gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n\n".encode("latin-1"), files, piece=piece)
    assert files.files == {}


def test_names_that_end_in_the_middle_of_a_character_are_refused() -> None:
    with pytest.raises(InvalidInput, match="line 2: not UTF-8"):
        _fetch(b"GlacierArchiveID,FileName\na,b\xc3", InMemoryInventoryFiles())


def test_a_file_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        _fetch(b"GlacierArchiveID,FileName\n" + b"x" * 100, InMemoryInventoryFiles())


def test_a_host_that_refuses_is_an_error() -> None:
    web = InMemoryWeb({})
    with pytest.raises(NotPossible):
        FetchNamingOverride(web=web, files=InMemoryInventoryFiles())(run="run-1", url=URL)
