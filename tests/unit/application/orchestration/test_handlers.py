"""The handlers as Lambda calls them, composed over simulated AWS: what goes in and out is JSON."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from solution.application.adapters import clients
from solution.application.use_cases import check_provided_inventory
from solution.application.wiring import orchestration, process
from solution.contract import entry_points as e
from solution.domain.errors import NotPossible
from tests.unit.application.orchestration.builders import HEADER, archive_id, inventory_row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

MIB = 1024**2
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "RETRIEVAL_TABLE_NAME": "retrieval",
    "METRIC_TABLE_NAME": "metrics",
    "INVENTORY_BUCKET_NAME": "inventory",
    "DESTINATION_BUCKET_NAME": "copies",
    "ACCOUNT_ID": "123456789012",
    "INVENTORY_RANGE_BYTES": str(8 * MIB),
    "EXTEND_WHEN_REMAINING_SECONDS": "18000",
    "BULK_OVERDUE_SECONDS": "64800",
    "STANDARD_OVERDUE_SECONDS": "27000",
    "GLACIER_ENDPOINT_URL": "",
    "ASYNC_FACILITATOR_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:facilitator",
    "SEND_ANONYMIZED_STATS": "false",
    "ANONYMIZED_STATS_ENDPOINT": "",
    "SOLUTION_VERSION": "1.2.3",
    "CHUNK_SIZE_MIB": "256",
    "RUN_NOTIFICATIONS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:notices",
    "INVENTORY_JOB_NAME": "inventory-job",
}
MACHINES = ("ORCHESTRATOR", "CLEANUP", "ARCHIVES_STATUS_CLEANUP", "INVENTORY_RETRIEVAL", "INITIATE_RETRIEVAL")
ENVIRONMENT |= {
    f"{name}_MACHINE_ARN": f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}" for name in MACHINES
}
ORCHESTRATION = "arn:aws:states:us-east-1:123456789012:execution:ORCHESTRATOR:run-1-{attempt}"
ORDER = {
    "workflow_run": "run-1",
    "vault_name": "photos",
    "migration_type": "LAUNCH",
    "provided_inventory": False,
    "description": "",
    "tier": "Bulk",
    "s3_storage_class": "DEEP_ARCHIVE",
    "name_override_presigned_url": "",
    "cross_region_transfer": False,
    "sns_topic_arn": "arn:aws:sns:us-east-1:123456789012:facilitator",
}
RUN = {"workflow_run": "run-1", "vault_name": "photos"}


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def _forget_processes() -> None:
    for module in (clients, orchestration, process):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


HASH: KeySchemaElementTypeDef = {"AttributeName": "pk", "KeyType": "HASH"}
RANGE: KeySchemaElementTypeDef = {"AttributeName": "sk", "KeyType": "RANGE"}


def _create_table(name: str, *keys: KeySchemaElementTypeDef) -> None:
    boto3.client("dynamodb").create_table(
        TableName=name,
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def _stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    _forget_processes()
    with mock_aws():
        _create_table("retrieval", HASH, RANGE)
        _create_table("metrics", HASH)
        for bucket in ("inventory", "copies"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        boto3.client("sns").create_topic(Name="notices")
        yield
    _forget_processes()


@pytest.fixture
def s3(_stack: None) -> S3Client:
    return boto3.client("s3")


@pytest.fixture
def dynamodb(_stack: None) -> DynamoDBClient:
    return boto3.client("dynamodb")


Call = Callable[[e.EntryPoint, Mapping[str, Any]], Any]


@pytest.fixture
def call(_stack: None) -> Call:
    """Invoke a function as Lambda does: by its handler's path, JSON in and JSON out."""

    def invoke(function: e.EntryPoint, event: Mapping[str, Any]) -> Any:
        handler = importlib.import_module(function.module).handler
        return json.loads(json.dumps(handler(json.loads(json.dumps(event)), _Context())))

    return invoke


def _register(call: Call, attempt: int = 1, **changes: Any) -> Any:
    name = f"run-1-{attempt}"
    event = {"input": ORDER | changes, "execution_arn": ORCHESTRATION.format(attempt=attempt), "execution_name": name}
    return call(e.RUN_REGISTRAR, event)


def _notice(**changes: Any) -> dict[str, Any]:
    return RUN | {"execution_name": "run-1-1", "report": None, "failure": None, "begun": True} | changes


def test_a_run_is_registered_and_resumed(call: Call) -> None:
    first = _register(call)
    assert first == {
        "attempt": 1,
        "completion_job_id": "completion|run-1|run-1-1",
        "rule_target_id": "run-1",
        "started_at": first["started_at"],
    }
    call(e.COMPLETION_NOTICE, _notice())
    second = _register(call, 2, migration_type="RESUME")
    assert (second["attempt"], second["started_at"]) == (2, first["started_at"])


