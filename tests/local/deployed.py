"""The solution on a local AWS, for stories about whole transfers; one for the whole session (see ``conftest``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from solution.cli.demo.archives import CHUNK_SIZE_MIB
from solution.cli.demo.run import demo_parameters, time_factor
from solution.cli.target import Target, target_of
from solution.contract import tables
from solution.local import Deployment, Instance, up
from tests import shared
from tests.local.support import unique

ARCHIVES = 60
"""About as many as the largest story transfers."""


@dataclass
class Solution:
    """The deployed solution, and clients of the account's root user."""

    target: Target
    environment: Mapping[str, str]
    state_dir: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of any service."""
        if service not in self._clients:
            session: Any = boto3.Session(
                self.environment["AWS_ACCESS_KEY_ID"],
                self.environment["AWS_SECRET_ACCESS_KEY"],
                region_name=self.environment["AWS_REGION"],
            )
            self._clients[service] = session.client(
                service,
                endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                config=Config(s3={"addressing_style": "path"}, inject_host_prefix=False),
            )
        return self._clients[service]

    def fill(self, contents: Mapping[str, bytes]) -> str:
        """A new vault with an archive for each description; its name."""
        vault = unique("vault")
        glacier = self.client("glacier")
        glacier.create_vault(accountId="-", vaultName=vault)
        for description, body in contents.items():
            glacier.upload_archive(accountId="-", vaultName=vault, archiveDescription=description, body=body)
        return vault

    def records(self, run: str) -> dict[str, list[dict[str, Any]]]:
        """Everything the retrieval table holds about the run's archives, by archive id."""
        found: dict[str, list[dict[str, Any]]] = {}
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.target.output("GlacierRetrievalTableName"), ConsistentRead=True)
        )
        for item in (item for page in pages for item in page["Items"]):
            key = tables.split_archive_pk(item[tables.PK]["S"])
            if key is not None and key[0] == run:
                found.setdefault(key[1], []).append({name: next(iter(value.values())) for name, value in item.items()})
        return found

    def empty_queues(self) -> None:
        """Drop the messages that a failed story left, which would come again while others are told."""
        sqs = self.client("sqs")
        for page in sqs.get_paginator("list_queues").paginate():
            for url in page.get("QueueUrls", []):
                sqs.purge_queue(QueueUrl=url)

    def function_role(self, name: str) -> str:
        """Name of the role of a function, by the beginning of the function's name."""
        pages = self.client("lambda").get_paginator("list_functions").paginate()
        functions = [function for page in pages for function in page["Functions"]]
        [role] = {found["Role"] for found in functions if name in found["FunctionName"]}
        return str(role).rpartition("/")[2]

    def machine_role(self, name: str) -> str:
        """Name of the role of a state machine, by the beginning of the machine's name."""
        client = self.client("stepfunctions")
        pages = client.get_paginator("list_state_machines").paginate()
        machines = [machine for page in pages for machine in page["stateMachines"]]
        [arn] = [machine["stateMachineArn"] for machine in machines if machine["name"].startswith(name)]
        return str(client.describe_state_machine(stateMachineArn=arn)["roleArn"]).rpartition("/")[2]

    def shorten(self, machine: str, wait: str, *, seconds: int) -> None:
        """Let a state of a machine wait for less; executions that run keep what they began with."""
        [(arn, definition, state)] = self._states(machine, wait)
        assert state["Seconds"] >= seconds
        state["Seconds"] = seconds
        self.client("stepfunctions").update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def look_sooner(self, machine: str, task: str, error: str, *, seconds: int) -> None:
        """Let a task of a machine be tried again after so many seconds at most, when it fails with the error."""
        [(arn, definition, state)] = self._states(machine, task)
        [retrier] = [one for one in state["Retry"] if error in one["ErrorEquals"]]
        assert retrier["IntervalSeconds"] >= seconds
        retrier |= {"IntervalSeconds": 1, "MaxDelaySeconds": seconds}
        self.client("stepfunctions").update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def _states(self, machine: str, name: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """The states of that name: the ARN of their machine, its definition, and the state within it."""
        client = self.client("stepfunctions")
        pages = client.get_paginator("list_state_machines").paginate()
        machines = [found for page in pages for found in page["stateMachines"]]
        [arn] = [found["stateMachineArn"] for found in machines if found["name"].startswith(machine)]
        definition = json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])
        return [(arn, definition, state) for state in states_named(definition, name)]

    @contextmanager
    def without(self, role: str, action: str) -> Iterator[None]:
        """The role lacks one permission for a while; fails if it never had it."""
        iam = self.client("iam")
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        before = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
        lacking = {name: _lacking(document, action) for name, document in before.items()}
        changed = [name for name in names if lacking[name] != before[name]]
        assert changed, f"role {role} has no statement for {action}"
        for name in changed:
            self._put(role, name, lacking[name])
        try:
            yield
        finally:
            for name in changed:
                self._put(role, name, before[name])

    def _put(self, role: str, name: str, document: Mapping[str, Any]) -> None:
        self.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def states_named(node: Any, name: str) -> Iterator[dict[str, Any]]:
    """States of this name in a definition, wherever they are nested."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "States" and name in value:
                yield value[name]
            yield from states_named(value, name)


def _lacking(document: Mapping[str, Any], action: str) -> dict[str, Any]:
    """The policy without the action; a statement that says nothing more is left out."""
    statements = []
    for statement in document["Statement"]:
        actions = statement.get("Action", [])
        left = [known for known in ([actions] if isinstance(actions, str) else actions) if known != action]
        if left:
            statements.append({**statement, "Action": left if isinstance(actions, list) else left[0]})
    return {**document, "Statement": statements}


@contextmanager
def deployed_solution(
    state_dir: Path, port: int, *, factor: float | None = None, parameters: Mapping[str, str] | None = None
) -> Iterator[Solution]:
    """The solution as the demo deploys it, on a local AWS of its own.

    ``factor`` is the demo's for `ARCHIVES` unless given; ``parameters`` go before the demo's.
    """
    deployment: Deployment = up(
        port=port,
        state_dir=state_dir,
        time_factor=factor or time_factor(ARCHIVES),
        parameters={**demo_parameters(CHUNK_SIZE_MIB), **(parameters or {})},
        assembly=shared.assembly(),
    )
    try:
        found = Solution(
            target=target_of(deployment.environment), environment=deployment.environment, state_dir=state_dir
        )
        # what is still being copied rests within a second here, where functions are done in no time
        found.shorten("CleanupStateMachine", "WaitForQuiet", seconds=2)
        # the local AWS runs one inventory job at a time, of seconds; who waits for minutes finds it idle
        found.look_sooner(
            "InventoryRetrievalStateMachine", "SortInventory", "Glue.ConcurrentRunsExceededException", seconds=5
        )
        yield found
    finally:
        Instance(state_dir).stop()
