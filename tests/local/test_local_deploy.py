"""Synthesised templates are deployed as they are, with their assets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from solution.local import DeploymentError, SynthesisError, deploy_stack
from tests.local.support import LocalAws, unique


def assembly(folder: Path, stack: str, template: Mapping[str, Any], code: Mapping[str, str] | None = None) -> Path:
    """A cloud assembly with one stack and, if there is code, one asset ``code.zip``."""
    (folder / f"{stack}.template.json").write_text(json.dumps(template))
    bucket = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
    files: dict[str, Any] = {
        "template": {
            "source": {"path": f"{stack}.template.json", "packaging": "file"},
            "destinations": {"here": {"bucketName": bucket, "objectKey": "template.json"}},
        }
    }
    if code:
        (folder / "asset").mkdir(exist_ok=True)
        for name, text in code.items():
            (folder / "asset" / name).write_text(text)
        files["code"] = {
            "source": {"path": "asset", "packaging": "zip"},
            "destinations": {"here": {"bucketName": bucket, "objectKey": f"{stack}-code.zip"}},
        }
    (folder / f"{stack}.assets.json").write_text(json.dumps({"version": "1", "files": files}))
    artifacts = {
        f"{stack}.assets": {"type": "cdk:asset-manifest", "properties": {"file": f"{stack}.assets.json"}},
        stack: {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": f"{stack}.template.json"},
            "dependencies": [f"{stack}.assets"],
        },
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "1", "artifacts": artifacts}))
    return folder


FUNCTION = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    },
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"S3Bucket": {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}, "S3Key": "KEY"},
        },
    },
}


def test_a_stack_with_an_asset_runs_its_code(aws: LocalAws, tmp_path: Path) -> None:
    stack = unique("stack")
    template = {
        "Parameters": {
            "Greeting": {"Type": "String", "Default": "hello"},
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
            },
        },
        "Resources": json.loads(json.dumps(FUNCTION).replace("KEY", f"{stack}-code.zip")),
        "Outputs": {
            "FunctionArn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
            "Said": {"Value": {"Ref": "Greeting"}},
        },
    }
    folder = assembly(tmp_path, stack, template, {"index.py": "def handler(event, context): return 'ran'"})
    outputs = deploy_stack(aws.endpoint, folder, stack, {"Greeting": "good day"})
    again = deploy_stack(aws.endpoint, folder, stack)
    assert outputs["Said"] == "good day"
    assert again == outputs, "parameters that are left out keep their values, and nothing is to be done"
    assert aws.invoke(outputs["FunctionArn"]) == "ran"


def test_a_failure_names_the_resource_and_the_reason_and_the_next_try_succeeds(aws: LocalAws, tmp_path: Path) -> None:
    stack = unique("stack")
    queue = {"Type": "AWS::SQS::Queue"}
    broken = {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "m", "Namespace": "n"}}}
    with pytest.raises(DeploymentError, match=r"ROLLBACK_COMPLETE; first failure: Alarm .*ComparisonOperator"):
        deploy_stack(aws.endpoint, assembly(tmp_path, stack, {"Resources": {"Queue": queue, **broken}}), stack)
    corrected = {"Resources": {"Queue": queue}, "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}
    outputs = deploy_stack(aws.endpoint, assembly(tmp_path, stack, corrected), stack)
    assert outputs["Url"].startswith(aws.endpoint)


def test_an_unknown_parameter_or_stack_is_refused_before_anything_happens(aws: LocalAws, tmp_path: Path) -> None:
    stack = unique("stack")
    folder = assembly(tmp_path, stack, {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    with pytest.raises(DeploymentError, match="has no parameter Typo"):
        deploy_stack(aws.endpoint, folder, stack, {"Typo": "x"})
    with pytest.raises(SynthesisError, match="has no stack 'other'"):
        deploy_stack(aws.endpoint, folder, "other")
