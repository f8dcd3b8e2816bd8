"""The demo's path, from uploads over the Glacier API to compared objects, and everything a run leaves behind."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header

import pytest
from typer.testing import CliRunner

from solution.cli.demo.archives import CHUNK_SIZE_MIB, MIB, choose_samples, default_folder, snapshot
from solution.cli.demo.run import RUN, STORAGE_CLASS, VAULT, Outcome, Silent, transfer
from solution.cli.demo.vault import Uploaded
from solution.cli.main import app
from solution.cli.runs import RunState, read_text
from solution.contract import object_keys, tables
from solution.domain.status import ArchiveStatus, Metric
from tests.local.deployed import Solution, deployed_solution
from tests.local.support import free_port, until

ARCHIVES = 48
CHUNK = CHUNK_SIZE_MIB * MIB


class Recorder(Silent):
    """Keeps every look at the run."""

    def __init__(self) -> None:
        self.looks: list[RunState] = []

    def moving(self, state: RunState) -> None:
        self.looks.append(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A finished transfer on a solution that is still up."""

    solution: Solution
    outcome: Outcome
    looks: list[RunState]

    def archive(self, shows: str) -> Uploaded:
        [found] = [item for item in self.outcome.uploaded if item.sample.shows == shows]
        return found

    def key(self, shows: str) -> str:
        return self.outcome.comparison.objects[self.archive(shows).archive_id].key


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solution]:
    """The solution at the speed of the demo."""
    with deployed_solution(tmp_path_factory.mktemp("demo"), free_port()) as found:
        yield found


@pytest.fixture(scope="module")
def story(demo: Solution, tmp_path_factory: pytest.TempPathFactory) -> Story:
    samples = snapshot(choose_samples(ARCHIVES, default_folder()), tmp_path_factory.mktemp("files"))
    recorder = Recorder()
    outcome = transfer(demo.target, samples, observer=recorder)
    return Story(solution=demo, outcome=outcome, looks=recorder.looks)


def chunks(item: Uploaded) -> int:
    return -(-item.sample.size // CHUNK)


@pytest.mark.holds(1)
def test_every_archive_is_in_the_bucket_byte_by_byte(story: Story) -> None:
    assert story.outcome.state.failure == ""
    assert story.outcome.comparison.problems == ()
    assert story.outcome.comparison.equal == len(story.outcome.uploaded) == ARCHIVES
    assert story.outcome.good


def test_real_files_keep_their_names(story: Story) -> None:
    files = [item for item in story.outcome.uploaded if item.sample.shows == "a file"]
    objects = story.outcome.comparison.objects
    assert files
    assert {objects[item.archive_id].key for item in files} == {f"{RUN}/{item.sample.description}" for item in files}


def test_names_that_backup_tools_hide_in_descriptions_come_out(story: Story) -> None:
    assert story.key("FastGlacier, unicode") == f"{RUN}/Fotos/Käse & Brötchen ☕.jpg"
    assert story.key("mt-aws-glacier, unicode") == f"{RUN}/архив/данные 2012.tar"
    assert story.key("JSON, escaped unicode") == f"{RUN}/写真/東京 2012.raw"


def test_two_archives_of_one_name_get_two_keys(story: Story) -> None:
    keys = {story.key("one name, first"), story.key("one name, second")}
    assert len(keys) == 2
    assert all(key.startswith(f"{RUN}/letters/from home") for key in keys)


def test_no_key_climbs_out_of_the_run(story: Story) -> None:
    keys = [copy.key for copy in story.outcome.comparison.objects.values()]
    assert all(key.startswith(f"{RUN}/") and ".." not in key.split("/") for key in keys)


def test_each_object_says_which_archive_it_is(story: Story) -> None:
    s3 = story.solution.client("s3")
    bucket = story.solution.target.output("DestinationBucketName")
    for item in story.outcome.uploaded:
        copy = story.outcome.comparison.objects[item.archive_id]
        metadata = s3.head_object(Bucket=bucket, Key=copy.key)["Metadata"]
        assert metadata[object_keys.METADATA_TREE_HASH] == item.tree_hash
        assert metadata[object_keys.METADATA_CREATION_DATE].endswith("Z")
        description = str(make_header(decode_header(metadata.get(object_keys.METADATA_DESCRIPTION, ""))))
        assert description.strip() == item.sample.description.strip()
        assert copy.storage_class == STORAGE_CLASS


def test_each_archive_is_recorded_as_downloaded(story: Story) -> None:
    records = story.solution.records(RUN)
    for item in story.outcome.uploaded:
        [record] = [found for found in records[item.archive_id] if found[tables.SK] == tables.META]
        key = story.outcome.comparison.objects[item.archive_id].key
        assert record[tables.ArchiveItem.STATUS] == ArchiveStatus.DOWNLOADED
        assert record[tables.ArchiveItem.TREE_HASH] == item.tree_hash
        assert int(record[tables.ArchiveItem.SIZE]) == item.sample.size
        assert int(record[tables.ArchiveItem.CHUNK_COUNT]) == chunks(item)
        assert object_keys.destination_key(RUN, record[tables.ArchiveItem.FILE_NAME]) == key
    assert len(records) == ARCHIVES


def test_only_archives_of_several_chunks_have_parts(story: Story) -> None:
    records = story.solution.records(RUN)
    parts = {
        archive: sum(str(item[tables.SK]).startswith(tables.PART_PREFIX) for item in items)
        for archive, items in records.items()
    }
    expected = {item.archive_id: chunks(item) if chunks(item) > 1 else 0 for item in story.outcome.uploaded}
    assert parts == expected
    assert max(parts.values()) > 5


@pytest.mark.holds(6)
def test_counters_equal_the_truth(story: Story) -> None:
    size = sum(item.sample.size for item in story.outcome.uploaded)
    counts = story.outcome.state.counts
    for metric in (Metric.TOTAL, Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED):
        assert (counts[metric].archives, counts[metric].bytes) == (ARCHIVES, size), metric
    for metric in (Metric.SKIPPED, Metric.REJECTED, Metric.FAILED):
        assert counts[metric].archives == 0, metric


def test_nothing_was_counted_as_downloaded_before_it_was_staged(story: Story) -> None:
    for look in story.looks:
        counts = look.counts
        assert counts[Metric.REQUESTED].archives >= counts[Metric.STAGED].archives >= counts[Metric.DOWNLOADED].archives


def test_the_last_counters_are_metrics_of_the_run(story: Story) -> None:
    cloudwatch = story.solution.client("cloudwatch")
    found = cloudwatch.list_metrics(Namespace="GlacierTransfer", Dimensions=[{"Name": "WorkflowRun", "Value": RUN}])[
        "Metrics"
    ]
    names = {metric["MetricName"] for metric in found}
    assert {name for name in names if "ownloaded" in name}, names
    assert len(names) >= 2 * len((Metric.TOTAL, Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED))


def test_the_run_is_recorded_as_completed(story: Story) -> None:
    record = story.solution.client("dynamodb").get_item(
        TableName=story.solution.target.output("GlacierRetrievalTableName"),
        Key={tables.PK: {"S": RUN}, tables.SK: {"S": tables.META}},
    )["Item"]
    assert record[tables.Run.STATUS]["S"] == tables.RunStatus.COMPLETED
    assert record[tables.Run.VAULT_NAME]["S"] == VAULT
    assert record[tables.Run.ENDED_AT]["S"] > record[tables.Run.STARTED_AT]["S"]


def test_no_message_is_left_in_any_queue(story: Story) -> None:
    sqs = story.solution.client("sqs")
    urls = [url for page in sqs.get_paginator("list_queues").paginate() for url in page.get("QueueUrls", [])]
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )

    def left() -> dict[str, int]:
        counts = {}
        for url in urls:
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
            counts[url.rpartition("/")[2]] = sum(int(attributes[name]) for name in names)
        return {name: count for name, count in counts.items() if count}

    assert any("Dlq" in url for url in urls), urls
    # a message whose archive was copied by its twin meanwhile is still on its way to being dropped
    until(lambda: not left(), timeout=180)
    assert left() == {}


