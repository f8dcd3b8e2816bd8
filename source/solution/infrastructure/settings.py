"""What a deployment can be told: CDK context at synthesis, stack parameters and switches at deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import aws_cdk as cdk
from constructs import Construct

from solution.domain.chunk_plan import MAX_CHUNK_MIB, MIN_CHUNK_MIB
from solution.domain.errors import InvalidInput

BUCKET_NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"

CONTEXT_KEYS: Final = ("skip_integration_tests", "output_bucket_name", "repository_name", "branch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The CDK context keys of this application; ``output_bucket_name`` is empty when none is given."""

    skip_integration_tests: bool
    output_bucket_name: str
    repository_name: str
    branch: str

    @classmethod
    def read(cls, source: Mapping[str, object]) -> Context:
        """Read and check the context; raises `InvalidInput` naming key, value and rule."""
        bucket = _text(source, "output_bucket_name", "")
        if bucket and not re.fullmatch(BUCKET_NAME_PATTERN, bucket):
            raise InvalidInput(
                f"context output_bucket_name={bucket!r} is not a bucket name: use 3 to 63 lower-case letters, digits, "
                "dots and hyphens"
            )
        repository = _text(source, "repository_name", "glacier-transfer")
        if not re.fullmatch(r"[\w.-]{1,100}", repository):
            raise InvalidInput(
                f"context repository_name={repository!r} is not a CodeCommit repository: use 1 to 100 letters, digits, "
                "dots, hyphens and underscores"
            )
        return cls(
            skip_integration_tests=_flag(source, "skip_integration_tests"),
            output_bucket_name=bucket,
            repository_name=repository,
            branch=_text(source, "branch", "main") or "main",
        )


def _text(source: Mapping[str, object], key: str, default: str) -> str:
    value = source.get(key, default)
    if not isinstance(value, str):
        raise InvalidInput(f"context {key}={value!r} is not text: pass it as -c {key}=VALUE")
    return value


