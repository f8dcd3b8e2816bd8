"""Errors are one sentence on stderr with an exit code that means something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber
from typer.testing import CliRunner

from solution.cli.failures import EnvironmentProblem, ExitCode, exit_code, guarded, sentence, show_tracebacks
from solution.cli.main import app
from solution.cli.target import Target
from solution.domain.errors import ChecksumMismatch, InvalidInput, NotPossible


def client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("a value"), ExitCode.USAGE),
        (NotPossible("a refusal"), ExitCode.USAGE),
        (ChecksumMismatch("bytes"), ExitCode.DIFFERENT),
        (EnvironmentProblem("a port"), ExitCode.ENVIRONMENT),
        (client_error("AccessDenied", "no"), ExitCode.ENVIRONMENT),
        (NoCredentialsError(), ExitCode.ENVIRONMENT),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    assert exit_code(error) is code


def raiser(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_an_error_is_a_sentence_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        guarded(raiser(InvalidInput("run [x] is wrong:\n  choose another")))
    printed = capsys.readouterr()
    assert end.value.code == ExitCode.USAGE
    assert printed.err == "Error: run [x] is wrong: choose another\n"
    assert printed.out == ""


def test_debug_shows_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    show_tracebacks(True)
    try:
        with pytest.raises(SystemExit):
            guarded(raiser(InvalidInput("wrong")))
    finally:
        show_tracebacks(False)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(raiser(ZeroDivisionError()))


def test_an_answer_of_aws_names_operation_cause_and_remedy() -> None:
    text = sentence(client_error("ExpiredToken", "The token has expired."))
    assert text == "AWS answered DescribeStacks with ExpiredToken: The token has expired. Renew the credentials."


def test_an_unreachable_endpoint_points_to_the_local_aws() -> None:
    assert "local up" in sentence(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))


def test_a_stack_that_is_not_deployed_is_said_so() -> None:
    target = Target(boto3.Session("a", "b", region_name="us-east-1"), stack="other")
    with Stubber(target.cloudformation) as stubber:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id other does not exist")
        with pytest.raises(EnvironmentProblem, match="stack 'other' is not deployed in us-east-1"):
            target.output("DestinationBucketName")


def test_a_stack_of_another_version_is_said_so() -> None:
    target = Target(boto3.Session("a", "b", region_name="us-east-1"))
    with Stubber(target.cloudformation) as stubber:
        stack = {"StackName": "solution", "CreationTime": "2026-01-01T00:00:00Z", "StackStatus": "CREATE_COMPLETE"}
        stubber.add_response("describe_stacks", {"Stacks": [stack]})
        with pytest.raises(EnvironmentProblem, match="has no output 'DestinationBucketName'"):
            target.output("DestinationBucketName")


def test_wrong_usage_has_exit_code_2() -> None:
    assert CliRunner().invoke(app, ["status"]).exit_code == ExitCode.USAGE
    assert CliRunner().invoke(app, ["unknown"]).exit_code == ExitCode.USAGE


def test_a_provided_inventory_needs_a_run_to_be_found_under() -> None:
    answer = CliRunner().invoke(app, ["launch", "photos", "--provided-inventory"])
    assert isinstance(answer.exception, InvalidInput)
    assert "--run" in str(answer.exception)


@pytest.mark.parametrize("command", [["up"], ["down"], ["status"], ["env"]])
def test_without_the_extra_the_local_commands_say_what_to_install(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == "solution.local" or name.startswith("solution.local.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    answer = CliRunner().invoke(app, ["local", *command])
    assert isinstance(answer.exception, EnvironmentProblem)
    assert 'pip install ".[dev]"' in str(answer.exception)


def test_the_commands_do_not_need_the_local_aws_to_be_imported() -> None:
    program = (
        "import sys; import solution.cli.main; print(any(name.startswith('solution.local') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "False"


def test_the_version_is_printed() -> None:
    from solution import VERSION

    assert VERSION in CliRunner().invoke(app, ["--version"]).stdout
