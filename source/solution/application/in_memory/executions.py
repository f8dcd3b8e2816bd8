"""Executions of state machines in dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.ports.executions import ABORTED, Execution, execution_arn

if TYPE_CHECKING:
    from collections.abc import Mapping


class InMemoryExecutions:
    """`solution.application.ports.executions.Executions`; ``payloads`` are the inputs of those started here."""

    def __init__(self, **by_arn: Execution) -> None:
        self.by_arn = dict(by_arn)
        self.payloads: dict[str, Mapping[str, Any]] = {}

    def look(self, arn: str) -> Execution | None:
        return self.by_arn.get(arn)

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        known = self.by_arn.get(arn)
        if known is not None and known.running:
            self.by_arn[arn] = Execution(status=ABORTED, error=error, cause=cause)

    def start(self, machine_arn: str, *, name: str, payload: Mapping[str, Any]) -> bool:
        arn = execution_arn(machine_arn, name)
        if arn in self.by_arn:
            return False
        self.by_arn[arn] = Execution(status="RUNNING")
        self.payloads[arn] = payload
        return True


class InMemoryInventoryJobs:
    """`solution.application.ports.executions.InventoryJobs`; a run that is asked to stop does so at the next look."""

    def __init__(self, *runs: str) -> None:
        self.running = list(runs)

    def stop(self, run: str) -> int:
        found = self.running.count(run)
        self.running = [one for one in self.running if one != run]
        return found
