"""Processes of functions, found by their parent, and killed by their id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

_WORKER = "_worker.py"
"""Ends the command line of a process that MiniStack runs a function in."""


def kill_workers(server: int) -> int:
    """SIGKILL every process that the server runs a function in; how many there were."""
    killed = 0
    for process in workers(server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            killed += 1
    return killed


def workers(server: int) -> list[int]:
    """Ids of the server's own children that run functions and are alive."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,command="],  # noqa: S607 - where ps lies differs between systems
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = []
    for line in listing.splitlines():
        pid, parent, state, command = line.split(maxsplit=3)
        if int(parent) == server and not state.startswith("Z") and command.rstrip().endswith(_WORKER):
            found.append(int(pid))
    return found
