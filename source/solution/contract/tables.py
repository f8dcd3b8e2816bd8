"""Keys and attributes of the three tables.

========================  =================================  ==========================================
table                     key                                what
========================  =================================  ==========================================
GlacierObjectRetrieval    pk=run, sk=meta                    the run
GlacierObjectRetrieval    pk=run|archive id, sk=meta         the archive: every write is a change of state
GlacierObjectRetrieval    pk=run|archive id, sk=progress:…   how many parts of one upload are stored
GlacierObjectRetrieval    pk=run|archive id, sk=problem      why the latest attempt at it went wrong
GlacierObjectRetrieval    pk=run|archive id, sk=p:00001      a stored part
MetricTable               pk=run                             counters ``{metric}_count``, ``{metric}_bytes``
MetricTable               pk=run|seen|slot                   which stream records are counted already
MetricTable               pk=run|pulse                       what the counters were when they last moved
MetricTable               pk=run|expenses                    what the run has asked Glacier for, by tier
MetricTable               pk=|quota                          what all runs have asked for lately
MetricTable               pk=|attempts                       attempts of runs that may not have been cleaned up yet
AsyncFacilitatorTable     job_id                             task token, result of the job
========================  =================================  ==========================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from solution.domain.status import Metric

if TYPE_CHECKING:
    from solution.domain.archive import Tier

PK: Final = "pk"
SK: Final = "sk"
META: Final = "meta"
PROGRESS: Final = "progress"
PROBLEM: Final = "problem"
PART_PREFIX: Final = "p:"
SEPARATOR: Final = "|"


def archive_pk(run: str, archive_id: str) -> str:
    """Partition key of everything about one archive of one run."""
    return f"{run}{SEPARATOR}{archive_id}"


def split_archive_pk(pk: str) -> tuple[str, str] | None:
    """Run and archive id of an archive's key; None for the key of a run (run ids never hold the separator)."""
    run, separator, archive_id = pk.partition(SEPARATOR)
    return (run, archive_id) if separator else None


def part_sk(part: int) -> str:
    """Sort key of a part, counted from 1; five digits hold S3's 10,000 and keep them in order."""
    return f"{PART_PREFIX}{part:05d}"


def progress_sk(upload_id: str) -> str:
    """Sort key of the part counter of one multipart upload; a later upload of the archive counts from zero."""
    return f"{PROGRESS}:{upload_id}"


class Run(StrEnum):
    """Attributes of a run."""

    VAULT_NAME = "vault_name"
    TIER = "tier"
    STORAGE_CLASS = "s3_storage_class"
    MIGRATION_TYPE = "migration_type"
    PROVIDED_INVENTORY = "provided_inventory"
    NAME_OVERRIDE = "name_override"
    CROSS_REGION = "cross_region_transfer"
    DESCRIPTION = "description"
    ATTEMPT = "attempt"
    EXECUTION_ARN = "execution_arn"
    EXECUTION_NAME = "execution_name"
    STATUS = "run_status"
    STARTED_AT = "started_at"
    ENDED_AT = "ended_at"
    PARTITION_STARTED_AT = "partition_started_at"
    OUTCOME = "outcome"
    FAILURE = "failure"
    STOP_REASON = "stop_reason"
    END_REASON = "end_reason"


class RunStatus(StrEnum):
    """Where a run stands, as its record says.

    ``STOPPING``: somebody wants it to end; ``ENDING``: it is being cleaned up.
    """

    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ENDING = "ENDING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_FAILURES = "COMPLETED_WITH_FAILURES"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether the clean-up is behind it, so that it can be resumed."""
        return self not in (RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.ENDING)


class ArchiveItem(StrEnum):
    """Attributes of an archive."""

    STATUS = "status"
    SIZE = "size"
    TREE_HASH = "tree_hash"
    CREATION_DATE = "creation_date"
    ARCHIVE_DESCRIPTION = "archive_description"
    FILE_NAME = "file_name"
    STORAGE_CLASS = "s3_storage_class"
    VAULT_NAME = "vault_name"
    TIER = "tier"
    JOB_ID = "job_id"
    CHUNK_SIZE = "chunk_size"
    CHUNK_COUNT = "chunk_count"
    UPLOAD_ID = "upload_id"
    WINDOW_END = "window_end"
    REQUESTED_AT = "requested_at"
    STAGED_AT = "staged_at"
    DOWNLOADED_AT = "downloaded_at"
    CHECKSUM = "checksum_sha_256"
    FAILURE = "failure"
    ATTEMPT = "attempt"
    """The attempt of the run that asked for the archive; see `COUNTED_FROM`."""


