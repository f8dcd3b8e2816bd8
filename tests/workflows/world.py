"""What the stories of this folder are told with: the deployed state machines, and what they read and write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from solution.contract import object_keys as keys
from solution.contract import tables
from solution.contract.entry_points import RUN_CLOSER
from solution.contract.messages import JobResult
from solution.domain.status import Metric
from tests.local.deployed import Solution, states_named
from tests.local.support import unique, until, zipped
from tests.workflows.stubs import CALLED_BY_MACHINES, PLAIN_ANSWERS, Exchange, Stubs, always, quiet

VAULT = "vault"
ENDED_AT_ONCE = """
import sys

given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if "unsortable" in given["--workflow_run"]:
    raise ValueError("this inventory cannot be sorted")
"""
"""Stands for the inventory job: a run with ``unsortable`` in its id makes it fail."""

RULES = ("WindowExtension", "DashboardUpdate", "CompletionCheck")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An execution that has ended, or, with status ``RUNNING``, has not; ``states`` are those entered so far."""

    arn: str
    name: str
    status: str
    output: Any
    error: str
    cause: str
    states: list[str]


class World:
    """The solution with stubs for functions; made once, ``stubs`` are new for each test."""

    def __init__(self, solution: Solution, exchange: Exchange) -> None:
        self.solution = solution
        self._exchange = exchange
        self.stubs = Stubs()
        pages = self._client("stepfunctions").get_paginator("list_state_machines").paginate()
        self._machines = {
            machine["name"].rpartition("-")[0].removesuffix("StateMachine"): machine["stateMachineArn"]
            for page in pages
            for machine in page["stateMachines"]
        }
        self.suffix = self._machines["Orchestrator"].rpartition("-")[2]

    def prepare(self) -> None:
        """Replace functions and inventory job, and let retries come, and waits end, after a second."""
        client = self._client("lambda")
        for function in CALLED_BY_MACHINES:
            name = f"{function.name}-{self.suffix}"
            client.update_function_code(FunctionName=name, ZipFile=zipped({"index.py": self._exchange.code}))
            client.update_function_configuration(FunctionName=name, Handler="index.handler")
        job = self._client("glue").get_job(JobName=f"InventoryJob-{self.suffix}")["Job"]
        bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=ENDED_AT_ONCE.encode())
        for arn in self._machines.values():
            self._redefine(arn, _hurried(self._definition(arn)))

    def begin(self) -> None:
        """A new test: plain answers, no calls so far."""
        self.stubs = self._exchange.stubs = Stubs()
        for function, result in PLAIN_ANSWERS.items():
            self.stubs.answer(function, always(result))
        self.stubs.answer(RUN_CLOSER, quiet)

    def end(self) -> None:
        """Let go whoever still waits for an answer, and stop what would go on asking during the next test."""
        self.stubs.over.set()
        client = self._client("stepfunctions")
        for arn in self._machines.values():
            pages = client.get_paginator("list_executions").paginate(stateMachineArn=arn, statusFilter="RUNNING")
            for execution in [execution for page in pages for execution in page["executions"]]:
                client.stop_execution(executionArn=execution["executionArn"])

    # --- state machines

    def start(self, machine: str, payload: Mapping[str, Any], name: str | None = None) -> str:
        """Start the machine, named without ``StateMachine``; the ARN of the execution."""
        arn: str = self._client("stepfunctions").start_execution(
            stateMachineArn=self._machines[machine], name=name or unique("execution"), input=json.dumps(payload)
        )["executionArn"]
        return arn

    def arn(self, machine: str) -> str:
        """ARN of the machine."""
        arn: str = self._machines[machine]
        return arn

    def execute(self, machine: str, payload: Mapping[str, Any], name: str | None = None) -> Execution:
        """Start the machine and wait for its end."""
        return self.outcome(self.start(machine, payload, name))

    def outcome(self, arn: str) -> Execution:
        """Wait for the end."""
        return until(lambda: found if (found := self.look(arn)).status != "RUNNING" else None, timeout=60)

    def look(self, arn: str) -> Execution:
        """How the execution stands."""
        client = self._client("stepfunctions")
        found = client.describe_execution(executionArn=arn)
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return Execution(
            arn=arn,
            name=found["name"],
            status=found["status"],
            output=json.loads(found["output"]) if found.get("output") else None,
            error=found.get("error", ""),
            cause=found.get("cause", ""),
            states=[e["stateEnteredEventDetails"]["name"] for e in events if e["type"].endswith("StateEntered")],
        )

    def child_errors(self, arn: str) -> list[tuple[str, str]]:
        """Error and cause of each failed child of the execution's distributed maps, innermost only."""
        client = self._client("stepfunctions")
        found = []
        for map_run in client.list_map_runs(executionArn=arn)["mapRuns"]:
            children = client.list_executions(mapRunArn=map_run["mapRunArn"], statusFilter="FAILED")["executions"]
            for child in children:
                inner = self.child_errors(child["executionArn"])
                described = client.describe_execution(executionArn=child["executionArn"])
                found += inner or [(described["error"], described.get("cause", ""))]
        return found

    def reaches(self, arn: str, state: str) -> None:
        """Wait until the execution enters the state."""
        until(lambda: state in self.look(arn).states, timeout=60)

    def executions(self, machine: str) -> int:
        """How many executions of the machine there were."""
        client = self._client("stepfunctions")
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=self._machines[machine])
        return sum(len(page["executions"]) for page in pages)

    @contextmanager
    def changed(self, machine: str, states: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
        """States, wherever they are nested, have other fields for a while; executions keep what they began with."""
        arn = self._machines[machine]
        before = self._definition(arn)
        definition = json.loads(json.dumps(before))
        for name, fields in states.items():
            found = list(states_named(definition, name))
            assert len(found) == 1, f"{machine} has {len(found)} states {name}"
            found[0].update(fields)
        self._redefine(arn, definition)
        try:
            yield
        finally:
            self._redefine(arn, before)

    def refused(self, machine: str, action: str) -> Any:
        """The machine's role lacks a permission for a while."""
        return self.solution.without(self.solution.machine_role(f"{machine}StateMachine"), action)

    def _definition(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self._client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"]
        )
        return found

    def _redefine(self, arn: str, definition: Mapping[str, Any]) -> None:
        self._client("stepfunctions").update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def _client(self, service: str) -> Any:
        return self.solution.client(service)

    # --- counters and records

    def count(self, run: str, **counters: int) -> None:
        """The run's counters in MetricTable, such as ``total=3``; what is not named is 0."""
        numbers = {tables.count_attribute(metric): counters.get(metric, 0) for metric in Metric}
        numbers |= {tables.bytes_attribute(metric): 1024 * counters.get(metric, 0) for metric in Metric}
        item = {tables.PK: {"S": run}, **{name: {"N": str(number)} for name, number in numbers.items()}}
        self._client("dynamodb").put_item(TableName=self.solution.target.output("MetricTableName"), Item=item)

    def counts(self, run: str) -> dict[str, int]:
        """The run's counters of archives."""
        table = self.solution.target.output("MetricTableName")
        item = self._client("dynamodb").get_item(TableName=table, Key={tables.PK: {"S": run}}, ConsistentRead=True)
        return {str(metric): int(item["Item"][tables.count_attribute(metric)]["N"]) for metric in Metric}

    def write_archive(self, run: str, archive_id: str, status: str) -> None:
        """The record of an archive of one byte; the stream of its table sees it, and the counters with it."""
        self._client("dynamodb").put_item(
            TableName=self.solution.target.output("GlacierRetrievalTableName"),
            Item={
                tables.PK: {"S": tables.archive_pk(run, archive_id)},
                tables.SK: {"S": tables.META},
                tables.ArchiveItem.STATUS: {"S": status},
                tables.ArchiveItem.SIZE: {"N": "1"},
            },
        )

    def run_record(self, run: str) -> dict[str, Any]:
        """The run's record in the retrieval table, as it is written there; empty when there is none."""
        key = {tables.PK: {"S": run}, tables.SK: {"S": tables.META}}
        table = self.solution.target.output("GlacierRetrievalTableName")
        found: dict[str, Any] = (
            self._client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        )
        return found

    # --- jobs that are waited for

    def answer_job(self, result: JobResult) -> None:
        """Write the result of a job where the waiting state finds it."""
        self._client("dynamodb").update_item(
            TableName=self.solution.target.output("AsyncFacilitatorTableName"),
            Key={tables.FacilitatorItem.JOB_ID: {"S": result.job_id}},
            UpdateExpression=f"SET {tables.FacilitatorItem.JOB_RESULT} = :result",
            ExpressionAttributeValues={":result": {"S": result.dump()}},
        )

    def awaited(self, job_id: str) -> None:
        """Wait until a state machine has left its task token."""
        key = {tables.FacilitatorItem.JOB_ID: {"S": job_id}}
        table = self.solution.target.output("AsyncFacilitatorTableName")

        def token() -> bool:
            item = self._client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
            return tables.FacilitatorItem.TASK_TOKEN in item

        until(token, timeout=60)

    # --- files

    def write_csv(self, key: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """A CSV file with a header, in the inventory bucket."""
        text = io.StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        bucket = self.solution.target.output("InventoryBucketName")
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=text.getvalue().encode())

    def write_work_list(self, prefix: str, name: str, archive_ids: Sequence[str]) -> None:
        """A work list, as a scan writes it."""
        self.write_csv(
            f"{prefix}{name}.csv", keys.WORK_LIST_COLUMNS, [{"ArchiveId": archive} for archive in archive_ids]
        )

    # --- rules

    def rule(self, purpose: str) -> str:
        """Name of the rule."""
        return f"{purpose}Rule-{self.suffix}"

    def targets(self, run: str) -> dict[str, dict[str, Any]]:
        """The run's targets, by rule purpose, with their inputs decoded."""
        found = {}
        for purpose in RULES:
            for target in self._client("events").list_targets_by_rule(Rule=self.rule(purpose))["Targets"]:
                if target["Id"] == run:
                    found[purpose] = {**target, "Input": json.loads(target["Input"])}
        return found


def _hurried(node: Any) -> Any:
    """The same definition, but each retry comes after one second, and each wait of a fixed time is one second."""
    if isinstance(node, list):
        return [_hurried(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: _hurried(value) for name, value in node.items()}
    if "IntervalSeconds" in found:
        found |= {"IntervalSeconds": 1, "BackoffRate": 1}
    if found.get("Type") == "Wait" and "Seconds" in found:
        found["Seconds"] = 1
    return found
