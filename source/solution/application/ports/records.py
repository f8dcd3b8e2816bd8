"""Records of a run's archives and their parts, and the moves between states.

Every write that changes a state is conditional on the states it may come from; the sets below are taken from
`solution.domain.status.ALLOWED_FROM`, narrowed where one particular write may do less.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from solution.contract.tables import RunStatus
from solution.domain.chunk_plan import ChunkPlan
from solution.domain.status import ALLOWED_FROM, ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from solution.domain.archive import Archive, StorageClass, Tier


def _known(states: frozenset[ArchiveStatus | None]) -> frozenset[ArchiveStatus]:
    return frozenset(state for state in states if state is not None)


RECLAIM_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.REQUESTING]) | {ArchiveStatus.REQUESTING}
"""A resume asks again for what was stopped or failed, and for what the attempt before had claimed and not asked for."""

ASKED_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.REQUESTED]) & {ArchiveStatus.REQUESTING}
"""After the job was asked for; a notification may have overtaken us, then there is nothing to mark."""

ASKED_AGAIN_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.REQUESTED]) - ASKED_FROM
"""When the window closed before the copy was finished, or Glacier no longer knows the job."""

ASKED_ABOUT: Final = ASKED_AGAIN_FROM
"""Archives with a job, of which one may remember when Glacier was last asked."""

STAGE_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.STAGED])
COMPLETE_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.DOWNLOADED])
FAIL_FROM: Final = _known(ALLOWED_FROM[ArchiveStatus.FAILED])


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecord:
    """One archive of one run. Sizes in bytes; times are aware and None until they have happened.

    ``requested_at`` is when Glacier was last asked, for the archive, for a longer window, or how the job stands.
    """

    run: str
    archive: Archive
    status: ArchiveStatus
    vault_name: str
    tier: Tier
    storage_class: StorageClass
    chunk_size: int
    chunk_count: int
    job_id: str | None = None
    upload_id: str | None = None
    window_end: datetime | None = None
    requested_at: datetime | None = None
    staged_at: datetime | None = None
    downloaded_at: datetime | None = None
    checksum: str | None = None
    failure: str | None = None
    attempt: int = 0
    """The attempt of the run that claimed or stopped it, counted from 1; 0 for unknown."""

    @property
    def archive_id(self) -> str:
        """Glacier's id of the archive."""
        return self.archive.archive_id

    @property
    def plan(self) -> ChunkPlan:
        """How the archive is cut."""
        return ChunkPlan(size=self.archive.size, chunk_size=self.chunk_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of asking for an archive: a job id, or the reason why it will never be given."""

    archive_id: str
    job_id: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Whether a move to ``staged`` happened, and the record after it; None when there is no such archive."""

    moved: bool
    record: ArchiveRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stored part of one multipart upload. ``checksum`` is its SHA-256 in base64, ``tree_hash`` hexadecimal."""

    number: int
    etag: str
    checksum: str
    tree_hash: str


class PartStored(Enum):
    """What became of remembering a part."""

    NEW = "new"
    KNOWN = "known"
    """This upload has the part already."""
    ABANDONED = "abandoned"
    """The archive has another upload by now, whose part must not be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``counted``: parts counted as stored. ``replays``: parts found stored already, whose count may be lost.

    A part is stored first and counted second, so the count may lag by one for each message that died in between; that
    message comes back and adds a replay. Hence ``counted + replays`` is never less than the parts that are stored, and
    whoever sees it reach the number of chunks must look at the parts themselves.
    """

    counted: int
    replays: int


class TransferRecords(Protocol):
    """The archives of all runs. Reads are consistent; each write is one item and may be repeated without harm."""

    def load_many(self, run: str, archive_ids: Collection[str]) -> dict[str, ArchiveRecord]:
        """Records by archive id; unknown ones are absent."""
        ...

    def load(self, run: str, archive_id: str) -> ArchiveRecord | None:
        """One record."""
        ...

    def create(self, records: Sequence[ArchiveRecord]) -> set[str]:
        """Write new records; returns the archive ids that were new. Existing records stay as they are."""
        ...

    def reclaim(self, records: Sequence[ArchiveRecord], *, seen: Mapping[str, ArchiveRecord]) -> set[str]:
        """Move archives to ``requesting``, with fresh facts and nothing left of the last attempt.

        Returns the ids of those moved: the ones whose state, one of `RECLAIM_FROM`, and attempt are still as they were
        ``seen``, by archive id.
        """
        ...

    def settle(self, run: str, outcomes: Sequence[Outcome], now: datetime) -> None:
        """``requesting`` → ``requested`` or ``failed``; archives that have moved on meanwhile stay as they are."""
        ...

    def stage(self, run: str, archive_id: str, *, job_id: str, window_end: datetime, now: datetime) -> Staging:
        """``requesting`` or ``requested`` → ``staged``."""
        ...

    def extend(self, run: str, archive_id: str, *, job_id: str, window_end: datetime) -> bool:
        """Give a staged archive a newer job, if its window ends later than the present one's."""
        ...

    def close_window(self, run: str, archive_id: str, *, expired_job: str, now: datetime) -> bool:
        """Let the window of a staged archive end now, since its job's output is gone, unless it has ended already."""
        ...

    def note_asked(self, run: str, archive_id: str, *, job_id: str, now: datetime) -> bool:
        """Remember that Glacier was asked just now: for a longer window, or how the job stands.

        Only while ``job_id`` is the archive's job. The moment becomes the record's ``requested_at``.
        """
        ...

    def claim_asking(self, seen: Sequence[ArchiveRecord], *, now: datetime) -> set[str]:
        """Remember that Glacier is asked from now on for archives that are, in job and ``requested_at``, as ``seen``.

        Returns the ids of those that were.
        """
        ...

    def release_asking(self, seen: Sequence[ArchiveRecord], *, claimed_at: datetime) -> None:
        """Take `claim_asking` back, for archives that nobody has changed since."""
        ...

    def request_again(self, run: str, archive_id: str, *, expired_job: str, new_job: str, now: datetime) -> bool:
        """``staged`` or ``requested`` with the job that is gone → ``requested`` with the new one."""
        ...

    def register_upload(self, run: str, archive_id: str, upload_id: str) -> str | None:
        """Make ``upload_id`` the archive's multipart upload unless it has one; returns the one in force.

        None, and nothing is written, when the archive is not ``staged`` any more and has none.
        """
        ...

    def complete(self, run: str, archive_id: str, *, checksum: str, now: datetime) -> ArchiveStatus | None:
        """``staged`` → ``downloaded``; returns the status after, None when there is no record."""
        ...

    def fail(
        self,
        run: str,
        archive_id: str,
        *,
        reason: str,
        only: frozenset[ArchiveStatus] = FAIL_FROM,
        job_id: str | None = None,
    ) -> ArchiveStatus | None:
        """Any unfinished state, or ``only`` some of them, → ``failed``; returns the status after, None for no record.

        With ``job_id``, only while that is the archive's job.
        """
        ...

    def store_part(self, run: str, archive_id: str, *, upload_id: str, part: Part) -> PartStored:
        """Remember a stored part; one of another upload is replaced only if this upload is the archive's."""
        ...

    def count_part(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        """Count a part that `store_part` has just remembered."""
        ...

    def count_replay(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        """Count a part that was remembered already."""
        ...

    def part(self, run: str, archive_id: str, *, upload_id: str, number: int) -> Part | None:
        """One part of this upload."""
        ...

    def parts(self, run: str, archive_id: str, *, upload_id: str) -> list[Part]:
        """All parts of this upload, by number."""
        ...

    def forget_parts(self, run: str, archive_id: str) -> None:
        """Remove the parts of all uploads."""
        ...

    def note_problem(self, run: str, archive_id: str, *, problem: str, now: datetime) -> None:
        """Remember why the latest attempt went wrong, for the day it is given up."""
        ...

    def problem(self, run: str, archive_id: str) -> str | None:
        """Why the latest attempt went wrong."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What retrieval needs to know of a run."""

    run: str
    execution_name: str
    attempt: int = 0
    status: RunStatus = RunStatus.RUNNING


class RunFactsReader(Protocol):
    """Reads the run's record."""

    def facts(self, run: str) -> RunFacts | None:
        """The run; None when unknown. Consistent."""
        ...
