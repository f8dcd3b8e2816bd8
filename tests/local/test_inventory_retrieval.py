"""The inventory of a vault, from the real functions and a Glacier that is not always well, byte by byte.

The inventory job ends at once here (`ENDED_AT_ONCE`); what it does is told elsewhere.
"""

from __future__ import annotations

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import solution.glue
from solution.contract import object_keys as keys
from solution.contract.entry_points import INVENTORY_UPLOAD_START, SEND_ANONYMIZED_STATS, EntryPoint
from solution.contract.failures import Failure
from solution.domain.archive import StorageClass, Tier
from tests.local.deployed import Solution
from tests.local.receiver import receiver
from tests.local.support import free_port, unique, until
from tests.workflows.world import ENDED_AT_ONCE

RANGE = 1000
"""Bytes: far fewer than S3 would take, so that small vaults have many ranges."""

STATE_BYTES = 256 * 1024
"""That a state takes or gives at most (*Step Functions service quotas*); the local AWS does not mind."""


class Desk:
    """The state machine, and Glacier's mock behind it."""

    def __init__(self, solution: Solution) -> None:
        self.solution = solution
        self.s3 = solution.client("s3")
        self.job: dict[str, Any] = {}
        self.deployed_script = b""
        self.bucket = solution.target.output("InventoryBucketName")
        pages = solution.client("stepfunctions").get_paginator("list_state_machines").paginate()
        [self._machine] = [
            machine["stateMachineArn"]
            for page in pages
            for machine in page["stateMachines"]
            if machine["name"].startswith("InventoryRetrieval")
        ]

    def mock(self, method: str, path: str, document: Any = None) -> Any:
        """A request to the mock's own controls."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.solution.environment['AWS_ENDPOINT_URL']}/_mock/{path}",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.loads(answer.read())

    def vault(self, **content: Any) -> str:
        """A new vault, filled as the mock's controls understand it."""
        name = unique("vault")
        self.mock("PUT", f"vaults/{name}", content)
        return name

    def fault(self, kind: str, vault: str, **more: Any) -> None:
        """Let something go wrong with a vault; ``more`` says with what of it, and how often."""
        self.mock("POST", "faults", {"kind": kind, "vault_name": vault, **more})

    def start(self, run: str, vault: str) -> str:
        """Begin as the orchestrator does."""
        order = {
            "workflow_run": run,
            "vault_name": vault,
            "migration_type": "LAUNCH",
            "provided_inventory": False,
            "tier": Tier.BULK,
            "s3_storage_class": StorageClass.GLACIER,
            "name_override_presigned_url": "",
            "execution_name": f"{run}-1",
        }
        client = self.solution.client("stepfunctions")
        arn: str = client.start_execution(stateMachineArn=self._machine, name=unique("story"), input=json.dumps(order))[
            "executionArn"
        ]
        return arn

    def outcome(self, arn: str, *, timeout: float = 120) -> dict[str, Any]:
        """The execution when it has ended, with its failure in the words of whoever failed first."""
        client = self.solution.client("stepfunctions")

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = client.describe_execution(executionArn=arn)
            return None if found["status"] == "RUNNING" else found

        found = until(ended, timeout=timeout)
        failure = Failure.innermost(found.get("error", ""), found.get("cause", ""))
        return {"status": found["status"], "failure": failure.text, "states": self.states(arn)}

    def states(self, arn: str) -> list[str]:
        """The states that the execution has entered so far."""
        pages = self.solution.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return [e["stateEnteredEventDetails"]["name"] for e in events if e["type"].endswith("StateEntered")]

    def ranges(self, arn: str) -> list[int]:
        """How many ranges each map run of the execution copied."""
        client = self.solution.client("stepfunctions")
        runs = [run["mapRunArn"] for run in client.list_map_runs(executionArn=arn)["mapRuns"]]
        return [client.describe_map_run(mapRunArn=run)["itemCounts"]["succeeded"] for run in runs]

    def largest_event(self, arn: str) -> int:
        """Bytes of the largest entry in the execution's history: no state has more at its input or output."""
        pages = self.solution.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return max(len(json.dumps(event, default=str).encode()) for page in pages for event in page["events"])

    def received(self, run: str) -> bytes:
        """The inventory in the bucket."""
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=keys.original_inventory_key(run))["Body"].read()
        return body

    def given(self, vault: str) -> bytes:
        """The output of an inventory job of the vault, as Glacier gives it; of a new one, for outputs expire."""
        glacier = self.solution.client("glacier")
        asked = {"Type": "inventory-retrieval", "Format": "CSV"}
        job = glacier.initiate_job(accountId="-", vaultName=vault, jobParameters=asked)["jobId"]
        until(lambda: glacier.describe_job(accountId="-", vaultName=vault, jobId=job)["Completed"])
        answer = glacier.get_job_output(accountId="-", vaultName=vault, jobId=job)
        body: bytes = answer["body"].read()
        return body

    @contextmanager
    def environment(self, function: EntryPoint, **variables: str) -> Iterator[None]:
        """Other values of some variables of a function, for a while."""
        client = self.solution.client("lambda")
        pages = client.get_paginator("list_functions").paginate()
        [found] = [f for page in pages for f in page["Functions"] if f["FunctionName"].startswith(f"{function.name}-")]
        before = found["Environment"]["Variables"]
        assert before.keys() >= variables.keys()
        name = found["FunctionName"]
        client.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})
        try:
            yield
        finally:
            client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@pytest.fixture(scope="module")
