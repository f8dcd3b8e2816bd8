"""Archives arrive whole and proven, or not at all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from solution.domain.tree_hash import MIB
from tests.independent import botocore_tree_hash
from tests.unit.mocking.caller import Glacier, checksums, error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INVALID = (400, "InvalidParameterValueException")
MISSING = (400, "MissingParameterValueException")
CONTENT = random.Random(5).randbytes(3 * MIB + 10)


def begin(glacier: Glacier, part_size: int = MIB, description: str = "d") -> str:
    response = glacier.ok(
        "POST",
        "/vaults/v/multipart-uploads",
        x_amz_part_size=str(part_size),
        x_amz_archive_description=description,
    )
    return f"/vaults/v/multipart-uploads/{response.headers['x-amz-multipart-upload-id']}"


def put(glacier: Glacier, upload: str, first: int, data: bytes) -> None:
    response = glacier.ok(
        "PUT", upload, data, **checksums(data), content_range=f"bytes {first}-{first + len(data) - 1}/*"
    )
    assert response.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(data)


def stored_bodies(tmp_path: Path) -> list[Path]:
    return [path for name in ("bodies", "uploads", "incoming") for path in (tmp_path / name).rglob("*.*")]


def test_an_uploaded_archive_comes_back_the_same(glacier: Glacier) -> None:
    archive = glacier.upload(CONTENT, "hello")
    assert len(archive) == 138
    job = glacier.retrieve(archive)
    glacier.wait()
    output = glacier.output(job)
    assert output.read() == CONTENT
    assert output.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(CONTENT)
    assert output.headers["x-amz-archive-description"] == "hello"


def test_a_streamed_body_is_hashed_as_it_arrives(glacier: Glacier) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(CONTENT), 77_777):
            yield CONTENT[start : start + 77_777]

    response = glacier.call("POST", "/vaults/v/archives", stream(), **checksums(CONTENT))
    assert response.status == 201
    assert response.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(CONTENT)


def test_equal_archives_are_two_archives(glacier: Glacier) -> None:
    assert glacier.upload(b"same", "same") != glacier.upload(b"same", "same")


@pytest.mark.parametrize("header", ["x_amz_sha256_tree_hash", "x_amz_content_sha256"])
def test_a_wrong_or_missing_checksum_refuses_the_archive(glacier: Glacier, tmp_path: Path, header: str) -> None:
    right = checksums(b"abc")
    wrong = right | {header: "0" * 64}
    assert error(glacier.call("POST", "/vaults/v/archives", b"abc", **wrong)) == INVALID
    del right[header]
    assert error(glacier.call("POST", "/vaults/v/archives", b"abc", **right)) == MISSING
    assert stored_bodies(tmp_path) == []
    assert glacier.document("GET", "/vaults/v")["NumberOfArchives"] == 0


def test_a_body_that_stops_early_times_out(glacier: Glacier) -> None:
    response = glacier.call("POST", "/vaults/v/archives", b"abc", **checksums(b"abc"), content_length="10")
    assert error(response) == (408, "RequestTimeoutException")


def test_an_empty_archive_is_refused(glacier: Glacier) -> None:
    assert error(glacier.call("POST", "/vaults/v/archives", b"", **checksums(b""))) == INVALID


@pytest.mark.parametrize("description", ["x" * 1025, "tab\there", "é", "\x7f"])
def test_a_description_glacier_forbids_is_refused(glacier: Glacier, description: str) -> None:
    response = glacier.call(
        "POST", "/vaults/v/archives", b"abc", **checksums(b"abc"), x_amz_archive_description=description
    )
    assert error(response) == INVALID


def test_past_the_api_any_description_goes(glacier: Glacier) -> None:
    archive = glacier.service.add_archive("v", b"abc", description="zwei\nZeilen é", created=0.0)
    job = glacier.retrieve(archive)
    glacier.wait()
    assert "x-amz-archive-description" not in glacier.output(job).headers


def test_a_file_can_be_added_past_the_api_but_an_empty_one_not(glacier: Glacier, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    job = glacier.retrieve(glacier.service.add_archive("v", file))
    glacier.wait()
    assert glacier.output(job).read() == CONTENT
    with pytest.raises(ValueError, match="0 bytes"):
        glacier.service.add_archive("v", b"")


def test_a_deleted_archive_cannot_be_retrieved_but_a_job_under_way_delivers(glacier: Glacier, tmp_path: Path) -> None:
    archive = glacier.upload(CONTENT)
    job = glacier.retrieve(archive)
    for _ in range(2):
        assert glacier.ok("DELETE", f"/vaults/v/archives/{archive}").status == 204
    refused = glacier.call("POST", "/vaults/v/jobs", {"Type": "archive-retrieval", "ArchiveId": archive})
    assert error(refused) == (404, "ResourceNotFoundException")
    glacier.wait()
    assert glacier.output(job).read() == CONTENT
    glacier.wait(25)
    assert stored_bodies(tmp_path) == [], "the body goes when its last job has expired"


def test_parts_in_any_order_make_one_archive(glacier: Glacier) -> None:
    upload = begin(glacier)
    for first in (2 * MIB, 0, 3 * MIB, MIB):
        put(glacier, upload, first, CONTENT[first : first + MIB])
    done = glacier.ok(
        "POST",
        upload,
        x_amz_archive_size=str(len(CONTENT)),
        x_amz_sha256_tree_hash=botocore_tree_hash(CONTENT),
    )
    assert (done.status, done.headers["x-amz-sha256-tree-hash"]) == (201, botocore_tree_hash(CONTENT))
    job = glacier.retrieve(done.headers["x-amz-archive-id"])
    glacier.wait()
    assert glacier.output(job).read() == CONTENT
    part = glacier.output(job, first=2 * MIB, last=len(CONTENT) - 1)
    assert part.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(part.read())


def test_completing_twice_gives_the_same_archive(glacier: Glacier) -> None:
    upload = begin(glacier)
    put(glacier, upload, 0, b"abc")
    headers: dict[str, Any] = {"x_amz_archive_size": "3", "x_amz_sha256_tree_hash": botocore_tree_hash(b"abc")}
    first, second = (glacier.ok("POST", upload, **headers).headers["x-amz-archive-id"] for _ in range(2))
    assert first == second
    assert glacier.document("GET", "/vaults/v")["NumberOfArchives"] == 1
    assert glacier.document("GET", "/vaults/v/multipart-uploads")["UploadsList"] == []


def test_a_part_may_be_replaced_and_a_bad_replacement_changes_nothing(glacier: Glacier) -> None:
    upload = begin(glacier)
    put(glacier, upload, 0, b"old")
    put(glacier, upload, 0, b"new!")
    bad = glacier.call("PUT", upload, b"bad", **checksums(b"other"), content_range="bytes 0-2/*")
    assert error(bad) == INVALID
    done = glacier.ok("POST", upload, x_amz_archive_size="4", x_amz_sha256_tree_hash=botocore_tree_hash(b"new!"))
    job = glacier.retrieve(done.headers["x-amz-archive-id"])
    glacier.wait()
    assert glacier.output(job).read() == b"new!"


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 0-9/*", 3),
        ("bytes 5-7/*", 3),
        (f"bytes 0-{MIB}/*", MIB + 1),
        (f"bytes {10_000 * MIB}-{10_000 * MIB + 2}/*", 3),
        ("bytes 2-0/*", 3),
        ("nonsense", 3),
    ],
)
def test_a_part_out_of_place_is_refused(glacier: Glacier, content_range: str, length: int) -> None:
    data = b"x" * length
    response = glacier.call("PUT", begin(glacier), data, **checksums(data), content_range=content_range)
    assert error(response) == INVALID


@pytest.mark.parametrize(("size", "data"), [("9", b"abc"), ("3", b"abd")], ids=["wrong size", "wrong tree hash"])
def test_a_completion_that_contradicts_the_parts_is_refused(glacier: Glacier, size: str, data: bytes) -> None:
    upload = begin(glacier)
    put(glacier, upload, 0, b"abc")
    response = glacier.call("POST", upload, x_amz_archive_size=size, x_amz_sha256_tree_hash=botocore_tree_hash(data))
    assert error(response) == INVALID


def test_an_upload_with_a_gap_or_without_parts_cannot_be_completed(glacier: Glacier) -> None:
    upload = begin(glacier)
    headers: dict[str, Any] = {"x_amz_archive_size": "3", "x_amz_sha256_tree_hash": botocore_tree_hash(b"abc")}
    assert error(glacier.call("POST", upload, **headers)) == INVALID
    put(glacier, upload, MIB, b"abc")
    assert error(glacier.call("POST", upload, **headers)) == INVALID
    assert error(glacier.call("POST", upload, x_amz_archive_size="3")) == MISSING


@pytest.mark.parametrize("size", ["3", "3145728", str(8 * 1024 * MIB), "large"])
def test_a_part_size_glacier_forbids_is_refused(glacier: Glacier, size: str) -> None:
    response = glacier.call("POST", "/vaults/v/multipart-uploads", x_amz_part_size=size)
    assert error(response) == INVALID


def test_parts_and_uploads_are_listed_in_pages(glacier: Glacier) -> None:
    uploads = [begin(glacier, description=f"upload {number}") for number in range(3)]
    for first in range(3):
        put(glacier, uploads[0], first * MIB, b"x" * MIB)
    page = glacier.document("GET", uploads[0], query={"limit": "2"})
    assert [part["RangeInBytes"] for part in page["Parts"]] == ["0-1048575", "1048576-2097151"]
    assert page["ArchiveDescription"] == "upload 0"
    rest = glacier.document("GET", uploads[0], query={"limit": "2", "marker": page["Marker"]})
    assert [part["RangeInBytes"] for part in rest["Parts"]] == ["2097152-3145727"]
    assert rest["Marker"] is None
    first_page = glacier.document("GET", "/vaults/v/multipart-uploads", query={"limit": "2"})
    last_page = glacier.document(
        "GET", "/vaults/v/multipart-uploads", query={"limit": "2", "marker": first_page["Marker"]}
    )
    listed = [item["ArchiveDescription"] for page in (first_page, last_page) for item in page["UploadsList"]]
    assert listed == ["upload 0", "upload 1", "upload 2"]


def test_an_aborted_upload_leaves_nothing(glacier: Glacier, tmp_path: Path) -> None:
    upload = begin(glacier)
    put(glacier, upload, 0, b"abc")
    assert glacier.ok("DELETE", upload).status == 204
    assert error(glacier.call("GET", upload)) == (404, "ResourceNotFoundException")
    assert stored_bodies(tmp_path) == []
