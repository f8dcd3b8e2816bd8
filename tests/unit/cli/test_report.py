"""A finished run's report, printed and downloaded."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from solution.cli.failures import ExitCode
from solution.cli.main import app
from solution.contract import object_keys
from tests.unit.cli.conftest import Deployment


def reported(deployment: Deployment) -> None:
    deployment.put_text(object_keys.summary_key("r"), "# Run r\n\nAll **3** archives are copied.")
    deployment.put_text(object_keys.summary_json_key("r"), json.dumps({"outcome": "COMPLETED"}))
    deployment.put_text(object_keys.failed_archives_key("r"), "ArchiveId,Key,Bytes,Reason\r\n")
    deployment.put_text(object_keys.manifest_prefix("r") + "r-1/0.csv", ",".join(object_keys.MANIFEST_COLUMNS))
    deployment.put_text(object_keys.summary_key("r2"), "another run")


def test_people_read_the_summary(deployment: Deployment) -> None:
    reported(deployment)
    answer = CliRunner().invoke(app, ["report", "r"])
    assert answer.exit_code == ExitCode.OK
    assert "All 3 archives are copied." in answer.stdout


def test_machines_read_the_same_as_json(deployment: Deployment) -> None:
    reported(deployment)
    answer = CliRunner().invoke(app, ["report", "r", "--json"])
    assert json.loads(answer.stdout) == {"outcome": "COMPLETED"}


def test_the_whole_report_is_downloaded_and_nothing_of_other_runs(deployment: Deployment, tmp_path: Path) -> None:
    reported(deployment)
    answer = CliRunner().invoke(app, ["report", "r", "--json", "--output", str(tmp_path)])
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert answer.exit_code == ExitCode.OK
    assert files == {
        "report/summary.md",
        "report/summary.json",
        "report/manifest/r-1/0.csv",
        "failed_archives/failed_archives.csv",
    }


def test_a_run_without_report_is_said_so(deployment: Deployment) -> None:
    del deployment
    answer = CliRunner().invoke(app, ["report", "r"])
    assert "has no report" in str(answer.exception)