def _flag(source: Mapping[str, object], key: str) -> bool:
    value = source.get(key, False)
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise InvalidInput(f"context {key}={value!r} is neither true nor false: pass it as -c {key}=true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A "true"/"false" parameter and the condition that it sets."""

    condition: cdk.CfnCondition

    def choose(self, when_on: object, when_off: object) -> cdk.IResolvable:
        """One value when the switch is on, another when it is off, decided when the stack is deployed."""
        return cdk.Token.as_any(cdk.Fn.condition_if(self.condition.logical_id, when_on, when_off))


class Parameters:
    """Parameters of the ``solution`` stack, in the groups in which the console shows them.

    Durations are in seconds unless the name says otherwise. Lower limits leave room for the compressed time of a local
    run; defaults are those of the real service.
    """

    def __init__(self, stack: cdk.Stack, *, destination_bucket_name: str) -> None:
        self._stack = stack
        self._groups: dict[str, list[str]] = {}
        self._labels: dict[str, str] = {}
        self._group = "Destination"
        self.destination_bucket = self._text(
            "DestinationBucketParameter",
            destination_bucket_name,
            "Existing bucket of this account that the archives are copied to; left empty, the stack makes one",
            pattern=r"^$|" + BUCKET_NAME_PATTERN,
        )
        self._group = "Copying"
        self.chunk_size_mib = self._choice(
            "ChunkSizeMiB",
            256,
            [2**power for power in range(30) if MIN_CHUNK_MIB <= 2**power <= MAX_CHUNK_MIB],
            "Size of the ranges an archive is copied in, in MiB; it grows by itself where 10,000 parts need it",
        )
        self._pace()
        self._inventory()
        self._switches()
        self._group = "Anonymized statistics"
        self.send_anonymized_stats = self._boolean(
            "SendAnonymizedStats", "false", "Whether size, count and duration of a run are sent to the endpoint below"
        )
        self.anonymized_stats_endpoint = self._text(
            "AnonymizedStatsEndpoint", "", "Where anonymized statistics are sent", pattern=r"^$|^https?://\S+$"
        )
        self._require_endpoint()
        self._group = "Testing"
        self.glacier_endpoint_url = self._text(
            "GlacierEndpointUrl",
            "",
            "Endpoint of the Glacier service; empty is the real service of the region",
            pattern=r"^$|^https?://\S+$",
        )
        self._describe()

    def _pace(self) -> None:
        self._group = "Pace"
        self.daily_retrieval_budget_gib = self._number(
            "DailyRetrievalBudgetGiB", 102_400, "Archive bytes asked for in one quota period, in GiB", minimum=1
        )
        self.quota_period_seconds = self._number("QuotaPeriodSeconds", 86_400, "Length of one quota period", minimum=1)
        self.initiate_jobs_per_second = self._number(
            "InitiateJobsPerSecond", 100, "How many retrieval jobs are asked for in a second, at most", minimum=1
        )
        self.download_window_seconds = self._number(
            "DownloadWindowSeconds", 86_400, "How long Glacier keeps a staged archive readable", minimum=1
        )
        self.extend_when_remaining_seconds = self._number(
            "ExtendWhenRemainingSeconds",
            18_000,
            "An archive with less of its window left is asked for again",
            minimum=1,
        )
        # half as much again as Glacier usually takes at most: 12 and 5 hours ("Archive Retrieval Options")
        self.bulk_overdue_seconds = self._number(
            "BulkOverdueSeconds",
            64_800,
            "Glacier is asked what became of a Bulk retrieval that it has said nothing of for so long",
            minimum=1,
        )
        self.standard_overdue_seconds = self._number(
            "StandardOverdueSeconds", 27_000, "The same for a Standard retrieval", minimum=1
        )
        self.stall_seconds = self._number(
            "StallSeconds", 259_200, "A run whose counters have not moved for so long is ended as failed", minimum=1
        )
        self.window_extension_minutes = self._minutes("WindowExtensionPeriodMinutes", 60, "WindowExtensionRule")
        self.dashboard_update_minutes = self._minutes("DashboardUpdatePeriodMinutes", 5, "DashboardUpdateRule")
        self.run_watch_minutes = self._minutes("RunWatchPeriodMinutes", 5, "RunWatchRule")
        self.completion_check_minutes = self._minutes("CompletionCheckPeriodMinutes", 5, "CompletionCheckRule")

    def _inventory(self) -> None:
        self._group = "Inventory job"
        self.inventory_poll_seconds = self._number(
            "InventoryPollSeconds",
            10_800,
            "How long the notification of Glacier's inventory job is waited for before looking at the job, each time",
            minimum=1,
        )
        self.glue_worker_type = self._choice(
            "GlueWorkerType", "G.1X", ["G.1X", "G.2X", "G.4X", "G.8X"], "Size of the workers of the inventory job"
        )
        self.glue_number_of_workers = self._number(
            "GlueNumberOfWorkers", 4, "Workers of the inventory job", minimum=2, maximum=299
        )
        self.partition_bytes = self._partition_bytes()
        self.partition_archives = self._number(
            "PartitionArchives",
            1_000_000,
            "A partition of the sorted inventory holds at most so many archives",
            minimum=1,
        )
        self.file_archives = self._number(
            "FileArchives", 10_000, "A file of the sorted inventory holds at most so many archives", minimum=1
        )

    def _require_endpoint(self) -> None:
        cdk.CfnRule(
            self._stack,
            "StatisticsNeedAnEndpoint",
            rule_condition=cdk.Fn.condition_equals(self.send_anonymized_stats, "true"),
            assertions=[
                cdk.CfnRuleAssertion(
                    assert_=cdk.Fn.condition_not(cdk.Fn.condition_equals(self.anonymized_stats_endpoint, "")),
                    assert_description="SendAnonymizedStats is true, but AnonymizedStatsEndpoint names no URL",
                )
            ],
        )

    def _partition_bytes(self) -> str:
        """CloudFormation cannot multiply, so the bytes of each allowed size are looked up."""
        sizes = [str(2**power) for power in range(18)]
        gib = self._choice("PartitionGiB", 8192, sizes, "A partition of the sorted inventory holds at most so many GiB")
        table = cdk.CfnMapping(
            self._stack, "PartitionBytes", mapping={size: {"Bytes": str(int(size) * 1024**3)} for size in sizes}
        )
        return table.find_in_map(gib, "Bytes")

    def _switches(self) -> None:
        self._group = "Operation"
        self.ddb_backup = self._switch(
            "EnableDDBBackupParameter", "true", "Whether tables can be restored to any point of the last 35 days"
        )
        self.step_function_logging = self._switch(
            "EnableStepFunctionLoggingParameter", "true", "Whether state machines write their history to log groups"
        )
        self.lambda_tracing = self._switch(
            "EnableLambdaTracingParameter", "false", "Whether functions are traced with AWS X-Ray"
        )
        self.step_function_tracing = self._switch(
            "EnableStepFunctionTracingParameter", "false", "Whether state machines are traced with AWS X-Ray"
        )

    def _add(self, name: str, label: str, **properties: object) -> cdk.CfnParameter:
        self._groups.setdefault(self._group, []).append(name)
        self._labels[name] = label
        return cdk.CfnParameter(self._stack, name, description=label, **properties)  # type: ignore[arg-type]

    def _text(self, name: str, default: str, label: str, *, pattern: str) -> str:
        return self._add(
            name,
            label,
            default=default,
            allowed_pattern=pattern,
            constraint_description=f"{name} must match {pattern}",
        ).value_as_string

    def _boolean(self, name: str, default: str, label: str) -> str:
        return self._add(name, label, default=default, allowed_values=["true", "false"]).value_as_string

    def _choice(self, name: str, default: str | int, values: Sequence[str | int], label: str) -> str:
        return self._add(
            name, label, default=str(default), allowed_values=[str(value) for value in values]
        ).value_as_string

    def _number(self, name: str, default: int, label: str, *, minimum: int, maximum: int | None = None) -> str:
        parameter = self._add(name, label, type="Number", default=default, min_value=minimum, max_value=maximum)
        # value_as_string refuses numbers; a reference is text wherever it is used, and needs no token encoding
        return cdk.Fn.ref(parameter.logical_id)

    def _minutes(self, name: str, default: int, rule: str) -> str:
        """The schedule expression of a rule; EventBridge wants the singular for one minute, and only then."""
        minutes = self._number(name, default, f"Minutes between two ticks of {rule}", minimum=1, maximum=1440)
        single = cdk.CfnCondition(self._stack, f"{name}IsOne", expression=cdk.Fn.condition_equals(minutes, "1"))
        return cdk.Token.as_string(
            cdk.Fn.condition_if(single.logical_id, "rate(1 minute)", cdk.Fn.join("", ["rate(", minutes, " minutes)"]))
        )

    def _switch(self, name: str, default: str, label: str) -> Switch:
        value = self._boolean(name, default, label)
        condition = cdk.CfnCondition(
            self._stack, name.removesuffix("Parameter"), expression=cdk.Fn.condition_equals(value, "true")
        )
        return Switch(condition=condition)

    def _describe(self) -> None:
        self._stack.add_metadata(
            "AWS::CloudFormation::Interface",
            {
                "ParameterGroups": [
                    {"Label": {"default": group}, "Parameters": names} for group, names in self._groups.items()
                ],
                "ParameterLabels": {name: {"default": label} for name, label in self._labels.items()},
            },
        )


def instance_suffix(scope: Construct) -> str:
    """Eight characters that tell this deployment of the stack from every other, before and after.

    Physical names are a public name and this suffix: found by their beginning, yet a stack can be deleted and made anew
    while its retained tables and bucket are still there.
    """
    stack_id = cdk.Stack.of(scope).stack_id
    return cdk.Fn.select(0, cdk.Fn.split("-", cdk.Fn.select(2, cdk.Fn.split("/", stack_id))))


def inventory_job_name(scope: Construct) -> str:
    """Name of the inventory job, for those that are made before it."""
    return f"InventoryJob-{instance_suffix(scope)}"


def state_machine_arn(scope: Construct, name: str) -> str:
    """ARN of a state machine of this stack, for those that are made before it."""
    where = f"{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    return f"arn:{cdk.Aws.PARTITION}:states:{where}:stateMachine:{name}-{instance_suffix(scope)}"
