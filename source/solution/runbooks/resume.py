"""ResumeAutomationRunbook: carries on with a run that has stopped; only what is missing is transferred.

Self-contained: boto3 and the standard library. Input: the document's parameters and the stack's names, all text.
Storage class, tier and description stay as they were at launch unless given; what was answered with YES stays so. The
inventory stays as well, unless a fresh one is asked for. That is possible until the first archive is copied: names come
from the inventory, and what bears one must keep it.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

RUN_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$"
VAULT_NAME_PATTERN = r"^[A-Za-z0-9._-]{1,255}$"
TIERS = ("Bulk", "Standard")
STORAGE_CLASSES = {
    "S3 Glacier Deep Archive": "DEEP_ARCHIVE",
    "S3 Glacier Flexible Retrieval": "GLACIER",
    "S3 Glacier Instant Retrieval": "GLACIER_IR",
    "S3 Intelligent - Tiering": "INTELLIGENT_TIERING",
    "S3 One Zone - Infrequent Access": "ONEZONE_IA",
    "S3 Standard": "STANDARD",
    "S3 Standard - Infrequent Access": "STANDARD_IA",
}
YES_NO = ("YES", "NO")
AS_LAUNCHED = "As launched"
NOT_ENDED = ("RUNNING", "STOPPING", "ENDING")
MAX_UNREGISTERED = 20


def script_handler(events: dict[str, str], context: Any) -> dict[str, str]:  # noqa: ARG001 - Automation passes both
    """Start the run's next attempt; returns the run's id and execution. Raises `Refused` before anything is started."""
    run = events["WorkflowRun"].strip()
    label = _changed(events, "S3StorageClass", STORAGE_CLASSES)
    tier = _changed(events, "RetrievalTier", TIERS)
    provided = events.get("ProvidedInventory", "")
    acknowledged = events.get("AcknowledgeAdditionalCostForCrossRegionTransfer", "")
    fresh = events.get("FreshInventory", "")
    override = events.get("NamingOverrideFile", "").strip()
    _check_run_id(run)
    _check_choice("ProvidedInventory", provided, ("", *YES_NO))
    _check_choice("FreshInventory", fresh, ("", *YES_NO))
    _check_choice("AcknowledgeAdditionalCostForCrossRegionTransfer", acknowledged, ("", *YES_NO))
    _check_override(override)
    record = _stopped(events, run)
    if fresh == "YES":
        _check_nothing_copied(events, run)
    _check_names(events, run, override, wanted=record["name_override"]["BOOL"], fresh=fresh == "YES")
    vault = record["vault_name"]["S"]
    if events.get("VaultName", "").strip() not in ("", vault):
        raise Refused(f"VaultName {events['VaultName']!r}: WorkflowRun {run!r} copies vault {vault!r}; leave it empty")
    _check_vault(events, vault)
    elsewhere = _check_destination(events, acknowledged == "YES" or record["cross_region_transfer"]["BOOL"])
    from_user = provided == "YES" or record["provided_inventory"]["BOOL"]
    if fresh == "YES":
        _forget_inventory(events, run, from_user)
    order = {
        "workflow_run": run,
        "vault_name": vault,
        "migration_type": "RESUME",
        "provided_inventory": from_user,
        "description": events.get("Description") or record["description"]["S"],
        "tier": tier or record["tier"]["S"],
        "s3_storage_class": STORAGE_CLASSES.get(label) or record["s3_storage_class"]["S"],
        "name_override_presigned_url": override,
        "cross_region_transfer": elsewhere,
        "sns_topic_arn": events["AsyncFacilitatorTopicArn"],
    }
    return _start(events, order, int(record["attempt"]["N"]) + 1)


def _changed(events: dict[str, str], name: str, allowed: Any) -> str:
    """The value that shall replace what was recorded; empty for none."""
    value = events.get(name, "")
    if value in ("", AS_LAUNCHED):
        return ""
    _check_choice(name, value, (AS_LAUNCHED, *allowed))
    return value


def _stopped(payload: dict[str, str], run: str) -> dict[str, Any]:
    """The record of a run that is not running; its execution is asked, for the record may be out of date."""
    record = _recorded(payload, run)
    if record is None:
        raise Refused(f"WorkflowRun {run!r} is not known: only a launched run can be resumed; check its name")
    execution = record["execution_arn"]["S"]
    if _is_running(_client("stepfunctions", payload), execution):
        raise Refused(
            f"WorkflowRun {run!r} is still running as {execution}: wait for its end, or stop it, then resume it"
        )
    status = record["run_status"]["S"]
    if status in NOT_ENDED:
        raise Refused(
            f"WorkflowRun {run!r} is {status}: its orchestrator has ended, its clean-up has not; that begins by itself "
            "within minutes (rule RunWatchRule), or at once by glacier-transfer stop, and ends with a notification: "
            "resume the run then"
        )
    return record


def _check_nothing_copied(payload: dict[str, str], run: str) -> None:
    """Another inventory could give other names to archives that are copied, and leave out some that are."""
    counters = _client("dynamodb", payload).get_item(
        TableName=payload["MetricTableName"], Key={"pk": {"S": run}}, ConsistentRead=True
    )
    copied = int(counters.get("Item", {}).get("downloaded_count", {"N": "0"})["N"])
    if copied:
        raise Refused(
            f"FreshInventory 'YES': {copied} archives of WorkflowRun {run!r} are copied, under names that another "
            "inventory could change: resume without it, or launch a new run, which copies the vault as it is now"
        )


def _forget_inventory(payload: dict[str, str], run: str, from_user: bool) -> None:
    """What is not there is made anew, by this attempt or, should it end before, by the next; the user's files stay."""
    keys = [f"{run}/sorted_inventory/partitions.csv"]
    if not from_user:
        keys.append(f"{run}/original_inventory/inventory.csv")
    for key in keys:
        _client("s3", payload).delete_object(
            Bucket=payload["InventoryBucketName"], Key=key, ExpectedBucketOwner=payload["AccountId"]
        )


