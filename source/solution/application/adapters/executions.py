"""Executions on Step Functions, and runs of the inventory job on AWS Glue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from solution.application.adapters.errors import code_of
from solution.application.ports.executions import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_stepfunctions import SFNClient

_MAX_CAUSE: Final = 32_768
_JOB_RUN_ENDED: Final = frozenset({"STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"})
_RECENT_JOB_RUNS: Final = 100
"""The newest come first, and a handful of runs are under way: what may still run is among these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFunctionsExecutions:
    """`solution.application.ports.executions.Executions`."""

    client: SFNClient

    def look(self, arn: str) -> Execution | None:
        """One DescribeExecution."""
        try:
            found = self.client.describe_execution(executionArn=arn)
        except self.client.exceptions.ExecutionDoesNotExist:
            return None
        return Execution(
            status=found["status"],
            error=found.get("error") or "",
            cause=found.get("cause") or "",
            stopped_at=found.get("stopDate"),
        )

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        """One StopExecution."""
        try:
            self.client.stop_execution(executionArn=arn, error=error, cause=cause[:_MAX_CAUSE])
        except ClientError as problem:
            # one that has ended cannot be stopped, which is as good
            found = self.look(arn) if code_of(problem) in ("ExecutionDoesNotExist", "ValidationException") else None
            if code_of(problem) != "ExecutionDoesNotExist" and (found is None or found.running):
                raise

    def start(self, machine_arn: str, *, name: str, payload: Mapping[str, Any]) -> bool:
        """One StartExecution."""
        try:
            self.client.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(payload))
        except self.client.exceptions.ExecutionAlreadyExists:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class GlueInventoryJobs:
    """`solution.application.ports.executions.InventoryJobs`."""

    client: GlueClient
    job: str

    def stop(self, run: str) -> int:
        """One GetJobRuns, and one BatchStopJobRun where something runs."""
        found = self.client.get_job_runs(JobName=self.job, MaxResults=_RECENT_JOB_RUNS)["JobRuns"]
        running = [
            one
            for one in found
            if one.get("Arguments", {}).get("--workflow_run") == run and one["JobRunState"] not in _JOB_RUN_ENDED
        ]
        asked = [one["Id"] for one in running if one["JobRunState"] != "STOPPING"]
        if asked:
            # one that ends at this moment is listed among the answer's errors, which is as good
            self.client.batch_stop_job_run(JobName=self.job, JobRunIds=asked)
        return len(running)
