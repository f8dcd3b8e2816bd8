"""The Glue job, the two runbooks, and the dashboard."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import aws_cdk as cdk
import pytest

from solution.contract.settings import GlueJobArguments
from solution.domain.archive import RUN_ID_PATTERN, STORAGE_CLASS_LABELS, Tier
from solution.domain.status import Metric
from solution.infrastructure import permissions
from solution.infrastructure.permissions import Grant
from tests.infrastructure.synthesised import Synthesised, every_state

RUNBOOKS = ("LaunchAutomationRunbook", "ResumeAutomationRunbook")
GIVEN_TO_SCRIPTS = {
    "OrchestratorStateMachineArn",
    "AsyncFacilitatorTopicArn",
    "DestinationBucketName",
    "InventoryBucketName",
    "RetrievalTableName",
    "MetricTableName",
    "GlacierEndpointUrl",
    "Region",
    "AccountId",
}


def job(solution: Synthesised) -> dict[str, Any]:
    return solution.named("AWS::Glue::Job", "InventoryJob").properties


def sort_step(solution: Synthesised) -> dict[str, Any]:
    definition = solution.definition(solution.machines()["InventoryRetrievalStateMachine"])
    return dict(every_state(definition))["SortInventory"]


def test_the_job_runs_on_glue_5_encrypted_watched_and_without_retries_of_its_own(solution: Synthesised) -> None:
    properties = job(solution)
    assert properties["GlueVersion"] == "5.0"
    assert properties["Command"]["Name"] == "glueetl"
    assert properties["MaxRetries"] == 0
    assert properties["Timeout"] > 0
    assert properties["ExecutionProperty"]["MaxConcurrentRuns"] >= 5, "as many as runs may be under way"
    (security,) = solution.all("AWS::Glue::SecurityConfiguration")
    assert properties["SecurityConfiguration"] == {"Ref": security.logical_id}
    for switch in ("--enable-metrics", "--enable-observability-metrics", "--enable-job-insights"):
        assert properties["DefaultArguments"][switch] == "true"
    assert properties["DefaultArguments"]["--extra-py-files"]
    assert properties["WorkerType"] == {"Ref": "GlueWorkerType"}
    assert properties["NumberOfWorkers"] == {"Ref": "GlueNumberOfWorkers"}


def test_the_jobs_logs_are_kept_for_some_months_encrypted_where_it_may_write(solution: Synthesised) -> None:
    (security,) = solution.all("AWS::Glue::SecurityConfiguration")
    role = job(solution)["Role"]["Fn::GetAtt"][0]
    folder = f"/aws-glue/jobs/{solution.text(security.properties['Name'])}-role/<{role}>"
    groups = {
        solution.text(group.properties.get("LogGroupName")): group for group in solution.all("AWS::Logs::LogGroup")
    }
    encryption = security.properties["EncryptionConfiguration"]["CloudWatchEncryption"]
    for kind in ("error", "output"):
        group = groups[f"{folder}/{kind}"]
        assert group.properties["RetentionInDays"] == 90
        assert group.properties["KmsKeyId"] == encryption["KmsKeyArn"]
    (allowed,) = solution.may(role, "logs:PutLogEvents")
    assert allowed.endswith(":log-group:/aws-glue/*:*")


def test_the_dashboard_shows_the_job(solution: Synthesised) -> None:
    (dashboard,) = solution.all("AWS::CloudWatch::Dashboard")
    body = solution.text(dashboard.properties["DashboardBody"])
    assert solution.text(job(solution)["Name"]) == "InventoryJob-{suffix}"
    assert body.count('{Glue,JobName,JobRunId,Type} JobName=\\"InventoryJob-{suffix}\\"') == 4


def test_a_run_of_the_job_gets_exactly_the_arguments_of_the_contract(solution: Synthesised) -> None:
    arguments = {key.removesuffix(".$"): value for key, value in sort_step(solution)["Parameters"]["Arguments"].items()}
    assert arguments.keys() == {f"--{name}" for name in GlueJobArguments.names()}
    for name in ("inventory_uri", "overrides_uri", "output_uri", "not_migrated_uri", "rejected_uri"):
        assert arguments[f"--{name}"].startswith("States.Format('s3://{}/{}/"), name
        assert "/', '" in arguments[f"--{name}"], "URIs end in a slash"


def test_partition_sizes_are_looked_up_in_bytes(solution: Synthesised) -> None:
    table = solution.template["Mappings"]["PartitionBytes"]
    assert {size: int(row["Bytes"]) for size, row in table.items()} == {size: int(size) * 1024**3 for size in table}
    assert solution.template["Parameters"]["PartitionGiB"]["AllowedValues"] == list(table)


def test_a_failed_job_is_tried_once_more_and_a_busy_one_waited_for(solution: Synthesised) -> None:
    busy, failed = sort_step(solution)["Retry"]
    assert busy["ErrorEquals"] == ["Glue.ConcurrentRunsExceededException"]
    assert (failed["ErrorEquals"], failed["MaxAttempts"]) == (["States.TaskFailed"], 1)


def test_the_inventory_machine_may_run_this_job_and_no_other(solution: Synthesised) -> None:
    role = solution.role_of(solution.machines()["InventoryRetrievalStateMachine"], "RoleArn")
    for action in ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"):
        (resource,) = solution.may(role, action)
        assert resource.endswith(":job/InventoryJob-{suffix}")


def content(solution: Synthesised, name: str) -> dict[str, Any]:
    found: dict[str, Any] = solution.named("AWS::SSM::Document", name).properties["Content"]
    return found


def script_step(solution: Synthesised, name: str) -> dict[str, Any]:
    (step,) = content(solution, name)["mainSteps"]
    found: dict[str, Any] = step
    return found


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_is_one_script_with_every_parameter_and_resource_it_needs(solution: Synthesised, name: str) -> None:
    document, step = content(solution, name), script_step(solution, name)
    assert document["schemaVersion"] == "0.3"
    assert step["action"] == "aws:executeScript"
    assert (step["inputs"]["Runtime"], step["inputs"]["Handler"]) == ("python3.11", "script_handler")
    payload = step["inputs"]["InputPayload"]
    assert payload.keys() == {*document["parameters"], *GIVEN_TO_SCRIPTS}
    assert all(payload[key] == f"{{{{ {key} }}}}" for key in document["parameters"])
    functions = [n.name for n in ast.parse(step["inputs"]["Script"]).body if isinstance(n, ast.FunctionDef)]
    assert "script_handler" in functions


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_script_contains_nothing_that_automation_would_take_for_a_parameter(solution: Synthesised, name: str) -> None:
    assert "{{" not in script_step(solution, name)["inputs"]["Script"]


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_tells_the_run_and_its_execution(solution: Synthesised, name: str) -> None:
    assert content(solution, name)["outputs"] == ["StartRun.WorkflowRun", "StartRun.ExecutionArn"]
    assert {o["Name"] for o in script_step(solution, name)["outputs"]} == {"WorkflowRun", "ExecutionArn"}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_choices_and_patterns_of_a_runbook_admit_its_defaults(solution: Synthesised, name: str) -> None:
    for key, parameter in content(solution, name)["parameters"].items():
        assert parameter["description"].startswith(("(Required)", "(Optional)")), key
        assert parameter["description"].startswith("(Required)") != ("default" in parameter), key
        if "default" in parameter:
            assert parameter["default"] in parameter.get("allowedValues", [parameter["default"]]), key
            assert re.search(parameter.get("allowedPattern", ""), parameter["default"]) is not None, key


def test_a_launch_offers_the_labels_and_tiers_of_the_domain(solution: Synthesised) -> None:
    parameters = content(solution, "LaunchAutomationRunbook")["parameters"]
    assert parameters["S3StorageClass"]["allowedValues"] == list(STORAGE_CLASS_LABELS)
    assert parameters["S3StorageClass"]["default"] == "S3 Glacier Deep Archive"
    assert parameters["RetrievalTier"]["allowedValues"] == list(Tier)
    assert parameters["RetrievalTier"]["default"] == "Bulk"
    assert "default" not in parameters["VaultName"]


def test_a_resume_wants_a_run_and_keeps_what_it_was_launched_with(solution: Synthesised) -> None:
    parameters = content(solution, "ResumeAutomationRunbook")["parameters"]
    assert "VaultName" not in parameters
    assert parameters["WorkflowRun"]["allowedPattern"] == RUN_ID_PATTERN
    assert "default" not in parameters["WorkflowRun"]
    assert parameters["S3StorageClass"]["default"] == parameters["RetrievalTier"]["default"] == "As launched"


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_acts_in_a_role_that_can_start_runs_and_look(solution: Synthesised, name: str) -> None:
    role = content(solution, name)["assumeRole"]["Fn::GetAtt"][0]
    machine = solution.machines()["OrchestratorStateMachine"]
    assert solution.may(role, "states:StartExecution") == {f"<{machine.logical_id}.Arn>"}
    allowed = {action for s in solution.statements(role) for action in s.actions}
    assert allowed == {
        "states:StartExecution",
        "states:DescribeExecution",
        "dynamodb:GetItem",
        "glacier:DescribeVault",
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "s3:DeleteObject",
    }
    deleted = solution.may(role, "s3:DeleteObject")
    endings = ("/*/original_inventory/inventory.csv", "/*/sorted_inventory/partitions.csv")
    assert len(deleted) == 2
    assert all(one.endswith(endings) for one in deleted)


def test_the_dashboard_finds_every_run_by_search(solution: Synthesised) -> None:
    (dashboard,) = solution.all("AWS::CloudWatch::Dashboard")
    body = json.loads(solution.text(dashboard.properties["DashboardBody"]))
    expressions = " ".join(
        entry["expression"]
        for widget in body["widgets"]
        for series in widget["properties"]["metrics"]
        for entry in series
        if isinstance(entry, dict) and "expression" in entry
    )
    assert "{GlacierTransfer,WorkflowRun}" in expressions
    for metric in (Metric.TOTAL, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED):
        assert f'MetricName="{metric.capitalize()}Archives"' in expressions
        assert f'MetricName="{metric.capitalize()}Bytes"' in expressions


def test_saved_queries_look_at_logs_that_exist(solution: Synthesised) -> None:
    groups = {f"<{group.logical_id}>" for group in solution.all("AWS::Logs::LogGroup")}
    for query in solution.all("AWS::Logs::QueryDefinition"):
        looked_at = {solution.text(name) for name in query.properties["LogGroupNames"]}
        assert looked_at <= groups
        assert len(looked_at) <= 50, "the most a query may look at"


def test_a_wildcard_needs_a_reason() -> None:
    stack = cdk.Stack(cdk.App(), "somewhere")
    careless = Grant(actions=["s3:GetObject"], resources=["*"])
    with pytest.raises(ValueError, match=r"has wildcards .* and no reason for them"):
        permissions.role(stack, "Role", service="lambda.amazonaws.com", description="", grants=[careless])