def test_a_run_ends_with_its_report_and_its_notice(call: Call, dynamodb: DynamoDBClient, s3: S3Client) -> None:
    _register(call)
    for number, status in enumerate(("downloaded", "downloaded", "failed")):
        dynamodb.put_item(
            TableName="retrieval",
            Item={
                "pk": {"S": f"run-1|{archive_id(number)}"},
                "sk": {"S": "meta"},
                "status": {"S": status},
                "size": {"N": "5"},
                "file_name": {"S": f"{number}, file"},
                "failure": {"S": "Glacier has lost it"},
            },
        )
    dynamodb.put_item(
        TableName="metrics", Item={"pk": {"S": "run-1"}, "total_count": {"N": "3"}, "total_bytes": {"N": "15"}}
    )
    for segment in range(2):
        event = RUN | {
            "purpose": "report",
            "output_prefix": "run-1/report/manifest/run-1-1/",
            "segment": segment,
            "total_segments": 2,
            "start": None,
        }
        assert call(e.ARCHIVES_SCAN, event)["next"] is None
    report = call(e.RUN_REPORT, RUN | {"execution_name": "run-1-1", "failure": None})
    assert report["outcome"] == "COMPLETED_WITH_FAILURES"
    assert report["archives"]["failed"] == 1
    failed = s3.get_object(Bucket="inventory", Key=report["failed_archives_key"])["Body"].read().decode()
    assert f'{archive_id(2)},"run-1/2, file",5,Glacier has lost it\r\n' in failed
    assert call(e.COMPLETION_NOTICE, _notice(report=report)) == {"outcome": "COMPLETED_WITH_FAILURES"}
    item = dynamodb.get_item(TableName="retrieval", Key={"pk": {"S": "run-1"}, "sk": {"S": "meta"}})["Item"]
    assert item["run_status"] == item["outcome"] == {"S": "COMPLETED_WITH_FAILURES"}


@pytest.fixture
def states(_stack: None) -> SFNClient:
    """The state machines, and the orchestrator's execution of the first attempt."""
    client = boto3.client("stepfunctions")
    role = "arn:aws:iam::123456789012:role/any"
    wait = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": True}}})
    arns = {
        name: client.create_state_machine(name=name, definition=wait, roleArn=role)["stateMachineArn"]
        for name in MACHINES
    }
    for name in ("ORCHESTRATOR", "INITIATE_RETRIEVAL"):
        client.start_execution(stateMachineArn=arns[name], name="run-1-1")
    return client


def _status(states: SFNClient, machine: str, name: str = "run-1-1") -> str:
    arn = f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}"
    return states.describe_execution(executionArn=arn)["status"]


def _cleanups(states: SFNClient) -> dict[str, Any]:
    """What the clean-ups were told, by name."""
    found = states.list_executions(stateMachineArn=ENVIRONMENT["CLEANUP_MACHINE_ARN"])["executions"]
    inputs = {one["name"]: states.describe_execution(executionArn=one["executionArn"])["input"] for one in found}
    return {name: json.loads(text) for name, text in inputs.items()}


def _close(call: Call, closing: dict[str, Any] | None = None, failure: Any = None) -> dict[str, Any]:
    event = {"workflow_run": "run-1", "execution_name": "run-1-1", "failure": failure, "memory": None}
    found: dict[str, Any] = call(e.RUN_CLOSER, event | ({"memory": closing["memory"]} if closing else {}))
    return found


def test_a_stopped_run_comes_to_rest_is_told_of_and_resumed(call: Call, states: SFNClient) -> None:
    _register(call)
    assert call(e.RUN_STOPPER, {"workflow_run": "run-1", "reason": "no money"}) == {"found": "stopping"}
    assert _status(states, "ORCHESTRATOR") == "ABORTED"
    failure = {"Error": "RunStopped", "Cause": "no money", "Machine": ""}
    assert _cleanups(states) == {
        "run-1-1": RUN
        | {"tier": "Bulk", "s3_storage_class": "DEEP_ARCHIVE", "execution_name": "run-1-1", "failure": failure}
    }
    closing = _close(call, failure=failure)
    assert (closing["found"], closing["quiet"], closing["failure"]) == ("ours", False, failure)
    assert _status(states, "INITIATE_RETRIEVAL") == "ABORTED"
    while not closing["quiet"]:
        closing = _close(call, closing, failure)
    assert call(e.COMPLETION_NOTICE, _notice(failure=failure)) == {"outcome": "STOPPED"}
    assert _close(call, failure=failure)["found"] == "ended"
    assert _register(call, 2, migration_type="RESUME")["attempt"] == 2


def test_a_run_without_its_orchestrator_is_found_and_cleaned_up_once(call: Call, states: SFNClient) -> None:
    _register(call)
    states.stop_execution(executionArn=ORCHESTRATION.format(attempt=1), error="E", cause="by hand")
    for _ in range(2):
        assert call(e.RUN_WATCHER, {}) == {"being cleaned up": 1}
    [told] = _cleanups(states).values()
    assert told["failure"]["Error"] == "RunStopped"
    assert told["failure"]["Cause"].startswith("the orchestrator's execution was stopped from outside")
    call(e.COMPLETION_NOTICE, _notice(failure=told["failure"]))
    assert call(e.RUN_WATCHER, {}) == {"ended": 1}
    assert call(e.RUN_WATCHER, {}) == {}