class PartItem(StrEnum):
    """Attributes of a part; one of an earlier upload does not count for the present one."""

    UPLOAD_ID = "upload_id"
    ETAG = "etag"
    CHECKSUM = "checksum_sha_256"
    TREE_CHECKSUM = "tree_checksum"


class ProgressItem(StrEnum):
    """Attributes of the part counter: parts counted as stored, and parts found stored already."""

    PARTS_DONE = "parts_done"
    REPLAYS = "replays"


class ProblemItem(StrEnum):
    """Attributes of the latest problem with an archive."""

    PROBLEM = "problem"
    NOTED_AT = "noted_at"


class FacilitatorItem(StrEnum):
    """Attributes of an awaited job."""

    JOB_ID = "job_id"
    TASK_TOKEN = "task_token"  # noqa: S105 - an attribute's name
    FINISH_TIMESTAMP = "finish_timestamp"
    JOB_RESULT = "job_result"
    REMINDED_AT = "reminded_at"
    EXPIRES_AT = "expires_at"


EXPIRES_AT: Final = "expires_at"
"""Time-to-live attribute (epoch seconds) of helper records in MetricTable and of AsyncFacilitatorTable."""


def count_attribute(metric: Metric) -> str:
    """Attribute that counts archives."""
    return f"{metric}_count"


def bytes_attribute(metric: Metric) -> str:
    """Attribute that counts bytes."""
    return f"{metric}_bytes"


COUNTED_FROM: Final = "counted_from_attempt"
"""Attribute of a run's counters: changes of archives of this attempt and later ones are counted from the stream.

Earlier archives were counted by a look at all records, when that attempt began, and what the stream still tells of them
is passed over. Absent means 0, as does the absent attempt of an archive.
"""


def seen_pk(run: str, slot: int) -> str:
    """Helper record that remembers which stream records of one time slot are counted."""
    return f"{run}{SEPARATOR}seen{SEPARATOR}{slot}"


class SeenItem(StrEnum):
    """Attributes of a time slot's memory: a set of ids of stream records, and how often it was written."""

    IDS = "ids"
    VERSION = "version"


QUOTA_PK: Final = f"{SEPARATOR}quota"
"""A record that belongs to no run: run ids never begin with the separator."""

ATTEMPTS_PK: Final = f"{SEPARATOR}attempts"
"""The other one."""


class AttemptsItem(StrEnum):
    """Attributes of the list of attempts: a set of ``run|execution ARN``."""

    ATTEMPTS = "attempts"


class QuotaItem(StrEnum):
    """Attributes of the quota's ledger: bytes by the moment they are asked for at the latest, until when turns
    to ask are taken, who waits, and how often it was written.
    """

    ENTRIES = "entries"
    FREE_AT = "free_at"
    WAITING = "waiting"
    VERSION = "version"


class PulseItem(StrEnum):
    """Attributes of a pulse: the execution that saw the counters move, what they were, and when."""

    EXECUTION_NAME = "execution_name"
    COUNTERS = "counters"
    MOVED_AT = "moved_at"


def pulse_pk(run: str) -> str:
    """Helper record that remembers when the run's counters last moved."""
    return f"{run}{SEPARATOR}pulse"


def expenses_pk(run: str) -> str:
    """Helper record of what the run has asked Glacier for."""
    return f"{run}{SEPARATOR}expenses"


def asked_requests(tier: Tier) -> str:
    """Attribute that counts requests of this tier."""
    return f"{tier.lower()}_requests"


def asked_bytes(tier: Tier) -> str:
    """Attribute that counts the bytes which these requests retrieve."""
    return f"{tier.lower()}_bytes"


def completion_job_id(run: str, execution_name: str) -> str:
    """Key under which one attempt of a run awaits its completion; a new attempt never sees an old answer."""
    return f"completion{SEPARATOR}{run}{SEPARATOR}{execution_name}"
