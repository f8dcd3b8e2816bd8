"""The assets: no more than they need, and the same bytes from the same sources."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

from solution.contract.entry_points import ENTRY_POINTS
from solution.infrastructure import bundle


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle.build_lambda_bundle(tmp_path_factory.mktemp("bundle") / "functions")


def test_functions_ship_runtime_packages_and_their_libraries_and_no_more(functions: Path) -> None:
    assert {path.name for path in functions.iterdir()} == {
        "solution",
        "aws_lambda_powertools",
        "jmespath",
        "typing_extensions.py",
    }
    assert {path.name for path in (functions / "solution").iterdir()} == {
        "__init__.py",
        "domain",
        "contract",
        "application",
    }


def test_no_caches_tests_or_in_memory_ports_are_shipped(functions: Path) -> None:
    parts = {part for path in functions.rglob("*") for part in path.relative_to(functions).parts}
    assert not parts & {"__pycache__", "tests", "in_memory"}
    files = [path for path in functions.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py", ".json"}
    assert [path.name for path in files if path.suffix == ".json"] == ["prices.json"]


def test_every_requirement_of_a_shipped_library_is_shipped() -> None:
    shipped = {name.replace("_", "-") for name in bundle.LAMBDA_DISTRIBUTIONS}
    for name in bundle.LAMBDA_DISTRIBUTIONS:
        needed = [line for line in requires(name) or [] if "extra ==" not in line]
        assert {line.split("<")[0].split(">")[0].split("=")[0].replace("_", "-") for line in needed} <= shipped


def test_two_builds_are_byte_for_byte_the_same(functions: Path, tmp_path: Path) -> None:
    again = bundle.build_lambda_bundle(tmp_path / "again")
    assert contents(again) == contents(functions)
    first, second = bundle.build_glue_libraries(tmp_path / "1.zip"), bundle.build_glue_libraries(tmp_path / "2.zip")
    os.utime(bundle.SOURCE / "__init__.py")
    assert first.read_bytes() == second.read_bytes() == bundle.build_glue_libraries(tmp_path / "3.zip").read_bytes()


def test_a_library_with_compiled_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LAMBDA_DISTRIBUTIONS", ("pyyaml",))
    with pytest.raises(RuntimeError, match="is not pure Python; the Lambda bundle cannot carry it"):
        bundle.build_lambda_bundle(tmp_path / "functions")


def test_every_handler_imports_from_the_bundle_and_boto3_alone(functions: Path) -> None:
    program = textwrap.dedent(
        """
        import importlib, importlib.util, sys
        bundle, *modules = sys.argv[1:]
        runtime = {"boto3", "botocore", "s3transfer", "dateutil", "six", "urllib3"}
        installed = [path for path in sys.path if "site-packages" in path]

        class LambdaHas:
            def find_spec(self, name, path=None, target=None):
                top = name.partition(".")[0]
                if top in runtime and path is None:
                    return importlib.machinery.PathFinder.find_spec(name, installed)
                return None

        sys.path[:] = [bundle, *(path for path in sys.path if path not in installed)]
        sys.path = [path for path in sys.path if not path.endswith("/source")]
        sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
        sys.meta_path.append(LambdaHas())
        for module in modules:
            loaded = importlib.import_module(module)
            assert loaded.__file__.startswith(bundle), loaded.__file__
            assert callable(loaded.handler), module
        """
    )
    modules = [entry.module for entry in ENTRY_POINTS]
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(functions), *modules],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


def test_the_glue_job_ships_domain_contract_and_its_transforms(tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle.build_glue_libraries(tmp_path / "libraries.zip")) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert {name.split("/")[1] for name in names} == {"__init__.py", "domain", "contract", "glue"}


def test_the_mock_ships_domain_and_itself(tmp_path: Path) -> None:
    built = bundle.build_mock_bundle(tmp_path / "mock")
    assert {path.name for path in (built / "solution").iterdir()} == {"__init__.py", "domain", "mocking"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
