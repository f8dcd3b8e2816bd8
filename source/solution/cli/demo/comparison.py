"""Reading everything back from S3 and comparing it, byte by byte, with what was uploaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from solution.cli.demo.archives import MIB
from solution.cli.demo.vault import Uploaded
from solution.contract import object_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WORKERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """An object of the run: its key, and which archive its metadata says it is."""

    key: str
    size: int
    archive_id: str
    storage_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came out: objects by archive id, and a sentence for each thing that is not as it should be."""

    objects: Mapping[str, Copied]
    equal: int
    problems: tuple[str, ...]


def compare(
    s3: S3Client,
    bucket: str,
    run: str,
    uploaded: Sequence[Uploaded],
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare every archive with its object.

    Args:
        s3: client of the service.
        bucket: the destination bucket.
        run: the run's id, the objects' prefix.
        uploaded: what the vault was filled with.
        advance: called with each compared archive's bytes.
    """
    copies = list(_copies(s3, bucket, run))
    objects = {copy.archive_id: copy for copy in copies}
    problems = [
        f"{copy.key} is not of an archive that was uploaded"
        for copy in copies
        if copy.archive_id not in {item.archive_id for item in uploaded}
    ]
    if len(objects) != len(copies):
        problems.append(f"{len(copies)} objects are copies of only {len(objects)} archives")

    def problem(item: Uploaded) -> str:
        copy = objects.get(item.archive_id)
        found = (
            _difference(s3, bucket, copy, item) if copy else f"the archive of {item.sample.description!r} is missing"
        )
        advance(item.sample.size)
        return found

    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        found = list(pool.map(problem, uploaded))
    return Comparison(
        objects=objects,
        equal=found.count(""),
        problems=(*problems, *(text for text in found if text)),
    )


def _copies(s3: S3Client, bucket: str, run: str) -> Iterator[Copied]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{run}/"):
        for entry in page.get("Contents", []):
            head = s3.head_object(Bucket=bucket, Key=entry["Key"])
            yield Copied(
                key=entry["Key"],
                size=entry["Size"],
                archive_id=head["Metadata"].get(object_keys.METADATA_ARCHIVE_ID, ""),
                storage_class=head.get("StorageClass", "STANDARD"),
            )


def _difference(s3: S3Client, bucket: str, copy: Copied, item: Uploaded) -> str:
    """What is wrong with a copy, empty when it is the archive."""
    if copy.size != item.sample.size:
        return f"{copy.key} has {copy.size} bytes, the archive {item.sample.size}"
    body = s3.get_object(Bucket=bucket, Key=copy.key)["Body"]
    with body:
        position = 0
        for ours, theirs in zip_longest(item.sample.pieces(MIB), body.iter_chunks(MIB), fillvalue=b""):
            if ours != theirs:
                return f"{copy.key} differs from the archive in the MiB at byte {position}"
            position += len(ours)
    return ""
