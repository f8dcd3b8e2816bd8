"""What stories about the local AWS are told with: clients, roles, functions, machines, and waiting for an outcome."""

from __future__ import annotations

import io
import json
import socket
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from solution.local import Instance

T = TypeVar("T")


@dataclass
class LocalAws:
    """A running local AWS, as its root user sees it."""

    instance: Instance
    endpoint: str
    port: int
    state_dir: Path
    region: str = "us-east-1"
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of the root user."""
        if service not in self._clients:
            self._clients[service] = self.client_as("test", "test", service=service)
        return self._clients[service]

    def client_as(self, key: str, secret: str, token: str | None = None, *, service: str) -> Any:
        """A client with other credentials."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, inject_host_prefix=False),
        )

    def as_role(self, role_arn: str, service: str) -> Any:
        """A client of a session of the role."""
        found = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="story")["Credentials"]
        return self.client_as(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], service=service)

    def role(self, *statements: Mapping[str, Any], principal: str = "states.amazonaws.com") -> str:
        """A role with these statements; its ARN."""
        name = unique("role")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"},
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                    "Action": "sts:AssumeRole",
                },
            ],
        }
        iam = self.client("iam")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document)
        return arn

    def function(self, code: str, *statements: Mapping[str, Any], **options: Any) -> str:
        """A function from source text with ``handler(event, context)``; its ARN."""
        role = self.role(*statements, principal="lambda.amazonaws.com")
        arn: str = self.client("lambda").create_function(
            FunctionName=unique("function"),
            Role=role,
            Code={"ZipFile": zipped({"index.py": textwrap.dedent(code)})},
            **{"Runtime": "python3.13", "Handler": "index.handler", "Timeout": 30, **options},
        )["FunctionArn"]
        return arn

    def invoke(self, function: str, event: Any = None) -> Any:
        """The decoded payload of a synchronous call."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}).encode())
        return json.loads(answer["Payload"].read())

    def machine(self, states: Mapping[str, Any], role: str | None = None, **top: Any) -> str:
        """A state machine that starts at its first state; its ARN."""
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        arn: str = self.client("stepfunctions").create_state_machine(
            name=unique("machine"), definition=json.dumps(definition), roleArn=role or self.role()
        )["stateMachineArn"]
        return arn

    def run(self, machine: str, payload: Any = None, *, timeout: float = 60) -> dict[str, Any]:
        """Execute to the end: the description, with ``output`` decoded."""
        client = self.client("stepfunctions")
        arn = client.start_execution(stateMachineArn=machine, input=json.dumps(payload or {}))["executionArn"]
        return self.outcome(arn, timeout=timeout)

    def outcome(self, execution: str, *, timeout: float = 60) -> dict[str, Any]:
        """The description of an execution that has ended."""
        client = self.client("stepfunctions")

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = client.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        found = until(ended, timeout=timeout)
        if found["status"] == "SUCCEEDED":
            found["output"] = json.loads(found["output"])
        return found

    def run_states(self, states: Mapping[str, Any], *statements: Mapping[str, Any], payload: Any = None) -> Any:
        """Make a machine whose role has these statements, and run it."""
        return self.run(self.machine(states, self.role(*statements)), payload)

    def bucket(self) -> str:
        """A new bucket."""
        name = unique("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name


def unique(prefix: str) -> str:
    """A name that nobody else uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip file of these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A policy statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def until(
    found: Callable[[], T | None], *, timeout: float = 30, every: float = 0.05, seen: Callable[[], object] = str
) -> T:
    """Ask until there is an answer; ``seen`` tells what there was instead when none has come in time."""
    deadline = time.monotonic() + timeout
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            pytest.fail(f"nothing came in {timeout:g} seconds; seen at last: {seen()}")
        time.sleep(every)
