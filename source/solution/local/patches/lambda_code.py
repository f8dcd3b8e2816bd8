"""A function's code is unpacked once, not for each of its processes.

MiniStack unpacks it for every process, which then compiles what it imports: much of the time that a cold start takes,
and seconds at a stop, when all of it is removed. On AWS nobody can write to a function's code, so it can be shared.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings


def apply(settings: GatewaySettings) -> None:
    """Let workers' code folders be links to shared ones."""
    Seam("ministack.core.lambda_runtime").set("zipfile", _SharingZipfile(settings.folders.temporary / "function-code"))


class _SharingZipfile:
    """The module ``zipfile`` as MiniStack's runtime sees it."""

    def __init__(self, shared: Path) -> None:
        self._shared = shared
        self._unpacking = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(zipfile, name)

    def ZipFile(self, path: str) -> _Archive:  # noqa: N802 - the name of the class that it stands for
        return _Archive(Path(path), self)

    def unpacked(self, archive: Path) -> Path:
        """The folder with the archive's content."""
        folder = self._shared / hashlib.sha256(archive.read_bytes()).hexdigest()
        with self._unpacking:
            if not folder.exists():
                self._shared.mkdir(exist_ok=True)
                draft = Path(tempfile.mkdtemp(dir=self._shared))
                try:
                    with zipfile.ZipFile(archive) as opened:
                        opened.extractall(draft)
                    draft.rename(folder)
                except BaseException:
                    shutil.rmtree(draft, ignore_errors=True)
                    raise
        return folder


class _Archive(zipfile.ZipFile):
    """An archive whose whole content is a link away."""

    def __init__(self, path: Path, shared: _SharingZipfile) -> None:
        super().__init__(path)
        self._path, self._shared_by = path, shared

    def extractall(self, path: Any = None, *_unused: Any, **_options: Any) -> None:
        """The empty folder becomes a link."""
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(self._shared_by.unpacked(self._path), target_is_directory=True)
