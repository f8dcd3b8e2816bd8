"""Archives, and the vocabulary in which a run is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from solution.domain.errors import InvalidInput

RUN_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$"
"""A run id is an S3 prefix, a DynamoDB key and an EventBridge target id (at most 64 of these characters)."""

ARCHIVE_ID_FORM: Final = "[A-Za-z0-9_-]{138}"
"""S3 Glacier archive ids are 138 characters of base64url ("Working with Archives", S3 Glacier Developer Guide)."""

VAULT_NAME_PATTERN = r"^[A-Za-z0-9._-]{1,255}$"

MAX_OBJECT_BYTES = 5 * 1024**4
"""The largest S3 object ("Amazon S3 multipart upload limits"); larger archives are listed, not migrated."""


class StorageClass(StrEnum):
    """S3 storage classes an archive can be copied to; the value is S3's API value."""

    DEEP_ARCHIVE = "DEEP_ARCHIVE"
    GLACIER = "GLACIER"
    GLACIER_IR = "GLACIER_IR"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    ONEZONE_IA = "ONEZONE_IA"
    STANDARD = "STANDARD"
    STANDARD_IA = "STANDARD_IA"


STORAGE_CLASS_LABELS: dict[str, StorageClass] = {
    "S3 Glacier Deep Archive": StorageClass.DEEP_ARCHIVE,
    "S3 Glacier Flexible Retrieval": StorageClass.GLACIER,
    "S3 Glacier Instant Retrieval": StorageClass.GLACIER_IR,
    "S3 Intelligent - Tiering": StorageClass.INTELLIGENT_TIERING,
    "S3 One Zone - Infrequent Access": StorageClass.ONEZONE_IA,
    "S3 Standard": StorageClass.STANDARD,
    "S3 Standard - Infrequent Access": StorageClass.STANDARD_IA,
}
"""What the runbooks offer, and what each label means to S3."""


class Tier(StrEnum):
    """Retrieval tiers we use; Expedited costs more than any migration is worth."""

    BULK = "Bulk"
    STANDARD = "Standard"


class MigrationType(StrEnum):
    """Whether a run starts or carries on."""

    LAUNCH = "LAUNCH"
    RESUME = "RESUME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One archive to copy, as a line of the sorted inventory describes it.

    ``size`` is in bytes, ``tree_hash`` is the hexadecimal SHA-256 tree hash of the whole archive, ``file_name`` is the
    object key below the run's prefix.
    """

    archive_id: str
    size: int
    tree_hash: str
    creation_date: str
    description: str
    file_name: str


def check_run_id(run: str) -> str:
    """Return ``run``, or raise `InvalidInput` when it cannot be a run id."""
    if not re.fullmatch(RUN_ID_PATTERN, run):
        raise InvalidInput(
            f"WorkflowRun {run!r} is not a run id: use 1 to 50 letters, digits, dots, underscores or hyphens, "
            "beginning with a letter or a digit"
        )
    return run


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, the one format in which we store times; it sorts as text."""
    if moment.tzinfo is None:
        raise InvalidInput(f"time {moment!r} has no timezone; pass an aware datetime")
    utc = moment.astimezone(tz=UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_time(text: str) -> datetime:
    """Read ISO 8601 as Glacier and we write it; the result is timezone-aware, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not a time in ISO 8601, such as 2012-05-15T17:21:39.339Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
