"""The functions: all there, alike where they should be, told what they need and allowed no more."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from solution.contract.entry_points import ENTRY_POINTS, EntryPoint
from solution.infrastructure.functions import POWERTOOLS_ENVIRONMENT
from tests.bench import counting
from tests.infrastructure.synthesised import Resource, Synthesised

BY_NAME = {entry.name: entry for entry in ENTRY_POINTS}
SERVICES_WITHOUT_RESOURCES = {"dynamodb:ListStreams"}


def test_every_entry_point_is_a_function_and_no_function_is_anything_else(solution: Synthesised) -> None:
    assert solution.functions().keys() == BY_NAME.keys()


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_the_handler_of_an_entry_point_can_be_imported(solution: Synthesised, entry: EntryPoint) -> None:
    assert solution.functions()[entry.name].properties["Handler"] == entry.handler
    assert callable(importlib.import_module(entry.module).handler)


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_a_functions_environment_is_what_its_settings_name(solution: Synthesised, entry: EntryPoint) -> None:
    variables = solution.functions()[entry.name].properties["Environment"]["Variables"]
    assert variables.keys() == {*entry.settings.variable_names(), *POWERTOOLS_ENVIRONMENT}


def test_ranges_of_an_inventory_are_parts_that_s3_takes(solution: Synthesised) -> None:
    variables = solution.functions()["InventoryUploadStart"].properties["Environment"]["Variables"]
    assert 5 * 1024**2 <= int(variables["INVENTORY_RANGE_BYTES"]) <= 512 * 1024**2


def test_an_upload_that_is_begun_again_may_drop_the_one_before(solution: Synthesised) -> None:
    role = solution.role_of(solution.functions()["InventoryUploadStart"])
    (area,) = solution.may(role, "s3:AbortMultipartUpload")
    assert area.endswith("/*/original_inventory/*")


def test_functions_run_on_arm_with_the_agreed_python_and_logs_that_end(solution: Synthesised) -> None:
    groups = {group.logical_id: group for group in solution.all("AWS::Logs::LogGroup")}
    for name, function in solution.functions().items():
        assert function.properties["Runtime"] == "python3.13"
        assert function.properties["Architectures"] == ["arm64"]
        group = groups[function.properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert solution.text(group.properties["LogGroupName"]) == f"/aws/lambda/{name}-{{suffix}}"
        assert group.properties["RetentionInDays"] == 90


def test_every_log_group_forgets_in_the_end(solution: Synthesised) -> None:
    assert all(group.properties["RetentionInDays"] for group in solution.all("AWS::Logs::LogGroup"))


def test_every_function_has_a_role_of_its_own(solution: Synthesised) -> None:
    roles = [solution.role_of(function) for function in solution.functions().values()]
    assert len(set(roles)) == len(roles)
    for role in roles:
        trust = solution.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert [s["Principal"] for s in trust] == [{"Service": "lambda.amazonaws.com"}]


def test_a_function_writes_its_own_log_and_no_other(solution: Synthesised) -> None:
    for function in solution.functions().values():
        group = function.properties["LoggingConfig"]["LogGroup"]["Ref"]
        assert solution.may(solution.role_of(function), "logs:PutLogEvents") == {f"<{group}.Arn>"}


def test_no_function_may_do_all_of_a_service_or_touch_every_resource(solution: Synthesised) -> None:
    for name, function in solution.functions().items():
        for statement in solution.statements(solution.role_of(function)):
            assert not any("*" in action for action in statement.actions), name
            if "*" in statement.resources:
                assert statement.actions <= SERVICES_WITHOUT_RESOURCES, (name, statement)


@pytest.mark.holds(5)
def test_the_source_vault_is_never_changed(solution: Synthesised) -> None:
    allowed = {
        action
        for role in solution.all("AWS::IAM::Role")
        for statement in solution.statements(role.logical_id)
        for action in statement.actions
        if action.startswith("glacier:")
    }
    assert allowed == {"glacier:InitiateJob", "glacier:GetJobOutput", "glacier:DescribeJob", "glacier:DescribeVault"}


def test_only_those_that_keep_the_budget_may_ask_glacier_for_archives(solution: Synthesised) -> None:
    askers = {
        name for name, f in solution.functions().items() if solution.may(solution.role_of(f), "glacier:InitiateJob")
    }
    assert askers == {"InitiateArchiveRetrieval", "ExtendWindowRequest", "InventoryJobRequest"}
    for name in askers - {"InventoryJobRequest"}:  # an inventory costs no budget
        assert "DAILY_RETRIEVAL_BUDGET_GIB" in solution.functions()[name].properties["Environment"]["Variables"]


@pytest.mark.holds(4)
def test_nothing_may_be_deleted_from_the_destination_bucket(solution: Synthesised) -> None:
    for role in solution.all("AWS::IAM::Role"):
        deleting = solution.may(role.logical_id, "s3:DeleteObject")
        assert not any("DestinationBucket" in resource for resource in deleting), role.logical_id


def test_buckets_of_other_accounts_are_out_of_reach_of_functions(solution: Synthesised) -> None:
    for name, function in solution.functions().items():
        for statement in solution.statements(solution.role_of(function)):
            if any(action.startswith("s3:") for action in statement.actions):
                owner = statement.conditions["StringEquals"]["aws:ResourceAccount"]
                assert owner == {"Ref": "AWS::AccountId"}, name


def test_only_the_transfer_itself_writes_to_the_destination_bucket(solution: Synthesised) -> None:
    writers = {
        name
        for name, function in solution.functions().items()
        if any("DestinationBucket" in r for r in solution.may(solution.role_of(function), "s3:PutObject"))
    }
    assert writers == {"NotificationsProcessor", "ChunkRetrieval", "ArchiveValidation"}


# --- event source mappings: which the local AWS starts without looking at the role --------------------------------


def mappings(solution: Synthesised) -> dict[str, tuple[str, Resource]]:
    """Mappings by source: the function behind it, and the mapping."""
    names = {f"<{function.logical_id}.Arn>": name for name, function in solution.functions().items()}
    return {
        solution.text(mapping.properties["EventSourceArn"]): (
            names[solution.text(mapping.properties["FunctionName"])],
            mapping,
        )
        for mapping in solution.all("AWS::Lambda::EventSourceMapping")
    }


@pytest.mark.parametrize(
    ("queue", "function"),
    [
        ("NotificationsQueue", "NotificationsProcessor"),
        ("ChunksRetrievalQueue", "ChunkRetrieval"),
        ("ValidationQueue", "ArchiveValidation"),
        ("NotificationsDlq", "DeadLetterProcessor"),
        ("ChunksRetrievalDlq", "DeadLetterProcessor"),
        ("ValidationDlq", "DeadLetterProcessor"),
        ("MetricsFailureQueue", "UncountedChangesProcessor"),
    ],
)
def test_a_queue_is_read_by_its_function_which_may(solution: Synthesised, queue: str, function: str) -> None:
    arn = f"<{solution.named('AWS::SQS::Queue', queue).logical_id}.Arn>"
    reader, mapping = mappings(solution)[arn]
    assert reader == function
    assert mapping.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping.properties["ScalingConfig"]["MaximumConcurrency"] >= 2
    role = solution.role_of(solution.functions()[function])
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
        assert arn in solution.may(role, action)


def test_the_benchmark_counts_with_the_batches_and_sizes_of_the_template(solution: Synthesised) -> None:
    names = {entry.module.rpartition(".")[2]: entry.name for entry in ENTRY_POINTS}
    batches = {reader: mapping.properties["BatchSize"] for reader, mapping in mappings(solution).values()}
    memory = {name: solution.functions()[names[name]].properties["MemorySize"] for name in counting.SIZES}
    assert memory == {name: size.memory for name, size in counting.SIZES.items()}
    assert {name: batches[names[name]] for name in counting.BATCHES} == counting.BATCHES
    assert counting.SIZES.keys() - counting.BATCHES.keys() == {"initiate_archive_retrieval"}  # rows of a map


@pytest.mark.parametrize(
    ("table", "function", "failures"),
    [
        ("GlacierObjectRetrieval", "MetricsProcessor", "MetricsFailureQueue"),
        ("AsyncFacilitatorTable", "AsyncFacilitator", "AsyncFacilitatorFailureQueue"),
    ],
)
def test_a_stream_is_read_by_its_function_and_loses_no_record(
    solution: Synthesised, table: str, function: str, failures: str
) -> None:
    stream = f"<{solution.named('AWS::DynamoDB::Table', table).logical_id}.StreamArn>"
    reader, mapping = mappings(solution)[stream]
    properties = mapping.properties
    assert reader == function
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["MaximumRetryAttempts"] > 0
    queue = f"<{solution.named('AWS::SQS::Queue', failures).logical_id}.Arn>"
    assert solution.text(properties["DestinationConfig"]["OnFailure"]["Destination"]) == queue
    role = solution.role_of(solution.functions()[function])
    for action in ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"):
        assert solution.may(role, action) == {stream}
    assert queue in solution.may(role, "sqs:SendMessage")


def test_only_changes_of_archives_are_counted(solution: Synthesised) -> None:
    assert stream_filter(solution, "GlacierObjectRetrieval") == {
        "dynamodb": {"Keys": {"sk": {"S": ["meta"]}}, "NewImage": {"status": {"S": [{"exists": True}]}}}
    }


def test_a_task_is_answered_when_token_and_result_are_both_there(solution: Synthesised) -> None:
    image = stream_filter(solution, "AsyncFacilitatorTable")["dynamodb"]["NewImage"]
    assert image.keys() == {"task_token", "job_result"}


def stream_filter(solution: Synthesised, table: str) -> dict[str, Any]:
    stream = f"<{solution.named('AWS::DynamoDB::Table', table).logical_id}.StreamArn>"
    (pattern,) = mappings(solution)[stream][1].properties["FilterCriteria"]["Filters"]
    found: dict[str, Any] = json.loads(pattern["Pattern"])
    return found


def test_nothing_else_is_mapped(solution: Synthesised) -> None:
    assert len(solution.all("AWS::Lambda::EventSourceMapping")) == 9