def test_an_attempt_that_was_not_registered_is_nobodys_and_the_operator_is_told(call: Call) -> None:
    assert _close(call)["found"] == "foreign"
    failure = {"Error": "NotPossible", "Cause": "no"}
    assert call(e.COMPLETION_NOTICE, _notice(begun=False, failure=failure)) == {"outcome": "FAILED"}


def test_a_scan_hands_over_where_it_stopped(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Context, "get_remaining_time_in_millis", lambda _: 0)
    event = RUN | {"purpose": "unfinished", "output_prefix": "run-1/x/", "segment": 0, "total_segments": 1}
    start = {"key": json.dumps({"pk": {"S": "run-1|a"}, "sk": {"S": "meta"}}), "sequence": 3}
    assert call(e.ARCHIVES_SCAN, event | {"start": start}) == {"found": 0, "next": None}


def test_archives_of_a_run_that_goes_on_are_not_closed(call: Call) -> None:
    event = RUN | {"purpose": "closing", "output_prefix": "", "segment": 0, "total_segments": 1, "start": None}
    with pytest.raises(NotPossible, match="is not known: its archives are stopped when it is cleaned up"):
        call(e.ARCHIVES_SCAN, event)


def test_an_inventory_is_uploaded_in_parts(call: Call, s3: S3Client) -> None:
    size = 9 * MIB
    upload = call(e.INVENTORY_UPLOAD_START, RUN | {"job_id": "job-1", "size": size})
    assert (upload["range_bytes"], upload["parts"]) == (8 * MIB, [1, 2])
    key, upload_id = upload["key"], upload["upload_id"]
    for part, length in ((1, 8 * MIB), (2, MIB)):
        s3.upload_part(Bucket="inventory", Key=key, UploadId=upload_id, PartNumber=part, Body=b"x" * length)
    event = RUN | {"job_id": "job-1", "key": key, "upload_id": upload_id, "size": size, "range_bytes": 8 * MIB}
    for _ in range(2):
        assert call(e.INVENTORY_UPLOAD_COMPLETE, event) == {"missing": []}


def test_a_provided_inventory_is_checked(call: Call, s3: S3Client) -> None:
    body = f"{HEADER}\n{inventory_row()}\n".encode()
    s3.put_object(Bucket="inventory", Key="run-1/original_inventory/mine.csv", Body=body)
    found = call(e.PROVIDED_INVENTORY_CHECK, RUN | {"start": None})
    assert found == {"files": 1, "bytes": len(body), "rows": 1, "next": None}


def test_the_check_of_a_provided_inventory_hands_over_where_it_stopped(
    call: Call, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Context, "get_remaining_time_in_millis", lambda _: 0)
    monkeypatch.setattr(check_provided_inventory, "ROWS_BETWEEN_LOOKS", 2)
    body = "\n".join([HEADER, *(inventory_row(number) for number in range(5))]).encode()
    s3.put_object(Bucket="inventory", Key="run-1/original_inventory/mine.csv", Body=body)
    found = [call(e.PROVIDED_INVENTORY_CHECK, RUN | {"start": None})]
    while found[-1]["next"] is not None:
        found.append(call(e.PROVIDED_INVENTORY_CHECK, RUN | {"start": found[-1]["next"]}))
    assert [step["rows"] for step in found] == [2, 4, 5]


def test_uploads_left_behind_are_aborted(call: Call, s3: S3Client) -> None:
    s3.create_multipart_upload(Bucket="copies", Key="run-1/a")
    s3.create_multipart_upload(Bucket="inventory", Key="run-1/original_inventory/inventory.csv")
    assert call(e.ABORT_UPLOADS, RUN) == {"aborted": 2}
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="inventory")


def test_statistics_are_off(call: Call) -> None:
    event = RUN | {"tier": "Bulk", "s3_storage_class": "GLACIER", "started_at": "2025-03-01T12:00:00Z"}
    assert call(e.SEND_ANONYMIZED_STATS, event) == {"sent": False}


def test_the_inventory_job_is_asked_for_and_looked_at(call: Call) -> None:
    boto3.client("glacier").create_vault(accountId="-", vaultName="photos")
    asked = call(e.INVENTORY_JOB_REQUEST, RUN)
    state = call(e.INVENTORY_JOB_STATUS, {"vault_name": "photos", "job_id": asked["job_id"]})
    assert sorted(state) == ["in_progress", "job_id", "message", "size", "succeeded"]


@pytest.mark.parametrize("function", [e.ARCHIVES_STATUS_STOP, e.INVENTORY_CHUNK_TRANSFER, e.NAMING_OVERRIDE_FETCH])
@pytest.mark.usefixtures("_stack")
def test_every_handler_can_be_found(function: e.EntryPoint) -> None:
    assert callable(importlib.import_module(function.module).handler)
