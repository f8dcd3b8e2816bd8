"""The mock Glacier over real HTTP, as unchanged AWS clients see it: boto3's client and resource, and the AWS CLI."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ResponseStreamingError

from solution.domain.tree_hash import MIB
from solution.mocking.glacier import Fault, FaultKind, GlacierSettings, RecordingNotifier
from solution.mocking.glacier.asgi import RunningGlacier, serve
from solution.mocking.vaults import samples
from solution.mocking.vaults.virtual import Pattern, VirtualContent, VirtualVault
from tests.independent import botocore_tree_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_glacier import GlacierClient, GlacierServiceResource

REGION = "us-east-1"
AWS = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
TOPIC = "arn:aws:sns:us-east-1:000000000000:jobs"
CONTENT = random.Random(11).randbytes(5 * MIB + 17)
PATIENCE = 30.0


@pytest.fixture(scope="module")
def notifier() -> RecordingNotifier:
    return RecordingNotifier()


@pytest.fixture(scope="module")
def glacier(tmp_path_factory: pytest.TempPathFactory, notifier: RecordingNotifier) -> Iterator[RunningGlacier]:
    """A mock whose hours are a tenth of a second."""
    settings = GlacierSettings(time_factor=36_000, window=24 * 3600 * 100)
    with serve(tmp_path_factory.mktemp("glacier"), settings=settings, notifier=notifier) as running:
        yield running


@pytest.fixture
def client(glacier: RunningGlacier) -> Iterator[GlacierClient]:
    """A client that does not retry, so that what it sees is what was answered."""
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)
    yield AWS.client("glacier", endpoint_url=glacier.url, config=config)
    glacier.service.faults.clear()


@pytest.fixture
def vault(client: GlacierClient, request: pytest.FixtureRequest) -> str:
    name = "".join(char if char.isalnum() else "-" for char in request.node.name)
    client.create_vault(vaultName=name)
    return name


def eventually(what: Callable[[], bool]) -> None:
    """Wait for something the mock does in its own time."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def completed(client: GlacierClient, vault: str, **parameters: Any) -> str:
    """Initiate a job and wait for its end; returns its id."""
    job = client.initiate_job(vaultName=vault, jobParameters=parameters)["jobId"]  # type: ignore[arg-type]
    eventually(lambda: client.describe_job(vaultName=vault, jobId=job)["Completed"])
    return job


def upload(client: GlacierClient, vault: str, content: bytes, description: str = "") -> str:
    answer = client.upload_archive(vaultName=vault, archiveDescription=description, body=content)
    assert answer["checksum"] == botocore_tree_hash(content)
    return answer["archiveId"]


