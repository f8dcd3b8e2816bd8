"""The Lambda functions: one factory with every default, what each may do, and one construct per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from solution.contract.entry_points import EntryPoint
from solution.infrastructure import permissions
from solution.infrastructure.nag import acknowledge
from solution.infrastructure.permissions import Grant, TracingPolicy
from solution.infrastructure.settings import instance_suffix
from solution.infrastructure.sizing import Size

LOG_RETENTION: Final = logs.RetentionDays.THREE_MONTHS

POWERTOOLS_ENVIRONMENT: Final = {
    "POWERTOOLS_SERVICE_NAME": "glacier-transfer",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "POWERTOOLS_METRICS_NAMESPACE": "GlacierTransfer",
}
"""Set on every function beside its settings; names as Powertools for AWS Lambda documents them."""


class FunctionFactory:
    """Makes every function of the stack alike; the code is handed in, so that tests build no asset.

    ``environment`` holds the value of every variable that any settings class names; a function gets those it names.
    """

    def __init__(self, *, code: lambda_.Code, environment: Mapping[str, str], tracing: TracingPolicy) -> None:
        self._code = code
        self._environment = environment
        self._tracing = tracing

    def make(
        self,
        scope: Construct,
        entry_point: EntryPoint,
        *,
        size: Size,
        does: str,
        grants: Sequence[Grant],
        reserved_concurrency: int | None = None,
    ) -> lambda_.Function:
        """A function with its own role, which may do what ``grants`` say and write its own log, no more."""
        name = f"{entry_point.name}-{instance_suffix(scope)}"
        log_group = logs.LogGroup(
            scope,
            f"{entry_point.name}Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = self._role(scope, entry_point, grants, log_group)
        function = lambda_.Function(
            scope,
            entry_point.name,
            function_name=name,
            description=does,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=entry_point.handler,
            code=self._code,
            role=role.without_policy_updates(),
            memory_size=size.memory,
            timeout=cdk.Duration.seconds(size.timeout),
            environment={
                **{variable: self._environment[variable] for variable in entry_point.settings.variable_names()},
                **POWERTOOLS_ENVIRONMENT,
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            reserved_concurrent_executions=reserved_concurrency,
        )
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - narrows the L1 for the type checker
        resource.add_property_override(
            "TracingConfig", self._tracing.switch.choose({"Mode": "Active"}, {"Mode": "PassThrough"})
        )
        # CDK adds the role, which the function refers to anyway
        resource.add_deletion_override("DependsOn")
        acknowledge(
            function,
            "AwsSolutions-L1",
            "python3.13 is the newest runtime that every library in the bundle is released and tested for",
        )
        return function

    def _role(
        self, scope: Construct, entry_point: EntryPoint, grants: Sequence[Grant], log_group: logs.LogGroup
    ) -> iam.Role:
        # the ARN of a log group ends in ":*" for its streams
        own_log = Grant(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],
        )
        made = permissions.role(
            scope,
            f"{entry_point.name}Role",
            service="lambda.amazonaws.com",
            description=f"Of the function {entry_point.name}",
            grants=[own_log, *grants],
        )
        self._tracing.attach(made)
        return made
