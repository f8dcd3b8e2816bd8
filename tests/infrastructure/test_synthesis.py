"""Synthesis: four stacks, the same every time, on the packaged Node, and a clear word about wrong context."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from solution.domain.errors import InvalidInput
from solution.infrastructure.node_runtime import use_packaged_node
from solution.infrastructure.settings import Context
from solution.infrastructure.synthesis import main


def test_all_four_stacks_are_in_the_assembly(assembly: Path) -> None:
    manifest = json.loads((assembly / "manifest.json").read_text())
    stacks = {name for name, body in manifest["artifacts"].items() if body["type"] == "aws:cloudformation:stack"}
    assert stacks == {"solution", "mock-glacier", "pipeline", "object-restore"}


def test_no_account_is_looked_up_and_no_container_is_built(assembly: Path) -> None:
    manifest = json.loads((assembly / "manifest.json").read_text())
    assert "missing" not in manifest
    for assets in assembly.glob("*.assets.json"):
        assert json.loads(assets.read_text()).get("dockerImages", {}) == {}


def test_the_bucket_of_the_context_is_the_default_of_the_parameter(assembly: Path) -> None:
    template = json.loads((assembly / "solution.template.json").read_text())
    assert template["Parameters"]["DestinationBucketParameter"]["Default"] == "a-bucket-of-ours"


def test_the_solution_uses_the_real_bundle(assembly: Path) -> None:
    template = json.loads((assembly / "solution.template.json").read_text())
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    keys = {json.dumps(function["Properties"]["Code"], sort_keys=True) for function in functions}
    assert len(keys) == 1, "all functions share one asset"
    assert "S3Key" in keys.pop()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"skip_integration_tests": "perhaps"}, "skip_integration_tests='perhaps' is neither true nor false"),
        ({"output_bucket_name": "Not_A_Bucket"}, "output_bucket_name='Not_A_Bucket' is not a bucket name"),
        ({"repository_name": "a b"}, "repository_name='a b' is not a CodeCommit repository"),
        ({"branch": 3}, "branch=3 is not text"),
    ],
)
def test_a_wrong_context_value_is_named_with_its_rule(source: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Context.read(source)


def test_context_has_defaults_for_everything() -> None:
    context = Context.read({})
    assert not context.skip_integration_tests
    assert context.output_bucket_name == ""
    assert context.branch == "main"


@pytest.mark.parametrize("entry", ["x=y", "branch"])
def test_an_unknown_context_key_is_refused_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entry: str
) -> None:
    with pytest.raises(SystemExit):
        main(["--outdir", str(tmp_path), "--context", entry])
    assert f"'{entry}' is not KEY=VALUE with KEY one of skip_integration_tests" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_context_value_ends_the_command_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--outdir", str(tmp_path), "--context", "skip_integration_tests=perhaps"])
    assert "'perhaps' is neither true nor false" in capsys.readouterr().err


def test_the_packaged_node_comes_before_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "node"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JSII_NODE", str(other))
    folder = use_packaged_node()
    assert Path(shutil.which("node") or "").parent == folder
    assert Path(os.environ["JSII_NODE"]).parent == folder
