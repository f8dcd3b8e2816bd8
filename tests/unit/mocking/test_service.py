"""What holds for every request, whatever its operation; the admin paths; time in the background."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from solution.mocking.glacier import (
    GlacierService,
    GlacierSettings,
    ManualClock,
    RecordingNotifier,
    Request,
    Staging,
)
from solution.mocking.vaults import samples
from solution.mocking.vaults.virtual import VirtualVault
from tests.independent import botocore_tree_hash
from tests.unit.mocking.caller import HOUR, TOPIC, Glacier, error


def test_every_answer_has_a_request_id_and_a_length(glacier: Glacier) -> None:
    for response in (glacier.call("GET", "/vaults"), glacier.call("GET", "/vaults/none")):
        assert response.headers["x-amzn-RequestId"]
        assert response.headers["Content-Length"] == str(len(response.read()))


@pytest.mark.parametrize(
    ("version", "code"), [("", "MissingParameterValueException"), ("2011", "InvalidParameterValueException")]
)
def test_the_api_version_is_required(glacier: Glacier, version: str, code: str) -> None:
    assert error(glacier.call("GET", "/vaults", x_amz_glacier_version=version)) == (400, code)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PATCH", "/vaults/v"), ("GET", "/vaults/v/x/y")])
def test_an_operation_glacier_does_not_know_is_not_found(glacier: Glacier, method: str, path: str) -> None:
    assert error(glacier.call(method, path)) == (404, "UnknownOperationException")


def test_only_the_own_account_is_served(glacier: Glacier) -> None:
    headers = {"x-amz-glacier-version": "2012-06-01"}
    for account, status in (("-", 200), ("000000000000", 200), ("111111111111", 403)):
        request = Request(method="GET", path=f"/{account}/vaults", headers=headers)
        assert asyncio.run(glacier.service.handle(request)).status == status


def test_a_bug_is_an_answer_too_and_is_logged(
    glacier: Glacier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        message = "boom"
        raise RuntimeError(message)

    monkeypatch.setattr(glacier.service, "_perform", broken)
    assert error(glacier.call("GET", "/vaults")) == (500, "ServiceUnavailableException")
    assert "boom" in caplog.text


def test_statistics_count_what_was_asked(glacier: Glacier) -> None:
    archive = glacier.upload(b"abcdef")
    job = glacier.retrieve(archive)
    glacier.wait()
    glacier.output(job).read()
    glacier.output(job, first=0, last=1).read()
    glacier.call("GET", "/vaults/none")
    counts = glacier.document("GET", "/_mock/statistics")
    assert counts["operations"] == {"UploadArchive": 1, "InitiateJob": 1, "GetJobOutput": 2, "DescribeVault": 1}
    assert counts["totals"] == {"bytes_in": 6, "bytes_out": 8}
    assert counts["archives"] == {archive: {"jobs": 1, "reads": 2, "bytes": 8}}
    assert counts["errors"] == {"ResourceNotFoundException": 1}
    assert glacier.document("DELETE", "/_mock/statistics")["operations"] == {}


def test_vaults_are_filled_over_http(glacier: Glacier) -> None:
    glacier.ok("PUT", "/_mock/vaults/mine", {"sample": "small"})
    glacier.ok("PUT", "/_mock/vaults/mine", {"virtual": {"seed": "s", "archive_count": 100, "sizes": [5]}})
    content = base64.b64encode(b"hello").decode()
    archives = [
        {"content": content, "description": "zwei\nZeilen", "created": "2013-01-01T00:00:00Z", "archive_id": "abc"},
        {"virtual": {"seed": "x", "size": 10}},
    ]
    ids = glacier.document("PUT", "/_mock/vaults/mine", {"archives": archives})["ArchiveIds"]
    assert ids[0] == "abc"
    assert glacier.document("GET", "/vaults/mine")["NumberOfArchives"] == 12 + 100 + 2


@pytest.mark.parametrize(
    "document",
    [{"sample": "nonsense"}, {"virtual": {"seed": "s"}}, {"archives": [{}]}, {"vault": 1}, {"virtual": {"x": 1}}],
)
def test_a_malformed_filling_is_refused(glacier: Glacier, document: dict[str, Any]) -> None:
    response = glacier.call("PUT", "/_mock/vaults/mine", document)
    assert error(response) == (400, "InvalidParameterValueException")


def test_the_clock_is_advanced_over_http(glacier: Glacier, tmp_path: Path) -> None:
    before = glacier.clock.now()
    glacier.ok("POST", "/_mock/clock", {"advance_seconds": 90})
    assert glacier.clock.now() == before + 90
    assert glacier.document("GET", "/_mock/clock")["now"].endswith("Z")
    assert error(glacier.call("POST", "/_mock/clock", {"advance_seconds": -1}))[0] == 400
    real = GlacierService(tmp_path / "real")
    other = Glacier(service=real, clock=glacier.clock, notifier=glacier.notifier)
    assert error(other.call("POST", "/_mock/clock", {"advance_seconds": 1}))[0] == 400
    real.close()


@pytest.mark.parametrize("path", ["/_mock/nothing", "/_mock/"])
def test_an_unknown_admin_path_is_not_found(glacier: Glacier, path: str) -> None:
    assert error(glacier.call("GET", path))[0] == 404


def test_background_threads_complete_jobs_when_the_clock_is_advanced(tmp_path: Path) -> None:
    heard = threading.Event()

    class Listener(RecordingNotifier):
        def publish(self, topic_arn: str, message: str) -> None:
            super().publish(topic_arn, message)
            heard.set()

    clock, notifier = ManualClock(), Listener()
    service = GlacierService(tmp_path, clock=clock, notifier=notifier)
    glacier = Glacier(service=service, clock=clock, notifier=notifier)
    service.create_vault("v")
    service.start()
    service.start()
    job = glacier.retrieve(glacier.upload(b"abc"), SNSTopic=TOPIC)
    clock.advance(13 * HOUR)
    assert heard.wait(timeout=30)
    assert [message["JobId"] for _, message in notifier.published] == [job]
    service.close()
    service.close()


def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        ManualClock().advance(-1)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="time_factor"):
        GlacierSettings(time_factor=0)
    with pytest.raises(ValueError, match="least <= most"):
        Staging(least=2, most=1)


def test_with_a_seed_ids_repeat(tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        service = GlacierService(tmp_path / name, settings=GlacierSettings(seed=3))
        service.create_vault("v")
        ids.append(service.add_archive("v", b"abc"))
        service.close()
    assert ids[0] == ids[1]


def test_a_service_on_a_network_disk_works_without_wal(tmp_path: Path) -> None:
    service = GlacierService(tmp_path, settings=GlacierSettings(network_disk=True))
    service.create_vault("v", VirtualVault(seed="s", archive_count=1))
    service.close()
    assert not list(tmp_path.glob("*-wal"))


@pytest.mark.parametrize("sample", [name for name in samples.SAMPLES if name != "million"])
def test_every_sample_fills_a_vault_the_same_way_each_time(glacier: Glacier, tmp_path: Path, sample: str) -> None:
    ids = samples.fill(glacier.service, sample)
    other = GlacierService(tmp_path / "other")
    assert samples.fill(other, sample) == ids
    other.close()
    assert len(set(ids)) == len(ids) == len(samples.SAMPLES[sample].archives)
    assert all(len(archive_id) == 138 for archive_id in ids)
    inventory = json.loads(glacier.inventory(sample))["ArchiveList"]
    assert len({item["ArchiveId"] for item in inventory}) == len(inventory)
    again = samples.fill(glacier.service, sample, vault_name="copy")
    assert not set(again) & set(ids)


def test_the_awkward_sample_can_be_read_back_whole(glacier: Glacier) -> None:
    samples.fill(glacier.service, "awkward")
    inventory = json.loads(glacier.inventory("awkward"))["ArchiveList"]
    jobs = {item["ArchiveId"]: glacier.retrieve(item["ArchiveId"], "awkward") for item in inventory}
    glacier.wait()
    for item in inventory:
        data = glacier.output(jobs[item["ArchiveId"]], "awkward").read()
        assert (len(data), botocore_tree_hash(data)) == (item["Size"], item["SHA256TreeHash"])
