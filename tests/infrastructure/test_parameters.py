"""What a deployment can be told, and that switches act when the stack is deployed."""

from __future__ import annotations

from typing import Any

import pytest

from solution.domain.chunk_plan import check_chunk_size_mib
from tests.infrastructure.synthesised import Synthesised

SWITCHES = {
    "EnableDDBBackupParameter": "EnableDDBBackup",
    "EnableStepFunctionLoggingParameter": "EnableStepFunctionLogging",
    "EnableLambdaTracingParameter": "EnableLambdaTracing",
    "EnableStepFunctionTracingParameter": "EnableStepFunctionTracing",
}

DEFAULTS = {
    "DestinationBucketParameter": "",
    "ChunkSizeMiB": "256",
    "DailyRetrievalBudgetGiB": 102400,
    "InitiateJobsPerSecond": 100,
    "GlacierEndpointUrl": "",
    "DownloadWindowSeconds": 86400,
    "ExtendWhenRemainingSeconds": 18000,
    "QuotaPeriodSeconds": 86400,
    "StallSeconds": 259200,
    "InventoryPollSeconds": 10800,
    "GlueWorkerType": "G.1X",
    "GlueNumberOfWorkers": 4,
    "SendAnonymizedStats": "false",
    "AnonymizedStatsEndpoint": "",
}


def parameters(solution: Synthesised) -> dict[str, Any]:
    found: dict[str, Any] = solution.template["Parameters"]
    return found


def test_every_parameter_has_a_default_so_that_the_stack_deploys_as_documented(solution: Synthesised) -> None:
    assert [name for name, body in parameters(solution).items() if "Default" not in body] == []


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_defaults_are_those_of_the_real_service(solution: Synthesised, name: str, default: object) -> None:
    assert parameters(solution)[name]["Default"] == default


def test_chunk_sizes_on_offer_are_the_ones_the_domain_accepts(solution: Synthesised) -> None:
    offered = [int(value) for value in parameters(solution)["ChunkSizeMiB"]["AllowedValues"]]
    assert (min(offered), max(offered)) == (8, 4096)
    assert [check_chunk_size_mib(size) for size in offered] == offered


def test_durations_can_be_as_short_as_compressed_time_makes_them(solution: Synthesised) -> None:
    durations = {name: body for name, body in parameters(solution).items() if name.endswith("Seconds")}
    assert {body["MinValue"] for body in durations.values()} == {1}


def test_every_parameter_is_described_and_in_one_group(solution: Synthesised) -> None:
    interface = solution.template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    ours = [name for name in parameters(solution) if name != "BootstrapVersion"]
    assert sorted(grouped) == sorted(ours)
    assert sorted(interface["ParameterLabels"]) == sorted(ours)


def test_statistics_that_are_turned_on_need_an_endpoint(solution: Synthesised) -> None:
    rule = solution.template["Rules"]["StatisticsNeedAnEndpoint"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "SendAnonymizedStats"}, "true"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AnonymizedStatsEndpoint"}, ""]}]}
    assert parameters(solution)["SendAnonymizedStats"]["AllowedValues"] == ["true", "false"]


def test_worker_types_are_those_of_spark_jobs(solution: Synthesised) -> None:
    assert parameters(solution)["GlueWorkerType"]["AllowedValues"] == ["G.1X", "G.2X", "G.4X", "G.8X"]


def test_a_job_has_two_workers_or_more_and_not_more_than_an_account_may_have(solution: Synthesised) -> None:
    count = parameters(solution)["GlueNumberOfWorkers"]
    assert (count["Type"], count["MinValue"], count["MaxValue"]) == ("Number", 2, 299)


@pytest.mark.parametrize(("parameter", "condition"), SWITCHES.items())
def test_a_switch_is_true_or_false_and_sets_a_condition(solution: Synthesised, parameter: str, condition: str) -> None:
    assert parameters(solution)[parameter]["AllowedValues"] == ["true", "false"]
    assert solution.template["Conditions"][condition] == {"Fn::Equals": [{"Ref": parameter}, "true"]}


def test_the_backup_switch_acts_on_every_table(solution: Synthesised) -> None:
    for table in solution.all("AWS::DynamoDB::Table"):
        assert table.properties["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": {"Fn::If": ["EnableDDBBackup", True, False]}
        }


def test_the_logging_switch_acts_on_every_state_machine(solution: Synthesised) -> None:
    for machine in solution.all("AWS::StepFunctions::StateMachine"):
        condition, on, off = machine.properties["LoggingConfiguration"]["Fn::If"]
        assert condition == "EnableStepFunctionLogging"
        assert on["Level"] == "ALL"
        assert on["IncludeExecutionData"] is True
        assert off == {"Level": "OFF"}


