"""LaunchAutomationRunbook's script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from solution.contract.messages import OrchestratorInput
from solution.domain.archive import MigrationType, StorageClass, Tier, check_run_id
from solution.runbooks import launch
from tests.unit.runbooks.conftest import MACHINE, RESOURCES

if TYPE_CHECKING:
    from tests.unit.runbooks.conftest import Orchestrator

DEFAULTS = {
    "VaultName": "photos",
    "WorkflowRun": "run-1",
    "ProvidedInventory": "NO",
    "Description": "",
    "NamingOverrideFile": "",
    "S3StorageClass": "S3 Glacier Deep Archive",
    "RetrievalTier": "Bulk",
    "AcknowledgeAdditionalCostForCrossRegionTransfer": "NO",
}


def _launch(**changes: str) -> dict[str, str]:
    return launch.script_handler(RESOURCES | DEFAULTS | changes, None)


def _s3() -> Any:
    return boto3.client("s3", region_name="us-east-1")


def _refused(orchestrator: Orchestrator, message: str, **changes: str) -> None:
    with pytest.raises(launch.Refused, match=message):
        _launch(**changes)
    assert orchestrator.started == {}


def test_a_launch_starts_the_orchestrator_with_its_input(orchestrator: Orchestrator) -> None:
    started = _launch(
        Description="the family's photos",
        S3StorageClass="S3 Standard - Infrequent Access",
        RetrievalTier="Standard",
        NamingOverrideFile="https://host/names.csv?X-Amz-Signature=abc",
    )
    arn = MACHINE.replace(":stateMachine:", ":execution:") + ":run-1-1"
    assert started == {"WorkflowRun": "run-1", "ExecutionArn": arn}
    assert OrchestratorInput.parse(orchestrator.started["run-1-1"]) == OrchestratorInput(
        workflow_run="run-1",
        vault_name="photos",
        migration_type=MigrationType.LAUNCH,
        provided_inventory=False,
        description="the family's photos",
        tier=Tier.STANDARD,
        s3_storage_class=StorageClass.STANDARD_IA,
        name_override_presigned_url="https://host/names.csv?X-Amz-Signature=abc",
        cross_region_transfer=False,
        sns_topic_arn=RESOURCES["AsyncFacilitatorTopicArn"],
    )


def test_without_a_name_a_run_gets_one_of_its_own(orchestrator: Orchestrator) -> None:
    first, second = (_launch(WorkflowRun="")["WorkflowRun"] for _ in range(2))
    assert first != second
    assert check_run_id(first).startswith("workflow_run_")
    assert sorted(orchestrator.started) == sorted([f"{first}-1", f"{second}-1"])


def test_what_is_left_out_has_its_default(orchestrator: Orchestrator) -> None:
    launch.script_handler(RESOURCES | {"VaultName": "photos", "WorkflowRun": "run-1"}, None)
    order = OrchestratorInput.parse(orchestrator.started["run-1-1"])
    assert (order.tier, order.s3_storage_class) == (Tier.BULK, StorageClass.DEEP_ARCHIVE)


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [
        ("VaultName", "music", "VaultName 'music': no such vault in account 123456789012, region us-east-1"),
        ("VaultName", "", "VaultName '' is not a vault's name"),
        ("VaultName", "arn:aws:glacier:x", "give the name, not the ARN"),
        ("WorkflowRun", "my run", "WorkflowRun 'my run' is not a run id"),
        ("WorkflowRun", "x" * 51, "is not a run id"),
        ("S3StorageClass", "GLACIER", "S3StorageClass 'GLACIER' is not known: choose one of 'S3 Glacier Deep Archive'"),
        ("RetrievalTier", "Expedited", "RetrievalTier 'Expedited' is not known: choose one of 'Bulk', 'Standard'"),
        ("ProvidedInventory", "MAYBE", "ProvidedInventory 'MAYBE' is not known"),
        ("AcknowledgeAdditionalCostForCrossRegionTransfer", "ok", "'ok' is not known"),
        ("NamingOverrideFile", "s3://bucket/names.csv", "NamingOverrideFile has scheme 's3': give an https URL"),
        ("NamingOverrideFile", "names.csv", "NamingOverrideFile has scheme ''"),
        ("DestinationBucketName", "nowhere", "the destination bucket 'nowhere' .* does not exist"),
    ],
)
def test_a_refused_launch_says_which_parameter_and_why(
    orchestrator: Orchestrator, parameter: str, value: str, reason: str
) -> None:
    _refused(orchestrator, reason, **{parameter: value})


def test_a_bucket_elsewhere_must_be_acknowledged(orchestrator: Orchestrator) -> None:
    _refused(orchestrator, "lies in eu-west-1, the vault in us-east-1", DestinationBucketName="far-away")
    _launch(DestinationBucketName="far-away", AcknowledgeAdditionalCostForCrossRegionTransfer="YES")
    assert orchestrator.started["run-1-1"]["cross_region_transfer"] is True


def test_somebody_elses_bucket_is_refused(orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
    known = boto3.client

    def refusing(service: Any, **options: Any) -> Any:
        client = known(service, **options)
        if service == "s3":
            client.meta.events.register(
                "before-call.s3.HeadBucket", lambda **_: (_Forbidden(), {"Error": {"Code": "403"}})
            )
        return client

    monkeypatch.setattr(boto3, "client", refusing)
    _refused(orchestrator, "does not belong to account 123456789012")


class _Forbidden:
    status_code = 403


def test_the_bucket_is_looked_at_as_this_accounts(orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
    known, owners = boto3.client, []

    def noting(service: Any, **options: Any) -> Any:
        client = known(service, **options)
        if service == "s3":
            client.meta.events.register(
                "before-call.s3",
                lambda params, **_: owners.append(params["headers"].get("x-amz-expected-bucket-owner")),
            )
        return client

    monkeypatch.setattr(boto3, "client", noting)
    _s3().put_object(
        Bucket="inventory", Key="run-1/original_inventory/i.csv", Body=b"", ExpectedBucketOwner="123456789012"
    )
    _launch(ProvidedInventory="YES")
    assert orchestrator.started
    assert set(owners) == {"123456789012"}
    assert len(owners) >= 3


def test_a_run_that_exists_is_refused(orchestrator: Orchestrator) -> None:
    item = {"pk": {"S": "run-1"}, "sk": {"S": "meta"}}
    boto3.client("dynamodb", region_name="us-east-1").put_item(TableName="retrieval", Item=item)
    _refused(orchestrator, "WorkflowRun 'run-1' exists already.*ResumeAutomationRunbook")


def test_of_two_launches_at_once_one_is_refused(orchestrator: Orchestrator) -> None:
    _launch()
    with pytest.raises(launch.Refused, match="being started by somebody else as run-1-1"):
        _launch()
    assert list(orchestrator.started) == ["run-1-1"]


def test_a_name_used_up_by_an_execution_that_died_early_is_passed_over(orchestrator: Orchestrator) -> None:
    first = _launch()["ExecutionArn"]
    orchestrator.status[first] = "FAILED"
    assert _launch()["ExecutionArn"].endswith(":run-1-2")


def test_it_gives_up_when_no_execution_lives_long_enough(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "MAX_UNREGISTERED", 2)
    for _ in range(2):
        orchestrator.status[_launch()["ExecutionArn"]] = "FAILED"
    with pytest.raises(launch.Refused, match="2 executions beginning with run-1-1 ended before"):
        _launch()


def test_a_provided_inventory_needs_a_name_and_a_file(orchestrator: Orchestrator) -> None:
    _refused(orchestrator, "WorkflowRun '': ProvidedInventory YES needs", ProvidedInventory="YES", WorkflowRun="")
    place = re.escape("s3://inventory/run-1/original_inventory/")
    _refused(orchestrator, f"there is no .csv file below {place}", ProvidedInventory="YES")
    _s3().put_object(Bucket="inventory", Key="run-1/original_inventory/notes.txt", Body=b"")
    _refused(orchestrator, "there is no .csv file", ProvidedInventory="YES")
    _s3().put_object(Bucket="inventory", Key="run-1/original_inventory/mine.csv", Body=b"")
    _launch(ProvidedInventory="YES")
    assert orchestrator.started["run-1-1"]["provided_inventory"] is True


def test_an_inventory_that_would_be_mixed_with_glaciers_is_refused(orchestrator: Orchestrator) -> None:
    _s3().put_object(Bucket="inventory", Key="run-1/original_inventory/", Body=b"")
    _s3().put_object(Bucket="inventory", Key="run-1/original_inventory/mine.csv", Body=b"")
    _refused(orchestrator, r"ProvidedInventory 'NO': s3://inventory/run-1/original_inventory/mine\.csv lies where")
    _launch(WorkflowRun="run-2")
    assert orchestrator.started["run-2-1"]["provided_inventory"] is False


def test_a_secret_url_never_appears_in_a_refusal(orchestrator: Orchestrator) -> None:
    with pytest.raises(launch.Refused) as refusal:
        _launch(NamingOverrideFile="ftp://host/names.csv?X-Amz-Signature=secret")
    assert "secret" not in str(refusal.value)
    assert orchestrator.started == {}
