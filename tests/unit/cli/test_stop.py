"""Stopping a run: what the command says to every answer, and its exit codes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from solution.cli import stop as command
from solution.cli.failures import EnvironmentProblem, ExitCode, exit_code
from solution.cli.main import app
from solution.cli.runs import RunState
from solution.contract.tables import RunStatus
from solution.domain.errors import InvalidInput, NotPossible, TransferError
from tests.unit.cli.conftest import Deployment


class Functions:
    """Lambda, answering as RunStopper would."""

    def __init__(self, answer: dict[str, Any], *, failed: bool = False) -> None:
        self.answer = {"Payload": io.BytesIO(json.dumps(answer).encode())} | (
            {"FunctionError": "Unhandled"} if failed else {}
        )
        self.asked: dict[str, Any] = {}

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return self.answer


@pytest.fixture
def answering(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the function answer."""

    def answer(told: dict[str, Any], *, failed: bool = False) -> Functions:
        functions = Functions(told, failed=failed)
        deployment.target.__dict__["functions"] = functions
        monkeypatch.setattr(command, "choose_target", lambda **_: deployment.target)
        return functions

    return answer


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("stopping", "its executions are ended"),
        ("already stopping", "is being stopped already"),
        ("already ending", "has come to its end by itself"),
    ],
)
def test_without_waiting_it_says_what_was_found(answering: Any, found: str, words: str) -> None:
    functions = answering({"found": found})
    answer = CliRunner().invoke(app, ["stop", "r", "--no-wait", "--reason", "no money"])
    assert answer.exit_code == ExitCode.OK
    assert f"Run r {command._SENTENCES[found]}" in answer.output
    assert words in answer.output
    assert functions.asked["FunctionName"] == "RunStopper"
    assert json.loads(functions.asked["Payload"]) == {"workflow_run": "r", "reason": "no money"}


def test_machines_get_one_document(answering: Any) -> None:
    answering({"found": "stopping"})
    answer = CliRunner().invoke(app, ["stop", "r", "--no-wait", "--json"])
    assert json.loads(answer.stdout) == {"run": "r", "found": "stopping"}


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("InvalidInput", InvalidInput, ExitCode.USAGE),
        ("NotPossible", NotPossible, ExitCode.USAGE),
        ("KeyError", EnvironmentProblem, ExitCode.ENVIRONMENT),
    ],
)
def test_a_refusal_is_told_in_the_functions_words(
    answering: Any, kind: str, error: type[TransferError], code: ExitCode
) -> None:
    answering({"errorType": kind, "errorMessage": "run 'r' ended: there is nothing to stop"}, failed=True)
    answer = CliRunner().invoke(app, ["stop", "r"])
    assert isinstance(answer.exception, error)
    assert "there is nothing to stop" in str(answer.exception)
    assert exit_code(answer.exception) is code


def test_what_cannot_be_a_run_is_refused_before_anything_is_asked(answering: Any) -> None:
    functions = answering({"found": "stopping"})
    answer = CliRunner().invoke(app, ["stop", "no run"])
    assert isinstance(answer.exception, InvalidInput)
    assert functions.asked == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (RunStatus.STOPPED, ExitCode.OK),
        (RunStatus.COMPLETED, ExitCode.OK),
        (RunStatus.FAILED, ExitCode.DIFFERENT),
        (RunStatus.COMPLETED_WITH_FAILURES, ExitCode.DIFFERENT),
    ],
)
def test_it_waits_for_the_end_and_says_how_it_was(
    deployment: Deployment, answering: Any, monkeypatch: pytest.MonkeyPatch, status: RunStatus, code: ExitCode
) -> None:
    deployment.record_run("r")
    for as_json in (False, True):
        deployment.finish_run("r", RunStatus.STOPPING)
        answering({"found": "stopping"})
        monkeypatch.setattr(command, "await_end", _ending(deployment, status, bars_wanted=not as_json))
        answer = CliRunner().invoke(app, ["stop", "r", *(["--json"] if as_json else [])])
        assert answer.exit_code == code
        if as_json:
            document = json.loads(answer.stdout)
            assert (document["found"], document["status"], document["ended"]) == ("stopping", status, True)
        else:
            assert f"Run r of vault photos: {status}" in answer.stdout


def _ending(deployment: Deployment, status: RunStatus, *, bars_wanted: bool) -> Any:
    """A wait in which the run is cleaned up."""

    def wait(look: Any, *, interval: float, bars: bool) -> RunState:
        assert interval
        assert bars is bars_wanted
        before = look()
        assert (before.ended, before.outcome) == (False, RunStatus.STOPPING)
        deployment.target.stepfunctions.stop_execution(
            executionArn=deployment.target.stepfunctions.list_executions(stateMachineArn=deployment.machine)[
                "executions"
            ][0]["executionArn"]
        )
        deployment.finish_run("r", status, failure="no money")
        after: RunState = look()
        return after

    return wait
