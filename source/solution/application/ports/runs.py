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

    ``failure`` says why the last attempt failed, empty when it has not.
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

        Returns False, and writes nothing, when the recorded attempt is another one: somebody else was faster.
        """
        ...

    def finish(self, run: str, *, execution_name: str, outcome: RunStatus, ended_at: str, failure: str = "") -> bool:
        """Write the outcome, and why it failed, of the attempt that ``execution_name`` carried out.

        Returns False, and writes nothing, when the record is missing or a newer attempt's.
        """
        ...
