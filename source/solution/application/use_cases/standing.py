"""Does a run still go on? Asked before anything is done for it that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from solution.contract.tables import RunStatus
from solution.domain.errors import NotPossible

if TYPE_CHECKING:
    from datetime import datetime

    from solution.application.ports.clock import Clock
    from solution.application.ports.records import RunFacts, RunFactsReader

LEASE: Final = timedelta(seconds=3)
"""For so long a process relies on what it has read of a run; a clean-up waits for longer (`CloseRun`)."""

_REMEMBERED: Final = 100


class Standing:
    """What the record of a run says, remembered for a moment: one read serves all that a process does meanwhile.

    That a run goes on is believed for that long; that it does not, only from the record itself. So a run that is marked
    as ending does nothing new soon after: its messages are dropped, its batches refused. What was begun before may end.
    A run without a record is nobody's to end, and goes on.
    """

    def __init__(self, *, runs: RunFactsReader, clock: Clock, lease: timedelta = LEASE) -> None:
        self._runs = runs
        self._clock = clock
        self._lease = lease
        self._known: dict[str, tuple[datetime, RunFacts | None]] = {}

    def over(self, run: str, *, attempt: int = 0, afresh: bool = False) -> str | None:
        """Why nothing may be done for the run any more, or for this attempt of it; None when it goes on.

        ``afresh``: what was read before does not count.
        """
        why = _why(run, attempt, self._facts(run, afresh=afresh))
        # a resume may have begun since: what is dropped or refused on the word of an old look is lost for hours
        return _why(run, attempt, self._facts(run, afresh=True)) if why and not afresh else why

    def goes_on(self, run: str, *, attempt: int = 0) -> bool:
        """Whether something may be done for this attempt of the run."""
        return self.over(run, attempt=attempt) is None

    def check(self, run: str, *, attempt: int = 0, afresh: bool = False) -> None:
        """Raises `NotPossible` with the reason, where there is one."""
        if why := self.over(run, attempt=attempt, afresh=afresh):
            raise NotPossible(why)

    def _facts(self, run: str, *, afresh: bool) -> RunFacts | None:
        # wall time: the monotonic clock may stand still while a process is frozen
        now = self._clock.now()
        read_at, facts = self._known.get(run, (None, None))
        if afresh or read_at is None or not timedelta(0) <= now - read_at < self._lease:
            # threads that come at the same moment read each for itself
            facts = self._runs.facts(run)
            if len(self._known) >= _REMEMBERED:
                self._known = {}
            self._known[run] = (now, facts)
        return facts


def _why(run: str, attempt: int, facts: RunFacts | None) -> str | None:
    if facts is None:
        return None
    if attempt and facts.attempt > attempt:
        return f"attempt {attempt} of run {run!r} is over: attempt {facts.attempt} has taken over"
    if facts.status is not RunStatus.RUNNING:
        return f"run {run!r} is {facts.status}: nothing is asked for or copied until it is resumed"
    return None
