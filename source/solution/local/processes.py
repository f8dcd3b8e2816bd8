"""Whether a recorded process id still means the process that was recorded."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def started_at(pid: int) -> str | None:
    """When the process started, as text that only compares; None when it is gone or has ended.

    A process id alone is not enough to signal a process: ids are used again.
    """
    stat = Path("/proc") / str(pid) / "stat"
    try:
        # After the command name, which may hold anything: field 3 is the state, field 22 the start time (proc(5)).
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_at_by_ps(pid)
    return None if fields[0] in {"Z", "X"} else fields[19]


def command_line(pid: int) -> str:
    """Command line of a process, empty when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _ps(pid, "command=")


def _started_at_by_ps(pid: int) -> str | None:
    state = _ps(pid, "stat=")
    return None if not state or state.startswith("Z") else _ps(pid, "lstart=")


def _ps(pid: int, field: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603
            ["ps", "-o", field, "-p", str(pid)],  # noqa: S607 - where ps lies differs between systems
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError:
        return ""
    return answer.stdout.strip()
