"""cdk-nag and cfn-lint have nothing to say about any stack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

STACKS = ("solution", "mock-glacier", "pipeline", "object-restore")

# CDK writes these itself: dependencies that references imply already, and joins.
WRITTEN_BY_CDK = ("W3005", "E3703")


def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(report: dict[str, Any]) -> None:
    assert findings_of(report) == []


def test_cdk_nag_would_speak_up(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    sqs.Queue(cdk.Stack(app, "careless"), "Queue")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError):
        app.synth()
    findings = findings_of(json.loads((tmp_path / "validation-report.json").read_text()))
    assert "AwsSolutions-SQS4 at careless/Queue/Resource" in findings


@pytest.fixture(scope="module")
def complaints(assembly: Path) -> dict[str, set[str]]:
    """What cfn-lint says, by stack."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json"]
    templates = [str(assembly / f"{stack}.template.json") for stack in STACKS]
    done = subprocess.run([*command, *templates], capture_output=True, text=True, check=False)  # noqa: S603
    assert not done.stderr
    found: dict[str, set[str]] = {stack: set() for stack in STACKS}
    for match in json.loads(done.stdout or "[]"):
        stack = Path(match["Filename"]).name.removesuffix(".template.json")
        found[stack].add(f"{match['Rule']['Id']} {match['Message']}")
    return found


def test_cfn_lint_finds_nothing_in_the_solution(complaints: dict[str, set[str]]) -> None:
    assert complaints["solution"] == set()


@pytest.mark.parametrize("stack", STACKS[1:])
def test_cfn_lint_finds_nothing_of_ours_in_the_other_stacks(complaints: dict[str, set[str]], stack: str) -> None:
    assert {text for text in complaints[stack] if not text.startswith(WRITTEN_BY_CDK)} == set()


def findings_of(report: dict[str, Any]) -> list[str]:
    """Findings that nobody has acknowledged, with their place."""
    return [
        f"{violation['ruleName']} at {construct['constructPath']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
