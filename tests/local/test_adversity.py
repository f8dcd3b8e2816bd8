"""Functions are killed, notifications get lost, windows close; every archive is copied all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from solution.cli.automation import StartedRun
from solution.cli.demo.archives import CHUNK_SIZE_MIB, MIB
from solution.contract import object_keys, tables
from solution.contract.tables import ArchiveItem, PartItem
from solution.domain.archive import format_time
from solution.domain.status import ArchiveStatus
from solution.local import Instance
from solution.mocking.glacier.faults import Fault, FaultKind
from tests.local.deployed import Solution, deployed_solution
from tests.local.processes import kill_workers
from tests.local.stories import faults, jobs, launch, operations, progress
from tests.local.support import free_port, until
from tests.local.truth import archives, assert_true, rows, states, under_way, when_ended

CONTENTS = {
    **{f"file {number}.txt": f"content {number}".encode() * number for number in range(1, 13)},
    "two chunks.bin": bytes(CHUNK_SIZE_MIB * MIB) + b"and a bit",
}
FEW = {name: CONTENTS[name] for name in ("file 1.txt", "file 2.txt", "file 3.txt", "two chunks.bin")}
FACTOR = 3600
KILLING_EVERY = 3.0
"""Seconds: a message is given up after five attempts, so a chunk must be able to live between two kills."""


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solution]:
    """The solution at an hour a second."""
    parameters = {
        # Glacier takes at most 12 seconds; a run whose notifications are lost should not be looked at much later
        "BulkOverdueSeconds": "13",
        # and what is held up on purpose, or by a slow machine, has not stalled
        "StallSeconds": "900",
    }
    state_dir = tmp_path_factory.mktemp("rough")
    with deployed_solution(state_dir, free_port(), factor=FACTOR, parameters=parameters) as found:
        yield found


@pytest.mark.holds(2)
def test_with_every_notification_of_an_archive_lost_a_run_still_copies_everything(rough: Solution) -> None:
    vault = rough.fill(CONTENTS)
    described = operations(rough, "DescribeJob")
    lost = Fault(kind=FaultKind.NOTIFICATION_MISSING, vault_name=vault, action="ArchiveRetrieval")
    with faults(rough, lost):
        started = launch(rough, vault)
        state = when_ended(rough, started.run, started.execution_arn)
    assert state.failure == ""
    assert state.complete
    assert operations(rough, "DescribeJob") - described >= len(CONTENTS)
    assert_true(rough, started.run, CONTENTS)


@pytest.mark.holds(3)
def test_with_all_functions_killed_again_and_again_a_run_still_copies_everything(rough: Solution) -> None:
    vault = rough.fill(CONTENTS)
    before = deaths(rough)
    started = launch(rough, vault)
    with killing(rough, started) as killed:
        state = when_ended(rough, started.run, started.execution_arn)
    assert state.failure == ""
    assert state.complete
    assert len(killed) >= 3
    assert sum(killed) >= 20
    # those that died at work; the others were waiting for some
    assert deaths(rough) - before >= 3
    assert_true(rough, started.run, CONTENTS)


@pytest.mark.holds(2)
def test_windows_that_would_close_are_extended_and_those_that_did_are_opened_again(rough: Solution) -> None:
    with held_up(rough, "ChunksRetrievalQueue"):
        extended, closed = launch(rough, rough.fill(FEW)), launch(rough, rough.fill(FEW))
        with without_ticks(rough, "WindowExtensionRule", closed.run):
            until_staged(rough, extended.run)
            until_staged(rough, closed.run)
            first_ends = window_ends(rough, extended.run)
            last = max(first_ends + window_ends(rough, closed.run))
            until(lambda: format_time(datetime.now(UTC)) > last, timeout=60)
            assert set(jobs(rough, closed.run).values()) == {1}
            until(
                lambda: min(jobs(rough, extended.run).values()) > 1,
                timeout=60,
                every=0.5,
                seen=lambda: (jobs(rough, extended.run), states(rough, extended.run), under_way(rough)),
            )
    outcomes = [when_ended(rough, one.run, one.execution_arn) for one in (extended, closed)]
    assert [state.failure for state in outcomes] == ["", ""]
    assert min(jobs(rough, closed.run).values()) > 1
    for run in (extended.run, closed.run):
        assert_true(rough, run, FEW)


@pytest.mark.holds(3)
def test_a_part_that_was_stored_again_under_another_etag_is_found_and_completed(rough: Solution) -> None:
    """As in a bucket that encrypts with keys of KMS, where each time a part is stored it gets another ETag."""
    contents = {"two chunks.bin": CONTENTS["two chunks.bin"]}
    with held_up(rough, "ValidationQueue"):
        started = launch(rough, rough.fill(contents))
        part = until(lambda: first_part_of_two(rough, started.run), timeout=120, every=0.5)
        rough.client("dynamodb").update_item(
            TableName=rough.target.output("GlacierRetrievalTableName"),
            Key={name: {"S": part[name]} for name in (tables.PK, tables.SK)},
            UpdateExpression=f"SET {PartItem.ETAG} = :older",
            ExpressionAttributeValues={":older": {"S": f'"{"0" * 32}"'}},
        )
    when_ended(rough, started.run, started.execution_arn)
    assert rows(rough, object_keys.failed_archives_key(started.run)) == []
    assert_true(rough, started.run, contents)


def first_part_of_two(solution: Solution, run: str) -> dict[str, Any] | None:
    """When both are stored."""
    items = [item for items in solution.records(run).values() for item in items]
    parts = sorted(
        (item for item in items if str(item[tables.SK]).startswith(tables.PART_PREFIX)),
        key=lambda part: part[tables.SK],
    )
    return parts[0] if len(parts) == 2 else None


def until_staged(solution: Solution, run: str) -> None:
    def staged() -> bool:
        found = list(states(solution, run).values())
        return found == [ArchiveStatus.STAGED] * len(FEW)

    until(staged, timeout=120, every=0.5, seen=lambda: (states(solution, run), under_way(solution)))


def window_ends(solution: Solution, run: str) -> list[str]:
    return [str(record[ArchiveItem.WINDOW_END]) for record in archives(solution, run).values()]


@contextmanager
def held_up(solution: Solution, queue: str) -> Iterator[None]:
    """What is in the queue waits there."""
    client = solution.client("lambda")
    [mapping] = [
        one["UUID"]
        for page in client.get_paginator("list_event_source_mappings").paginate()
        for one in page["EventSourceMappings"]
        if f":{queue}-" in one["EventSourceArn"]
    ]
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=mapping, Enabled=True)


@contextmanager
def without_ticks(solution: Solution, rule: str, run: str) -> Iterator[None]:
    """From the moment that the run is a target of the rule, it is none for a while."""
    client = solution.client("events")
    [name] = [one["Name"] for one in client.list_rules()["Rules"] if one["Name"].startswith(rule)]

    def target() -> list[Any]:
        return [one for one in client.list_targets_by_rule(Rule=name)["Targets"] if one["Id"] == run]

    found = until(target, timeout=120, seen=lambda: under_way(solution))
    client.remove_targets(Rule=name, Ids=[run])
    try:
        yield
    finally:
        client.put_targets(Rule=name, Targets=found)


@contextmanager
def killing(solution: Solution, started: StartedRun) -> Iterator[list[int]]:
    """Kill every process of a function again and again while the run goes on; how many there were each time.

    Between two times the run has moved, so that it can come to its end on a slow machine as well: processes take long
    to start where all of them start at once.
    """
    server = Instance(solution.state_dir).status().pid
    assert server is not None
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        before = progress(solution, started)
        while not over.wait(KILLING_EVERY):
            if (now := progress(solution, started)) != before:
                killed.append(kill_workers(server))
                before = now

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def deaths(solution: Solution) -> int:
    """Invocations whose process was killed before it had answered."""
    logs = solution.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/")
        for group in page["logGroups"]
    ]
    return sum(
        "signal: killed" in event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    )
