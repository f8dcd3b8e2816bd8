"""What a process and all it started hold in memory, from ``/proc``: nothing to install, Linux alone."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_SESSION_FIELD: Final = 3
_INTERVAL_SECONDS: Final = 0.25


def memory_of_session(session: int) -> int:
    """Bytes that the processes of a session hold now; pages they share count once."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name of the program, in parentheses, may hold anything
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[_SESSION_FIELD]) == session:
                total += _proportional_bytes((folder / "smaps_rollup").read_text())
        except (OSError, IndexError):
            continue
    return total


def _proportional_bytes(rollup: str) -> int:
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024


class PeakMemory:
    """The most that a session's processes held while the block ran; looked at four times a second."""

    def __init__(self, session: int) -> None:
        self.bytes = 0
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.bytes = max(self.bytes, memory_of_session(self._session))