def test_no_rule_fires_for_the_run_any_more(story: Story) -> None:
    events = story.solution.client("events")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"]]
    targets = [target["Id"] for rule in rules for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
    assert len(rules) >= 3
    assert RUN not in targets


def test_no_multipart_upload_is_left_open(story: Story) -> None:
    s3 = story.solution.client("s3")
    for output in ("DestinationBucketName", "InventoryBucketName"):
        bucket = story.solution.target.output(output)
        assert s3.list_multipart_uploads(Bucket=bucket, Prefix=f"{RUN}/").get("Uploads", []) == [], bucket


def test_the_report_lists_every_archive_and_no_failure(story: Story) -> None:
    target = story.solution.target
    failures = read_text(target, object_keys.failed_archives_key(RUN))
    summary = read_text(target, object_keys.summary_json_key(RUN))
    pages = target.s3.get_paginator("list_objects_v2").paginate(
        Bucket=target.output("InventoryBucketName"), Prefix=object_keys.manifest_prefix(RUN)
    )
    manifest = [
        row
        for page in pages
        for entry in page.get("Contents", [])
        for row in csv.DictReader(io.StringIO(read_text(target, entry["Key"]) or ""))
    ]
    assert failures is not None
    assert list(csv.reader(io.StringIO(failures))) == [list(object_keys.FAILED_COLUMNS)]
    assert summary is not None
    assert json.loads(summary)
    assert {row["ArchiveId"] for row in manifest} == {item.archive_id for item in story.outcome.uploaded}
    assert {row["Status"] for row in manifest} == {ArchiveStatus.DOWNLOADED}


@pytest.mark.holds(5)
def test_the_source_vault_is_unchanged(story: Story) -> None:
    glacier = story.solution.client("glacier")
    vault = glacier.describe_vault(accountId="-", vaultName=VAULT)
    assert vault["NumberOfArchives"] == ARCHIVES
    assert vault["SizeInBytes"] == sum(item.sample.size for item in story.outcome.uploaded)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["status", RUN], "COMPLETED"),
        (["watch", RUN], "COMPLETED"),
        (["verify", RUN, "--deep"], f"{ARCHIVES} of {ARCHIVES} archives are in the bucket"),
        (["report", RUN], str(ARCHIVES)),
    ],
)
def test_the_commands_tell_of_the_finished_run(story: Story, command: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, [*command, "--state-dir", str(story.solution.state_dir)])
    assert answer.exit_code == 0, answer.output
    assert said in answer.stdout


def test_a_second_launch_under_the_same_id_is_refused_with_the_reason(story: Story) -> None:
    answer = CliRunner().invoke(
        app, ["launch", VAULT, "--run", RUN, "--state-dir", str(story.solution.state_dir), "--json"]
    )
    assert answer.exception is not None
    assert RUN in str(answer.exception)
    assert "WorkflowRun" in str(answer.exception)
