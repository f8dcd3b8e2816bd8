"""The record of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from solution.contract.tables import RunStatus
    from solution.domain.archive import MigrationType, StorageClass, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run. Times are ISO 8601; ``attempt`` counts launch and resumes from 1.

    ``failure`` says why the last attempt failed, empty when it has not. ``stop_reason`` is that of whoever wished the
    run to stop; ``end_reason``, the failure as JSON, or null, with which its clean-up began. Both are empty before.
    """

    run: str
    vault_name: str
    tier: Tier
    storage_class: StorageClass
    migration_type: MigrationType
    provided_inventory: bool
    name_override: bool
    cross_region: bool
    description: str
    attempt: int
    execution_arn: str
    execution_name: str
    status: RunStatus
    started_at: str
    ended_at: str = ""
    failure: str = ""
    stop_reason: str = ""
    end_reason: str = ""


class RunRecords(Protocol):
    """Records of runs. Reads see every earlier write."""

    def read(self, run: str) -> RunRecord | None:
        """The record, or None for a run nobody launched."""
        ...

    def create(self, record: RunRecord) -> bool:
        """Write the record of a new run.

        Returns False, and writes nothing, when the run belongs to another execution. The same execution may write
        again: the first start time stays.
        """
        ...

    def renew(self, record: RunRecord, *, previous_attempt: int) -> bool:
        """Write the record of a run's next attempt over that of ``previous_attempt``; the first start time stays.

        Returns False, and writes nothing, when the recorded attempt is another one, or has not ended.
        """
        ...

    def stop(self, run: str, *, execution_name: str, reason: str) -> bool:
        """``RUNNING`` → ``STOPPING``, if this execution carries the run out; False, and nothing, otherwise."""
        ...

    def begin_end(self, run: str, *, execution_name: str, reason: str) -> bool:
        """``RUNNING`` or ``STOPPING`` → ``ENDING``, which it may be already, if this execution carries the run out.

        False, and nothing, when the record is missing, another execution's, or says that the run has ended.
        """
        ...

    def finish(self, run: str, *, execution_name: str, outcome: RunStatus, ended_at: str, failure: str = "") -> bool:
        """Write the outcome, and why it failed, of the attempt that ``execution_name`` carried out.

        Returns False, and writes nothing, when the record is missing or a newer attempt's.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An execution of the orchestrator and the run that it carries out, or was to."""

    run: str
    execution_arn: str


class Attempts(Protocol):
    """Every attempt of any run that may not have been cleaned up yet; a handful, for few runs go on at a time.

    An attempt is entered before the run's record says that it runs, so none is overlooked.
    """

    def add(self, attempt: Attempt) -> None:
        """Enter an attempt; once more changes nothing."""
        ...

    def remove(self, attempt: Attempt) -> None:
        """Take an attempt out; once more changes nothing."""
        ...

    def all(self) -> list[Attempt]:
        """What is entered. Consistent."""
        ...
