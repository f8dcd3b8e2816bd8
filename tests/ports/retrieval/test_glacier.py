"""GlacierJobs against our Glacier over HTTP, with its faults."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from solution.application.adapters import clients
from solution.application.adapters.glacier import BotoGlacierJobs
from solution.domain.archive import Tier, parse_time
from solution.domain.chunk_plan import MIB
from solution.domain.errors import JobExpired, JobRefused, NoAnswer, ShortRead, Throttled, TransientError
from solution.domain.tree_hash import tree_hash
from solution.mocking.glacier import (
    Fault,
    FaultKind,
    GlacierService,
    GlacierSettings,
    ManualClock,
    RecordingNotifier,
)
from solution.mocking.glacier.asgi import serve
from tests.builders import RUN, VAULT, archive_id, content

TOPIC = "arn:aws:sns:us-east-1:000000000000:jobs"
DATA = content(3 * MIB + 5)
DAY = 24 * 3600


class Vault:
    """A vault with one archive, at a moment that tests set."""

    def __init__(self, service: GlacierService, clock: ManualClock, url: str) -> None:
        self.service = service
        self.clock = clock
        service.create_vault(VAULT)
        self.archive_id = service.add_archive(VAULT, DATA, description="three and a bit")
        client = boto3.client(
            "glacier",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=clients.ONCE,
        )
        self.jobs = BotoGlacierJobs(client, topic_arn=TOPIC)

    def staged(self) -> str:
        """A job that has succeeded."""
        job_id = self.jobs.request_archive(vault=VAULT, archive_id=self.archive_id, tier=Tier.BULK, run=RUN)
        self.clock.advance(13 * 3600)
        self.service.run_due()
        return job_id


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """Over HTTP."""
    clock = ManualClock()
    with serve(tmp_path, settings=GlacierSettings(), clock=clock, notifier=RecordingNotifier()) as running:
        yield Vault(running.service, clock, running.url)


def test_an_archive_is_asked_for_in_the_name_of_its_run(vault: Vault) -> None:
    job_id = vault.jobs.request_archive(vault=VAULT, archive_id=vault.archive_id, tier=Tier.BULK, run=RUN)
    state = vault.jobs.describe(vault=VAULT, job_id=job_id)
    assert (state.job_id, state.completed, state.succeeded) == (job_id, False, False)


def test_the_whole_output_streams_with_its_tree_hash(vault: Vault) -> None:
    job_id = vault.staged()
    with vault.jobs.open_output(vault=VAULT, job_id=job_id) as output:
        received = b"".join(iter(lambda: output.body.read(MIB), b""))
    assert (received, output.length, output.tree_hash) == (DATA, len(DATA), tree_hash(DATA))


def test_an_aligned_range_streams_with_its_own_tree_hash(vault: Vault) -> None:
    job_id = vault.staged()
    with vault.jobs.open_output(vault=VAULT, job_id=job_id, first=2 * MIB, last=len(DATA) - 1) as output:
        received = output.body.read()
    assert (received, output.length, output.tree_hash) == (DATA[2 * MIB :], MIB + 5, tree_hash(DATA[2 * MIB :]))


def test_an_output_of_no_length_or_of_other_bytes_than_asked_for_is_asked_for_again(vault: Vault) -> None:
    job_id = vault.staged()
    events = vault.jobs._client.meta.events

    def refused(tamper: Callable[[Any], Any]) -> str:
        events.register("after-call.glacier.GetJobOutput", lambda parsed, **_: tamper(parsed), "tamper")
        asked = vault.jobs.open_output(vault=VAULT, job_id=job_id, first=MIB, last=2 * MIB - 1)
        with pytest.raises(TransientError) as error, asked:
            pass
        events.unregister("after-call.glacier.GetJobOutput", unique_id="tamper")
        return str(error.value)

    assert "without its length" in refused(
        lambda parsed: parsed["ResponseMetadata"]["HTTPHeaders"].pop("content-length")
    )
    other = "bytes 0-1048575/3145733"
    assert f"sent '{other}' when asked for the bytes 1048576-2097151" in refused(
        lambda parsed: parsed.update(contentRange=other)
    )
    with vault.jobs.open_output(vault=VAULT, job_id=job_id, first=MIB, last=2 * MIB - 1) as output:
        assert output.body.read() == DATA[MIB : 2 * MIB]


def test_a_body_that_breaks_off_is_a_short_read(vault: Vault) -> None:
    job_id = vault.staged()
    vault.service.faults.add(Fault(kind=FaultKind.READ_CUT_SHORT))
    with vault.jobs.open_output(vault=VAULT, job_id=job_id) as output, pytest.raises(ShortRead):
        list(iter(lambda: output.body.read(MIB), b""))


def test_a_deleted_archive_is_refused_with_glaciers_reason(vault: Vault) -> None:
    with pytest.raises(JobRefused, match="archive"):
        vault.jobs.request_archive(vault=VAULT, archive_id=archive_id("gone"), tier=Tier.BULK, run=RUN)


def test_an_output_that_is_no_longer_there_has_expired(vault: Vault) -> None:
    job_id = vault.staged()
    vault.clock.advance(2 * DAY)
    vault.service.run_due()
    with pytest.raises(JobExpired), vault.jobs.open_output(vault=VAULT, job_id=job_id):
        pass


def test_a_job_that_has_ended_says_when(vault: Vault) -> None:
    job_id = vault.staged()
    state = vault.jobs.describe(vault=VAULT, job_id=job_id)
    assert (state.completed, state.succeeded) == (True, True)
    assert parse_time(state.completion_date).timestamp() == pytest.approx(vault.clock.now(), abs=24 * 3600)


def test_a_job_that_failed_says_why(vault: Vault) -> None:
    vault.service.faults.add(Fault(kind=FaultKind.JOB_FAILS, message="the tape is torn"))
    job_id = vault.staged()
    state = vault.jobs.describe(vault=VAULT, job_id=job_id)
    assert (state.completed, state.succeeded, state.status_message) == (True, False, "the tape is torn")


def test_a_job_that_glacier_does_not_know_has_expired(vault: Vault) -> None:
    with pytest.raises(JobExpired):
        vault.jobs.describe(vault=VAULT, job_id="x" * 92)


def test_throttling_is_told_apart(vault: Vault) -> None:
    vault.service.faults.add(
        Fault(kind=FaultKind.ERROR, operation="InitiateJob", status=400, code="ThrottlingException", times=1)
    )
    with pytest.raises(Throttled):
        vault.jobs.request_archive(vault=VAULT, archive_id=vault.archive_id, tier=Tier.BULK, run=RUN)


@pytest.fixture
def deaf() -> Iterator[str]:
    """Where connections are taken and closed without a word."""

    class Closing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)

    with socketserver.TCPServer(("127.0.0.1", 0), Closing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_request_that_may_have_been_heard_is_told_apart_from_one_that_was_not(
    deaf: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(url: str) -> None:
        client = boto3.client("glacier", endpoint_url=url, region_name="us-east-1", config=clients.ONCE)
        jobs = BotoGlacierJobs(client, topic_arn="topic")
        jobs.request_archive(vault=VAULT, archive_id=vault.archive_id, tier=Tier.BULK, run=RUN)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with pytest.raises(NoAnswer):
        ask(deaf)
    with pytest.raises(TransientError) as refused:
        ask("http://127.0.0.1:1")
    assert not isinstance(refused.value, NoAnswer)


def test_a_server_error_passes(vault: Vault) -> None:
    vault.service.faults.add(Fault(kind=FaultKind.ERROR, operation="GetJobOutput", times=1))
    job_id = vault.staged()
    with pytest.raises(TransientError), vault.jobs.open_output(vault=VAULT, job_id=job_id):
        pass


def test_an_inventory_is_asked_for_and_described_with_its_size(vault: Vault) -> None:
    job_id = vault.jobs.request_inventory(vault=VAULT, run=RUN)
    vault.clock.advance(13 * 3600)
    vault.service.run_due()
    state = vault.jobs.describe(vault=VAULT, job_id=job_id)
    assert state.succeeded
    assert state.inventory_size is not None
