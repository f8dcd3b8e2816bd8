"""S3 Glacier's jobs: asking for archives and inventories, and reading what they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from solution.domain.archive import Tier


class ByteSource(Protocol):
    """A body being received."""

    def read(self, amt: int = ..., /) -> bytes:
        """Up to ``amt`` bytes, fewer only at the end, none after it. Raises `ShortRead` when the body breaks off."""
        ...

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` from its beginning; returns the bytes that came, 0 at the end. Raises as `read` does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutput:
    """A body of a job with what Glacier says of it: length in bytes, tree hash where the range has one."""

    body: ByteSource
    length: int
    tree_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a job stands. ``inventory_size`` in bytes, for inventory jobs that have succeeded.

    ``completion_date`` as Glacier writes it, empty while the job is under way.
    """

    job_id: str
    completed: bool
    succeeded: bool
    status_message: str
    inventory_size: int | None
    completion_date: str = ""


class GlacierJobs(Protocol):
    """Jobs of all vaults of this account.

    Calls are made once, not repeated; who calls decides. Each raises `Throttled` when Glacier asks to slow down and
    `TransientError` for trouble that passes (5xx, time-outs, broken connections).
    """

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        """Ask for an archive; returns the job id. Its notification carries ``run`` as the job's description.

        Raises `JobRefused` with Glacier's reason when it will never be given, as for a deleted archive.
        """
        ...

    def request_inventory(self, *, vault: str, run: str) -> str:
        """Ask for the vault's inventory as CSV; returns the job id. Raises `JobRefused`."""
        ...

    def describe(self, *, vault: str, job_id: str) -> JobState:
        """How a job stands. Raises `JobExpired` when Glacier no longer knows it."""
        ...

    def open_output(
        self, *, vault: str, job_id: str, first: int | None = None, last: int | None = None
    ) -> AbstractContextManager[JobOutput]:
        """Begin to read a job's output, all of it or the bytes ``first`` to ``last``, both included.

        Raises `JobExpired` when the output is gone and a new job is needed.
        """
        ...
