"""Jobs: from request through staging and the download window to expiry."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from solution.domain.tree_hash import MIB
from solution.mocking.glacier import Fault, FaultKind, GlacierService, GlacierSettings, Tier
from solution.mocking.vaults.virtual import VirtualContent, VirtualVault
from tests.independent import botocore_tree_hash
from tests.unit.mocking.caller import HOUR, TOPIC, Glacier, error

if TYPE_CHECKING:
    from pathlib import Path

INVALID = (400, "InvalidParameterValueException")
MISSING = (400, "MissingParameterValueException")
NOT_FOUND = (404, "ResourceNotFoundException")
CONTENT = random.Random(6).randbytes(7 * MIB + 3)


@pytest.mark.parametrize(("tier", "least", "most"), [("Bulk", 5, 12), ("Standard", 3, 5)])
def test_a_job_takes_as_long_as_its_tier(glacier: Glacier, tier: str, least: float, most: float) -> None:
    job = glacier.retrieve(glacier.upload(b"abc"), Tier=tier)
    glacier.wait(least - 0.01)
    assert glacier.job(job)["StatusCode"] == "InProgress"
    assert error(glacier.output(job)) == INVALID
    glacier.wait(most - least + 0.02)
    assert glacier.job(job)["StatusCode"] == "Succeeded"
    assert glacier.output(job).read() == b"abc"


def test_the_window_closes_after_a_day_and_the_job_is_gone(glacier: Glacier) -> None:
    job = glacier.retrieve(glacier.upload(b"abc"), Tier="Expedited")
    glacier.wait(0.1)
    glacier.wait(23.9)
    assert glacier.output(job).read() == b"abc"
    glacier.clock.advance(0.2 * HOUR)
    assert error(glacier.output(job)) == NOT_FOUND
    assert error(glacier.call("GET", f"/vaults/v/jobs/{job}")) == NOT_FOUND
    assert glacier.document("GET", "/vaults/v/jobs")["JobList"] == []


def test_a_second_job_opens_a_window_of_its_own(glacier: Glacier) -> None:
    archive = glacier.upload(b"abc")
    first = glacier.retrieve(archive, Tier="Expedited")
    glacier.wait(0.1)
    glacier.wait(20)
    second = glacier.retrieve(archive, Tier="Expedited")
    glacier.wait(1)
    glacier.wait(5)
    assert error(glacier.output(first)) == NOT_FOUND
    assert glacier.output(second).read() == b"abc"


def test_the_time_factor_divides_every_duration(tmp_path: Path, glacier: Glacier) -> None:
    service = GlacierService(tmp_path / "fast", settings=GlacierSettings(time_factor=HOUR), clock=glacier.clock)
    fast = Glacier(service=service, clock=glacier.clock, notifier=glacier.notifier)
    service.create_vault("v")
    job = fast.retrieve(fast.upload(b"abc"), Tier="Bulk")
    glacier.clock.advance(12.01)
    service.run_due()
    assert fast.output(job).read() == b"abc"
    glacier.clock.advance(24.01)
    assert error(fast.output(job)) == NOT_FOUND
    service.close()


def test_an_output_can_stay_as_long_as_in_glacier_whatever_the_time_factor(tmp_path: Path, glacier: Glacier) -> None:
    service = GlacierService(tmp_path / "fast", settings=GlacierSettings(time_factor=HOUR), clock=glacier.clock)
    fast = Glacier(service=service, clock=glacier.clock, notifier=glacier.notifier)
    service.create_vault("v")
    service.faults.add(Fault(kind=FaultKind.OUTPUT_STAYS, vault_name="v"))
    job = fast.retrieve(fast.upload(b"abc"), Tier="Bulk")
    glacier.clock.advance(12.01)
    service.run_due()
    glacier.clock.advance(23.9 * HOUR)
    assert fast.output(job).read() == b"abc"
    glacier.clock.advance(0.2 * HOUR)
    assert error(fast.output(job)) == NOT_FOUND
    service.close()


def test_a_description_tells_all_about_the_job(glacier: Glacier) -> None:
    archive = glacier.upload(CONTENT, "archive")
    job = glacier.retrieve(archive, Description="run-1", SNSTopic=TOPIC, Tier="Bulk")
    before = glacier.job(job)
    assert before["StatusCode"] == "InProgress"
    assert before["Completed"] is False
    assert "CompletionDate" not in before
    glacier.wait()
    assert (
        glacier.job(job).items()
        >= {
            "Action": "ArchiveRetrieval",
            "ArchiveId": archive,
            "ArchiveSHA256TreeHash": botocore_tree_hash(CONTENT),
            "ArchiveSizeInBytes": len(CONTENT),
            "Completed": True,
            "JobDescription": "run-1",
            "JobId": job,
            "RetrievalByteRange": f"0-{len(CONTENT) - 1}",
            "SHA256TreeHash": botocore_tree_hash(CONTENT),
            "SNSTopic": TOPIC,
            "StatusCode": "Succeeded",
            "StatusMessage": "Succeeded",
            "Tier": "Bulk",
            "VaultARN": "arn:aws:glacier:us-east-1:000000000000:vaults/v",
        }.items()
    )


RANGES = [(0, 4 * MIB), (4 * MIB, len(CONTENT)), (6 * MIB, len(CONTENT)), (7 * MIB, len(CONTENT)), (MIB, 2 * MIB)]


@pytest.mark.parametrize(("start", "stop"), RANGES)
@pytest.mark.parametrize("virtual", [False, True], ids=["stored", "virtual"])
def test_an_aligned_range_comes_with_its_tree_hash(glacier: Glacier, start: int, stop: int, virtual: bool) -> None:
    content = VirtualContent(seed="x", size=len(CONTENT))
    whole = b"".join(content.read(0, content.size)) if virtual else CONTENT
    job = glacier.retrieve(glacier.service.add_archive("v", content if virtual else CONTENT))
    glacier.wait()
    output = glacier.output(job, first=start, last=stop - 1)
    data = output.read()
    assert data == whole[start:stop]
    assert output.status == 206
    assert output.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert output.headers["Content-Length"] == str(stop - start)
    assert output.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(data)


@pytest.mark.parametrize(("first", "last"), [(0, 9), (MIB, 3 * MIB - 1), (1, MIB), (2 * MIB, 7 * MIB + 2)])
def test_a_range_that_is_not_aligned_comes_without_a_tree_hash(glacier: Glacier, first: int, last: int) -> None:
    job = glacier.retrieve(glacier.upload(CONTENT))
    glacier.wait()
    output = glacier.output(job, first=first, last=last)
    assert output.read() == CONTENT[first : last + 1]
    assert "x-amz-sha256-tree-hash" not in output.headers


@pytest.mark.parametrize(("first", "last"), [(0, 3), (3, 5), (2, 1)])
def test_a_range_outside_the_output_is_refused(glacier: Glacier, first: int, last: int) -> None:
    job = glacier.retrieve(glacier.upload(b"abc"))
    glacier.wait()
    assert error(glacier.output(job, first=first, last=last)) == INVALID


def test_part_of_an_archive_can_be_retrieved_and_ranges_count_from_its_start(glacier: Glacier) -> None:
    archive = glacier.upload(CONTENT)
    job = glacier.retrieve(archive, RetrievalByteRange=f"{4 * MIB}-{6 * MIB - 1}")
    glacier.wait()
    assert glacier.job(job)["SHA256TreeHash"] == botocore_tree_hash(CONTENT[4 * MIB : 6 * MIB])
    whole = glacier.output(job)
    assert whole.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(CONTENT[4 * MIB : 6 * MIB])
    assert whole.read() == CONTENT[4 * MIB : 6 * MIB]
    assert glacier.output(job, first=5, last=9).read() == CONTENT[4 * MIB + 5 : 4 * MIB + 10]
    odd = glacier.retrieve(archive, RetrievalByteRange=f"{MIB}-{3 * MIB - 1}")
    assert "SHA256TreeHash" not in glacier.job(odd)


@pytest.mark.parametrize("text", ["1-2", f"0-{8 * MIB - 1}", "x-y", "5-1", f"0-{MIB}"])
def test_a_retrieval_range_glacier_forbids_is_refused(glacier: Glacier, text: str) -> None:
    body = {"Type": "archive-retrieval", "ArchiveId": glacier.upload(CONTENT), "RetrievalByteRange": text}
    assert error(glacier.call("POST", "/vaults/v/jobs", body)) == INVALID


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", MISSING),
        (b"[1]", INVALID),
        (b"{", INVALID),
        ({"ArchiveId": "x"}, MISSING),
        ({"Type": "select", "ArchiveId": "x"}, INVALID),
        ({"Type": "archive-retrieval"}, MISSING),
        ({"Type": "archive-retrieval", "ArchiveId": "x"}, NOT_FOUND),
        ({"Type": "inventory-retrieval", "SNSTopic": "x"}, INVALID),
        ({"Type": "inventory-retrieval", "Description": "é"}, INVALID),
        ({"Type": "inventory-retrieval", "Format": "XML"}, INVALID),
        ({"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": "0"}}, INVALID),
        ({"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"StartDate": "soon"}}, INVALID),
        ({"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Marker": "?"}}, INVALID),
    ],
)
def test_a_malformed_request_is_refused(
    glacier: Glacier, body: bytes | dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error(glacier.call("POST", "/vaults/v/jobs", body)) == expected


def test_an_unknown_tier_is_refused(glacier: Glacier) -> None:
    body = {"Type": "archive-retrieval", "ArchiveId": glacier.upload(b"abc"), "Tier": "Express"}
    assert error(glacier.call("POST", "/vaults/v/jobs", body)) == INVALID


def test_expedited_retrievals_may_lack_capacity(tmp_path: Path, glacier: Glacier) -> None:
    service = GlacierService(tmp_path / "slow", settings=GlacierSettings(expedited_capacity=False))
    slow = Glacier(service=service, clock=glacier.clock, notifier=glacier.notifier)
    service.create_vault("v")
    body = {"Type": "archive-retrieval", "ArchiveId": slow.upload(b"abc"), "Tier": Tier.EXPEDITED}
    assert error(slow.call("POST", "/vaults/v/jobs", body)) == (400, "InsufficientCapacityException")
    service.close()


def test_the_retrieval_policy_limits_standard_bytes_per_hour(glacier: Glacier) -> None:
    path = "/policies/data-retrieval"
    assert glacier.document("GET", path) == {"Policy": {"Rules": [{"Strategy": "None"}]}}
    rule = {"Strategy": "BytesPerHour", "BytesPerHour": 5}
    glacier.ok("PUT", path, {"Policy": {"Rules": [rule]}})
    assert glacier.document("GET", path) == {"Policy": {"Rules": [rule]}}
    archive = glacier.upload(b"abc")
    glacier.retrieve(archive)
    body = {"Type": "archive-retrieval", "ArchiveId": archive}
    assert error(glacier.call("POST", "/vaults/v/jobs", body)) == (400, "PolicyEnforcedException")
    glacier.retrieve(archive, Tier="Bulk")
    glacier.wait(1.1)
    glacier.retrieve(archive)
    assert error(glacier.call("PUT", path, {"Policy": {"Rules": [{"Strategy": "Maybe"}]}})) == INVALID


def test_lists_are_paged_and_filtered(glacier: Glacier) -> None:
    archive = glacier.upload(b"abc")
    fast = [glacier.retrieve(archive, Tier="Expedited") for _ in range(3)]
    slow = [glacier.retrieve(archive, Tier="Bulk") for _ in range(2)]
    glacier.wait(1)

    def listed(**query: str) -> list[str]:
        found: list[str] = []
        marker = ""
        while True:
            page = glacier.document("GET", "/vaults/v/jobs", query={**query, "marker": marker, "limit": "2"})
            found += [job["JobId"] for job in page["JobList"]]
            marker = page["Marker"] or ""
            if not marker:
                return found

    assert listed() == fast + slow
    assert listed(completed="true") == fast
    assert listed(completed="false") == slow
    assert listed(statuscode="Succeeded") == fast
    assert listed(statuscode="InProgress") == slow
    assert listed(statuscode="Failed") == []
    for query in ({"completed": "perhaps"}, {"statuscode": "Done"}, {"marker": "x"}, {"limit": "0"}):
        assert error(glacier.call("GET", "/vaults/v/jobs", query=query)) == INVALID


def test_jobs_survive_a_restart(tmp_path: Path, glacier: Glacier) -> None:
    job = glacier.retrieve(glacier.upload(CONTENT), SNSTopic=TOPIC)
    glacier.service.close()
    glacier.clock.advance(13 * HOUR)
    reborn = GlacierService(tmp_path, clock=glacier.clock, notifier=glacier.notifier)
    again = Glacier(service=reborn, clock=glacier.clock, notifier=glacier.notifier)
    reborn.run_due()
    assert again.output(job).read() == CONTENT
    assert [message["JobId"] for _, message in glacier.notifier.published] == [job]
    reborn.close()


def test_thousands_of_jobs_complete_at_once_each_with_its_notification(glacier: Glacier) -> None:
    vault = VirtualVault(seed="many", archive_count=3000, sizes=(10,))
    glacier.service.create_vault("many", vault)
    jobs = {glacier.retrieve(archive.archive_id, "many", SNSTopic=TOPIC) for archive in vault.archives()}
    glacier.wait()
    assert {message["JobId"] for _, message in glacier.notifier.published} == jobs
    assert len(glacier.notifier.published) == 3000


def test_a_virtual_archive_is_retrieved_like_any_other(glacier: Glacier) -> None:
    vault = VirtualVault(seed="big", archive_count=1_000_000, sizes=(2 * MIB + 9,))
    glacier.service.create_vault("big", vault)
    archive = vault.archive(777_777)
    job = glacier.retrieve(archive.archive_id, "big")
    glacier.wait()
    output = glacier.output(job, "big")
    assert botocore_tree_hash(output.read()) == output.headers["x-amz-sha256-tree-hash"]
    assert glacier.document("GET", "/vaults/big")["NumberOfArchives"] == 1_000_000
    deletion = glacier.call("DELETE", f"/vaults/big/archives/{archive.archive_id}")
    assert error(deletion) == INVALID