def desk(solution: Solution) -> Iterator[Desk]:
    """Ranges are tiny, and the inventory job ends at once."""
    made = Desk(solution)
    glue = solution.client("glue")
    [job] = [job for job in glue.get_jobs()["Jobs"] if job["Name"].startswith("InventoryJob-")]
    bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
    script = made.deployed_script = made.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    made.job = job
    made.s3.put_object(Bucket=bucket, Key=key, Body=ENDED_AT_ONCE.encode())
    try:
        with made.environment(INVENTORY_UPLOAD_START, INVENTORY_RANGE_BYTES=str(RANGE)):
            yield made
    finally:
        made.s3.put_object(Bucket=bucket, Key=key, Body=script)


@pytest.fixture(autouse=True)
def _well_again(desk: Desk) -> Iterator[None]:
    yield
    desk.mock("DELETE", "faults")


def test_an_inventory_of_awkward_descriptions_arrives_byte_by_byte(desk: Desk) -> None:
    run, vault = unique("bytes"), desk.vault(sample="awkward")
    assert desk.outcome(desk.start(run, vault))["status"] == "SUCCEEDED"
    assert desk.received(run) == desk.given(vault)
    assert len(desk.received(run)) > 10 * RANGE


def test_an_inventory_of_hundreds_of_ranges_arrives_byte_by_byte(desk: Desk) -> None:
    # by hand, 3,277 ranges of 100 bytes took 28 s; the limits of ten thousand are held by unit tests
    run, vault = unique("ranges"), desk.vault(virtual={"seed": "ranges", "archive_count": 3000, "sizes": [1, 2, 3]})
    # each range takes as long as it does in AWS, while the hours of the output's window would be seconds here
    desk.fault("output-stays", vault)
    arn = desk.start(run, vault)
    assert desk.outcome(arn, timeout=400)["status"] == "SUCCEEDED"
    body = desk.received(run)
    assert body == desk.given(vault)
    assert body.count(b"\n") == 3001
    assert len(body) > 600 * RANGE
    assert desk.ranges(arn) == [-(-len(body) // RANGE)], "each was copied once, all in one map"
    assert desk.largest_event(arn) < STATE_BYTES


def test_the_inventory_of_an_empty_vault_is_its_header(desk: Desk) -> None:
    run, vault = unique("empty"), desk.vault()
    assert desk.outcome(desk.start(run, vault))["status"] == "SUCCEEDED"
    assert desk.received(run).decode().strip() == ",".join(keys.INVENTORY_COLUMNS)


def test_what_passes_is_waited_out_and_nothing_is_missing(desk: Desk) -> None:
    run, vault = unique("trouble"), desk.vault(sample="awkward")
    throttling = {"status": 400, "code": "ThrottlingException", "message": "Rate exceeded", "times": 1}
    desk.fault("error", vault, operation="InitiateJob", **throttling)
    desk.fault("error", vault, operation="GetJobOutput", **throttling)
    desk.fault("error", vault, operation="GetJobOutput", times=3)
    desk.fault("read-cut-short", vault, times=3)
    desk.fault("notification-duplicate", vault)
    outcome = desk.outcome(desk.start(run, vault))
    assert outcome["status"] == "SUCCEEDED", outcome
    assert desk.received(run) == desk.given(vault)
    assert outcome["states"].count("CountJob") == 1
    left = [fault for fault in desk.mock("GET", "faults")["faults"] if fault["kind"] != "notification-duplicate"]
    assert [fault["times"] for fault in left] == [0, 0, 0, 0], "every fault struck as often as it could"


def test_a_notification_that_never_comes_is_made_up_for_by_looking(desk: Desk) -> None:
    run, vault = unique("silent"), desk.vault(sample="awkward")
    desk.fault("notification-missing", vault)
    outcome = desk.outcome(desk.start(run, vault))
    assert outcome["status"] == "SUCCEEDED", outcome
    assert "LookAtInventoryJob" in outcome["states"]
    assert desk.received(run) == desk.given(vault)


def test_a_job_that_fails_ends_the_run_with_glaciers_reason(desk: Desk) -> None:
    run, vault = unique("failed"), desk.vault(sample="awkward")
    desk.fault("job-fails", vault, message="The vault is too well hidden")
    outcome = desk.outcome(desk.start(run, vault))
    assert outcome["status"] == "FAILED"
    assert outcome["failure"].endswith(f" of vault {vault} failed, says Glacier: The vault is too well hidden")


def test_a_vault_that_is_not_there_ends_the_run_with_glaciers_reason(desk: Desk) -> None:
    outcome = desk.outcome(desk.start(unique("nowhere"), "no-such-vault"))
    assert outcome["status"] == "FAILED"
    assert outcome["failure"].startswith("JobRefused: ")
    assert "no-such-vault" in outcome["failure"]


def test_a_job_that_expires_in_the_middle_of_the_download_is_asked_for_again(desk: Desk) -> None:
    run, vault = unique("expired"), desk.vault(sample="awkward")
    gone = {"status": 404, "code": "ResourceNotFoundException", "message": "The job ID was not found"}
    desk.fault("error", vault, operation="GetJobOutput", after=4, **gone)
    arn = desk.start(run, vault)
    until(lambda: desk.states(arn).count("RequestInventoryJob") == 2, timeout=60)
    desk.mock("DELETE", "faults")
    outcome = desk.outcome(arn)
    assert outcome["status"] == "SUCCEEDED", outcome
    assert outcome["states"].count("StartUpload") == 2
    assert desk.received(run) == desk.given(vault)
    assert desk.s3.list_multipart_uploads(Bucket=desk.bucket, Prefix=f"{run}/").get("Uploads", []) == []


def test_a_range_that_is_refused_ends_the_run_with_the_reason(desk: Desk) -> None:
    run, vault = unique("refused"), desk.vault(sample="awkward")
    denied = {"status": 403, "code": "AccessDeniedException", "message": "not authorized to perform this"}
    desk.fault("error", vault, operation="GetJobOutput", after=4, **denied)
    outcome = desk.outcome(desk.start(run, vault))
    assert outcome["status"] == "FAILED"
    assert "AccessDeniedException" in outcome["failure"]
    assert "not authorized to perform this" in outcome["failure"]


# --- statistics -----------------------------------------------------------------------------------------------------

IDENTIFYING: list[Callable[[Desk, str, str], str]] = [
    lambda _, run, __: run,
    lambda _, __, vault: vault,
    lambda desk, _, __: desk.bucket,
    lambda *_: "000000000000",
]


def test_the_deployed_inventory_job_is_the_script_and_the_libraries_of_this_source(desk: Desk) -> None:
    source = Path(solution.glue.__file__).parents[2]
    assert desk.deployed_script == (source / "solution/glue/main.py").read_bytes()
    bucket, _, key = desk.job["DefaultArguments"]["--extra-py-files"].removeprefix("s3://").partition("/")
    with zipfile.ZipFile(io.BytesIO(desk.s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as libraries:
        shipped = {name: libraries.read(name) for name in libraries.namelist()}
    written = {str(path.relative_to(source)) for path in source.glob("solution/glue/*.py")}
    assert {name for name in shipped if name.startswith("solution/glue/")} == written
    assert all(text == (source / name).read_bytes() for name, text in shipped.items())


def test_statistics_are_off_unless_they_are_turned_on(desk: Desk) -> None:
    with (
        receiver() as (endpoint, received),
        desk.environment(SEND_ANONYMIZED_STATS, ANONYMIZED_STATS_ENDPOINT=endpoint),
    ):
        assert desk.outcome(desk.start(unique("off"), desk.vault()))["status"] == "SUCCEEDED"
        assert received == []


def test_statistics_that_are_turned_on_name_nobody(desk: Desk) -> None:
    run, vault = unique("run-of-somebody"), desk.vault(virtual={"seed": "s", "archive_count": 3, "sizes": [5]})
    counters = {"pk": {"S": run}, "total_count": {"N": "3"}, "total_bytes": {"N": "15"}}
    desk.solution.client("dynamodb").put_item(TableName=desk.solution.target.output("MetricTableName"), Item=counters)
    with (
        receiver() as (endpoint, received),
        desk.environment(SEND_ANONYMIZED_STATS, SEND_ANONYMIZED_STATS="true", ANONYMIZED_STATS_ENDPOINT=endpoint),
    ):
        begun = time.monotonic()
        assert desk.outcome(desk.start(run, vault))["status"] == "SUCCEEDED"
        took = time.monotonic() - begun
    [sent] = received
    statistics = json.loads(sent.body)
    assert statistics.keys() == {
        *("id", "version", "region", "archives", "bytes", "tier", "storage_class", "duration_seconds")
    }
    assert (statistics["archives"], statistics["bytes"], statistics["tier"]) == (3, 15, "Bulk")
    # a whole number of seconds, of which the sorting takes some
    assert 1 <= statistics["duration_seconds"] <= took + 1
    everything = f"{sent.path} {sent.headers} {sent.body.decode()}"
    for secret in IDENTIFYING:
        assert secret(desk, run, vault) not in everything


@pytest.mark.parametrize("unwell", [{"silent": True}, {"status": 500}], ids=["silent", "failing"])
def test_an_endpoint_that_is_not_well_is_asked_once_and_does_not_hurt_the_run(
    desk: Desk, unwell: dict[str, Any]
) -> None:
    with (
        receiver(**unwell) as (endpoint, received),
        desk.environment(SEND_ANONYMIZED_STATS, SEND_ANONYMIZED_STATS="true", ANONYMIZED_STATS_ENDPOINT=endpoint),
    ):
        outcome = desk.outcome(desk.start(unique("unwell"), desk.vault()))
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["states"][-1] == "InventoryReady"
    assert len(received) == 1


def test_an_endpoint_where_nobody_listens_does_not_hurt_the_run(desk: Desk) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/statistics"
    with desk.environment(SEND_ANONYMIZED_STATS, SEND_ANONYMIZED_STATS="true", ANONYMIZED_STATS_ENDPOINT=endpoint):
        outcome = desk.outcome(desk.start(unique("nobody"), desk.vault()))
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["states"][-1] == "InventoryReady"
