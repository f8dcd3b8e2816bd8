"""Runbooks: documents from templates, run as the role they assume, in an interpreter with boto3 alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from solution.local import deploy_stack
from tests.local.support import LocalAws, allow, unique, until
from tests.local.test_local_deploy import assembly


def document(script: str, **more: Any) -> dict[str, Any]:
    """A runbook of one step that gets the parameter Name."""
    return {
        "schemaVersion": "0.3",
        "description": "story",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "AutomationAssumeRole": {"type": "AWS::IAM::Role::Arn"},
            "Name": {"type": "String", "allowedPattern": "[a-z]+"},
            "Class": {"type": "String", "default": "one", "allowedValues": ["one", "two"]},
            "Many": {"type": "StringList", "default": []},
            "Count": {"type": "Integer", "default": 3},
        },
        "mainSteps": [
            {
                "name": "Only",
                "action": "aws:executeScript",
                "inputs": {
                    "Runtime": "python3.11",
                    "Handler": "handler",
                    "InputPayload": {
                        "name": "{{ Name }}",
                        "text": "class {{ Class }}",
                        "many": "{{ Many }}",
                        "count": "{{ Count }}",
                        "region": "{{ global:REGION }}",
                    },
                    "Script": textwrap.dedent(script),
                },
                "outputs": [{"Name": "Made", "Selector": "$.Payload.made", "Type": "String"}],
            }
        ],
        "outputs": ["Only.Made"],
        **more,
    }


def stored(aws: LocalAws, content: dict[str, Any]) -> str:
    """Name of a new document."""
    name = unique("Runbook")
    aws.client("ssm").create_document(Name=name, Content=json.dumps(content), DocumentType="Automation")
    return name


def automation(aws: LocalAws, name: str, role: str, **parameters: str) -> dict[str, Any]:
    """An automation that has ended."""
    ssm = aws.client("ssm")
    given = {"AutomationAssumeRole": [role], **{key: [value] for key, value in parameters.items()}}
    execution = ssm.start_automation_execution(DocumentName=name, Parameters=given)["AutomationExecutionId"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"]
        return None if found["AutomationExecutionStatus"] == "InProgress" else found

    return until(ended)


def test_a_document_of_a_template_runs_with_its_parameters(aws: LocalAws, tmp_path: Path) -> None:
    stack, role = unique("stack"), aws.role(principal="ssm.amazonaws.com")
    content = document(
        """
        def handler(events, context):
            assert context["global:REGION"] == "us-east-1"
            return {"made": f"{events['name']}/{events['text']}/{events['many']}/{events['count'] + 1}"}
        """
    )
    template = {
        "Resources": {
            "Runbook": {"Type": "AWS::SSM::Document", "Properties": {"Content": content, "DocumentType": "Automation"}}
        },
        "Outputs": {"Runbook": {"Value": {"Ref": "Runbook"}}},
    }
    name = deploy_stack(aws.endpoint, assembly(tmp_path, stack, template), stack)["Runbook"]
    found = automation(aws, name, role, Name="abc")
    assert found["AutomationExecutionStatus"] == "Success"
    assert found["Outputs"] == {"Only.Made": ["abc/class one/[]/4"]}
    assert found["StepExecutions"][0]["Outputs"]["Made"] == ["abc/class one/[]/4"]
    assert json.loads(aws.client("ssm").get_document(Name=name)["Content"]) == content


def test_a_script_acts_as_the_role_of_its_document(aws: LocalAws) -> None:
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    content = document(
        f"""
        import boto3
        def handler(events, context):
            boto3.client("sns").publish(TopicArn="{topic}", Message="m")
            return {{"made": boto3.client("sts").get_caller_identity()["Arn"]}}
        """
    )
    name = stored(aws, content)
    refused = automation(aws, name, aws.role(principal="ssm.amazonaws.com"), Name="a")
    allowed = automation(aws, name, aws.role(allow("sns:Publish", topic), principal="ssm.amazonaws.com"), Name="a")
    assert refused["AutomationExecutionStatus"] == "Failed"
    assert "AuthorizationError" in refused["FailureMessage"]
    assert allowed["AutomationExecutionStatus"] == "Success"
    assert ":assumed-role/role-" in allowed["Outputs"]["Only.Made"][0]


def test_a_failing_script_says_why(aws: LocalAws) -> None:
    name = stored(aws, document("def handler(events, context):\n    raise ValueError('no such vault')"))
    found = automation(aws, name, aws.role(principal="ssm.amazonaws.com"), Name="a")
    assert found["AutomationExecutionStatus"] == "Failed"
    assert "ValueError - no such vault" in found["FailureMessage"]
    assert found["StepExecutions"][0]["StepStatus"] == "Failed"
    assert "no such vault" in found["StepExecutions"][0]["FailureMessage"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "required parameters are missing: Name"),
        ({"Name": ["UPPER"]}, "must match"),
        ({"Name": ["a"], "Class": ["three"]}, "allowed values are one, two"),
        ({"Name": ["a"], "Count": ["many"]}, "whole number"),
        ({"Name": ["a"], "Other": ["x"]}, "not defined in the document: Other"),
        ({"Name": ["a"], "AutomationAssumeRole": ["arn:aws:iam::000000000000:role/none"]}, "unable to be assumed"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_starts(
    aws: LocalAws, parameters: dict[str, list[str]], said: str
) -> None:
    name = stored(aws, document("def handler(events, context): return {}"))
    role = aws.role(principal="ssm.amazonaws.com")
    ssm = aws.client("ssm")
    with pytest.raises(ssm.exceptions.InvalidAutomationExecutionParametersException, match=said):
        ssm.start_automation_execution(DocumentName=name, Parameters={"AutomationAssumeRole": [role], **parameters})


def test_unknown_documents_and_executions_have_aws_error_names(aws: LocalAws) -> None:
    ssm = aws.client("ssm")
    with pytest.raises(ssm.exceptions.AutomationDefinitionNotFoundException):
        ssm.start_automation_execution(DocumentName="nothing")
    with pytest.raises(ssm.exceptions.AutomationExecutionNotFoundException):
        ssm.get_automation_execution(AutomationExecutionId="0" * 36)
    with pytest.raises(ssm.exceptions.InvalidDocument):
        ssm.get_document(Name="nothing")
    assert ssm.put_parameter(Name=unique("p"), Value="v", Type="String")["Version"] == 1, "MiniStack's own still answer"


def test_an_automation_can_be_stopped_and_is_listed(aws: LocalAws) -> None:
    ssm = aws.client("ssm")
    name = stored(aws, document("import time\ndef handler(events, context): time.sleep(60)"))
    role = aws.role(principal="ssm.amazonaws.com")
    parameters = {"AutomationAssumeRole": [role], "Name": ["a"]}
    execution = ssm.start_automation_execution(DocumentName=name, Parameters=parameters)["AutomationExecutionId"]
    ssm.stop_automation_execution(AutomationExecutionId=execution)

    def listed() -> bool:
        filters = [{"Key": "DocumentNamePrefix", "Values": [name]}]
        (found,) = ssm.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]
        return bool(found["AutomationExecutionStatus"] == "Cancelled")

    until(listed)


def test_starting_an_automation_needs_the_permission_on_its_definition(aws: LocalAws) -> None:
    name = stored(aws, document("def handler(events, context): return {}"))
    role = aws.role(principal="ssm.amazonaws.com")
    definition = f"arn:aws:ssm:us-east-1:000000000000:automation-definition/{name}:*"
    start = allow("ssm:StartAutomationExecution", definition)
    request = {"DocumentName": name, "Parameters": {"AutomationAssumeRole": [role], "Name": ["a"]}}
    for statements in ([], [start]):
        with pytest.raises(ClientError, match="AccessDenied"):
            aws.as_role(aws.role(*statements), "ssm").start_automation_execution(**request)
    allowed = aws.as_role(aws.role(start, allow("iam:PassRole", role)), "ssm")
    assert allowed.start_automation_execution(**request)["AutomationExecutionId"]
