"""Applies synthesised templates, unchanged, to the local AWS through its CloudFormation API, assets first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from solution.local.assembly import StackArtifact, read_stack
from solution.local.errors import DeploymentError
from solution.local.settings import ACCOUNT_ID, DEFAULT_REGION, ROOT_KEY

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

_BOOTSTRAP_PARAMETER: Final = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION: Final = "28"
_CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
_POLL: Final = 0.2
_LARGEST_INLINE_TEMPLATE: Final = 51_200
_UNCHANGED: Final = "No updates are to be performed"
_UNUSABLE: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})

Progress = Callable[[str, str, str], None]
"""Called with logical id, status and reason of each event of a stack."""


def deploy_stack(
    endpoint: str,
    assembly: Path,
    stack_id: str,
    parameters: Mapping[str, str] | None = None,
    *,
    region: str = DEFAULT_REGION,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Create or update a stack and wait for its end. A stack that would not change is left alone.

    Args:
        endpoint: URL of the local AWS.
        assembly: folder that ``cdk synth`` or ``assembly.synthesise`` filled.
        stack_id: which stack of it.
        parameters: values of the template's parameters; those left out keep their previous value or default.
        region: where to deploy.
        progress: told of each event.

    Returns:
        The stack's outputs.

    Raises:
        DeploymentError: with the first resource that failed, and why.
        SynthesisError: the assembly has no such stack.
    """
    stack = read_stack(assembly, stack_id)
    deployment = _Deployment(endpoint, region, stack, progress or (lambda *_: None))
    deployment.publish_assets()
    return deployment.apply(dict(parameters or {}))


