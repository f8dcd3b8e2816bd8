"""The Glue job that turns an inventory into work: its script, its libraries, its role, and how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from solution.contract import object_keys as keys
from solution.contract.settings import GlueJobArguments
from solution.infrastructure import permissions
from solution.infrastructure.functions import LOG_RETENTION
from solution.infrastructure.permissions import Grant, area, listing, table
from solution.infrastructure.settings import Parameters, instance_suffix, inventory_job_name
from solution.infrastructure.storage import InventoryBucket, Tables


class InventoryJob(Construct):
    """``name`` of the job, ``log_group_names`` where it writes. The inventory state machine runs it, and retries it."""

    TIMEOUT_MINUTES: ClassVar = 480
    MAX_CONCURRENT_RUNS: ClassVar = 10

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        script: Path,
        libraries: Path,
        parameters: Parameters,
        tables: Tables,
        inventory: InventoryBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._parameters = parameters
        self._tables = tables
        self.name = inventory_job_name(self)
        script_asset = assets.Asset(self, "Script", path=str(script))
        library_asset = assets.Asset(self, "Libraries", path=str(libraries))
        logs_key = self._logs_key()
        security_name = f"InventoryJobSecurity-{instance_suffix(self)}"
        security = glue.CfnSecurityConfiguration(
            self,
            "Security",
            name=security_name,
            encryption_configuration=glue.CfnSecurityConfiguration.EncryptionConfigurationProperty(
                s3_encryptions=[glue.CfnSecurityConfiguration.S3EncryptionProperty(s3_encryption_mode="SSE-S3")],
                cloud_watch_encryption=glue.CfnSecurityConfiguration.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=logs_key.key_arn
                ),
                job_bookmarks_encryption=glue.CfnSecurityConfiguration.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=logs_key.key_arn
                ),
            ),
        )
        role = self._role(script_asset, library_asset, logs_key, inventory)
        self.log_group_names = self._log_groups(security_name, role, logs_key)
        glue.CfnJob(
            self,
            "InventoryJob",
            name=self.name,
            description="Sorts, names and partitions the inventory of a vault",
            role=role.role_arn,
            glue_version="5.0",
            worker_type=parameters.glue_worker_type,
            number_of_workers=cdk.Token.as_number(parameters.glue_number_of_workers),
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=script_asset.s3_object_url
            ),
            default_arguments={
                "--extra-py-files": library_asset.s3_object_url,
                "--job-language": "python",
                # Glue 5 writes its log while the job runs, without being asked
                "--enable-metrics": "true",
                "--enable-observability-metrics": "true",
                "--enable-job-insights": "true",
            },
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=self.MAX_CONCURRENT_RUNS),
            max_retries=0,
            timeout=self.TIMEOUT_MINUTES,
            security_configuration=security.ref,
        )

    def _log_groups(self, security_name: str, role: iam.Role, key: kms.Key) -> list[str]:
        """Glue would make them when it first writes, and keep them for ever.

        Their names are Glue's for encrypted logs ("Logging for AWS Glue jobs"): ``error`` has what Spark and the job's
        logger say, ``output`` what the script prints and how it ended.
        """
        groups = [
            logs.LogGroup(
                self,
                f"{kind.capitalize()}Log",
                log_group_name=f"/aws-glue/jobs/{security_name}-role/{role.role_name}/{kind}",
                encryption_key=key,
                retention=LOG_RETENTION,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
            for kind in ("error", "output")
        ]
        return [group.log_group_name for group in groups]

    def _logs_key(self) -> kms.Key:
        key = kms.Key(
            self,
            "LogsKey",
            description="Encrypts the logs of the inventory job",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfTheJob",
                actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                principals=[iam.ServicePrincipal(f"logs.{cdk.Aws.REGION}.amazonaws.com")],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"{_log_groups()}:*"}},
            )
        )
        return key

    def _role(
        self, script: assets.Asset, libraries: assets.Asset, logs_key: kms.Key, inventory: InventoryBucket
    ) -> iam.Role:
        bucket = inventory.bucket
        replace = ("PutObject", "DeleteObject")
        code = f"arn:{cdk.Aws.PARTITION}:s3:::{script.s3_bucket_name}"
        return permissions.role(
            self,
            "Role",
            service="glue.amazonaws.com",
            description="Of the inventory job",
            grants=[
                Grant(
                    actions=["s3:GetObject"],
                    resources=[f"{code}/{script.s3_object_key}", f"{code}/{libraries.s3_object_key}"],
                ),
                listing(bucket.bucket_arn, "ListBucket"),
                area(bucket, keys.ORIGINAL_INVENTORY, "GetObject"),
                area(bucket, keys.NAMING_OVERRIDES, "GetObject"),
                area(bucket, keys.SORTED_INVENTORY, *replace),
                area(bucket, keys.NOT_MIGRATED, *replace),
                area(bucket, keys.REJECTED_ROWS, *replace),
                table(self._tables.metrics, "UpdateItem"),
                Grant(
                    actions=[
                        "logs:CreateLogGroup",
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                        "logs:AssociateKmsKey",
                    ],
                    resources=[f"{_log_groups()}:*"],
                    why_wildcard="Glue derives the names of its log groups from job, role and security configuration",
                ),
                Grant(
                    actions=["cloudwatch:PutMetricData"],
                    resources=["*"],
                    conditions={"StringEquals": {"cloudwatch:namespace": "Glue"}},
                    why_wildcard="PutMetricData has no resource to name; the condition confines it to Glue's namespace",
                ),
                Grant(actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], resources=[logs_key.key_arn]),
            ],
        )

    def run_grants(self) -> tuple[Grant, ...]:
        """Run the job and wait for its end ("AWS Glue" in "IAM policies for integrated services")."""
        job = f"arn:{cdk.Aws.PARTITION}:glue:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:job/{self.name}"
        return (
            Grant(
                actions=["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
                resources=[job],
            ),
        )

    def run_arguments(self, bucket: str) -> dict[str, Any]:
        """Arguments of one run, from the state's ``workflow_run`` and the stack's parameters."""

        def uri(area_name: str) -> str:
            return f"States.Format('s3://{{}}/{{}}/{area_name}/', '{bucket}', $.workflow_run)"

        values = {
            "workflow_run.$": "$.workflow_run",
            "inventory_uri.$": uri(keys.ORIGINAL_INVENTORY),
            "overrides_uri.$": uri(keys.NAMING_OVERRIDES),
            "output_uri.$": uri(keys.SORTED_INVENTORY),
            "not_migrated_uri.$": uri(keys.NOT_MIGRATED),
            "rejected_uri.$": uri(keys.REJECTED_ROWS),
            "metric_table": self._tables.metrics.table_name,
            "partition_bytes": self._parameters.partition_bytes,
            "partition_archives": self._parameters.partition_archives,
            "file_archives": self._parameters.file_archives,
        }
        if {name.removesuffix(".$") for name in values} != set(GlueJobArguments.names()):
            raise ValueError(f"the inventory job takes {GlueJobArguments.names()}, not {list(values)}")
        return {f"--{name}": value for name, value in values.items()}


def _log_groups() -> str:
    return f"arn:{cdk.Aws.PARTITION}:logs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:log-group:/aws-glue/*"
