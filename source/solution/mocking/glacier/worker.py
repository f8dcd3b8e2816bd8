"""Background threads that do what time makes due: one per kind of work, so that none waits for another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from solution.mocking.glacier.clock import Clock

logger = logging.getLogger(__name__)

_LONGEST_REST: Final = 0.5
"""Seconds between looks at the clock when nothing is due."""


class Turn:
    """One kind of work.

    Args:
        name: of its thread.
        run: does all that is due and returns how much that was.
        next_due: when it should run next, None if nothing is planned.
    """

    def __init__(self, name: str, run: Callable[[], int], next_due: Callable[[], float | None]) -> None:
        self.name = name
        self.next_due = next_due
        self.awake = threading.Event()
        self._run = run
        self._lock = threading.Lock()

    def run(self) -> int:
        """Run, never twice at the same time."""
        with self._lock:
            return self._run()


class Worker:
    """Runs the turns, in threads of their own or once by hand."""

    def __init__(self, clock: Clock, turns: Sequence[Turn]) -> None:
        self._clock = clock
        self._turns = turns
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        clock.subscribe(self.wake)

    def start(self) -> None:
        """Start the threads; starting twice is no error."""
        if self._threads:
            return
        self._threads = [
            threading.Thread(target=self._loop, args=(turn,), name=f"glacier-{turn.name}", daemon=True)
            for turn in self._turns
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each thread finish what it does, then end it."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Something changed: look at the clock now."""
        for turn in self._turns:
            turn.awake.set()

    def run_once(self) -> int:
        """Run every turn once, in order; returns how much was done."""
        return sum(turn.run() for turn in self._turns)

    def _loop(self, turn: Turn) -> None:
        while not self._stopping.is_set():
            turn.awake.clear()
            try:
                if turn.run():
                    self._wake_others(turn)
                due = turn.next_due()
            except Exception:
                logger.exception("a turn of %s failed; it is tried again", turn.name)
                due = None
            rest = _LONGEST_REST if due is None else due - self._clock.now()
            turn.awake.wait(min(max(rest, 0.0), _LONGEST_REST))

    def _wake_others(self, turn: Turn) -> None:
        for other in self._turns:
            if other is not turn:
                other.awake.set()
