"""Where the transfer keeps what it knows, tables and the inventory bucket, and where it writes, the destination."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from solution.contract import tables
from solution.infrastructure.nag import acknowledge
from solution.infrastructure.settings import Switch, instance_suffix


class Tables(Construct):
    """``retrieval`` and ``facilitator`` have streams, ``metrics`` has none; all outlive the stack."""

    def __init__(self, scope: Construct, construct_id: str, *, backup: Switch) -> None:
        super().__init__(scope, construct_id)
        self._backup = backup
        self.retrieval = self._table(
            "GlacierObjectRetrieval",
            partition_key=tables.PK,
            sort_key=tables.SK,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        )
        self.metrics = self._table("MetricTable", partition_key=tables.PK, expires=True)
        self.facilitator = self._table(
            "AsyncFacilitatorTable",
            partition_key=tables.FacilitatorItem.JOB_ID.value,
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            expires=True,
        )

    def _table(
        self,
        name: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        stream: dynamodb.StreamViewType | None = None,
        expires: bool = False,
    ) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            name,
            table_name=f"{name}-{instance_suffix(self)}",
            partition_key=dynamodb.Attribute(name=partition_key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
            stream=stream,
            time_to_live_attribute=tables.EXPIRES_AT if expires else None,
        )
        resource = table.node.default_child
        assert isinstance(resource, dynamodb.CfnTable)  # noqa: S101 - narrows the L1 behind an L2 for the type checker
        resource.add_property_override(
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", self._backup.choose(True, False)
        )
        return table


class InventoryBucket(Construct):
    """``bucket`` holds inventories, names, work lists and reports of every run, under ``{run}/``."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        access_logs = s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=_bucket_name(self, "accesslogs"),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(id="ForgetAfterAYear", expiration=cdk.Duration.days(365))],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        acknowledge(access_logs, "AwsSolutions-S1", "it holds access logs itself; logging them would never end")
        self.bucket = s3.Bucket(
            self,
            "InventoryBucket",
            bucket_name=_bucket_name(self, "inventorybucket"),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="inventorybucket/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="DropAbandonedUploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(7)
                )
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )


class DestinationBucket(Construct):
    """The bucket that archives are copied to: the one named by the parameter, or one made here when none is named.

    ``name`` and ``arn`` are those of whichever it is; an existing bucket is never changed by the stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, existing_name: str) -> None:
        super().__init__(scope, construct_id)
        none_given = cdk.CfnCondition(
            self, "MakeDestinationBucket", expression=cdk.Fn.condition_equals(existing_name, "")
        )
        none_given.override_logical_id("MakeDestinationBucket")
        own_name = _bucket_name(self, "destinationbucket")
        bucket = s3.Bucket(
            self,
            "DestinationBucket",
            bucket_name=own_name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        acknowledge(
            bucket,
            "AwsSolutions-S1",
            "made only where no bucket is named; who needs access logs names a bucket of their own that has them",
        )
        for child in bucket.node.find_all():
            if isinstance(child, cdk.CfnResource):
                child.cfn_options.condition = none_given
        # spelled out, not referenced: there may be no such bucket to refer to
        self.name = cdk.Token.as_string(cdk.Fn.condition_if(none_given.logical_id, own_name, existing_name))
        self.arn = f"arn:{cdk.Aws.PARTITION}:s3:::{self.name}"


def _bucket_name(scope: Construct, beginning: str) -> str:
    # bucket names are global: account and region keep ours apart from everybody's
    return f"{beginning}-{cdk.Aws.ACCOUNT_ID}-{cdk.Aws.REGION}-{instance_suffix(scope)}"
