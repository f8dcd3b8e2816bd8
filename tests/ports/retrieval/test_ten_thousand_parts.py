"""Completion of the archive with the most parts that S3 takes: none of them may be lost between the pages of a table.

The parts' records are MiniStack's DynamoDB's, which pages at 1 MB as AWS's does; the calls to S3 are real up to the
wire, where they are kept and answered, so that nobody has to store 10,000 parts.
"""

from __future__ import annotations

import base64
import hashlib
import io
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.awsrequest import AWSResponse, HeadersDict

from solution.application.adapters.objects import S3ObjectStore
from solution.application.adapters.records import DynamoTransferRecords
from solution.application.in_memory.clock import START, ManualClock
from solution.application.ports.records import Part
from solution.application.use_cases.proof import composite_checksum
from solution.application.use_cases.validate_archive import ValidateArchive
from solution.contract import tables
from solution.contract.messages import ValidationMessage
from solution.contract.tables import PartItem
from solution.domain.chunk_plan import MAX_PARTS, MIB
from solution.domain.status import ArchiveStatus
from solution.domain.tree_hash import combine
from tests.builders import RUN, archive, record
from tests.ports.retrieval.conftest import OWNER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

UPLOAD = "upload-" + "u" * 120
"""About as long as S3's."""

COMPLETED = b"<CompleteMultipartUploadResult><ETag>&quot;0&quot;</ETag></CompleteMultipartUploadResult>"
INVALID_PART = b"<Error><Code>InvalidPart</Code><Message>One or more parts could not be found</Message></Error>"
PAGE = 1000


def part(number: int) -> Part:
    """The stored part of that number, unlike any other."""
    digest = hashlib.sha256(f"{number}".encode())
    return Part(
        number=number,
        etag=f'"{hashlib.sha256(digest.digest()).hexdigest()[:32]}"',
        checksum=base64.b64encode(digest.digest()).decode(),
        tree_hash=hashlib.sha256(f"tree {number}".encode()).hexdigest(),
    )


PARTS = [part(number) for number in range(1, MAX_PARTS + 1)]
LARGEST = archive("largest", size=MAX_PARTS * 8 * MIB, tree_hash=combine(one.tree_hash for one in PARTS))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.getvalue()


@dataclass
class Wire:
    """Answers in S3's place. ``replaced`` parts are stored under an ETag other than the one that was noted."""

    replaced: frozenset[int] = frozenset()
    completions: list[bytes] = field(default_factory=list)
    listings: int = 0

    def etag(self, one: Part) -> str:
        """What S3 has."""
        return f'"{one.number:032x}"' if one.number in self.replaced else one.etag

    def complete(self, request: Any, **_: Any) -> AWSResponse:
        """CompleteMultipartUpload."""
        self.completions.append(request.body)
        named = {int(one["PartNumber"]): one["ETag"] for one in named_parts(request.body)}
        right = all(named.get(one.number) == self.etag(one) for one in PARTS)
        return _answer(request, 200 if right else 400, COMPLETED if right else INVALID_PART)

    def list_parts(self, request: Any, **_: Any) -> AWSResponse:
        """ListParts."""
        self.listings += 1
        asked = parse_qs(urlsplit(request.url).query)
        after = int(asked.get("part-number-marker", ["0"])[0])
        page = PARTS[after : after + PAGE]
        body = "".join(
            f"<Part><PartNumber>{one.number}</PartNumber><ETag>{self.etag(one)}</ETag>"
            f"<ChecksumSHA256>{one.checksum}</ChecksumSHA256></Part>"
            for one in page
        )
        more = str(page[-1].number < MAX_PARTS).lower()
        text = (
            f"<ListPartsResult><IsTruncated>{more}</IsTruncated>"
            f"<NextPartNumberMarker>{page[-1].number}</NextPartNumberMarker>{body}</ListPartsResult>"
        )
        return _answer(request, 200, text.encode())


def _answer(request: Any, status: int, body: bytes) -> AWSResponse:
    headers: Any = HeadersDict({"content-length": str(len(body))})
    return AWSResponse(request.url, status, headers, _Raw(body))


