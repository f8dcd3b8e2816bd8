"""`InventoryFiles`, in memory and on S3; every S3 call names the bucket's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ResponseStreamingError

from solution.application.adapters import inventory_files as adapter
from solution.application.adapters.inventory_files import S3InventoryFiles, S3UnfinishedUploads
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.domain.errors import NotPossible, TransientError
from tests.ports.orchestration.conftest import BUCKET, OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from solution.application.ports.inventory_files import InventoryFiles

CSV = "text/csv"
PART = 5 * 1024**2


@pytest.fixture
def owned(s3: S3Client) -> Iterator[S3Client]:
    """S3 that refuses, as our rule does, any call without the bucket's owner."""

    def check(params: dict[str, Any], model: Any, **_: Any) -> None:
        assert params["headers"].get("x-amz-expected-bucket-owner") == OWNER, model.name

    s3.meta.events.register("before-call.s3", check)
    yield s3
    s3.meta.events.unregister("before-call.s3", check)


@pytest.fixture(params=["in memory", "s3"])
def files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> InventoryFiles:
    monkeypatch.setattr(adapter, "WRITE_PART", PART)
    monkeypatch.setattr(adapter, "DELETE_AT_ONCE", 2)
    if request.param == "in memory":
        return InMemoryInventoryFiles()
    return S3InventoryFiles(client=request.getfixturevalue("owned"), bucket=BUCKET, owner=OWNER)


def _body(files: InventoryFiles, key: str) -> bytes:
    return b"".join(files.read(key))


def test_what_is_put_is_read_and_replaced(files: InventoryFiles) -> None:
    files.put("a", b"one", content_type=CSV)
    files.put("a", b"two!", content_type=CSV)
    assert (_body(files, "a"), files.size("a")) == (b"two!", 4)


def test_a_file_that_is_not_there(files: InventoryFiles) -> None:
    assert files.size("a") is None
    with pytest.raises(NotPossible, match="there is no a"):
        _body(files, "a")


@pytest.mark.parametrize("start", [0, 1, 2_000_000, 2_999_999])
def test_a_file_is_read_from_any_of_its_bytes(files: InventoryFiles, start: int) -> None:
    body = bytes(range(250)) * 12_000
    files.put("a", body, content_type=CSV)
    assert b"".join(files.read("a", start=start)) == body[start:]


class _BreakingOff:
    """S3 whose bodies break off after so many bytes, as often as it says."""

    def __init__(self, s3: S3Client, *lengths: int, replace_with: bytes | None = None) -> None:
        self._s3, self._lengths, self._replacement = s3, list(lengths), replace_with

    def get_object(self, **parameters: Any) -> Any:
        answer: Any = self._s3.get_object(**parameters)
        if self._lengths:
            answer["Body"] = _BrokenBody(answer["Body"].read(self._lengths.pop(0)))
        if self._replacement is not None:
            body, self._replacement = self._replacement, None
            self._s3.put_object(Bucket=BUCKET, Key="a", Body=body, ExpectedBucketOwner=OWNER)
        return answer


class _BrokenBody:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        if self._content:
            yield self._content
        raise ResponseStreamingError(error="connection broken")

    def close(self) -> None:
        """Nothing to close."""


def _files_of(s3: object) -> S3InventoryFiles:
    return S3InventoryFiles(client=cast("Any", s3), bucket=BUCKET, owner=OWNER)


def test_a_read_that_breaks_off_goes_on_where_it_broke(owned: S3Client) -> None:
    body = bytes(range(250)) * 100
    _files_of(owned).put("a", body, content_type=CSV)
    files = _files_of(_BreakingOff(owned, 100, 0, 7000, 0))
    assert b"".join(files.read("a", start=11)) == body[11:]


def test_a_read_that_gets_nowhere_is_given_up(owned: S3Client) -> None:
    _files_of(owned).put("a", b"content", content_type=CSV)
    with pytest.raises(TransientError, match="reading a broke off 3 times at byte 3"):
        _body(_files_of(_BreakingOff(owned, 3, 0, 0)), "a")


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(owned: S3Client) -> None:
    _files_of(owned).put("a", b"content", content_type=CSV)
    with pytest.raises(NotPossible, match="a was replaced while it was read"):
        _body(_files_of(_BreakingOff(owned, 3, replace_with=b"another")), "a")


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART + 3])
def test_a_file_of_any_size_is_written_in_pieces(files: InventoryFiles, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    with files.writer("a", content_type=CSV) as output:
        for first in range(0, size, 1_000_000):
            output.write(body[first : min(first + 1_000_000, size)])
    assert _body(files, "a") == body[:size]


def _fail_half_way(files: InventoryFiles) -> None:
    with files.writer("a", content_type=CSV) as output:
        output.write(b"x" * (PART + 1))
        raise ValueError("half way")


def test_a_file_whose_writing_fails_does_not_appear(files: InventoryFiles) -> None:
    with pytest.raises(ValueError, match="half way"):
        _fail_half_way(files)
    assert files.size("a") is None


def test_a_failed_writer_leaves_no_upload(owned: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "WRITE_PART", PART)
    files = S3InventoryFiles(client=owned, bucket=BUCKET, owner=OWNER)
    with pytest.raises(ValueError, match="half way"):
        _fail_half_way(files)
    assert "Uploads" not in owned.list_multipart_uploads(Bucket=BUCKET, ExpectedBucketOwner=OWNER)


def test_files_are_listed_by_prefix_in_order(files: InventoryFiles) -> None:
    for key in ("run-1/b", "run-1/a", "run-10/a"):
        files.put(key, b"x", content_type=CSV)
    assert [(file.key, file.size) for file in files.list("run-1/")] == [("run-1/a", 1), ("run-1/b", 1)]


def test_another_content_is_another_version(files: InventoryFiles) -> None:
    versions = []
    for body in (b"one", b"two", b"one"):
        files.put("a", body, content_type=CSV)
        versions += [file.version for file in files.list("a")]
    assert versions[0] == versions[2] != versions[1]


def test_files_are_removed_and_missing_ones_are_removed_already(files: InventoryFiles) -> None:
    for key in ("a", "b", "c", "d"):
        files.put(key, b"x", content_type=CSV)
    files.delete(["a", "b", "c", "z"])
    files.delete([])
    assert [file.key for file in files.list("")] == ["d"]


def test_only_uploads_below_the_prefix_are_aborted(owned: S3Client) -> None:
    for key in ("run-1/a", "run-1/a", "run-1/b", "run-10/a"):
        owned.create_multipart_upload(Bucket=BUCKET, Key=key, ExpectedBucketOwner=OWNER)
    aborts = S3UnfinishedUploads(client=owned, bucket=BUCKET, owner=OWNER)
    assert aborts.abort_all("run-1/") == 3
    assert aborts.abort_all("run-1/") == 0
    left = owned.list_multipart_uploads(Bucket=BUCKET, ExpectedBucketOwner=OWNER)["Uploads"]
    assert [upload["Key"] for upload in left] == ["run-10/a"]