def test_the_client_moves_an_archive_in_and_out(client: GlacierClient, vault: str, notifier: RecordingNotifier) -> None:
    archive = upload(client, vault, CONTENT, "a file.bin")
    parameters = {"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Bulk", "SNSTopic": TOPIC}
    job = completed(client, vault, **parameters, Description="run-1")
    whole = client.get_job_output(vaultName=vault, jobId=job)
    assert whole["body"].read() == CONTENT
    assert (whole["status"], whole["checksum"]) == (200, botocore_tree_hash(CONTENT))
    assert whole["archiveDescription"] == "a file.bin"
    for start, stop in ((0, 4 * MIB), (4 * MIB, len(CONTENT))):
        part = client.get_job_output(vaultName=vault, jobId=job, range=f"bytes={start}-{stop - 1}")
        data = part["body"].read()
        assert data == CONTENT[start:stop]
        assert part["status"] == 206
        assert part["contentRange"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
        assert part["checksum"] == botocore_tree_hash(data)
    odd = client.get_job_output(vaultName=vault, jobId=job, range="bytes=1-1048576")
    assert odd["body"].read() == CONTENT[1 : MIB + 1]
    assert "checksum" not in odd
    eventually(lambda: job in {message["JobId"] for _, message in notifier.published})


def test_the_client_uploads_in_parts(client: GlacierClient, vault: str) -> None:
    part_size = 2 * MIB
    upload_id = client.initiate_multipart_upload(vaultName=vault, archiveDescription="parts", partSize=str(part_size))[
        "uploadId"
    ]
    for start in range(0, len(CONTENT), part_size):
        data = CONTENT[start : start + part_size]
        answer = client.upload_multipart_part(
            vaultName=vault,
            uploadId=upload_id,
            range=f"bytes {start}-{start + len(data) - 1}/*",
            body=data,
        )
        assert answer["checksum"] == botocore_tree_hash(data)
    pages = client.get_paginator("list_parts").paginate(
        accountId="-", vaultName=vault, uploadId=upload_id, PaginationConfig={"PageSize": 2}
    )
    parts = [part for page in pages for part in page["Parts"]]
    assert [part["RangeInBytes"].split("-")[0] for part in parts] == ["0", "2097152", "4194304"]
    assert parts[1]["SHA256TreeHash"] == botocore_tree_hash(CONTENT[part_size : 2 * part_size])
    listed = client.list_multipart_uploads(vaultName=vault)["UploadsList"]
    assert [item["MultipartUploadId"] for item in listed] == [upload_id]
    done = client.complete_multipart_upload(
        vaultName=vault,
        uploadId=upload_id,
        archiveSize=str(len(CONTENT)),
        checksum=botocore_tree_hash(CONTENT),
    )
    job = completed(client, vault, Type="archive-retrieval", ArchiveId=done["archiveId"])
    assert client.get_job_output(vaultName=vault, jobId=job)["body"].read() == CONTENT


def test_the_client_reads_inventories(client: GlacierClient, glacier: RunningGlacier) -> None:
    ids = samples.fill(glacier.service, "awkward")
    job = completed(client, "awkward", Type="inventory-retrieval", Format="JSON")
    answer = client.get_job_output(vaultName="awkward", jobId=job)
    assert "checksum" not in answer
    listed = json.load(answer["body"])["ArchiveList"]
    assert [item["ArchiveId"] for item in listed] == ids
    job = completed(client, "awkward", Type="inventory-retrieval", Format="CSV")
    answer = client.get_job_output(vaultName="awkward", jobId=job)
    assert answer["contentType"] == "text/csv"
    text = io.StringIO(answer["body"].read().decode(), newline="")
    rows = list(csv.DictReader(text, doublequote=False, escapechar="\\"))
    assert [row["ArchiveDescription"] for row in rows] == [item["ArchiveDescription"] for item in listed]
    assert [int(row["Size"]) for row in rows] == [item["Size"] for item in listed]


def test_lists_go_through_their_paginators(client: GlacierClient, vault: str) -> None:
    archive = upload(client, vault, b"abc")
    jobs = [
        client.initiate_job(vaultName=vault, jobParameters={"Type": "archive-retrieval", "ArchiveId": archive})
        for _ in range(120)
    ]
    pages = client.get_paginator("list_jobs").paginate(accountId="-", vaultName=vault)
    assert [job["JobId"] for page in pages for job in page["JobList"]] == [job["jobId"] for job in jobs]
    for number in range(12):
        client.create_vault(vaultName=f"page-{number:02d}")
    names = [
        item["VaultName"]
        for page in client.get_paginator("list_vaults").paginate(accountId="-")
        for item in page["VaultList"]
    ]
    assert {f"page-{number:02d}" for number in range(12)} < set(names)
    assert len(names) == len(set(names))


def test_tags_notifications_policy_and_deletion(client: GlacierClient, vault: str) -> None:
    client.add_tags_to_vault(vaultName=vault, Tags={"a": "1", "b": "2"})
    client.remove_tags_from_vault(vaultName=vault, TagKeys=["a"])
    assert client.list_tags_for_vault(vaultName=vault)["Tags"] == {"b": "2"}
    client.set_vault_notifications(
        vaultName=vault,
        vaultNotificationConfig={"SNSTopic": TOPIC, "Events": ["ArchiveRetrievalCompleted"]},
    )
    configuration = client.get_vault_notifications(vaultName=vault)["vaultNotificationConfig"]
    assert configuration == {"SNSTopic": TOPIC, "Events": ["ArchiveRetrievalCompleted"]}
    client.delete_vault_notifications(vaultName=vault)
    assert client.get_data_retrieval_policy()["Policy"] == {"Rules": [{"Strategy": "None"}]}
    client.delete_vault(vaultName=vault)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_vault(vaultName=vault)


def test_the_client_raises_glaciers_own_exceptions(client: GlacierClient, glacier: RunningGlacier, vault: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Checksum mismatch"):
        client.upload_archive(vaultName=vault, body=b"abc", checksum="0" * 64)
    with pytest.raises(client.exceptions.MissingParameterValueException):
        client.initiate_job(vaultName=vault, jobParameters={"Type": "archive-retrieval"})
    with pytest.raises(client.exceptions.LimitExceededException):
        client.add_tags_to_vault(vaultName=vault, Tags={str(number): "x" for number in range(11)})
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.describe_job(vaultName=vault, jobId="none")
    assert caught.value.response["Error"]["Message"] == "The job ID was not found: none"
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    for code, status, expected in (
        ("RequestTimeoutException", 408, client.exceptions.RequestTimeoutException),
        ("PolicyEnforcedException", 400, client.exceptions.PolicyEnforcedException),
        ("InsufficientCapacityException", 400, client.exceptions.InsufficientCapacityException),
        ("ServiceUnavailableException", 500, client.exceptions.ServiceUnavailableException),
    ):
        glacier.service.faults.add(Fault(kind=FaultKind.ERROR, code=code, status=status, times=1))
        with pytest.raises(expected) as injected:
            client.describe_vault(vaultName=vault)
        assert injected.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_throttled_client_that_retries_gets_through(glacier: RunningGlacier, client: GlacierClient) -> None:
    patient = AWS.client(
        "glacier", endpoint_url=glacier.url, config=Config(retries={"mode": "standard", "total_max_attempts": 10})
    )
    glacier.service.faults.throttle(2)
    for _ in range(4):
        patient.list_vaults()
    glacier.service.faults.throttle(0)
    with pytest.raises(ClientError) as caught:
        client.list_vaults()
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}


def test_reads_that_go_wrong_are_seen_to_go_wrong(client: GlacierClient, glacier: RunningGlacier, vault: str) -> None:
    archive = upload(client, vault, CONTENT)
    job = completed(client, vault, Type="archive-retrieval", ArchiveId=archive)
    glacier.service.faults.add(
        Fault(kind=FaultKind.READ_CUT_SHORT, times=1), Fault(kind=FaultKind.RANGE_CORRUPT, after=1, times=1)
    )
    with pytest.raises((ResponseStreamingError, BotoCoreError)):
        client.get_job_output(vaultName=vault, jobId=job)["body"].read()
    corrupt = client.get_job_output(vaultName=vault, jobId=job)
    assert botocore_tree_hash(corrupt["body"].read()) != corrupt["checksum"] == botocore_tree_hash(CONTENT)
    assert client.get_job_output(vaultName=vault, jobId=job)["body"].read() == CONTENT


def test_many_clients_at_once_and_each_gets_its_own_bytes(client: GlacierClient, vault: str) -> None:
    contents = [bytes([number]) * (MIB + number) for number in range(16)]

    def there_and_back(content: bytes) -> bool:
        archive = upload(client, vault, content)
        job = completed(client, vault, Type="archive-retrieval", ArchiveId=archive)
        return client.get_job_output(vaultName=vault, jobId=job)["body"].read() == content

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, contents))


