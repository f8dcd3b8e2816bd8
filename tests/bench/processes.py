"""What a process and all it started use, from ``/proc``: nothing to install, Linux alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_SESSION_FIELD: Final = 3
_TICKS_FIELDS: Final = slice(11, 13)
_INTERVAL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a process holds now, and what it has used since its beginning."""

    process: str
    bytes: int
    cpu_seconds: float


def uses_of_session(session: int) -> Iterator[Use]:
    """The processes of a session as they are now; pages they share count once."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name of the program, in parentheses, may hold anything
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[_SESSION_FIELD]) == session:
                ticks = sum(map(int, fields[_TICKS_FIELDS]))
                yield Use(
                    process=folder.name,
                    bytes=_proportional_bytes((folder / "smaps_rollup").read_text()),
                    cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
                )
        except (OSError, IndexError):
            continue


def _proportional_bytes(rollup: str) -> int:
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024


class Watch:
    """The most that a session's processes held while the block ran, and the CPU time of all; looked at each quarter.

    What a process uses in the last quarter of a second of its life is not seen.
    """

    def __init__(self, session: int) -> None:
        self.peak_bytes = 0
        self._cpu_seconds: dict[str, float] = {}
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def cpu_seconds(self) -> float:
        """In user mode and in the kernel."""
        return sum(self._cpu_seconds.values())

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
            uses = list(uses_of_session(self._session))
            self.peak_bytes = max(self.peak_bytes, sum(use.bytes for use in uses))
            self._cpu_seconds |= {use.process: use.cpu_seconds for use in uses}
