"""IAM resources and condition keys, bucket owners, schedules and resource types, as AWS has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from solution.local import deploy_stack
from tests.local.support import LocalAws, allow, unique, until
from tests.local.test_local_deploy import assembly

ACCOUNT = "000000000000"


def refuses(call: Callable[[], Any]) -> bool:
    """Whether the call is refused by IAM."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"].get("Code") in {"AccessDenied", "AccessDeniedException"}
    return False


def test_targets_of_a_rule_are_put_with_a_policy_on_that_rule(aws: LocalAws) -> None:
    events, mine, other = aws.client("events"), unique("rule"), unique("rule")
    for name in (mine, other):
        events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{mine}"
    role = aws.as_role(aws.role(allow(["events:PutTargets", "events:RemoveTargets"], rule)), "events")
    target = {"Id": "t", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"}
    role.put_targets(Rule=mine, Targets=[target])
    role.remove_targets(Rule=mine, Ids=["t"])
    assert refuses(lambda: role.put_targets(Rule=other, Targets=[target]))


def test_metrics_are_confined_by_their_namespace(aws: LocalAws) -> None:
    condition = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    role = aws.as_role(aws.role(allow("cloudwatch:PutMetricData", Condition=condition)), "cloudwatch")
    data = [{"MetricName": "m", "Value": 1.0}]
    role.put_metric_data(Namespace="Mine", MetricData=data)
    assert refuses(lambda: role.put_metric_data(Namespace="Other", MetricData=data))
    assert [metric["MetricName"] for metric in aws.client("cloudwatch").list_metrics(Namespace="Mine")["Metrics"]] == [
        "m"
    ]


def test_a_dashboard_and_a_log_stream_are_resources(aws: LocalAws) -> None:
    dashboard, group = unique("dashboard"), unique("group")
    aws.client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody='{"widgets": []}')
    role = aws.role(
        allow("cloudwatch:GetDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{dashboard}"),
        allow(["logs:CreateLogGroup", "logs:CreateLogStream"], f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:*"),
    )
    assert aws.as_role(role, "cloudwatch").get_dashboard(DashboardName=dashboard)["DashboardName"] == dashboard
    logs = aws.as_role(role, "logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    assert refuses(lambda: logs.create_log_group(logGroupName=unique("group")))


def test_a_glue_job_and_a_document_are_resources_of_their_own_kind(aws: LocalAws) -> None:
    name = unique("job")
    aws.client("glue").create_job(Name=name, Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/k"})
    role = aws.role(
        allow("glue:GetJob", f"arn:aws:glue:us-east-1:{ACCOUNT}:job/{name}"),
        allow("ssm:GetDocument", f"arn:aws:ssm:us-east-1:{ACCOUNT}:document/mine"),
    )
    assert aws.as_role(role, "glue").get_job(JobName=name)["Job"]["Name"] == name
    ssm = aws.as_role(role, "ssm")
    with pytest.raises(ssm.exceptions.InvalidDocument):
        ssm.get_document(Name="mine")
    assert refuses(lambda: ssm.get_document(Name="other"))


def test_a_request_for_another_owners_bucket_is_refused(aws: LocalAws) -> None:
    bucket, s3 = aws.bucket(), aws.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=ACCOUNT)
    stranger = "111111111111"
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner=stranger),
        lambda: s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=stranger),
        lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=stranger),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k", ExpectedBucketOwner=stranger),
        lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ExpectedSourceBucketOwner=stranger),
    ):
        assert refuses(call)
    with pytest.raises(ClientError, match="403"):
        s3.head_object(Bucket=bucket, Key="k", ExpectedBucketOwner=stranger)
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.get_object(Bucket=unique("bucket"), Key="k", ExpectedBucketOwner=stranger)


def test_a_rule_ticks_as_fast_as_the_rest_of_time(aws: LocalAws) -> None:
    events, name = aws.client("events"), unique("rule")
    machine = aws.machine({"Pass": {"Type": "Pass", "End": True}})
    rule = events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")["RuleArn"]
    assert rule
    target = {"Id": "t", "Arn": machine, "RoleArn": aws.role(allow("states:StartExecution", machine)), "Input": "[7]"}
    events.put_targets(Rule=name, Targets=[target])
    client = aws.client("stepfunctions")

    def twice() -> list[Any] | None:
        found: list[Any] = client.list_executions(stateMachineArn=machine)["executions"]
        return found if len(found) > 1 else None

    found = until(twice, timeout=20)
    events.remove_targets(Rule=name, Ids=["t"])
    events.delete_rule(Name=name)
    assert client.describe_execution(executionArn=found[0]["executionArn"])["input"] == "[7]"


