"""From staged to copied, minute by minute: archives that were staged in one minute are one cohort."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from solution.domain.pacing import needs_extension, window_end
from solution.simulation.clock import EPOCH
from solution.simulation.scenario import Scenario

SLOT_SECONDS: Final = 60.0


@dataclass(slots=True, eq=False)
class Cohort:
    """Archives staged together, not copied yet. ``ends``: when their window closes, seconds from the start."""

    archives: int
    size: int
    ends: float
    asked: bool = False
    closed: bool = False
    since: float = 0.0


@dataclass(slots=True)
class Copies:
    """The queue of chunks, the functions that serve it in order, and the rule that keeps windows open."""

    scenario: Scenario
    copied: int = 0
    copied_bytes: int = 0
    finished: float = 0.0
    staged: int = 0
    staged_bytes: int = 0
    most_staged: int = 0
    most_staged_bytes: int = 0
    extensions: int = 0
    closed: int = 0
    longest_wait: float = 0.0
    _queue: deque[Cohort] = field(default_factory=deque)
    _extending: list[tuple[float, int, Cohort]] = field(default_factory=list)
    _shut: list[Cohort] = field(default_factory=list)
    _tick: float = 0.0
    _asked: int = 0
    _overtime: float = 0.0

    def pass_slot(self, number: int, archives: int, size: int) -> None:
        """One minute: so many archives become staged as it begins, then functions copy."""
        begin = number * SLOT_SECONDS
        if archives:
            self._queue.append(Cohort(archives, size, _window_end(begin, self.scenario.window), since=begin))
            self.staged += archives
            self.staged_bytes += size
        self.most_staged = max(self.most_staged, self.staged)
        self.most_staged_bytes = max(self.most_staged_bytes, self.staged_bytes)
        self._finish_extensions(begin)
        if begin >= self._tick:
            self._tick = begin + self.scenario.extension_period.total_seconds()
            self._extend(begin)
        self._serve(begin)

    @property
    def idle(self) -> bool:
        """Nothing is staged."""
        return not self.staged

    def _serve(self, begin: float) -> None:
        capacity = self.scenario.copying.functions * SLOT_SECONDS
        # what was begun in the minute before and takes longer
        left = capacity - self._overtime
        self._overtime = 0.0
        closed: list[Cohort] = []
        while self._queue and left > 0:
            cohort = self._queue[0]
            if cohort.ends <= begin:
                # its messages are dropped; the next tick asks for a newer job, unless one is under way
                closed.append(self._queue.popleft())
                continue
            work = self.scenario.copying.work(cohort.archives, cohort.size)
            if work <= left:
                self._queue.popleft()
                left -= work
                done, size = cohort.archives, cohort.size
            else:
                each = work / cohort.archives
                done = min(cohort.archives, int(left / each) + 1)
                size = cohort.size * done // cohort.archives
                cohort.archives, cohort.size, left = cohort.archives - done, cohort.size - size, left - done * each
                if not cohort.archives:
                    self._queue.popleft()
            self.longest_wait = max(self.longest_wait, begin - cohort.since)
            self.copied, self.copied_bytes = self.copied + done, self.copied_bytes + size
            self.staged, self.staged_bytes = self.staged - done, self.staged_bytes - size
            self.finished = begin + SLOT_SECONDS * (1 - left / capacity)
        self._overtime = max(0.0, -left)
        for cohort in closed:
            cohort.closed = True
            self.closed += cohort.archives
            self._shut.append(cohort)

    def _extend(self, begin: float) -> None:
        now = EPOCH + timedelta(seconds=begin)
        waiting, self._shut = self._shut, []
        for cohort in (*self._queue, *waiting):
            end = EPOCH + timedelta(seconds=cohort.ends)
            if not cohort.asked and needs_extension(end=end, now=now, threshold=self.scenario.extend_when_remaining):
                self._ask_again(cohort, begin)

    def _ask_again(self, cohort: Cohort, begin: float) -> None:
        cohort.asked = True
        self.extensions += cohort.archives
        self._asked += 1
        staging = self.scenario.staging
        # spread evenly over what Glacier may take (the golden ratio leaves no gaps)
        share = (self._asked * 0.6180339887) % 1
        heapq.heappush(
            self._extending, (begin + staging.least + share * (staging.most - staging.least), self._asked, cohort)
        )

    def _finish_extensions(self, begin: float) -> None:
        while self._extending and self._extending[0][0] <= begin:
            completed, _, cohort = heapq.heappop(self._extending)
            cohort.asked, cohort.ends = False, _window_end(completed, self.scenario.window)
            if cohort.closed:
                cohort.closed = False
                self._queue.append(cohort)


def _window_end(completed: float, window: timedelta) -> float:
    return (window_end(EPOCH + timedelta(seconds=completed), window) - EPOCH).total_seconds()