class _Deployment:
    def __init__(self, endpoint: str, region: str, stack: StackArtifact, progress: Progress) -> None:
        self._session = boto3.session.Session(
            aws_access_key_id=ROOT_KEY, aws_secret_access_key=ROOT_KEY, region_name=region
        )
        self._options: dict[str, Any] = {
            "endpoint_url": endpoint,
            "config": Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}),
        }
        self._region = region
        self._stack = stack
        self._progress = progress
        self._cloudformation: CloudFormationClient = self._session.client("cloudformation", **self._options)
        self._s3 = self._session.client("s3", **self._options)

    def publish_assets(self) -> None:
        """Upload what is not there yet; names are digests of contents, so what is there is right."""
        self._bootstrap()
        for asset in self._stack.assets:
            bucket = self._resolve(asset.bucket)
            if not self._has(bucket, asset.key):
                self._s3.put_object(Bucket=bucket, Key=asset.key, Body=asset.body())

    def apply(self, parameters: dict[str, str]) -> dict[str, str]:
        """Create or update, and wait."""
        status = self._status()
        if status in _UNUSABLE:
            self._delete()
            status = None
        seen = self._event_ids()
        request: dict[str, Any] = {
            "StackName": self._stack.name,
            **self._template(),
            "Parameters": self._parameters(parameters, exists=status is not None),
            "Capabilities": list(_CAPABILITIES),
        }
        try:
            if status is None:
                self._cloudformation.create_stack(**request, OnFailure="ROLLBACK")
            else:
                self._cloudformation.update_stack(**request)
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            if _UNCHANGED in message:
                return self._outputs()
            raise DeploymentError(
                f"The template of stack {self._stack.name} is refused: {message}", "Correct the template or parameters"
            ) from error
        return self._wait(seen)

    def _wait(self, seen: set[str]) -> dict[str, str]:
        failure = ""
        while True:
            status = self._status() or "DELETE_COMPLETE"
            for event in self._events(seen):
                logical, state = event.get("LogicalResourceId", ""), event.get("ResourceStatus", "")
                reason = event.get("ResourceStatusReason", "")
                self._progress(logical, state, reason)
                if state.endswith("_FAILED") and not failure and logical != self._stack.name:
                    failure = f"{logical} ({event.get('ResourceType', '')}): {reason}"
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(_POLL)
        if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return self._outputs()
        raise DeploymentError(
            f"Stack {self._stack.name} ended {status}; first failure: {failure or self._reason()}",
            "Correct the resource and deploy again",
        )

    def _bootstrap(self) -> None:
        """What ``cdk bootstrap`` leaves, as far as templates and assets refer to it."""
        ssm = self._session.client("ssm", **self._options)
        ssm.put_parameter(Name=_BOOTSTRAP_PARAMETER, Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True)
        wanted = {self._resolve(asset.bucket) for asset in self._stack.assets} | {self._staging_bucket()}
        present = {bucket["Name"] for bucket in self._s3.list_buckets()["Buckets"]}
        for bucket in sorted(wanted - present):
            make_bucket(self._s3, bucket, self._region)

    def _staging_bucket(self) -> str:
        return f"cdk-hnb659fds-assets-{ACCOUNT_ID}-{self._region}"

    def _resolve(self, text: str) -> str:
        for name, value in (("AccountId", ACCOUNT_ID), ("Region", self._region), ("Partition", "aws")):
            text = text.replace(f"${{AWS::{name}}}", value)
        return text

    def _has(self, bucket: str, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    def _template(self) -> dict[str, str]:
        body = self._stack.template
        if len(body.encode()) <= _LARGEST_INLINE_TEMPLATE:
            return {"TemplateBody": body}
        # The limit of CreateStack for an inline template (*CloudFormation quotas*); larger ones come from S3.
        key = f"{self._stack.name}.template.json"
        self._s3.put_object(Bucket=self._staging_bucket(), Key=key, Body=body.encode())
        return {"TemplateURL": f"{self._s3.meta.endpoint_url}/{self._staging_bucket()}/{key}"}

    def _parameters(self, given: Mapping[str, str], *, exists: bool) -> list[dict[str, Any]]:
        declared = self._stack.parameters()
        unknown = sorted(set(given) - set(declared))
        if unknown:
            raise DeploymentError(
                f"Stack {self._stack.name} has no parameter {', '.join(unknown)}",
                f"Its parameters are {', '.join(sorted(declared)) or 'none'}",
            )
        before = self._previous_parameters() if exists else set()
        return [
            {"ParameterKey": name, "ParameterValue": given[name]}
            if name in given
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in declared
            if name in given or name in before
        ]

    def _previous_parameters(self) -> set[str]:
        stack = self._cloudformation.describe_stacks(StackName=self._stack.name)["Stacks"][0]
        return {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}

    def _status(self) -> str | None:
        try:
            stack = self._cloudformation.describe_stacks(StackName=self._stack.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack["StackStatus"]

    def _reason(self) -> str:
        try:
            stack = self._cloudformation.describe_stacks(StackName=self._stack.name)["Stacks"][0]
        except ClientError:
            return "the stack is gone"
        return stack.get("StackStatusReason", "no reason given")

    def _outputs(self) -> dict[str, str]:
        stack = self._cloudformation.describe_stacks(StackName=self._stack.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _event_ids(self) -> set[str]:
        seen: set[str] = set()
        if self._status() is not None:
            self._events(seen)
        return seen

    def _events(self, seen: set[str]) -> list[dict[str, Any]]:
        """Events not seen before, oldest first."""
        found: list[dict[str, Any]] = []
        try:
            for page in self._cloudformation.get_paginator("describe_stack_events").paginate(
                StackName=self._stack.name
            ):
                found += [dict(event) for event in page["StackEvents"] if event["EventId"] not in seen]
        except ClientError:
            return []
        seen.update(event["EventId"] for event in found)
        return found[::-1]

    def _delete(self) -> None:
        self._cloudformation.delete_stack(StackName=self._stack.name)
        while (status := self._status()) is not None:
            if status == "DELETE_FAILED":
                raise DeploymentError(
                    f"Stack {self._stack.name} cannot be deleted: {self._reason()}", "Delete it by hand"
                )
            time.sleep(_POLL)


def make_bucket(s3: Any, name: str, region: str) -> None:
    """Make a bucket; us-east-1 may not be named (*CreateBucket*)."""
    if region == "us-east-1":
        s3.create_bucket(Bucket=name)
    else:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
