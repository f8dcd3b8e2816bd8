"""All archives of a run, read in parallel, and stopped in bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from solution.domain.archive import Tier


class Purpose(StrEnum):
    """What a scan is for, which decides what archives it finds and what is written of them."""

    UNFINISHED = "unfinished"
    DUE = "due"
    """Windows that are about to close, and retrievals that Glacier has said nothing of for too long."""
    CLOSING = "closing"
    """Unfinished ones but not failed ones, with their state."""
    REPORT = "report"
    DOWNLOADED = "downloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanQuery:
    """What to look for.

    The moments (ISO 8601) matter to `Purpose.DUE` alone: staged archives whose window ends before ``expiring_before``,
    and requested ones of which Glacier was last asked before the moment that ``overdue_before`` has for their tier.
    ``before_attempt`` matters to `Purpose.DOWNLOADED` alone: archives of attempts before it.
    """

    run: str
    purpose: Purpose
    expiring_before: str = ""
    overdue_before: Mapping[Tier, str] = field(default_factory=dict)
    before_attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRow:
    """An archive as a scan finds it. What the purpose does not need is not read; absent values are empty."""

    archive_id: str
    status: str = ""
    file_name: str = ""
    size: int = 0
    tree_hash: str = ""
    checksum: str = ""
    storage_class: str = ""
    failure: str = ""
    creation_date: str = ""
    downloaded_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPage:
    """Some archives, in an order that does not change while nothing is written; ``next`` leads on, None at the end."""

    rows: Sequence[ArchiveRow]
    next: str | None


class ArchiveScan(Protocol):
    """Reads the table in ``total_segments`` disjoint parts that together hold every archive."""

    def pages(self, query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        """Pages of one segment, from the beginning or from a page's ``next``. Pages may be empty."""
        ...


class ArchiveStops(Protocol):
    """Takes archives out of an attempt that is over."""

    def stop(self, run: str, archive_ids: Sequence[str], *, attempt: int) -> int:
        """Mark archives as stopped by this attempt; returns how many are stopped now that were not.

        Only states that may become ``stopped`` do (`solution.domain.status.ALLOWED_FROM`); an archive that has moved on
        meanwhile stays as it is. Job, window, upload and failure are forgotten with the attempt they belong to.
        """
        ...

    def close(self, run: str, reasons: Mapping[str, str], *, attempt: int) -> int:
        """Stop unfinished archives, given by their ids with the reason to keep; returns how many were stopped.

        ``attempt`` is the one that may ask for them again. Failed archives, and those that have ended meanwhile, stay.
        """
        ...
