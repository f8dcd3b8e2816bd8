"""Files of the job are objects of S3 as well as files of one machine."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import IncompleteReadError
from moto import mock_aws

from solution.domain.errors import InvalidInput
from solution.glue import storage
from solution.glue.storage import FolderStorage, S3Storage, Storage, StoredFile, storage_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """A bucket named bucket."""
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        storage._client.cache_clear()
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        yield client
    storage._client.cache_clear()


@pytest.fixture(params=["s3", "file"])
def place(request: pytest.FixtureRequest, s3: S3Client, tmp_path: Path) -> str:  # noqa: ARG001 - the bucket is there
    """Where files go: the beginning of their URIs."""
    return "s3://bucket/" if request.param == "s3" else f"file://{tmp_path}/"


def test_what_is_written_is_listed_and_read(place: str) -> None:
    files = storage_of(place)
    files.write(f"{place}r/b/deep/part.csv", b"0123456789")
    files.write(f"{place}r/b/a, part [1]?.csv", b"old")
    files.write(f"{place}r/b/a, part [1]?.csv", b"new")
    files.write(f"{place}r/other.csv", b"x")
    assert files.list_files(f"{place}r/b/") == [
        StoredFile(uri=f"{place}r/b/a, part [1]?.csv", size=3),
        StoredFile(uri=f"{place}r/b/deep/part.csv", size=10),
    ]
    assert files.read(f"{place}r/b/a, part [1]?.csv", 0, 3) == b"new"
    assert files.read(f"{place}r/b/deep/part.csv", 3, 6) == b"345"
    assert files.read(f"{place}r/b/deep/part.csv", 8, 99) == b"89"
    assert files.list_files(f"{place}nowhere/") == []


def test_what_lies_below_a_prefix_is_removed_and_nothing_else(place: str) -> None:
    files = storage_of(place)
    for key in ("r/sorted/partitions.csv", "r/sorted/partition_0/part.csv", "r/sorted_by_hand/kept.csv"):
        files.write(f"{place}{key}", b"x")
    files.delete(f"{place}r/sorted/partitions.csv")
    assert [file.uri for file in files.list_files(f"{place}r/sorted/")] == [f"{place}r/sorted/partition_0/part.csv"]
    files.delete(f"{place}r/sorted/")
    files.delete(f"{place}r/nowhere/")
    assert [file.uri for file in files.list_files(place)] == [f"{place}r/sorted_by_hand/kept.csv"]


def test_more_objects_than_a_page_has_are_listed_and_removed(s3: S3Client) -> None:
    for number in range(1100):
        s3.put_object(Bucket="bucket", Key=f"r/{number:04d}", Body=b"")
    files = storage_of("s3://bucket/r/")
    assert len(files.list_files("s3://bucket/r/")) == 1100
    files.delete("s3://bucket/r/")
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")


def test_an_object_that_cannot_be_removed_is_an_error(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket="bucket", Key="r/a", Body=b"")
    client = storage._client("us-east-1")
    refused = {"Errors": [{"Key": "r/a", "Code": "AccessDenied"}]}
    monkeypatch.setattr(client, "delete_objects", lambda **_: refused)
    with pytest.raises(OSError, match="AccessDenied"):
        S3Storage(region="us-east-1").delete("s3://bucket/r/")


class CutShort:
    """A body whose connection breaks."""

    def read(self) -> bytes:
        raise IncompleteReadError(actual_bytes=3, expected_bytes=10)


@pytest.mark.parametrize("breaks", [4, 5])
def test_a_range_whose_connection_breaks_is_asked_for_again(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    s3.put_object(Bucket="bucket", Key="a", Body=b"0123456789")
    client = storage._client("us-east-1")
    original, asked = client.get_object, []

    def get_object(**request: Any) -> Any:
        asked.append(request["Range"])
        return {"Body": CutShort()} if len(asked) <= breaks else original(**request)

    monkeypatch.setattr(client, "get_object", get_object)
    files = S3Storage(region="us-east-1")
    if breaks == 4:
        assert files.read("s3://bucket/a", 2, 5) == b"234"
    else:
        with pytest.raises(IncompleteReadError):
            files.read("s3://bucket/a", 2, 5)
    assert asked == ["bytes=2-4"] * 5


def test_other_places_are_refused() -> None:
    with pytest.raises(InvalidInput, match="hdfs://"):
        storage_of("hdfs://cluster/r/")


def test_where_files_are_travels_to_tasks() -> None:
    places: list[Storage] = [S3Storage(region="eu-west-1"), FolderStorage()]
    sent = pickle.loads(pickle.dumps(places))  # noqa: S301 - our own
    assert sent[0] == places[0]
    assert isinstance(sent[1], FolderStorage)
