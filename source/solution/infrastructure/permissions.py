"""What roles may do: grants as data, made from the resources they are about, and the switched policy for traces.

A grant names exact resources wherever the service lets it. Where a wildcard stays, the grant says why, and that reason
is what cdk-nag gets to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from solution.infrastructure.nag import acknowledge
from solution.infrastructure.settings import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Actions on resources, and the conditions under which they are allowed."""

    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Mapping[str, object]] | None = None
    why_wildcard: str = ""

    def statement(self) -> iam.PolicyStatement:
        """As a statement of an identity policy."""
        return iam.PolicyStatement(
            actions=list(self.actions),
            resources=list(self.resources),
            conditions=dict(self.conditions) if self.conditions else None,
        )


def policy(grants: Sequence[Grant]) -> iam.PolicyDocument:
    """One policy of all ``grants``."""
    return iam.PolicyDocument(statements=[grant.statement() for grant in grants])


def role(scope: Construct, construct_id: str, *, service: str, description: str, grants: Sequence[Grant]) -> iam.Role:
    """A role of ``service`` that may do what ``grants`` say, no more; later grants by CDK itself are refused."""
    made = iam.Role(
        scope,
        construct_id,
        description=description,
        assumed_by=iam.ServicePrincipal(service, conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}})
        if service in CONFUSED_DEPUTY_GUARDED
        else iam.ServicePrincipal(service),
        inline_policies={"Grants": policy(grants)} if grants else None,
    )
    acknowledge_wildcards(made, grants)
    return made


CONFUSED_DEPUTY_GUARDED = frozenset({"states.amazonaws.com", "events.amazonaws.com", "ssm.amazonaws.com"})
"""Services that send aws:SourceAccount when they take on a role ("The confused deputy problem", IAM User Guide)."""


def acknowledge_wildcards(construct: iam.Role, grants: Sequence[Grant]) -> None:
    """Give cdk-nag the reason of every wildcard, finding by finding."""
    stack = cdk.Stack.of(construct)
    for grant in grants:
        findings = [f"Action::{action}" for action in grant.actions if "*" in action]
        findings += [
            f"Resource::{_as_nag_writes(stack, r)}" for r in grant.resources if "*" in _as_nag_writes(stack, r)
        ]
        if findings:
            if not grant.why_wildcard:
                raise ValueError(f"the grant {grant.actions} has wildcards {findings} and no reason for them")
            acknowledge(construct, "AwsSolutions-IAM5", grant.why_wildcard, findings)


def _as_nag_writes(stack: cdk.Stack, value: str) -> str:
    """A resource as cdk-nag spells it in its findings: references as ``<LogicalId>`` or ``<LogicalId.Attribute>``."""
    return _flatten(stack.resolve(value))


def _flatten(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if "Ref" in value:
            return f"<{value['Ref']}>"
        if "Fn::GetAtt" in value:
            return "<" + ".".join(value["Fn::GetAtt"]) + ">"
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(_flatten(part) for part in parts)
    # other functions appear as they are in the template
    return json.dumps(value, separators=(",", ":"))


def table(on: dynamodb.ITable, *operations: str) -> Grant:
    """The named DynamoDB operations on one table; it has no index."""
    return Grant(actions=[f"dynamodb:{operation}" for operation in operations], resources=[on.table_arn])


def objects(bucket_arn: str, pattern: str, *operations: str, why: str) -> Grant:
    """The named S3 operations on objects whose key matches ``pattern``, in this account's buckets only."""
    return Grant(
        actions=[f"s3:{operation}" for operation in operations],
        resources=[f"{bucket_arn}/{pattern}"],
        conditions={"StringEquals": {"aws:ResourceAccount": cdk.Aws.ACCOUNT_ID}},
        why_wildcard=why,
    )


def area(bucket: s3.IBucket, name: str, *operations: str) -> Grant:
    """The named S3 operations on one area of every run in the inventory bucket."""
    return objects(bucket.bucket_arn, f"*/{name}/*", *operations, why="run ids are chosen by the operator")


def listing(bucket_arn: str, *operations: str) -> Grant:
    """The named S3 operations on the bucket itself."""
    return Grant(
        actions=[f"s3:{operation}" for operation in operations],
        resources=[bucket_arn],
        conditions={"StringEquals": {"aws:ResourceAccount": cdk.Aws.ACCOUNT_ID}},
    )


def vaults(*operations: str) -> Grant:
    """The named Glacier operations on the vaults of this account and region."""
    return Grant(
        actions=[f"glacier:{operation}" for operation in operations],
        resources=[f"arn:{cdk.Aws.PARTITION}:glacier:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:vaults/*"],
        why_wildcard="the vault is chosen when a run is launched, long after this policy is made",
    )


def send(queue: sqs.IQueue) -> Grant:
    """Put messages into a queue."""
    return Grant(actions=["sqs:SendMessage"], resources=[queue.queue_arn])


def consume(*queues: sqs.IQueue) -> Grant:
    """What an event source mapping needs of its queues."""
    return Grant(
        actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
        resources=[queue.queue_arn for queue in queues],
    )


def read_stream(on: dynamodb.ITable) -> tuple[Grant, Grant]:
    """What an event source mapping needs of a table's stream."""
    if on.table_stream_arn is None:
        raise ValueError(f"table {on.node.path} has no stream to read: give it one")
    return (
        Grant(
            actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            resources=[on.table_stream_arn],
        ),
        Grant(
            actions=["dynamodb:ListStreams"],
            resources=["*"],
            why_wildcard="event source mappings list streams, which has no resource to name",
        ),
    )


def reread_stream(on: dynamodb.ITable) -> Grant:
    """Read records of a table's stream by where they are."""
    if on.table_stream_arn is None:
        raise ValueError(f"table {on.node.path} has no stream to read: give it one")
    return Grant(actions=["dynamodb:GetRecords", "dynamodb:GetShardIterator"], resources=[on.table_stream_arn])


def publish(topic: sns.ITopic, key: kms.IKey) -> tuple[Grant, Grant]:
    """Publish to an encrypted topic."""
    return (
        Grant(actions=["sns:Publish"], resources=[topic.topic_arn]),
        Grant(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]),
    )


class TracingPolicy(Construct):
    """A policy that lets roles write traces, made and attached only when ``switch`` is on."""

    def __init__(self, scope: Construct, construct_id: str, *, switch: Switch) -> None:
        super().__init__(scope, construct_id)
        self.switch = switch
        self._policy = iam.CfnManagedPolicy(
            self,
            "WriteTraces",
            description="Writes traces to AWS X-Ray",
            policy_document=policy(
                [
                    Grant(
                        actions=[
                            "xray:PutTraceSegments",
                            "xray:PutTelemetryRecords",
                            "xray:GetSamplingRules",
                            "xray:GetSamplingTargets",
                        ],
                        resources=["*"],
                    )
                ]
            ),
        )
        self._policy.cfn_options.condition = switch.condition
        acknowledge(self._policy, "AwsSolutions-IAM5", "X-Ray has no resource-level permissions", ["Resource::*"])

    def attach(self, to: iam.Role) -> None:
        """Let a role write traces when the switch is on."""
        resource = to.node.default_child
        assert isinstance(resource, iam.CfnRole)  # noqa: S101 - narrows the L1 behind an L2 for the type checker
        resource.add_property_override("ManagedPolicyArns", [self.switch.choose(self._policy.ref, cdk.Aws.NO_VALUE)])
