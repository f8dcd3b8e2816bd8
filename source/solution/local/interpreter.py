"""The interpreter that functions and runbook scripts run in: the user's Python with boto3 and nothing else.

AWS gives a function boto3 and the standard library. An environment of exactly that is built once per machine, from the
installed distributions and without a network, so that a dependency missing from an asset is missing here too.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
import venv
from importlib import metadata
from pathlib import Path
from typing import Final

import platformdirs

from solution.local.errors import LocalAwsError
from solution.local.settings import APPLICATION

_PROVIDED: Final = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
"""boto3 and what it needs: what the Lambda runtimes of Python bring (*Lambda runtimes*, Python)."""


def function_python(cache: Path | None = None) -> Path:
    """Path of the interpreter, built on first use.

    Args:
        cache: folder for such environments; the user's cache folder by default.

    Raises:
        LocalAwsError: boto3 is not installed, or the folder cannot be written.
    """
    home = _home(cache or Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False)) / "function-python")
    python = home / "bin" / "python"
    if not python.exists():
        try:
            _build(home)
        except OSError as error:
            raise LocalAwsError(
                f"The interpreter for functions cannot be built in {home}: {error}",
                "Make the folder writable, or set XDG_CACHE_HOME to one that is",
            ) from error
    return python


def _home(cache: Path) -> Path:
    """A folder of its own for each Python and each set of distributions."""
    try:
        versions = ",".join(f"{name}=={metadata.version(name)}" for name in _PROVIDED)
    except metadata.PackageNotFoundError as error:
        raise LocalAwsError(f"The package {error.name} is not installed", 'Run: pip install ".[dev]"') from error
    base = getattr(sys, "_base_executable", sys.executable)
    digest = hashlib.sha256(f"{base} {sys.version} {versions}".encode()).hexdigest()[:12]
    return cache / f"{platform.python_version()}-boto3-{metadata.version('boto3')}-{digest}"


def _build(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed: a second builder, or an interrupted one, never leaves half an environment.
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home.parent))
    try:
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(draft)
        library = draft / Path(sysconfig.get_path("purelib", "venv", {"base": str(draft)})).relative_to(draft)
        for name in _PROVIDED:
            _copy(name, library)
        compileall.compile_dir(library, quiet=2)
        try:
            draft.rename(home)
        except OSError:
            if not (home / "bin" / "python").exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(name: str, library: Path) -> None:
    for entry in metadata.distribution(name).files or ():
        # Scripts lie outside the library; caches are made anew.
        if ".." in entry.parts or "__pycache__" in entry.parts:
            continue
        target = library.joinpath(*entry.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(str(entry.locate())), target)