def test_the_tracing_switches_act_on_every_function_and_state_machine(solution: Synthesised) -> None:
    for function in solution.all("AWS::Lambda::Function"):
        assert function.properties["TracingConfig"] == {
            "Fn::If": ["EnableLambdaTracing", {"Mode": "Active"}, {"Mode": "PassThrough"}]
        }
    for machine in solution.all("AWS::StepFunctions::StateMachine"):
        assert machine.properties["TracingConfiguration"] == {
            "Enabled": {"Fn::If": ["EnableStepFunctionTracing", True, False]}
        }


def test_roles_may_write_traces_only_when_tracing_is_on(solution: Synthesised) -> None:
    policies = {p.logical_id: p.body["Condition"] for p in solution.all("AWS::IAM::ManagedPolicy")}
    assert set(policies.values()) == {"EnableLambdaTracing", "EnableStepFunctionTracing"}
    for resource in (*solution.functions().values(), *solution.machines().values()):
        key = "Role" if resource.kind == "AWS::Lambda::Function" else "RoleArn"
        role = solution.template["Resources"][solution.role_of(resource, key)]["Properties"]
        (attached,) = role["ManagedPolicyArns"]
        condition, policy, nothing = attached["Fn::If"]
        assert policies[policy["Ref"]] == condition
        assert nothing == {"Ref": "AWS::NoValue"}
        assert not any(
            action.startswith("xray:") for s in solution.statements(role_id(solution, resource)) for action in s.actions
        )


def role_id(solution: Synthesised, resource: Any) -> str:
    return solution.role_of(resource, "Role" if resource.kind == "AWS::Lambda::Function" else "RoleArn")


@pytest.mark.parametrize(
    ("rule", "parameter"),
    [
        ("WindowExtensionRule", "WindowExtensionPeriodMinutes"),
        ("DashboardUpdateRule", "DashboardUpdatePeriodMinutes"),
        ("CompletionCheckRule", "CompletionCheckPeriodMinutes"),
        ("RunWatchRule", "RunWatchPeriodMinutes"),
    ],
)
def test_a_period_of_one_minute_is_in_the_singular(solution: Synthesised, rule: str, parameter: str) -> None:
    properties = solution.named("AWS::Events::Rule", rule).properties
    condition, one, more = properties["ScheduleExpression"]["Fn::If"]
    assert solution.template["Conditions"][condition] == {"Fn::Equals": [{"Ref": parameter}, "1"]}
    assert one == "rate(1 minute)"
    assert solution.text(more) == f"rate(<{parameter}> minutes)"
    assert properties["State"] == "ENABLED"
    assert ("Targets" in properties) is (rule == "RunWatchRule")


def test_a_destination_bucket_is_made_only_where_none_is_named(solution: Synthesised) -> None:
    condition = "MakeDestinationBucket"
    assert solution.template["Conditions"][condition] == {"Fn::Equals": [{"Ref": "DestinationBucketParameter"}, ""]}
    conditional = [r for r in solution.all("AWS::S3::Bucket") if r.body.get("Condition") == condition]
    assert len(conditional) == 1
    assert conditional[0].body["DeletionPolicy"] == "Retain"
    output = solution.template["Outputs"]["DestinationBucketName"]["Value"]
    assert output["Fn::If"][0] == condition
    assert output["Fn::If"][1] == conditional[0].properties["BucketName"]
    assert output["Fn::If"][2] == {"Ref": "DestinationBucketParameter"}


def test_outputs_lead_to_everything_that_operators_and_tools_need(solution: Synthesised) -> None:
    outputs = {name: solution.text(body["Value"]) for name, body in solution.template["Outputs"].items()}
    machine = solution.named("AWS::StepFunctions::StateMachine", "OrchestratorStateMachine")
    launch = solution.named("AWS::SSM::Document", "LaunchAutomationRunbook")
    resume = solution.named("AWS::SSM::Document", "ResumeAutomationRunbook")
    topic = solution.named("AWS::SNS::Topic", "AsyncFacilitatorTopic")
    retrieval = solution.named("AWS::DynamoDB::Table", "GlacierObjectRetrieval")
    metrics = solution.named("AWS::DynamoDB::Table", "MetricTable")
    (dashboard,) = solution.all("AWS::CloudWatch::Dashboard")
    assert outputs["OrchestratorStateMachineArn"] == f"<{machine.logical_id}.Arn>"
    assert outputs["LaunchAutomationRunbook"] == f"<{launch.logical_id}>"
    assert outputs["ResumeAutomationRunbook"] == f"<{resume.logical_id}>"
    assert outputs["AsyncFacilitatorTopicArn"] == f"<{topic.logical_id}>"
    assert outputs["GlacierRetrievalTableName"] == f"<{retrieval.logical_id}>"
    assert outputs["MetricTableName"] == f"<{metrics.logical_id}>"
    assert outputs["DashboardName"] == solution.text(dashboard.properties["DashboardName"])
    assert outputs["InventoryBucketName"].startswith("<InventoryInventoryBucket")
