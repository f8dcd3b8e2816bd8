"""The rules. The periodic ones tick always; a run adds its targets when it begins and takes them away when it ends."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from solution.infrastructure import permissions
from solution.infrastructure.permissions import Grant
from solution.infrastructure.settings import Parameters, instance_suffix, state_machine_arn
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import call


class RunWatch(Construct):
    """Ticks for all runs together, whatever phase they are in, and when an orchestrator has ended badly."""

    def __init__(
        self, scope: Construct, construct_id: str, *, parameters: Parameters, watcher: lambda_.Function
    ) -> None:
        super().__init__(scope, construct_id)
        self._watcher = watcher
        self._rule(
            "RunWatchRule",
            "Ticks for the look for runs that nobody carries out any more",
            schedule_expression=parameters.run_watch_minutes,
        )
        self._rule(
            "OrchestratorEndedRule",
            "An orchestrator has ended badly: most have cleaned up, one that was ended from outside has not",
            event_pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "status": ["ABORTED", "FAILED", "TIMED_OUT"],
                    "stateMachineArn": [state_machine_arn(self, "OrchestratorStateMachine")],
                },
            },
        )

    def _rule(self, name: str, description: str, **when: Any) -> None:
        rule = events.CfnRule(
            self,
            name,
            name=f"{name}-{instance_suffix(self)}",
            description=description,
            state="ENABLED",
            targets=[events.CfnRule.TargetProperty(id="RunWatcher", arn=self._watcher.function_arn)],
            **when,
        )
        lambda_.CfnPermission(
            self,
            f"{name}Permission",
            action="lambda:InvokeFunction",
            function_name=self._watcher.function_arn,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )


class Schedules(Construct):
    """``names`` of the three rules by purpose. EventBridge allows five targets to a rule, hence five runs at once."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: Parameters) -> None:
        super().__init__(scope, construct_id)
        self._rules = {
            "WindowExtension": self._rule("WindowExtensionRule", parameters.window_extension_minutes),
            "DashboardUpdate": self._rule("DashboardUpdateRule", parameters.dashboard_update_minutes),
            "CompletionCheck": self._rule("CompletionCheckRule", parameters.completion_check_minutes),
        }
        self.names = {purpose: rule.ref for purpose, rule in self._rules.items()}

    def _rule(self, name: str, schedule: str) -> events.CfnRule:
        return events.CfnRule(
            self,
            name,
            name=f"{name}-{instance_suffix(self)}",
            description="Ticks for the runs whose targets it has",
            schedule_expression=schedule,
            state="ENABLED",
        )

    def let_invoke(self, purpose: str, function: lambda_.Function) -> None:
        """Let a rule call a function."""
        lambda_.CfnPermission(
            self,
            f"{purpose}Permission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="events.amazonaws.com",
            source_arn=self._rules[purpose].attr_arn,
        )

    def starting_role(self, machine_arns: list[str]) -> iam.Role:
        """The role in which the rules start state machines."""
        return permissions.role(
            self,
            "StartsStateMachines",
            service="events.amazonaws.com",
            description="In which the periodic rules start state machines",
            grants=[Grant(actions=["states:StartExecution"], resources=machine_arns)],
        )

    def put_target(self, purpose: str, target: dict[str, Any], input_path: str) -> State:
        """Add the run as a target of a rule; its input is the JSON at ``input_path``."""
        return call(
            "eventbridge:putTargets",
            {
                "Rule": self.names[purpose],
                "Targets": [
                    {"Id.$": "$.input.workflow_run", **target, "Input.$": f"States.JsonToString({input_path})"}
                ],
            },
            into="target",
        )

    def put_targets_grant(self) -> Grant:
        """Add targets to these rules."""
        return Grant(actions=["events:PutTargets"], resources=[rule.attr_arn for rule in self._rules.values()])

    def remove_targets_grant(self) -> Grant:
        """Take targets away from these rules."""
        return Grant(actions=["events:RemoveTargets"], resources=[rule.attr_arn for rule in self._rules.values()])
