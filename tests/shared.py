"""What all processes of a test session share: one cloud assembly, synthesised by whoever needs it first."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from solution.local.assembly import synthesise

_FOLDER = "SHARED_TEST_FOLDER"
"""Variable that names the folder; worker processes inherit it."""


def begin() -> bool:
    """Make the shared folder, unless this is a worker of a session that has one; whether it was made here."""
    if _FOLDER in os.environ:
        return False
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="shared-by-tests-")
    return True


def end() -> None:
    """Remove the shared folder; for whoever made it."""
    shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


def assembly() -> Path:
    """The cloud assembly that ``up`` would synthesise, which takes a dozen seconds of a core."""
    folder = Path(os.environ[_FOLDER])
    done = folder / "assembly"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            synthesise(folder / "draft", {"skip_integration_tests": "true"}).rename(done)
    return done
