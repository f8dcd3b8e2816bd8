"""Prices by what is counted, from our own table, and what is assumed where nothing local can tell.

``solution/domain/prices.json`` names region, date and pages; ``glacier-transfer estimate`` uses it too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

_TABLE: Final[dict[str, Any]] = json.loads((resources.files("solution.domain") / "prices.json").read_text("utf-8"))

AS_OF: Final[str] = _TABLE["as_of"]
REGION: Final[str] = _TABLE["region"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """``dollars`` per ``per`` units."""

    dollars: float
    per: float = 1

    def of(self, units: float) -> float:
        """Dollars for so many units."""
        return units * self.dollars / self.per


MILLION: Final = 1e6
GIB: Final = 1024**3  # what AWS bills as a GB

DYNAMODB_WRITE: Final = Price(dollars=_TABLE["dynamodb"]["per_million_writes"], per=MILLION)
DYNAMODB_READ: Final = Price(dollars=_TABLE["dynamodb"]["per_million_reads"], per=MILLION)
SQS_REQUEST: Final = Price(dollars=_TABLE["sqs"]["per_million_requests"], per=MILLION)
SNS_PUBLISH: Final = Price(dollars=_TABLE["sns"]["per_million_publishes"], per=MILLION)
LAMBDA_REQUEST: Final = Price(dollars=_TABLE["lambda"]["per_million_requests"], per=MILLION)
LAMBDA_GB_SECOND: Final = Price(dollars=_TABLE["lambda"]["per_gb_second"])
LOG_BYTE: Final = Price(dollars=_TABLE["logs"]["per_gib"], per=GIB)
S3_PUT_STANDARD: Final = Price(dollars=_TABLE["storage_classes"]["STANDARD"]["per_1000_puts"], per=1000)
S3_PUT_DEEP_ARCHIVE: Final = Price(dollars=_TABLE["storage_classes"]["DEEP_ARCHIVE"]["per_1000_puts"], per=1000)
GLACIER_BULK_JOB: Final = Price(dollars=_TABLE["retrieval"]["Bulk"]["per_1000_requests"], per=1000)
GLACIER_BULK_BYTE: Final = Price(dollars=_TABLE["retrieval"]["Bulk"]["per_gib"], per=GIB)

S3_PRICES: Final = {
    # parts wait in S3 Standard; completing moves them ("Multipart upload and pricing", Amazon S3 User Guide)
    "PutObject": S3_PUT_DEEP_ARCHIVE,
    "CompleteMultipartUpload": S3_PUT_DEEP_ARCHIVE,
    "CreateMultipartUpload": S3_PUT_STANDARD,
    "UploadPart": S3_PUT_STANDARD,
}

ASSUMED_SECONDS: Final = {
    "InitiateJob": 0.2 / 24,  # 24 at a time
    "GetJobOutput": 0.2,
    "PutObject": 0.1,
    "UploadPart": 0.1,
    "CreateMultipartUpload": 0.05,
    "CompleteMultipartUpload": 0.5,
}
"""Seconds that a function waits for a call, for the price of its duration; an assumption, not a measurement."""

ASSUMED_SECONDS_OTHERWISE: Final = 0.01
ASSUMED_BYTES_PER_SECOND: Final = 60 * 1024**2
"""How fast a body passes through a function of one vCPU; an assumption."""
