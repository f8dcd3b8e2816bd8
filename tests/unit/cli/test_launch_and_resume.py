"""Starting runs through the runbooks, and what a refusal looks like."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from solution.cli.automation import LAUNCH_DOCUMENT, StartedRun, reason, start_run
from solution.cli.failures import EnvironmentProblem
from solution.cli.launch import storage_class_label
from solution.cli.target import Target
from solution.domain.archive import STORAGE_CLASS_LABELS
from solution.domain.errors import InvalidInput, NotPossible

EXECUTION = "12345678-1234-1234-1234-123456789012"


class Story:
    """A runbook whose execution goes through given looks."""

    def __init__(self, *looks: dict[str, Any]) -> None:
        session = boto3.Session(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.target = Target(session)
        self.target.__dict__["outputs"] = {LAUNCH_DOCUMENT: "launch-document"}
        self.pauses: list[float] = []
        self._stubber = Stubber(self.target.ssm)
        self._stubber.add_response(
            "start_automation_execution",
            {"AutomationExecutionId": EXECUTION},
            {"DocumentName": "launch-document", "Parameters": {"VaultName": ["photos"]}},
        )
        for look in looks:
            self._stubber.add_response(
                "get_automation_execution",
                {"AutomationExecution": {"AutomationExecutionId": EXECUTION, **look}},
                {"AutomationExecutionId": EXECUTION},
            )

    def start(self) -> StartedRun:
        with self._stubber:
            started = start_run(
                self.target, LAUNCH_DOCUMENT, {"VaultName": "photos", "Description": ""}, sleep=self.pauses.append
            )
            self._stubber.assert_no_pending_responses()
        return started


def test_a_launch_waits_for_the_runbook_and_returns_its_run() -> None:
    story = Story(
        {"AutomationExecutionStatus": "InProgress"},
        {
            "AutomationExecutionStatus": "Success",
            "Outputs": {"Start.WorkflowRun": ["photos-2026"], "Start.ExecutionArn": ["arn:of:it"]},
        },
    )
    assert story.start() == StartedRun(run="photos-2026", execution_arn="arn:of:it")
    assert len(story.pauses) == 1


def test_a_refused_launch_says_what_the_runbook_said() -> None:
    message = (
        "Step fails when it is Poll action status for completion. Traceback (most recent call last):\n"
        '  File "/tmp/script.py", line 10, in handler\n'
        "Refused: VaultName 'photos' is not a vault of this account: check the name. "
        "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
    )
    story = Story({"AutomationExecutionStatus": "Failed", "FailureMessage": message})
    with pytest.raises(NotPossible) as refusal:
        story.start()
    assert str(refusal.value) == "VaultName 'photos' is not a vault of this account: check the name."


def test_a_cancelled_runbook_is_a_problem_of_the_environment() -> None:
    with pytest.raises(EnvironmentProblem, match="ended Cancelled"):
        Story({"AutomationExecutionStatus": "Cancelled"}).start()


def test_a_failure_message_without_traceback_stays_as_it_is() -> None:
    assert reason("Bucket  is\nfull") == "Bucket is full"


@pytest.mark.parametrize(("label", "value"), STORAGE_CLASS_LABELS.items())
def test_a_storage_class_is_named_by_label_or_by_api_value(label: str, value: str) -> None:
    assert storage_class_label(label) == storage_class_label(value) == storage_class_label(value.lower()) == label


def test_an_unknown_storage_class_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="'COLD' is not one of DEEP_ARCHIVE"):
        storage_class_label("COLD")
