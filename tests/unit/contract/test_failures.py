"""What Step Functions wraps is unwrapped, and what it does not wrap stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solution.contract.failures import LONGEST_CAUSE, Failure

FUNCTION = json.dumps(
    {
        "errorMessage": "mine.csv, row 7: Size '-1' is not a whole number",
        "errorType": "InvalidInput",
        "requestId": "4f0c",
        "stackTrace": ['  File "/var/task/solution/application/handlers/provided_inventory_check.py", line 21\n'],
    }
)
GLUE = json.dumps(
    {
        "AllocatedCapacity": 4,
        "Attempt": 0,
        "ErrorMessage": "InvalidInput: there is no inventory",
        "GlueVersion": "5.0",
        "Id": "jr_1",
        "JobName": "InventoryJob-0a1b2c3d",
        "JobRunState": "FAILED",
        "LogGroupName": "/aws-glue/jobs",
    }
)


def execution(machine: str, **more: Any) -> str:
    """An execution that was waited for, as ``.sync:2`` hands it on."""
    arn = f"arn:aws:states:us-east-1:111122223333:stateMachine:{machine}"
    return json.dumps({"ExecutionArn": "arn:1", "Input": "{}", "StateMachineArn": arn, "Status": "FAILED", **more})


def test_nothing_failed() -> None:
    assert Failure.parse(None) is None
    assert Failure.parse({}) is None


def test_a_function_says_what_is_wrong_and_its_stack_says_nothing() -> None:
    failure = Failure.parse({"Error": "InvalidInput", "Cause": FUNCTION})
    assert failure is not None
    assert failure.text == "InvalidInput: mine.csv, row 7: Size '-1' is not a whole number"


def test_the_innermost_of_executions_in_executions_is_told_with_its_machine() -> None:
    inner = execution("InventoryRetrieval-0a1b", Error="InvalidInput", Cause=FUNCTION)
    outer = execution("Orchestrator-0a1b", Error="States.TaskFailed", Cause=inner)
    assert Failure.innermost("States.TaskFailed", outer).text == (
        "InventoryRetrieval-0a1b: InvalidInput: mine.csv, row 7: Size '-1' is not a whole number"
    )


def test_a_glue_job_is_told_with_its_run() -> None:
    inner = execution("InventoryRetrieval-0a1b", Error="States.TaskFailed", Cause=GLUE)
    assert Failure.innermost("States.TaskFailed", inner).text == (
        "InventoryRetrieval-0a1b: GlueJobFailed: InvalidInput: there is no inventory "
        "(run jr_1 of Glue job InventoryJob-0a1b2c3d)"
    )


def test_a_glue_job_that_says_nothing_is_told_with_its_state() -> None:
    cause = json.dumps({**json.loads(GLUE), "ErrorMessage": "", "JobRunState": "TIMEOUT"})
    assert Failure.innermost("States.TaskFailed", cause).cause == (
        "it ended as TIMEOUT (run jr_1 of Glue job InventoryJob-0a1b2c3d)"
    )


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_execution_that_was_ended_from_outside_has_no_cause(status: str) -> None:
    failure = Failure.innermost("States.TaskFailed", execution("InitiateRetrieval-0a1b", Status=status))
    assert failure.text == f"InitiateRetrieval-0a1b: States.TaskFailed: the execution ended as {status}"


@pytest.mark.parametrize("cause", ["the bucket is gone", "[1]", "{broken", '{"other": "object"}', "null", '"text"', ""])
def test_what_is_not_wrapped_stays_as_it_is(cause: str) -> None:
    assert Failure.innermost("Operator", cause) == Failure(error="Operator", cause=cause)


def test_a_failure_without_a_word_is_an_empty_text() -> None:
    assert Failure.innermost("", "").text == ""


def test_a_cause_is_cut_where_it_would_fill_a_mail() -> None:
    failure = Failure.innermost("E", json.dumps({"errorMessage": "x" * 100_000, "errorType": "E"}))
    assert failure.cause == "x" * LONGEST_CAUSE + "…"
