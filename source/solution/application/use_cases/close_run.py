"""The clean-up's first step: from here on the attempt does nothing new, and what it still does comes to rest."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from solution.application.ports.executions import execution_arn
from solution.application.use_cases.standing import LEASE
from solution.contract.failures import RUN_STOPPED, Failure

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.counters import Counters
    from solution.application.ports.executions import Executions, InventoryJobs
    from solution.application.ports.runs import RunRecord, RunRecords

_log = logging.getLogger(__name__)

QUIET_LOOKS: Final = 3
"""So many looks in a row must find the counters where they were."""

MOST_LOOKS: Final = 90
"""After that, whatever still moves moves without us: at ten seconds a look, longer than any function runs."""

SETTLE: Final = 2 * LEASE
"""After the mark, before anything is concluded from the run being at rest."""


class Ownership(StrEnum):
    """Whose the run is that is to be cleaned up."""

    OURS = "ours"
    FOREIGN = "foreign"
    """The run has no record, or another execution's: this one has never begun."""
    ENDED = "ended"
    """Ours, and cleaned up already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """``quiet``: the attempt does not move any more. ``failure``: why the run ends. ``memory``: for the next look."""

    found: Ownership
    quiet: bool
    failure: Failure | None
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRun:
    """Marks the run as ending, ends what its attempt has started, and looks whether copies are still on their way.

    Functions that ask for archives or copy them look at the mark (`Standing`): what they have begun they may finish,
    and nothing is begun any more. It waits until they must have seen it and the counters rest, then the archives that
    are left are stopped (`CloseArchives`), and it waits again, until that is counted. A run whose archives have all
    ended rests.

    A stopped orchestrator may leave its children running, and a distributed map goes on when its execution has ended
    ("Redriving Map Runs", Step Functions Developer Guide): its batches are refused.
    """

    records: RunRecords
    counters: Counters
    executions: Executions
    clock: Clock
    inventory_jobs: InventoryJobs
    inventory_retrieval_arn: str
    children_arns: Sequence[str]

    def __call__(
        self, run: str, *, execution_name: str, failure: Failure | None, memory: Mapping[str, Any] | None
    ) -> Closing:
        """Done again it does and says the same, but that time has passed. ``memory`` is None at the first look."""
        record = self.records.read(run)
        if record is None or record.execution_name != execution_name:
            return Closing(found=Ownership.FOREIGN, quiet=True, failure=failure)
        failure = _reason(record, failure)
        reason = json.dumps(failure.dump() if failure else None)
        if not self.records.begin_end(run, execution_name=execution_name, reason=reason):
            return Closing(found=Ownership.ENDED, quiet=True, failure=failure)
        if failure is None:
            return Closing(found=Ownership.OURS, quiet=True, failure=None)
        working = self._end_children(run, execution_name, failure)
        seen = self._seen(run)
        before = memory or {}
        unchanged = before.get("unchanged", 0) + 1 if before.get("seen") == seen and not working else 0
        looks = before.get("looks", 0) + 1
        # real time, whatever the machine's waits are: a process relies on what it has read of the run for a while
        now = self.clock.now().timestamp()
        since = float(before.get("since", now))
        seen_by_all = now - since >= SETTLE.total_seconds()
        quiet = seen_by_all and (unchanged >= QUIET_LOOKS or looks >= MOST_LOOKS)
        if quiet and unchanged < QUIET_LOOKS:
            _log.warning("The run is reported although it still moves", extra={"workflow_run": run, "working": working})
        return Closing(
            found=Ownership.OURS,
            quiet=quiet,
            failure=failure,
            memory={"seen": seen, "unchanged": unchanged, "looks": looks, "since": since},
        )

    def _end_children(self, run: str, execution_name: str, failure: Failure) -> int:
        """How many executions and jobs of the attempt had not ended."""
        working = 0
        for machine in self.children_arns:
            arn = execution_arn(machine, execution_name)
            child = self.executions.look(arn)
            if child is None:
                continue
            if child.running:
                working += 1
                self.executions.stop(arn, error=failure.error, cause=failure.cause)
            if machine == self.inventory_retrieval_arn and child.status != "SUCCEEDED":
                working += self.inventory_jobs.stop(run)
        return working

    def _seen(self, run: str) -> str:
        tally = self.counters.read(run)
        return "" if tally is None else json.dumps([dict(tally.archives), dict(tally.size)], sort_keys=True)


def _reason(record: RunRecord, failure: Failure | None) -> Failure | None:
    """What fails because the run was being stopped was stopped; what came to its end before that has come to its end.

    A clean-up that takes the place of a lost one keeps that one's reason.
    """
    if record.end_reason:
        return Failure.parse(json.loads(record.end_reason))
    if failure is None or not record.stop_reason:
        return failure
    return Failure(error=RUN_STOPPED, cause=record.stop_reason)