def test_a_reader_that_leaves_early_does_not_hold_the_mock(
    client: GlacierClient, glacier: RunningGlacier, vault: str
) -> None:
    content = VirtualContent(seed="huge", size=40 * 10**12, pattern=Pattern.REPEATED)
    archive = glacier.service.add_archive(vault, content)
    job = completed(client, vault, Type="archive-retrieval", ArchiveId=archive)
    for _ in range(10):
        body = client.get_job_output(vaultName=vault, jobId=job)["body"]
        assert len(body.read(1000)) == 1000
        body.close()
    assert client.describe_vault(vaultName=vault)["SizeInBytes"] == 40 * 10**12


def test_a_large_output_does_not_block_others(client: GlacierClient, glacier: RunningGlacier, vault: str) -> None:
    content = VirtualContent(seed="large", size=200 * MIB, pattern=Pattern.REPEATED)
    job = completed(client, vault, Type="archive-retrieval", ArchiveId=glacier.service.add_archive(vault, content))
    body = client.get_job_output(vaultName=vault, jobId=job)["body"]
    answered = threading.Event()

    def ask() -> None:
        client.list_vaults()
        answered.set()

    threading.Thread(target=ask).start()
    first = body.read(MIB)
    assert answered.wait(PATIENCE)
    rest = body.read()
    assert botocore_tree_hash(first + rest) == content.tree_hash()


