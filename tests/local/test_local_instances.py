"""The life of an instance: start, use, stop, start again; and the ways in which it refuses to start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from solution.local import Instance, LocalAwsError, State, up
from tests.local.support import LocalAws, free_port, unique, until, zipped
from tests.local.test_local_deploy import assembly
from tests.local.test_local_functions import WRITER, fed_by_stream, put, table_with_stream, written

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def client(instance: Instance, service: str) -> Any:
    """A client with what ``environment`` gives, and nothing else."""
    found = instance.environment()
    session: Any = boto3.session.Session()
    return session.client(
        service,
        endpoint_url=found["AWS_ENDPOINT_URL"],
        region_name=found["AWS_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )


def test_what_was_stored_is_there_after_a_stop_and_a_start(tmp_path: Path) -> None:
    instance, bucket, vault = Instance(tmp_path / "state"), unique("bucket"), unique("vault")
    instance.start(port=free_port(), time_factor=3600)
    try:
        s3 = client(instance, "s3")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=b"body", Metadata={"archive": "1"})
        client(instance, "glacier").create_vault(vaultName=vault)
        client(instance, "sqs").create_queue(QueueName=bucket)
        content = json.dumps({"schemaVersion": "0.3", "mainSteps": [{"name": "s", "action": "aws:sleep"}]})
        client(instance, "ssm").create_document(Name=bucket, Content=content, DocumentType="Automation")
        assert instance.stop()
        assert instance.status().state is State.STOPPED
        with pytest.raises(LocalAwsError, match="No local AWS runs"):
            instance.environment()
        instance.start(port=free_port(), time_factor=3600)
        found = client(instance, "s3").get_object(Bucket=bucket, Key="k")
        assert (found["Body"].read(), found["Metadata"]) == (b"body", {"archive": "1"})
        assert client(instance, "glacier").describe_vault(vaultName=vault)["VaultName"] == vault
        assert client(instance, "sqs").get_queue_url(QueueName=bucket)["QueueUrl"]
        assert client(instance, "ssm").get_document(Name=bucket)["Content"] == content
    finally:
        instance.stop()


def test_changes_of_a_table_before_and_after_a_stop_reach_the_function_each_once(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "state")
    aws = running(instance)
    try:
        results = table_with_stream(aws, stream=False)
        table = fed_by_stream(aws, WRITER.replace("FAIL", "raise ValueError(key)"), results)
        put(aws, table, "first", "second")
        until(lambda: written(aws, results) == {"first", "second"})
        # no function sees this one, nor what comes behind it, before the stop
        put(aws, table, "bad", "third")
        instance.stop()
        aws = running(instance)
        put(aws, table, "fourth")
        aws.client("dynamodb").delete_item(TableName=results, Key={"pk": {"S": "first"}})
        [mapping] = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        aws.client("lambda").update_function_code(
            FunctionName=mapping["FunctionArn"],
            ZipFile=zipped({"index.py": WRITER.replace("RESULTS", results).replace("FAIL", "pass")}),
        )
        until(lambda: written(aws, results) == {"second", "bad", "third", "fourth"})
    finally:
        instance.stop()


def running(instance: Instance) -> LocalAws:
    """The instance, started on a free port."""
    port = free_port()
    status = instance.start(port=port, time_factor=3600)
    assert status.endpoint is not None
    return LocalAws(instance=instance, endpoint=status.endpoint, port=port, state_dir=instance.folders.root)


def test_two_instances_do_not_disturb_each_other(aws: LocalAws, tmp_path: Path) -> None:
    other = Instance(tmp_path / "other")
    other.start(port=free_port(), time_factor=60)
    try:
        mine = aws.bucket()
        client(other, "s3").create_bucket(Bucket="only-there")
        assert "only-there" not in {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]}
        assert mine not in {bucket["Name"] for bucket in client(other, "s3").list_buckets()["Buckets"]}
        assert aws.instance.status().port != other.status().port
    finally:
        other.stop()
    assert aws.instance.status().state is State.RUNNING
    assert aws.client("s3").head_bucket(Bucket=mine)


def test_a_second_start_as_before_changes_nothing_and_another_is_refused(aws: LocalAws) -> None:
    before = aws.instance.status()
    assert aws.instance.start(port=aws.port, time_factor=3600) == before
    with pytest.raises(LocalAwsError, match=r"already runs .* Stop it with: glacier-transfer local down"):
        aws.instance.start(port=free_port(), time_factor=3600)
    with pytest.raises(LocalAwsError, match="already runs"):
        aws.instance.start(port=aws.port, time_factor=1)
    assert aws.instance.status() == before


def test_a_port_in_use_is_refused_and_nothing_is_half_started(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "state")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalAwsError, match=rf"Port {port} cannot be used: .* Choose another with --port"):
            instance.start(port=port)
    assert instance.status().state is State.STOPPED
    assert not (tmp_path / "state").exists()
    assert not instance.stop()


def test_a_server_that_ends_while_starting_is_told_with_its_last_words(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.folders.make()
    # Somebody else's server holds the folder, and its record is lost.
    command = [sys.executable, "-c", HOLD, str(instance.folders.server_lock)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own text
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LocalAwsError, match="Another local AWS already serves"):
            instance.start(port=free_port())
        assert not instance.folders.record.exists()
    finally:
        holder.communicate()


def test_a_record_of_a_process_that_is_gone_or_is_another_is_ignored(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.folders.make()
    record = {
        "instance_id": "gone",
        "pid": os.getpid(),
        "process_started": "long ago",
        "port": 1,
        "time_factor": 1.0,
        "region": "us-east-1",
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    for pid in (os.getpid(), 2**22):
        instance.folders.record.write_text(json.dumps({**record, "pid": pid}))
        assert instance.status().state is State.STOPPED
        assert not instance.stop(), "a process that is not ours is never signalled"
    instance.folders.record.write_text(json.dumps(record))
    instance.start(port=free_port())
    assert instance.status().state is State.RUNNING
    assert instance.stop()


def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    pid = instance.start(port=free_port()).pid
    assert pid is not None
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert instance.status().state is State.STOPPED
    instance.start(port=free_port())
    assert instance.stop()


def test_up_deploys_and_scales_durations_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    text = "${DestinationBucketParameter} ${DownloadWindowSeconds} ${PatienceSeconds} ${ChunkSizeMiB}"
    template = {
        "Parameters": {
            "DestinationBucketParameter": {"Type": "String", "Default": ""},
            "DownloadWindowSeconds": {"Type": "Number", "Default": 86400},
            "PatienceSeconds": {"Type": "Number", "Default": 60, "MinValue": 5},
            "ChunkSizeMiB": {"Type": "Number", "Default": 8},
        },
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"All": {"Value": {"Fn::Sub": text}}},
    }
    (tmp_path / "assembly").mkdir()
    source, port = assembly(tmp_path / "assembly", "solution", template), free_port()
    said: list[str] = []
    instance = Instance(tmp_path / "state")

    def deploy() -> dict[str, str]:
        return up(
            port=port,
            state_dir=tmp_path / "state",
            destination_bucket="archives-go-here",
            time_factor=3600,
            assembly=source,
            progress=said.append,
        ).outputs

    try:
        assert deploy() == {"All": "archives-go-here 24 5 8"}
        assert "Queue CREATE_COMPLETE" in said
        assert deploy() == {"All": "archives-go-here 24 5 8"}
        assert client(instance, "s3").head_bucket(Bucket="archives-go-here")
    finally:
        instance.stop()


def test_up_synthesises_the_application_unless_it_is_given_an_assembly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, str] | None] = []

    def synthesise(outdir: Path, context: Mapping[str, str] | None = None) -> Path:
        asked.append(context)
        template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Made": {"Value": "yes"}}}
        return assembly(outdir, "solution", template)

    monkeypatch.setattr(sys.modules["solution.local.up"], "synthesise", synthesise)
    try:
        made = up(port=free_port(), state_dir=tmp_path / "state", context={"output_bucket_name": "mine"})
        assert made.outputs == {"Made": "yes"}
        assert asked == [{"skip_integration_tests": "true", "output_bucket_name": "mine"}]
    finally:
        Instance(tmp_path / "state").stop()


def test_up_stops_what_it_started_when_the_deployment_fails(tmp_path: Path) -> None:
    template = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}}}
    (tmp_path / "assembly").mkdir()
    source = assembly(tmp_path / "assembly", "solution", template)
    with pytest.raises(LocalAwsError, match="first failure: Alarm"):
        up(port=free_port(), state_dir=tmp_path / "state", assembly=source)
    assert Instance(tmp_path / "state").status().state is State.STOPPED


def test_a_server_leaves_no_process_behind(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.start(port=free_port())
    status = instance.status()
    local = LocalAws(instance=instance, endpoint=str(status.endpoint), port=int(status.port or 0), state_dir=tmp_path)
    pid = local.invoke(local.function("import os\ndef handler(event, context): return os.getpid()"))
    assert instance.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_stop_does_not_wait_for_a_function_that_is_at_work(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    status = instance.start(port=free_port())
    local = LocalAws(instance=instance, endpoint=str(status.endpoint), port=int(status.port or 0), state_dir=tmp_path)
    begun = tmp_path / "begun"
    function = local.function(
        f"""
        import pathlib, time
        def handler(event, context):
            pathlib.Path({str(begun)!r}).touch()
            time.sleep(600)
        """,
        Timeout=900,
    )

    def call() -> None:
        with contextlib.suppress(BotoCoreError):
            local.invoke(function)

    calling = threading.Thread(target=call)
    calling.start()
    until(begun.exists)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGTERM)
    # Instance.stop would kill it after a while
    _, how = os.waitpid(status.pid, 0)
    calling.join()
    assert os.waitstatus_to_exitcode(how) == 0
    assert not instance.stop()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("automation/documents.json", "documents.json is not JSON"),
        ("glacier/glacier.sqlite3", "holds no vaults that can be read"),
    ],
)
def test_a_broken_state_folder_is_told_and_nothing_is_half_started(tmp_path: Path, file: str, said: str) -> None:
    instance = Instance(tmp_path)
    instance.folders.make()
    (tmp_path / file).write_text("no such thing " * 1000)
    with pytest.raises(LocalAwsError, match=rf"state folder is broken: .*{said}.* choose another --state-dir"):
        instance.start(port=free_port())
    assert not instance.folders.record.exists()
