"""What became of a run, compared with the truth: objects, records, counters, manifest, list of failures, summary."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping
from typing import Any

from solution.cli.runs import Count, RunState, read_run, read_text
from solution.contract import object_keys, tables
from solution.contract.tables import ArchiveItem
from solution.domain.status import ArchiveStatus, Metric, milestones
from solution.domain.tree_hash import tree_hash
from tests.local.deployed import Solution
from tests.local.support import until


def when_ended(solution: Solution, run: str, execution_arn: str, *, timeout: float = 480) -> RunState:
    """The run, when its attempt has ended."""

    def look() -> RunState:
        return read_run(solution.target, run, execution_arn=execution_arn)

    def ended() -> RunState | None:
        state = look()
        return state if state.ended else None

    def seen() -> object:
        return look().as_json(), states(solution, run), under_way(solution)

    return until(ended, timeout=timeout, every=0.5, seen=seen)


def under_way(solution: Solution) -> dict[str, list[str]]:
    """The latest events of every execution that is running, by its name."""
    client = solution.client("stepfunctions")
    found = {}
    for machine in client.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        for execution in client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            events = client.get_execution_history(executionArn=execution["executionArn"], reverseOrder=True)["events"]
            found[f"{machine['name']} {execution['name']}"] = [
                f"{event['type']} {event.get('stateEnteredEventDetails', {}).get('name', '')}" for event in events[:4]
            ]
    return found


def states(solution: Solution, run: str) -> dict[str, str]:
    """States of the run's archives, by name; those that are known."""
    return {str(one[ArchiveItem.FILE_NAME]): str(one[ArchiveItem.STATUS]) for one in archives(solution, run).values()}


def archives(solution: Solution, run: str) -> dict[str, dict[str, Any]]:
    """Records of the run's archives, by archive id."""
    return {
        archive_id: next(item for item in items if item[tables.SK] == tables.META)
        for archive_id, items in solution.records(run).items()
    }


def assert_true(
    solution: Solution,
    run: str,
    contents: Mapping[str, bytes],
    *,
    failed: Collection[str] = (),
    stopped: Collection[str] = (),
    outcome: tables.RunStatus | None = None,
) -> None:
    """Everything that the run left is as it must be, when all archives but these were copied.

    ``outcome`` is what a run says that has copied all it can, unless given.
    """
    sizes = {name: len(body) for name, body in contents.items()}
    copied = {name: body for name, body in contents.items() if name not in {*failed, *stopped}}
    assert stored(solution, run) == copied

    records = archives(solution, run)
    by_name = {str(record[ArchiveItem.FILE_NAME]): record for record in records.values()}
    assert len(records) == len(by_name)
    expected = dict.fromkeys(contents, ArchiveStatus.DOWNLOADED.value)
    expected |= dict.fromkeys(failed, ArchiveStatus.FAILED.value)
    expected |= dict.fromkeys(stopped, ArchiveStatus.STOPPED.value)
    assert {name: record[ArchiveItem.STATUS] for name, record in by_name.items()} == expected
    assert {name: record[ArchiveItem.TREE_HASH] for name, record in by_name.items()} == {
        name: tree_hash(body) for name, body in contents.items()
    }

    truth = dict.fromkeys(Metric, Count(archives=0, bytes=0))
    truth[Metric.TOTAL] = Count(archives=len(contents), bytes=sum(sizes.values()))
    for name, status in expected.items():
        for metric in milestones(ArchiveStatus(status)):
            before = truth[metric]
            truth[metric] = Count(archives=before.archives + 1, bytes=before.bytes + sizes[name])
    assert dict(read_run(solution.target, run).counts) == truth

    assert {row["ArchiveId"]: row["Status"] for row in manifest(solution, run)} == {
        archive_id: record[ArchiveItem.STATUS] for archive_id, record in records.items()
    }
    failures = rows(solution, object_keys.failed_archives_key(run))
    assert {row["Key"]: row["Bytes"] for row in failures} == {
        object_keys.destination_key(run, name): str(sizes[name]) for name in {*failed, *stopped}
    }
    assert all(row["Reason"] for row in failures)
    summary = json.loads(read_text(solution.target, object_keys.summary_json_key(run)) or "{}")
    assert summary["differences"] == []
    completed = tables.RunStatus.COMPLETED_WITH_FAILURES if failed else tables.RunStatus.COMPLETED
    assert summary["outcome"] == (outcome or completed)
    assert_tidy(solution, run)


def assert_tidy(solution: Solution, run: str) -> None:
    """No upload of the run is open and no rule ticks for it."""
    uploads = solution.client("s3").list_multipart_uploads(
        Bucket=solution.target.output("DestinationBucketName"), Prefix=object_keys.destination_key(run, "")
    )
    assert uploads.get("Uploads", []) == []
    events = solution.client("events")
    names = [rule["Name"] for rule in events.list_rules()["Rules"]]
    assert run not in [target["Id"] for name in names for target in events.list_targets_by_rule(Rule=name)["Targets"]]


def stored(solution: Solution, run: str) -> dict[str, bytes]:
    """Objects of the run, by name."""
    s3, bucket = solution.client("s3"), solution.target.output("DestinationBucketName")
    prefix = object_keys.destination_key(run, "")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def manifest(solution: Solution, run: str) -> list[dict[str, str]]:
    """Rows of the manifest of the run's latest attempt."""
    execution = solution.client("dynamodb").get_item(
        TableName=solution.target.output("GlacierRetrievalTableName"),
        Key={tables.PK: {"S": run}, tables.SK: {"S": tables.META}},
        ConsistentRead=True,
    )["Item"][tables.Run.EXECUTION_NAME]["S"]
    pages = (
        solution.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(
            Bucket=solution.target.output("InventoryBucketName"),
            Prefix=f"{object_keys.manifest_prefix(run)}{execution}/",
        )
    )
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [row for key in keys for row in rows(solution, key)]


def rows(solution: Solution, key: str) -> list[dict[str, str]]:
    """Rows of a CSV file of the inventory bucket, which must be there."""
    text = read_text(solution.target, key)
    assert text is not None, key
    return list(csv.DictReader(io.StringIO(text, newline="")))