def test_faults_and_vaults_are_set_from_another_process(glacier: RunningGlacier, client: GlacierClient) -> None:
    connection = http.client.HTTPConnection(glacier.url.removeprefix("http://"))

    def admin(method: str, path: str, document: object = None) -> Any:
        connection.request(method, f"/_mock/{path}", None if document is None else json.dumps(document))
        answer = connection.getresponse()
        return json.loads(answer.read())

    admin("PUT", "vaults/remote", {"virtual": VirtualVault(seed="r", archive_count=7).to_json()})
    assert client.describe_vault(vaultName="remote")["NumberOfArchives"] == 7
    admin("PUT", "faults", {"faults": [{"kind": "error", "operation": "DescribeVault", "times": 1}]})
    with pytest.raises(client.exceptions.ServiceUnavailableException):
        client.describe_vault(vaultName="remote")
    assert client.describe_vault(vaultName="remote")["NumberOfArchives"] == 7
    assert admin("GET", "statistics")["errors"]["ServiceUnavailableException"] >= 1
    connection.close()


def test_the_resource_interface_works(glacier: RunningGlacier, client: GlacierClient) -> None:
    resource: GlacierServiceResource = AWS.resource("glacier", endpoint_url=glacier.url, region_name=REGION)
    vault = resource.create_vault(vaultName="resource")
    archive = vault.upload_archive(archiveDescription="by resource", body=CONTENT)
    job = archive.initiate_archive_retrieval()
    eventually(lambda: client.describe_job(vaultName="resource", jobId=job.id)["Completed"])
    output = job.get_output()
    assert output["body"].read() == CONTENT
    assert output["checksum"] == botocore_tree_hash(CONTENT)
    inventory = vault.initiate_inventory_retrieval()
    eventually(lambda: client.describe_job(vaultName="resource", jobId=inventory.id)["Completed"])
    [item] = json.load(inventory.get_output()["body"])["ArchiveList"]
    assert (item["ArchiveId"], item["ArchiveDescription"]) == (archive.id, "by resource")
    assert {found.id for found in vault.succeeded_jobs.all()} == {job.id, inventory.id}
    parts = vault.initiate_multipart_upload(archiveDescription="parts", partSize=str(MIB))
    parts.upload_part(range="bytes 0-2/*", body=b"abc")
    parts.complete(archiveSize="3", checksum=botocore_tree_hash(b"abc"))
    vault.reload()
    assert vault.number_of_archives == 2
    archive.delete()
    assert "resource" in {found.name for found in resource.vaults.all()}


