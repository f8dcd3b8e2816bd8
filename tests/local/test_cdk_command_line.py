"""The documented commands, with the pinned CDK command line, against the local AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solution.local import Instance
from tests.local.support import free_port

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands read, with a node_modules of its own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("app.py", "cdk.json", "package.json", "package-lock.json"):
        (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    return folder


def run(checkout: Path, command: str, environment: dict[str, str]) -> str:
    """Run a command as a newcomer would in the activated virtual environment; gives what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(  # noqa: S603 - fixed commands
        command.split(),
        cwd=checkout,
        env={**os.environ, **environment, "PATH": path, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_the_readmes_deploy_commands_deploy_the_stack_unchanged(checkout: Path, tmp_path: Path) -> None:
    instance = Instance(tmp_path / "state")
    instance.start(port=free_port())
    try:
        environment = instance.environment()
        run(checkout, "npm ci", environment)
        run(checkout, "npx cdk bootstrap", environment)
        printed = run(
            checkout,
            "npx cdk deploy solution -c skip_integration_tests=true --require-approval never",
            environment,
        )
        for output in (
            "OrchestratorStateMachineArn",
            "LaunchAutomationRunbook",
            "ResumeAutomationRunbook",
            "DestinationBucketName",
            "InventoryBucketName",
            "GlacierRetrievalTableName",
            "MetricTableName",
            "AsyncFacilitatorTopicArn",
            "DashboardName",
        ):
            assert f"solution.{output} = " in printed
    finally:
        instance.stop()
