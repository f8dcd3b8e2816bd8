"""ResumeAutomationRunbook's script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from solution.application.adapters.run_records import DynamoRunRecords
from solution.contract.messages import OrchestratorInput
from solution.contract.tables import RunStatus
from solution.domain.archive import MigrationType, StorageClass, Tier
from solution.runbooks import resume
from tests.unit.application.orchestration.builders import run_record
from tests.unit.runbooks.conftest import MACHINE, RESOURCES

if TYPE_CHECKING:
    from tests.unit.runbooks.conftest import Orchestrator

FIRST = MACHINE.replace(":stateMachine:", ":execution:") + ":run-1-1"


def _resume(**changes: str) -> dict[str, str]:
    return resume.script_handler(RESOURCES | {"WorkflowRun": "run-1"} | changes, None)


def _record(**changes: Any) -> None:
    """The record of a run that was cleaned up, unless told otherwise."""
    records = DynamoRunRecords(client=boto3.client("dynamodb", region_name="us-east-1"), table="retrieval")
    assert records.create(run_record(**{"execution_arn": FIRST, "status": RunStatus.FAILED, **changes}))


def test_a_resume_is_the_next_attempt_with_what_was_recorded(orchestrator: Orchestrator) -> None:
    _record(tier=Tier.STANDARD, storage_class=StorageClass.GLACIER, provided_inventory=True, description="photos")
    assert _resume()["ExecutionArn"].endswith(":run-1-2")
    order = OrchestratorInput.parse(orchestrator.started["run-1-2"])
    assert order == OrchestratorInput(
        workflow_run="run-1",
        vault_name="photos",
        migration_type=MigrationType.RESUME,
        provided_inventory=True,
        description="photos",
        tier=Tier.STANDARD,
        s3_storage_class=StorageClass.GLACIER,
        name_override_presigned_url="",
        cross_region_transfer=False,
        sns_topic_arn=RESOURCES["AsyncFacilitatorTopicArn"],
    )


def test_what_is_left_as_launched_stays(orchestrator: Orchestrator) -> None:
    _record(storage_class=StorageClass.GLACIER_IR, tier=Tier.STANDARD)
    _resume(S3StorageClass="As launched", RetrievalTier="As launched")
    order = OrchestratorInput.parse(orchestrator.started["run-1-2"])
    assert (order.s3_storage_class, order.tier) == (StorageClass.GLACIER_IR, Tier.STANDARD)


@pytest.mark.parametrize(("parameter", "value"), [("S3StorageClass", "GLACIER"), ("RetrievalTier", "Expedited")])
def test_an_unknown_choice_is_refused(orchestrator: Orchestrator, parameter: str, value: str) -> None:
    _record()
    with pytest.raises(resume.Refused, match=f"{parameter} '{value}' is not known: choose one of 'As launched'"):
        _resume(**{parameter: value})
    assert orchestrator.started == {}


def test_what_is_given_replaces_what_was_recorded(orchestrator: Orchestrator) -> None:
    _record()
    _resume(S3StorageClass="S3 Standard", RetrievalTier="Standard", Description="again")
    order = OrchestratorInput.parse(orchestrator.started["run-1-2"])
    assert (order.s3_storage_class, order.tier, order.description) == (StorageClass.STANDARD, Tier.STANDARD, "again")


def test_an_unknown_run_is_refused(orchestrator: Orchestrator) -> None:
    with pytest.raises(resume.Refused, match="WorkflowRun 'run-1' is not known"):
        _resume()
    assert orchestrator.started == {}


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_running_run_is_refused(orchestrator: Orchestrator, status: str) -> None:
    _record()
    orchestrator.status[FIRST] = status
    with pytest.raises(resume.Refused, match="is still running as arn:"):
        _resume()
    assert orchestrator.started == {}


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_is_resumed_once_it_is_cleaned_up(orchestrator: Orchestrator, status: RunStatus) -> None:
    _record(status=status)
    orchestrator.status[FIRST] = "ABORTED"
    if status.ended:
        _resume()
        assert list(orchestrator.started) == ["run-1-2"]
    else:
        with pytest.raises(resume.Refused, match=f"is {status}: its orchestrator has ended, its clean-up has not"):
            _resume()
        assert orchestrator.started == {}


def test_of_two_resumes_at_once_one_is_refused(orchestrator: Orchestrator) -> None:
    _record()
    _resume()
    with pytest.raises(resume.Refused, match="being started by somebody else as run-1-2"):
        _resume()
    assert list(orchestrator.started) == ["run-1-2"]


def test_another_vault_is_refused(orchestrator: Orchestrator) -> None:
    _record()
    with pytest.raises(resume.Refused, match="VaultName 'music': WorkflowRun 'run-1' copies vault 'photos'"):
        _resume(VaultName="music")
    assert orchestrator.started == {}


def test_a_cost_acknowledged_at_launch_stays_acknowledged(orchestrator: Orchestrator) -> None:
    _record(cross_region=True)
    _resume(DestinationBucketName="far-away", AcknowledgeAdditionalCostForCrossRegionTransfer="NO")
    assert orchestrator.started["run-1-2"]["cross_region_transfer"] is True


def test_a_bucket_that_has_moved_elsewhere_is_refused(orchestrator: Orchestrator) -> None:
    _record()
    with pytest.raises(resume.Refused, match="lies in eu-west-1"):
        _resume(DestinationBucketName="far-away")
    assert orchestrator.started == {}


def test_a_vault_that_is_gone_is_refused(orchestrator: Orchestrator) -> None:
    _record(vault_name="gone")
    with pytest.raises(resume.Refused, match="VaultName 'gone': no such vault"):
        _resume()
    assert orchestrator.started == {}


NAMES = "https://host/names.csv?X-Amz-Signature=abc"


def _put(key: str) -> None:
    boto3.client("s3", region_name="us-east-1").put_object(Bucket="inventory", Key=key, Body=b"x")


def test_names_that_come_too_late_are_refused(orchestrator: Orchestrator) -> None:
    _record(name_override=True)
    _put("run-1/sorted_inventory/partitions.csv")
    with pytest.raises(resume.Refused, match="the archives of WorkflowRun 'run-1' have their names already"):
        _resume(NamingOverrideFile=NAMES)
    assert orchestrator.started == {}
    _resume()
    assert orchestrator.started["run-1-2"]["name_override_presigned_url"] == ""


def test_names_that_were_never_fetched_must_be_given_again(orchestrator: Orchestrator) -> None:
    _record(name_override=True)
    with pytest.raises(resume.Refused, match="names that were never fetched; give a URL of them that is still good"):
        _resume()
    assert orchestrator.started == {}
    _resume(NamingOverrideFile=NAMES)
    assert orchestrator.started["run-1-2"]["name_override_presigned_url"] == NAMES


def test_names_that_were_fetched_need_not_be_given_again(orchestrator: Orchestrator) -> None:
    _record(name_override=True)
    _put("run-1/naming_overrides/overrides.csv")
    _resume()
    assert list(orchestrator.started) == ["run-1-2"]


# --- a fresh inventory


def _store(*keys: str) -> None:
    for key in keys:
        boto3.client("s3", region_name="us-east-1").put_object(Bucket="inventory", Key=key, Body=b"x")


def _left() -> set[str]:
    listing = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket="inventory")
    return {entry["Key"] for entry in listing.get("Contents", [])}


INVENTORY = ("run-1/original_inventory/inventory.csv", "run-1/sorted_inventory/partitions.csv")
OTHERS = ("run-1/sorted_inventory/partition_00000/part-00000.csv", "run-10/sorted_inventory/partitions.csv")


@pytest.mark.parametrize("fresh", ["", "NO"])
def test_an_inventory_is_kept_unless_a_fresh_one_is_asked_for(orchestrator: Orchestrator, fresh: str) -> None:
    _record()
    _store(*INVENTORY, *OTHERS)
    _resume(FreshInventory=fresh)
    assert _left() == {*INVENTORY, *OTHERS}
    assert list(orchestrator.started) == ["run-1-2"]


def test_a_fresh_inventory_takes_the_place_of_the_one_that_is_there(orchestrator: Orchestrator) -> None:
    _record()
    _store(*INVENTORY, *OTHERS)
    _resume(FreshInventory="YES")
    assert _left() == set(OTHERS)
    assert OrchestratorInput.parse(orchestrator.started["run-1-2"]).migration_type is MigrationType.RESUME


def test_a_fresh_inventory_of_the_users_is_read_again(orchestrator: Orchestrator) -> None:
    _record(provided_inventory=True)
    _store(*INVENTORY)
    _resume(FreshInventory="YES")
    assert _left() == {INVENTORY[0]}
    assert OrchestratorInput.parse(orchestrator.started["run-1-2"]).provided_inventory


def test_with_a_fresh_inventory_names_can_be_given_again(orchestrator: Orchestrator) -> None:
    _record()
    _store(*INVENTORY)
    with pytest.raises(resume.Refused, match="have their names already"):
        _resume(NamingOverrideFile="https://example.com/names.csv")
    _resume(NamingOverrideFile="https://example.com/names.csv", FreshInventory="YES")
    assert list(orchestrator.started) == ["run-1-2"]


def test_what_is_copied_keeps_its_name_so_there_is_no_fresh_inventory(orchestrator: Orchestrator) -> None:
    _record()
    _store(*INVENTORY)
    boto3.client("dynamodb", region_name="us-east-1").put_item(
        TableName="metrics", Item={"pk": {"S": "run-1"}, "downloaded_count": {"N": "7"}}
    )
    with pytest.raises(resume.Refused, match="FreshInventory 'YES': 7 archives of WorkflowRun 'run-1' are copied"):
        _resume(FreshInventory="YES")
    assert _left() == set(INVENTORY)
    assert orchestrator.started == {}


def test_a_run_that_is_refused_keeps_its_inventory(orchestrator: Orchestrator) -> None:
    _record()
    _store(*INVENTORY)
    orchestrator.status[FIRST] = "RUNNING"
    with pytest.raises(resume.Refused, match="is still running"):
        _resume(FreshInventory="YES")
    with pytest.raises(resume.Refused, match="FreshInventory 'PERHAPS' is not known"):
        _resume(FreshInventory="PERHAPS")
    assert _left() == set(INVENTORY)