def test_a_rule_leaves_out_the_turn_of_a_target_that_is_still_at_its_last_one(aws: LocalAws) -> None:
    events, name, bucket = aws.client("events"), unique("rule"), aws.bucket()
    machine = aws.machine({"Wait": {"Type": "Wait", "Seconds": 5, "End": True}})
    function = aws.function(
        f"""
        import boto3, time
        def handler(event, context):
            for key in ("begins", "ends"):
                boto3.client("s3").put_object(Bucket="{bucket}", Key=str(time.time_ns()) + " " + key)
                time.sleep(5 if key == "begins" else 0)
        """,
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"),
    )
    events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")
    role = aws.role(allow("states:StartExecution", machine))
    targets = [{"Id": "machine", "Arn": machine, "RoleArn": role}, {"Id": "function", "Arn": function}]
    events.put_targets(Rule=name, Targets=targets)

    def executions() -> list[Any]:
        found = aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        return sorted(found, key=lambda one: one["startDate"])

    def calls() -> list[str]:
        found = aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        return [str(entry["Key"]).partition(" ")[2] for entry in found]

    until(lambda: len(executions()) > 1 and len(calls()) > 2, timeout=60)
    events.remove_targets(Rule=name, Ids=["machine", "function"])
    events.delete_rule(Name=name)
    first, second = executions()[:2]
    assert first["stopDate"] <= second["startDate"]
    assert calls()[:3] == ["begins", "ends", "begins"]


def test_templates_may_hold_the_types_that_the_emulator_lacks(aws: LocalAws, tmp_path: Path) -> None:
    stack = unique("stack")
    metrics = [
        {"Id": "a", "Expression": "b + 1", "ReturnData": True},
        {"Id": "b", "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {"MetricName": "m"}}},
    ]
    alarm = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1, "Metrics": metrics}
    encryption = {"S3Encryptions": [{"S3EncryptionMode": "SSE-S3"}]}
    resources: dict[str, Any] = {
        "Query": ("AWS::Logs::QueryDefinition", {"Name": "n", "QueryString": "fields @message"}),
        "Named": ("AWS::Athena::NamedQuery", {"Database": "d", "QueryString": "select 1"}),
        "Application": ("AWS::ServiceCatalogAppRegistry::Application", {"Name": "a"}),
        "Association": (
            "AWS::ServiceCatalogAppRegistry::ResourceAssociation",
            {"Application": {"Ref": "Application"}, "Resource": stack, "ResourceType": "CFN_STACK"},
        ),
        "Security": ("AWS::Glue::SecurityConfiguration", {"Name": stack, "EncryptionConfiguration": encryption}),
        "Alarm": ("AWS::CloudWatch::Alarm", {"AlarmName": f"{stack}-alarm", **alarm}),
        "Composite": ("AWS::CloudWatch::CompositeAlarm", {"AlarmRule": f'ALARM("{stack}-alarm")'}),
    }
    template: dict[str, Any] = {
        "Resources": {name: {"Type": kind, "Properties": given} for name, (kind, given) in resources.items()},
        "Outputs": {
            "Security": {"Value": {"Ref": "Security"}},
            "Composite": {"Value": {"Fn::GetAtt": ["Composite", "Arn"]}},
            "Alarm": {"Value": {"Fn::GetAtt": ["Alarm", "Arn"]}},
            "Application": {"Value": {"Fn::GetAtt": ["Application", "ApplicationTagValue"]}},
        },
    }
    outputs = deploy_stack(aws.endpoint, assembly(tmp_path, stack, template), stack)
    assert outputs["Security"] == stack
    assert outputs["Alarm"].endswith(f"alarm:{stack}-alarm")
    template["Resources"]["Query"]["Properties"]["QueryString"] = "fields @timestamp"
    deploy_stack(aws.endpoint, assembly(tmp_path, stack, template), stack)
    aws.client("cloudformation").delete_stack(StackName=stack)
