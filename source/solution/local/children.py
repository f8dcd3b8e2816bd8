"""Processes that our services start (Spark drivers, runbook scripts), so that none outlives the server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended.

    Attributes:
        code: exit code; negative when a signal ended it.
        output: what it printed.
        errors: what it printed to standard error.
        timed_out: it was ended because it took longer than allowed.
    """

    code: int
    output: str
    errors: str
    timed_out: bool = False


def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process that ends with the server at the latest."""
    process = subprocess.Popen(  # noqa: S603 - the command is made by our own services
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with _lock:
        _running.add(process)
    return process


def finish(process: subprocess.Popen[str], *, text: str = "", timeout: float | None = None) -> Finished:
    """Give it its input and wait for its end, at most ``timeout`` seconds; then it is ended."""
    try:
        output, errors = process.communicate(text, timeout=timeout)
        return Finished(code=process.returncode, output=output, errors=errors)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        return Finished(code=process.returncode, output=output, errors=errors, timed_out=True)
    finally:
        with _lock:
            _running.discard(process)


def end_all() -> None:
    """End whatever still runs."""
    with _lock:
        doomed = list(_running)
    for process in doomed:
        process.kill()
