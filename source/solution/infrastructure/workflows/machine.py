"""What every state machine has: a name, a role of its own, its log, and the switches for logging and tracing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from solution.infrastructure import permissions
from solution.infrastructure.permissions import Grant, TracingPolicy
from solution.infrastructure.settings import Switch, instance_suffix
from solution.infrastructure.states.retries import State

LOG_RETENTION = logs.RetentionDays.ONE_YEAR
"""Runs last for months; their history must be there at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDefaults:
    """What all state machines of the stack share."""

    logging: Switch
    tracing: TracingPolicy


class Machine(Construct):
    """A standard state machine: ``arn`` and ``name`` for whoever starts it, ``log_group_name`` for whoever reads."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        comment: str,
        states: Mapping[str, State],
        grants: Sequence[Grant],
        has_distributed_map: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = f"{construct_id}-{instance_suffix(self)}"
        log_group = logs.LogGroup(
            self,
            "Log",
            # the prefix keeps the account's resource policy for log delivery small ("Logging using CloudWatch Logs")
            log_group_name=f"/aws/vendedlogs/states/{self.name}",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.log_group_name = log_group.log_group_name
        own = distributed_map_grants(self.name) if has_distributed_map else ()
        self.role = permissions.role(
            self,
            "Role",
            service="states.amazonaws.com",
            description=f"Of the state machine {construct_id}",
            grants=[*grants, *own, LOG_DELIVERY],
        )
        defaults.tracing.attach(self.role)
        definition = {"Comment": comment, "StartAt": next(iter(states)), "States": dict(states)}
        machine = self._machine(construct_id, definition, log_group, defaults)
        self.arn = machine.attr_arn

    def _machine(
        self, construct_id: str, definition: State, log_group: logs.LogGroup, defaults: MachineDefaults
    ) -> sfn.CfnStateMachine:
        destination = sfn.CfnStateMachine.LogDestinationProperty(
            cloud_watch_logs_log_group=sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                log_group_arn=log_group.log_group_arn
            )
        )
        machine = sfn.CfnStateMachine(
            self,
            construct_id,
            state_machine_name=self.name,
            state_machine_type="STANDARD",
            role_arn=self.role.role_arn,
            # not Stack.to_json_string: it drops nulls, which mean something in this language; names and ARNs, which are
            # all that CDK fills in, need no escaping
            definition_string=json.dumps(definition, separators=(",", ":")),
            logging_configuration=sfn.CfnStateMachine.LoggingConfigurationProperty(
                level="ALL", include_execution_data=True, destinations=[destination]
            ),
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        machine.add_property_override(
            "LoggingConfiguration",
            defaults.logging.choose(
                {
                    "Level": "ALL",
                    "IncludeExecutionData": True,
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": log_group.log_group_arn}}],
                },
                {"Level": "OFF"},
            ),
        )
        machine.add_property_override("TracingConfiguration.Enabled", defaults.tracing.switch.choose(True, False))
        return machine


LOG_DELIVERY = Grant(
    actions=[
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ],
    resources=["*"],
    why_wildcard="log delivery has no resources to name (Logging using CloudWatch Logs, Step Functions guide)",
)


def execution_arn(machine_name: str, execution_name: str) -> str:
    """ARN of an execution, or a pattern of such."""
    where = f"{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    return f"arn:{cdk.Aws.PARTITION}:states:{where}:execution:{machine_name}:{execution_name}"


def distributed_map_grants(machine_name: str) -> tuple[Grant, ...]:
    """A distributed map starts its children as executions of its own state machine.

    "IAM policies for using Distributed Map states", AWS Step Functions Developer Guide.
    """
    machine = f"arn:{cdk.Aws.PARTITION}:states:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:stateMachine:{machine_name}"
    return (
        Grant(actions=["states:StartExecution"], resources=[machine]),
        Grant(
            actions=["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"],
            resources=[execution_arn(machine_name, "*"), execution_arn(f"{machine_name}/*", "*")],
            why_wildcard="children of a distributed map get generated names",
        ),
    )


def invoke_grant(*functions: lambda_.IFunction) -> Grant:
    """Call these functions; the integration names them without a version."""
    return Grant(actions=["lambda:InvokeFunction"], resources=[function.function_arn for function in functions])


def run_grants(*machines: Machine) -> tuple[Grant, ...]:
    """Start these state machines and wait for their end (``.sync:2``).

    "IAM policies for starting a workflow execution", AWS Step Functions Developer Guide.
    """
    rule = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    return (
        Grant(actions=["states:StartExecution"], resources=[machine.arn for machine in machines]),
        Grant(
            actions=["states:DescribeExecution", "states:StopExecution"],
            resources=[execution_arn(machine.name, "*") for machine in machines],
            why_wildcard="executions that are waited for get generated names",
        ),
        Grant(
            actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            resources=[f"arn:{cdk.Aws.PARTITION}:events:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:{rule}"],
        ),
    )


def pass_role(role: iam.IRole, service: str) -> Grant:
    """Hand this role to that service, and to no other."""
    return Grant(
        actions=["iam:PassRole"],
        resources=[role.role_arn],
        conditions={"StringEquals": {"iam:PassedToService": service}},
    )