def named_parts(body: bytes) -> list[dict[str, str]]:
    """What a CompleteMultipartUpload says of each part, in its order."""
    parts = ET.fromstring(body)  # noqa: S314 - our own
    return [{child.tag.rpartition("}")[2]: child.text or "" for child in one} for one in parts]


@contextmanager
def answered(s3: S3Client, wire: Wire) -> Iterator[None]:
    """Nothing of these two operations leaves the process."""
    handlers: dict[str, Any] = {"CompleteMultipartUpload": wire.complete, "ListParts": wire.list_parts}
    for operation, handler in handlers.items():
        s3.meta.events.register(f"before-send.s3.{operation}", handler)
    try:
        yield
    finally:
        for operation, handler in handlers.items():
            s3.meta.events.unregister(f"before-send.s3.{operation}", handler)


def store(dynamodb: DynamoDBClient, table: str, parts: Sequence[Part]) -> None:
    """Parts in no order, as `DynamoTransferRecords.store_part` writes them but 25 at a time."""
    items: list[dict[str, Any]] = [
        {
            tables.PK: {"S": tables.archive_pk(RUN, LARGEST.archive_id)},
            tables.SK: {"S": tables.part_sk(one.number)},
            PartItem.UPLOAD_ID: {"S": UPLOAD},
            PartItem.ETAG: {"S": one.etag},
            PartItem.CHECKSUM: {"S": one.checksum},
            PartItem.TREE_CHECKSUM: {"S": one.tree_hash},
        }
        for one in parts
    ]
    random.Random(7).shuffle(items)

    def write(start: int) -> None:
        requests: Any = {table: [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]}
        assert not dynamodb.batch_write_item(RequestItems=requests)["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, len(items), 25)))


@pytest.mark.holds(1)
@pytest.mark.parametrize("replaced", [frozenset[int](), frozenset({1, 1000, 1001, 10_000})], ids=["as noted", "again"])
def test_ten_thousand_parts_are_named_in_one_request_each_once_and_in_order(
    dynamodb: DynamoDBClient, retrieval_table: str, s3: S3Client, bucket: str, replaced: frozenset[int]
) -> None:
    records = DynamoTransferRecords(dynamodb, retrieval_table)
    records.create([record(LARGEST)])
    records.stage(RUN, LARGEST.archive_id, job_id="job", window_end=START + timedelta(days=1), now=START)
    records.register_upload(RUN, LARGEST.archive_id, UPLOAD)
    store(dynamodb, retrieval_table, PARTS[:5000] + PARTS[5001:])
    queries: list[Any] = []
    dynamodb.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: queries.append(parsed), "pages")
    wire = Wire(replaced=replaced)
    objects = S3ObjectStore(s3, streaming=s3, bucket=bucket, owner=OWNER)
    validate = ValidateArchive(records=records, objects=objects, clock=ManualClock())
    try:
        with answered(s3, wire):
            validate(ValidationMessage(run=RUN, archive_id=LARGEST.archive_id))
            assert wire.completions == [], "a part is missing"
            queries.clear()
            store(dynamodb, retrieval_table, PARTS[5000:5001])
            validate(ValidationMessage(run=RUN, archive_id=LARGEST.archive_id))
    finally:
        dynamodb.meta.events.unregister("after-call.dynamodb.Query", unique_id="pages")

    assert len(queries) > 2, "the records of the parts lie on several pages"
    assert sum(len(page["Items"]) for page in queries) == MAX_PARTS
    assert len(wire.completions) == (2 if replaced else 1)
    assert wire.listings == (MAX_PARTS // PAGE if replaced else 0)
    assert named_parts(wire.completions[-1]) == [
        {"PartNumber": str(one.number), "ETag": wire.etag(one), "ChecksumSHA256": one.checksum} for one in PARTS
    ]
    assert len(wire.completions[-1]) < 2 * MIB
    ended = records.load(RUN, LARGEST.archive_id)
    assert ended is not None
    assert (ended.status, ended.checksum) == (ArchiveStatus.DOWNLOADED, composite_checksum(PARTS))