def _check_names(payload: dict[str, str], run: str, override: str, *, wanted: bool, fresh: bool) -> None:
    """Names are given once, when the inventory is sorted; until then those that were wanted must be there."""
    decided = not fresh and _has_file(payload, f"{run}/sorted_inventory/partitions.csv")
    if override and decided:
        raise Refused(
            f"NamingOverrideFile: the archives of WorkflowRun {run!r} have their names already: resume without it; to "
            "name them anew, resume with FreshInventory YES before the first is copied, or launch a new run"
        )
    if wanted and not override and not decided and not _has_file(payload, f"{run}/naming_overrides/"):
        raise Refused(
            f"NamingOverrideFile '': WorkflowRun {run!r} was launched with names that were never fetched; "
            "give a URL of them that is still good"
        )


def _has_file(payload: dict[str, str], prefix: str) -> bool:
    found = _client("s3", payload).list_objects_v2(
        Bucket=payload["InventoryBucketName"], Prefix=prefix, MaxKeys=1, ExpectedBucketOwner=payload["AccountId"]
    )
    return bool(found.get("Contents"))


class Refused(Exception):  # noqa: N818 - reads as the statement it makes
    """The request is not carried out; the message names the parameter, its value, the reason and the remedy."""


def _client(service: Any, payload: dict[str, str], endpoint_url: str = "") -> Any:
    return boto3.client(service, region_name=payload["Region"], endpoint_url=endpoint_url or None)


def _check_run_id(run: str) -> None:
    if not re.fullmatch(RUN_ID_PATTERN, run):
        raise Refused(
            f"WorkflowRun {run!r} is not a run id: use 1 to 50 letters, digits, dots, underscores or hyphens, "
            "beginning with a letter or a digit"
        )


