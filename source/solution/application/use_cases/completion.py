"""Release a run that has ended, and notice one that never will."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from solution.application.ports.counters import Pulse, Tally
from solution.contract.messages import JobResult
from solution.contract.tables import completion_job_id
from solution.domain.status import Metric

if TYPE_CHECKING:
    from datetime import timedelta

    from solution.application.ports.clock import Clock
    from solution.application.ports.counters import Counters
    from solution.application.ports.facilitator import Facilitator

_log = logging.getLogger(__name__)

_NOTHING = Tally()


def release(
    facilitator: Facilitator, clock: Clock, *, run: str, execution_name: str, tally: Tally, stalled: str | None = None
) -> bool:
    """Let the orchestrator go on: the run has ended, or is ``stalled`` for this reason. False: it was let go before."""
    message = stalled or (
        f"{tally.count(Metric.DOWNLOADED)} of {tally.count(Metric.TOTAL)} archives copied, "
        f"{tally.count(Metric.FAILED)} failed"
    )
    result = JobResult(job_id=completion_job_id(run, execution_name), succeeded=stalled is None, message=message)
    released = facilitator.put_result(result, clock.now())
    if released:
        _log.info("The run is released", extra={"succeeded": result.succeeded, "result": message})
    return released


class Completion(StrEnum):
    """What a look at a run found."""

    COMPLETE = "complete"
    MOVING = "moving"
    STALLED = "stalled"


class CheckCompletion:
    """The periodic safety net behind the counters.

    Counters release a run by themselves; this catches a run whose last count was missed and an empty one, and ends one
    in which nothing has moved for so long that nothing will. A released run that is still there to be looked at has
    the orchestrator answered again: the first answer may be lost, and nobody else would ever notice.
    """

    def __init__(self, *, counters: Counters, facilitator: Facilitator, clock: Clock, stall: timedelta) -> None:
        """``stall``: how long counters may rest; more than the slowest retrieval takes."""
        self._counters = counters
        self._facilitator = facilitator
        self._clock = clock
        self._stall = stall

    def __call__(self, *, run: str, execution_name: str) -> Completion:
        """Look, and release the run if it has ended or stalled."""
        tally = self._counters.read(run)
        if tally is not None and tally.complete:
            self._release(run, execution_name, tally)
            return Completion.COMPLETE
        now = self._clock.now()
        present = tally or _NOTHING
        pulse = self._counters.pulse(run)
        if pulse is None or pulse.execution_name != execution_name or not _same(pulse.tally, present):
            self._counters.keep_pulse(run, Pulse(execution_name=execution_name, tally=present, moved_at=now))
            return Completion.MOVING
        if now - pulse.moved_at < self._stall:
            return Completion.MOVING
        reason = (
            f"{present.missing} of {present.count(Metric.TOTAL)} archives are missing and nothing has moved since "
            f"{pulse.moved_at:%Y-%m-%d %H:%M:%S} UTC; find what holds them (alarms, dead-letter queues), then resume"
        )
        self._release(run, execution_name, present, stalled=reason)
        return Completion.STALLED

    def _release(self, run: str, execution_name: str, tally: Tally, *, stalled: str | None = None) -> None:
        if not release(
            self._facilitator, self._clock, run=run, execution_name=execution_name, tally=tally, stalled=stalled
        ):
            self._facilitator.remind(completion_job_id(run, execution_name), self._clock.now())


def _same(one: Tally, other: Tally) -> bool:
    return all(
        one.count(metric) == other.count(metric) and one.size.get(metric, 0) == other.size.get(metric, 0)
        for metric in Metric
    )