class Cli:
    """The AWS CLI of this virtual environment."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home

    def __call__(self, command: str, *arguments: str) -> Any:
        answer = subprocess.run(  # noqa: S603  # our own arguments
            [
                str(Path(sys.executable).with_name("aws")),
                *("--endpoint-url", self.url, "--output", "json", "glacier", command),
                *("--account-id", "-", *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": REGION,
            },
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout) if answer.stdout.strip() else None


def test_the_aws_cli_works(glacier: RunningGlacier, client: GlacierClient, tmp_path: Path) -> None:
    aws = Cli(glacier.url, tmp_path)
    (tmp_path / "body.bin").write_bytes(CONTENT)
    name = ("--vault-name", "by-cli")
    aws("create-vault", *name)
    archive = aws("upload-archive", *name, "--archive-description", "cli", "--body", "body.bin")
    assert archive["checksum"] == botocore_tree_hash(CONTENT)
    upload_id = aws("initiate-multipart-upload", *name, "--part-size", str(8 * MIB))["uploadId"]
    whole = f"bytes 0-{len(CONTENT) - 1}/*"
    aws("upload-multipart-part", *name, "--upload-id", upload_id, "--range", whole, "--body", "body.bin")
    size_and_hash = ("--archive-size", str(len(CONTENT)), "--checksum", botocore_tree_hash(CONTENT))
    second = aws("complete-multipart-upload", *name, "--upload-id", upload_id, *size_and_hash)
    parameters = {"Type": "archive-retrieval", "ArchiveId": second["archiveId"], "Tier": "Expedited"}
    job = aws("initiate-job", *name, "--job-parameters", json.dumps(parameters))["jobId"]
    eventually(lambda: client.describe_job(vaultName="by-cli", jobId=job)["Completed"])
    assert [item["JobId"] for item in aws("list-jobs", *name)["JobList"]] == [job]
    output = aws("get-job-output", *name, "--job-id", job, "output.bin")
    assert output["checksum"] == botocore_tree_hash((tmp_path / "output.bin").read_bytes())
    assert (tmp_path / "output.bin").read_bytes() == CONTENT
    aws("get-job-output", *name, "--job-id", job, "--range", "bytes=0-1048575", "part.bin")
    assert (tmp_path / "part.bin").read_bytes() == CONTENT[:MIB]
    assert aws("describe-vault", *name)["NumberOfArchives"] == 2


def test_a_port_in_use_is_an_error_and_nothing_is_started(glacier: RunningGlacier, tmp_path: Path) -> None:
    port = int(glacier.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"), serve(tmp_path / "second", port=port):
        pass
    assert not (tmp_path / "second").exists()


def test_it_is_served_by_hand_and_ends_when_told(tmp_path: Path) -> None:
    server = subprocess.Popen(  # noqa: S603  # our own arguments
        [
            *(sys.executable, "-m", "solution.mocking.glacier"),
            *("--data-dir", str(tmp_path / "by-hand"), "--sample", "small", "--time-factor", "36000"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        url = server.stderr.readline().split(" at ")[1].split(";")[0]
        client: GlacierClient = AWS.client("glacier", endpoint_url=url)
        assert client.describe_vault(vaultName="small")["NumberOfArchives"] == 12
    finally:
        server.terminate()
        remaining = server.communicate(timeout=PATIENCE)[1]
    assert (server.returncode, remaining) == (0, "")


def test_a_body_that_stops_early_leaves_nothing(client: GlacierClient, glacier: RunningGlacier, vault: str) -> None:
    host, port = glacier.url.removeprefix("http://").split(":")
    head = (
        f"POST /-/vaults/{vault}/archives HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n"
        "x-amz-glacier-version: 2012-06-01\r\n\r\nonly this"
    )
    before = glacier.service.statistics.to_json()["errors"].get("RequestTimeoutException", 0)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
    errors = glacier.service.statistics.to_json
    eventually(lambda: errors()["errors"].get("RequestTimeoutException", 0) == before + 1)
    assert client.describe_vault(vaultName=vault)["NumberOfArchives"] == 0
