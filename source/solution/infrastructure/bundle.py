"""The files that the stack ships: the Lambda bundle, the Glue job's script and its libraries.

All are made from what is installed, without network or container, and byte for byte the same from the same sources, so
that an unchanged program is an unchanged deployment.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import solution

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

SOURCE: Final = Path(solution.__file__).parent

LAMBDA_PACKAGES: Final = ("domain", "contract", "application")
MOCK_PACKAGES: Final = ("domain", "mocking")
LAMBDA_DISTRIBUTIONS: Final = ("aws-lambda-powertools", "jmespath", "typing-extensions")
"""What handlers import beside boto3, which the runtime has; versions are those that pyproject.toml pins."""

LEFT_OUT: Final = frozenset({"__pycache__", "tests", "in_memory"})

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files that the stack ships; tests hand in others, so that nothing is built.

    ``function_code`` makes the code anew for every stack: CDK ties an asset to the first stack that uses it.
    """

    function_code: Callable[[], lambda_.Code]
    glue_script: Path
    glue_libraries: Path
    runbook_scripts: Path


def build_lambda_bundle(target: Path) -> Path:
    """Fill ``target`` with what every function ships: our runtime packages and their pure-Python libraries.

    Raises `RuntimeError` for a library that has compiled parts: they would be of this machine, not of Lambda's.
    """
    _empty(target)
    _copy_package("", target, only_files=True)
    for package in LAMBDA_PACKAGES:
        _copy_package(package, target)
    for name in LAMBDA_DISTRIBUTIONS:
        _copy_distribution(distribution(name), target)
    return target


def build_mock_bundle(target: Path) -> Path:
    """Fill ``target`` with what the mock Glacier's functions ship; it needs no library that the runtime lacks."""
    _empty(target)
    _copy_package("", target, only_files=True)
    for package in MOCK_PACKAGES:
        _copy_package(package, target)
    return target


def build_glue_libraries(target: Path) -> Path:
    """Write the zip that the Glue job imports from: ``domain``, ``contract`` and the job's own transforms."""
    target.parent.mkdir(parents=True, exist_ok=True)
    files = [SOURCE / "__init__.py"]
    for package in ("domain", "contract", "glue"):
        files += _shipped_files(SOURCE / package)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            entry = zipfile.ZipInfo(str(Path("solution") / file.relative_to(SOURCE)), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return target


def glue_script() -> Path:
    """The Glue job's entry point."""
    return SOURCE / "glue" / "main.py"


def runbook_scripts() -> Path:
    """Folder of the scripts that are embedded in the SSM documents."""
    return SOURCE / "runbooks"


def _shipped_files(folder: Path) -> list[Path]:
    """Programs, and the tables that they read."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in {".py", ".json"} and not LEFT_OUT.intersection(path.relative_to(folder).parts)
    )


def _copy_package(package: str, target: Path, *, only_files: bool = False) -> None:
    folder = SOURCE / package
    files = [folder / "__init__.py"] if only_files else _shipped_files(folder)
    for file in files:
        _copy(file, target / "solution" / file.relative_to(SOURCE))


def _copy_distribution(source: Distribution, target: Path) -> None:
    if "Root-Is-Purelib: true" not in (source.read_text("WHEEL") or "").splitlines():
        raise RuntimeError(
            f"{source.name} {source.version} is not pure Python; the Lambda bundle cannot carry it: choose another "
            "library, or a wheel without compiled parts"
        )
    for entry in sorted(source.files or (), key=str):
        parts = entry.parts
        # console scripts lie outside site-packages; metadata, caches and type stubs are not imported
        if parts[0] == ".." or ".dist-info" in parts[0] or "__pycache__" in parts or entry.suffix != ".py":
            continue
        _copy(Path(str(entry.locate())), target.joinpath(*parts))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _empty(target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