def _check_choice(name: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise Refused(f"{name} {value!r} is not known: choose one of {', '.join(map(repr, allowed))}")


def _check_override(url: str) -> None:
    # the URL may be presigned, that is, secret: only its scheme is shown
    parsed = urlsplit(url)
    if url and (parsed.scheme not in ("https", "http") or not parsed.hostname):
        raise Refused(f"NamingOverrideFile has scheme {parsed.scheme!r}: give an https URL of a CSV file, or nothing")


def _check_vault(payload: dict[str, str], vault: str) -> None:
    if not re.fullmatch(VAULT_NAME_PATTERN, vault):
        raise Refused(f"VaultName {vault!r} is not a vault's name: give the name, not the ARN, of a vault")
    glacier = _client("glacier", payload, payload.get("GlacierEndpointUrl", ""))
    try:
        glacier.describe_vault(accountId="-", vaultName=vault)
    except glacier.exceptions.ResourceNotFoundException:
        raise Refused(
            f"VaultName {vault!r}: no such vault in account {payload['AccountId']}, region {payload['Region']}: "
            "check its name, and start the runbook in the vault's region"
        ) from None


def _check_destination(payload: dict[str, str], acknowledged: bool) -> bool:
    """Whether the destination lies in another region, which must have been acknowledged."""
    bucket = payload["DestinationBucketName"]
    where = f"the destination bucket {bucket!r} (stack parameter DestinationBucketParameter)"
    try:
        answer = _client("s3", payload).head_bucket(Bucket=bucket, ExpectedBucketOwner=payload["AccountId"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket"):
            raise Refused(f"{where} does not exist: create it, or update the stack with another one") from None
        if code in ("403", "AccessDenied"):
            raise Refused(
                f"{where} does not belong to account {payload['AccountId']}, or this runbook may not see it: "
                "use a bucket of this account"
            ) from None
        raise
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region") or payload["Region"]
    elsewhere = bool(region != payload["Region"])
    if elsewhere and not acknowledged:
        raise Refused(
            f"AcknowledgeAdditionalCostForCrossRegionTransfer 'NO': {where} lies in {region}, the vault in "
            f"{payload['Region']}, and every byte between them costs extra; answer YES to accept that"
        )
    return elsewhere


def _recorded(payload: dict[str, str], run: str) -> dict[str, Any] | None:
    key = {"pk": {"S": run}, "sk": {"S": "meta"}}
    table = payload["RetrievalTableName"]
    found = _client("dynamodb", payload).get_item(TableName=table, Key=key, ConsistentRead=True)
    item: dict[str, Any] | None = found.get("Item")
    return item


def _is_running(states: Any, execution_arn: str) -> bool:
    try:
        return states.describe_execution(executionArn=execution_arn)["status"] in ("RUNNING", "PENDING_REDRIVE")
    except states.exceptions.ExecutionDoesNotExist:
        return False


def _start(payload: dict[str, str], order: dict[str, Any], attempt: int) -> dict[str, str]:
    """Start the orchestrator as ``{run}-{attempt}``: one name, one execution, whoever else starts at this moment.

    A name is used up by an execution that ended before it could register its attempt; then the next number is taken.
    """
    states = _client("stepfunctions", payload)
    machine, run = payload["OrchestratorStateMachineArn"], order["workflow_run"]
    for number in range(attempt, attempt + MAX_UNREGISTERED):
        name = f"{run}-{number}"
        try:
            started = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(order))
        except states.exceptions.ExecutionAlreadyExists:
            if _is_running(states, f"{machine.replace(':stateMachine:', ':execution:')}:{name}"):
                raise Refused(f"WorkflowRun {run!r} is being started by somebody else as {name}: let it run") from None
            continue
        return {"WorkflowRun": run, "ExecutionArn": started["executionArn"]}
    raise Refused(
        f"WorkflowRun {run!r}: {MAX_UNREGISTERED} executions beginning with {run}-{attempt} ended before they began to "
        "work; see why in the orchestrator's executions"
    )
