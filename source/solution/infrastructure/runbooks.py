"""The two SSM Automation documents through which operators start and resume runs.

Each is one ``aws:executeScript`` step; the scripts are files in ``solution/runbooks``, taken as they are. A script gets
every document parameter by its name, and where the deployment's resources are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from solution.contract import object_keys as keys
from solution.domain.archive import RUN_ID_PATTERN, STORAGE_CLASS_LABELS, VAULT_NAME_PATTERN, StorageClass, Tier
from solution.infrastructure import permissions
from solution.infrastructure.messaging import Topics
from solution.infrastructure.permissions import Grant, listing, objects, table, vaults
from solution.infrastructure.settings import Parameters, instance_suffix
from solution.infrastructure.storage import DestinationBucket, InventoryBucket, Tables
from solution.infrastructure.workflows.machine import Machine, execution_arn

SCRIPT_RUNTIME = "python3.11"
"""The newest Python that aws:executeScript offers."""

DEFAULT_LABEL = next(label for label, value in STORAGE_CLASS_LABELS.items() if value is StorageClass.DEEP_ARCHIVE)

Parameter = dict[str, Any]


def _or_empty(pattern: str) -> str:
    return f"^$|{pattern}"


_YES_NO: Parameter = {"type": "String", "allowedValues": ["YES", "NO"], "default": "NO"}

VAULT_NAME: Parameter = {
    "type": "String",
    "description": "(Required) Vault whose archives are to be copied",
    "allowedPattern": VAULT_NAME_PATTERN,
}
NEW_RUN: Parameter = {
    "type": "String",
    "description": "(Optional) Id of the new run: 1 to 50 letters, digits, dots, underscores and hyphens. It is the "
    "first part of every key in the destination bucket. Empty: one is made up. Required when an inventory is provided",
    "allowedPattern": _or_empty(RUN_ID_PATTERN),
    "default": "",
}
KNOWN_RUN: Parameter = {
    "type": "String",
    "description": "(Required) Id of the run to carry on with",
    "allowedPattern": RUN_ID_PATTERN,
}
PROVIDED_INVENTORY: Parameter = {
    **_YES_NO,
    "description": "(Optional) YES: take the inventory from {WorkflowRun}/original_inventory/ in the inventory bucket",
}
FRESH_INVENTORY: Parameter = {
    **_YES_NO,
    "description": "(Optional) YES: ask Glacier for the inventory again, or read the provided one again; possible "
    "until the first archive is copied",
}
DESCRIPTION: Parameter = {
    "type": "String",
    "description": "(Optional) A note for people",
    "allowedPattern": r"^[^\x00-\x1f]{0,500}$",
    "default": "",
}
NAMING_OVERRIDE: Parameter = {
    "type": "String",
    "description": "(Optional) Presigned URL of a CSV file GlacierArchiveID,FileName with names of your choice",
    "allowedPattern": r"^$|^https?://\S+$",
    "default": "",
}
STORAGE_CLASS: Parameter = {
    "type": "String",
    "description": "(Optional) S3 storage class of the copies",
    "allowedValues": list(STORAGE_CLASS_LABELS),
    "default": DEFAULT_LABEL,
}
RETRIEVAL_TIER: Parameter = {
    "type": "String",
    "description": "(Optional) How Glacier retrieves: Bulk is cheaper, 5 to 12 hours; Standard takes 3 to 5 hours",
    "allowedValues": [tier.value for tier in Tier],
    "default": Tier.BULK.value,
}
CROSS_REGION: Parameter = {
    **_YES_NO,
    "description": "(Optional) YES: I know that a destination bucket in another region costs transfer between regions",
}

LAUNCH: Mapping[str, Parameter] = {
    "VaultName": VAULT_NAME,
    "WorkflowRun": NEW_RUN,
    "ProvidedInventory": PROVIDED_INVENTORY,
    "Description": DESCRIPTION,
    "NamingOverrideFile": NAMING_OVERRIDE,
    "S3StorageClass": STORAGE_CLASS,
    "RetrievalTier": RETRIEVAL_TIER,
    "AcknowledgeAdditionalCostForCrossRegionTransfer": CROSS_REGION,
}


AS_LAUNCHED = "As launched"
"""The choice, in a resume, of what the run was launched with; the script knows it."""


def _as_launched(parameter: Parameter) -> Parameter:
    return {**parameter, "allowedValues": [AS_LAUNCHED, *parameter["allowedValues"]], "default": AS_LAUNCHED}


RESUME: Mapping[str, Parameter] = {
    "WorkflowRun": KNOWN_RUN,
    "ProvidedInventory": PROVIDED_INVENTORY,
    "FreshInventory": FRESH_INVENTORY,
    "Description": DESCRIPTION,
    "NamingOverrideFile": NAMING_OVERRIDE,
    "S3StorageClass": _as_launched(STORAGE_CLASS),
    "RetrievalTier": _as_launched(RETRIEVAL_TIER),
    "AcknowledgeAdditionalCostForCrossRegionTransfer": CROSS_REGION,
}


class Runbooks(Construct):
    """``launch_name`` and ``resume_name`` are the documents' names; both run in one role that can start runs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        scripts: Path,
        orchestrator: Machine,
        topics: Topics,
        tables: Tables,
        inventory: InventoryBucket,
        destination: DestinationBucket,
        parameters: Parameters,
    ) -> None:
        super().__init__(scope, construct_id)
        self._role = self._automation_role(orchestrator, tables, inventory, destination)
        self._resources = {
            "OrchestratorStateMachineArn": orchestrator.arn,
            "AsyncFacilitatorTopicArn": topics.facilitator.topic_arn,
            "DestinationBucketName": destination.name,
            "InventoryBucketName": inventory.bucket.bucket_name,
            "RetrievalTableName": tables.retrieval.table_name,
            "MetricTableName": tables.metrics.table_name,
            "GlacierEndpointUrl": parameters.glacier_endpoint_url,
            "Region": cdk.Aws.REGION,
            "AccountId": cdk.Aws.ACCOUNT_ID,
        }
        self.launch_name = self._document(
            "LaunchAutomationRunbook",
            "Starts the transfer of a Glacier vault to the destination bucket",
            LAUNCH,
            scripts / "launch.py",
        )
        self.resume_name = self._document(
            "ResumeAutomationRunbook",
            "Carries on with a transfer that was stopped; only what is missing is copied",
            RESUME,
            scripts / "resume.py",
        )

    def _document(self, name: str, description: str, inputs: Mapping[str, Parameter], script: Path) -> str:
        step = {
            "name": "StartRun",
            "action": "aws:executeScript",
            "description": "Checks the parameters against the world, then starts the orchestrator",
            "timeoutSeconds": 300,
            "isEnd": True,
            "inputs": {
                "Runtime": SCRIPT_RUNTIME,
                "Handler": "script_handler",
                "InputPayload": {**{key: f"{{{{ {key} }}}}" for key in inputs}, **self._resources},
                "Script": script.read_text(encoding="utf-8"),
            },
            "outputs": [
                {"Name": "WorkflowRun", "Selector": "$.Payload.WorkflowRun", "Type": "String"},
                {"Name": "ExecutionArn", "Selector": "$.Payload.ExecutionArn", "Type": "String"},
            ],
        }
        document = ssm.CfnDocument(
            self,
            name,
            name=f"{name}-{instance_suffix(self)}",
            document_type="Automation",
            document_format="JSON",
            update_method="NewVersion",
            content={
                "schemaVersion": "0.3",
                "description": description,
                "assumeRole": self._role.role_arn,
                "parameters": {key: dict(value) for key, value in inputs.items()},
                "mainSteps": [step],
                "outputs": ["StartRun.WorkflowRun", "StartRun.ExecutionArn"],
            },
        )
        return document.ref

    def _automation_role(
        self, orchestrator: Machine, tables: Tables, inventory: InventoryBucket, destination: DestinationBucket
    ) -> iam.Role:
        bucket = inventory.bucket
        return permissions.role(
            self,
            "AutomationRole",
            service="ssm.amazonaws.com",
            description="In which the runbooks check their parameters and start runs",
            grants=[
                Grant(actions=["states:StartExecution"], resources=[orchestrator.arn]),
                Grant(
                    actions=["states:DescribeExecution"],
                    resources=[execution_arn(orchestrator.name, "*")],
                    why_wildcard="executions are named after runs and attempts",
                ),
                table(tables.retrieval, "GetItem"),
                table(tables.metrics, "GetItem"),
                # what a resume with a fresh inventory forgets: two files of a run, no more
                *(
                    objects(bucket.bucket_arn, key, "DeleteObject", why="run ids are chosen by the operator")
                    for key in (keys.original_inventory_key("*"), keys.partitions_key("*"))
                ),
                vaults("DescribeVault"),
                # no condition on the owner here: the script itself tells the operator whose bucket it is not
                Grant(actions=["s3:ListBucket", "s3:GetBucketLocation"], resources=[destination.arn]),
                listing(bucket.bucket_arn, "ListBucket"),
            ],
        )
