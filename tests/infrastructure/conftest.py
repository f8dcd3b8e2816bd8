"""Stacks synthesised once per session: one with stand-ins for assets, one for real."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from solution.infrastructure.node_runtime import use_packaged_node

use_packaged_node()

import aws_cdk as cdk  # noqa: E402 - jsii starts Node when it is imported
from aws_cdk import aws_lambda as lambda_  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from solution.infrastructure import bundle  # noqa: E402
from solution.infrastructure.bundle import Assets  # noqa: E402
from solution.infrastructure.stack import SolutionStack  # noqa: E402
from solution.infrastructure.synthesis import FEATURE_FLAGS, build_app  # noqa: E402
from tests.infrastructure.synthesised import Synthesised  # noqa: E402


@pytest.fixture(scope="session")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The ``solution`` stack, without its assets."""
    folder = tmp_path_factory.mktemp("stand-ins")
    script, libraries = folder / "main.py", folder / "libraries.zip"
    script.write_text("")
    with zipfile.ZipFile(libraries, "w") as archive:
        archive.writestr("solution/__init__.py", "")
    app = cdk.App(outdir=str(folder / "out"), context=FEATURE_FLAGS)
    assets = Assets(
        function_code=lambda: lambda_.Code.from_inline("# stand-in"),
        glue_script=script,
        glue_libraries=libraries,
        runbook_scripts=bundle.runbook_scripts(),
    )
    SolutionStack(app, "solution", assets=assets, output_bucket_name="")
    app.synth()
    return Synthesised(json.loads((folder / "out" / "solution.template.json").read_text()))


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real cloud assembly of all stacks, checked with cdk-nag's AwsSolutions on the way."""
    folder = tmp_path_factory.mktemp("assembly")
    app = build_app(str(folder), {"output_bucket_name": "a-bucket-of-ours"})
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        # the report says which findings there are; the test about them reads it
        assert "validation" in str(error).lower(), error  # noqa: PT017
    return folder


@pytest.fixture(scope="session")
def report(assembly: Path) -> dict[str, Any]:
    """What the validation of the assembly found."""
    found: dict[str, Any] = json.loads((assembly / "validation-report.json").read_text())
    return found
