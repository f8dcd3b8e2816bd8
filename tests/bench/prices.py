"""What AWS charges in us-east-1, in US dollars, and what is assumed where nothing local can tell.

List prices without free tiers and volume discounts, as of 1 January 2025. Prices change: compare with the pages named
before you plan with the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AS_OF: Final = "2025-01-01"
REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """``dollars`` per ``per`` units, and the page that says so."""

    dollars: float
    per: float
    source: str

    def of(self, units: float) -> float:
        """Dollars for so many units."""
        return units * self.dollars / self.per


MILLION: Final = 1e6
GB: Final = 1024**3  # what AWS bills as a GB

DYNAMODB_WRITE: Final = Price(dollars=0.625, per=MILLION, source="Amazon DynamoDB pricing, on-demand capacity")
DYNAMODB_READ: Final = Price(dollars=0.125, per=MILLION, source="Amazon DynamoDB pricing, on-demand capacity")
SQS_REQUEST: Final = Price(dollars=0.40, per=MILLION, source="Amazon SQS pricing, standard queues")
SNS_PUBLISH: Final = Price(dollars=0.50, per=MILLION, source="Amazon SNS pricing, standard topics")
LAMBDA_REQUEST: Final = Price(dollars=0.20, per=MILLION, source="AWS Lambda pricing")
LAMBDA_GB_SECOND: Final = Price(dollars=0.0000133334, per=1, source="AWS Lambda pricing, Arm")
LOG_BYTE: Final = Price(dollars=0.50, per=GB, source="Amazon CloudWatch pricing, Logs, collect")
S3_PUT_STANDARD: Final = Price(dollars=0.005, per=1000, source="Amazon S3 pricing, requests, S3 Standard")
S3_PUT_DEEP_ARCHIVE: Final = Price(
    dollars=0.05, per=1000, source="Amazon S3 pricing, requests, S3 Glacier Deep Archive"
)
S3_GET_STANDARD: Final = Price(dollars=0.0004, per=1000, source="Amazon S3 pricing, requests, S3 Standard")
GLACIER_BULK_JOB: Final = Price(
    dollars=0.025, per=1000, source="Amazon S3 Glacier API pricing, Bulk retrieval requests"
)
GLACIER_BULK_BYTE: Final = Price(dollars=0.0025, per=GB, source="Amazon S3 Glacier API pricing, Bulk retrievals")

S3_PRICES: Final = {
    # parts wait in S3 Standard; completing moves them ("Multipart upload and pricing", Amazon S3 User Guide)
    "PutObject": S3_PUT_DEEP_ARCHIVE,
    "CompleteMultipartUpload": S3_PUT_DEEP_ARCHIVE,
    "CreateMultipartUpload": S3_PUT_STANDARD,
    "UploadPart": S3_PUT_STANDARD,
    "HeadObject": S3_GET_STANDARD,
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
