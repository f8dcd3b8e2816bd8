"""Faults strike what they were told to, as often as they were told to, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from solution.domain.tree_hash import MIB
from solution.mocking.glacier import Fault, FaultKind, Faults, ManualClock, ReadCutShortError
from solution.mocking.glacier.errors import InvalidParameterError, ThrottledError
from solution.mocking.glacier.faults import Event
from tests.independent import botocore_tree_hash
from tests.unit.mocking.caller import HOUR, TOPIC, Glacier, error

CONTENT = bytes(range(256)) * 8192


def test_a_failed_job_says_so_and_has_no_output(glacier: Glacier) -> None:
    bad, good = glacier.upload(CONTENT, "bad"), glacier.upload(CONTENT, "good")
    fault = Fault(kind=FaultKind.JOB_FAILS, description="bad", message="The tape broke.")
    glacier.service.faults.add(fault)
    failed, fine = glacier.retrieve(bad, SNSTopic=TOPIC), glacier.retrieve(good)
    glacier.wait()
    description = glacier.job(failed)
    assert (description["StatusCode"], description["StatusMessage"]) == ("Failed", "The tape broke.")
    assert description["Completed"] is True
    assert [message["StatusCode"] for _, message in glacier.notifier.published] == ["Failed"]
    assert error(glacier.output(failed)) == (400, "InvalidParameterValueException")
    assert glacier.output(fine).status == 200


def test_a_failed_inventory_has_no_output(glacier: Glacier) -> None:
    glacier.service.faults.add(Fault(kind=FaultKind.JOB_FAILS, action="InventoryRetrieval"))
    job = glacier.initiate(Type="inventory-retrieval")
    glacier.wait()
    assert glacier.job(job)["StatusCode"] == "Failed"
    assert error(glacier.output(job))[0] == 400


def test_a_job_may_never_complete(glacier: Glacier) -> None:
    archive = glacier.upload(CONTENT)
    glacier.service.faults.add(Fault(kind=FaultKind.JOB_NEVER_COMPLETES, archive_id=archive, times=1))
    stuck, fine = glacier.retrieve(archive, SNSTopic=TOPIC), None
    glacier.wait(1000)
    assert glacier.job(stuck)["StatusCode"] == "InProgress"
    assert glacier.notifier.published == []
    fine = glacier.retrieve(archive)
    glacier.wait()
    assert glacier.job(fine)["StatusCode"] == "Succeeded"


def test_a_corrupt_range_differs_in_a_byte_under_the_headers_of_the_original(glacier: Glacier) -> None:
    job = glacier.retrieve(glacier.upload(CONTENT))
    glacier.wait()
    glacier.service.faults.add(Fault(kind=FaultKind.RANGE_CORRUPT, times=1))
    corrupt = glacier.output(job, first=0, last=MIB - 1)
    data = corrupt.read()
    assert corrupt.headers["x-amz-sha256-tree-hash"] == botocore_tree_hash(CONTENT[:MIB])
    assert len(data) == MIB
    assert sum(a != b for a, b in zip(data, CONTENT[:MIB], strict=True)) == 1
    assert glacier.output(job, first=0, last=MIB - 1).read() == CONTENT[:MIB]


@pytest.mark.parametrize("length", [1, 10, 2 * MIB])
def test_a_read_is_cut_in_the_middle(glacier: Glacier, length: int) -> None:
    job = glacier.retrieve(glacier.upload(CONTENT))
    glacier.wait()
    glacier.service.faults.add(Fault(kind=FaultKind.READ_CUT_SHORT))
    output = glacier.output(job, first=0, last=length - 1)
    assert output.headers["Content-Length"] == str(length)
    assert not isinstance(output.body, bytes)
    received: list[bytes] = []
    with pytest.raises(ReadCutShortError):
        received.extend(output.body)
    assert b"".join(received) == CONTENT[: length // 2]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(kind=FaultKind.INITIATE_REFUSED), (404, "ResourceNotFoundException")),
        (
            Fault(kind=FaultKind.INITIATE_REFUSED, code="PolicyEnforcedException", status=400),
            (400, "PolicyEnforcedException"),
        ),
        (Fault(kind=FaultKind.ERROR), (500, "ServiceUnavailableException")),
        (Fault(kind=FaultKind.ERROR, status=503, code="SlowDown"), (503, "SlowDown")),
        (Fault(kind=FaultKind.ERROR, description_contains="rchiv"), (500, "ServiceUnavailableException")),
    ],
)
def test_a_request_is_refused_once(glacier: Glacier, fault: Fault, expected: tuple[int, str]) -> None:
    archive = glacier.upload(b"abc", "archive")
    document = fault.to_json() | {"times": 1, "operation": "InitiateJob"}
    glacier.service.faults.add(Fault.from_json(document))
    body = {"Type": "archive-retrieval", "ArchiveId": archive}
    assert error(glacier.call("POST", "/vaults/v/jobs", body)) == expected
    assert glacier.call("POST", "/vaults/v/jobs", body).status == 202
    assert glacier.service.statistics.to_json()["errors"] == {expected[1]: 1}


def test_an_error_can_be_aimed_at_reads_of_one_archive(glacier: Glacier) -> None:
    one, two = glacier.retrieve(glacier.upload(b"1", "one")), glacier.retrieve(glacier.upload(b"2", "two"))
    glacier.wait()
    fault = Fault(kind=FaultKind.ERROR, operation="GetJobOutput", description="one")
    glacier.service.faults.add(fault)
    assert error(glacier.output(one)) == (500, "ServiceUnavailableException")
    assert glacier.output(two).read() == b"2"
    assert glacier.job(one)["Completed"] is True


def test_notifications_are_doubled_dropped_and_delayed(glacier: Glacier) -> None:
    names = ("twice", "never", "late", "plain")
    jobs = {name: glacier.retrieve(glacier.upload(b"x", name), SNSTopic=TOPIC) for name in names}
    glacier.service.faults.add(
        Fault(kind=FaultKind.NOTIFICATION_DUPLICATE, description="twice"),
        Fault(kind=FaultKind.NOTIFICATION_MISSING, description="never"),
        Fault(kind=FaultKind.NOTIFICATION_LATE, description="late", delay_seconds=2 * HOUR),
    )
    glacier.wait()
    heard = sorted(message["JobId"] for _, message in glacier.notifier.published)
    assert heard == sorted([jobs["twice"], jobs["twice"], jobs["plain"]])
    glacier.wait(2.1)
    assert glacier.notifier.published[-1][1]["JobId"] == jobs["late"]
    assert all(glacier.job(job)["Completed"] for job in jobs.values())


def test_a_fault_waits_for_its_turn_and_then_stops() -> None:
    faults = Faults(ManualClock())
    faults.add(Fault(kind=FaultKind.ERROR, after=2, times=1))
    struck = [faults.strike(FaultKind.ERROR, Event(operation="ListJobs")) is not None for _ in range(5)]
    assert struck == [False, False, True, False, False]


def test_probabilities_repeat_with_their_seed() -> None:
    def run() -> list[bool]:
        faults = Faults(ManualClock(), seed=7)
        faults.add(Fault(kind=FaultKind.ERROR, probability=0.3))
        return [faults.strike(FaultKind.ERROR, Event()) is not None for _ in range(200)]

    assert run() == run()
    assert 30 < sum(run()) < 90


def test_the_throttle_lets_so_many_requests_through_per_second() -> None:
    clock = ManualClock()
    faults = Faults(clock)
    faults.throttle(10, frozenset({"InitiateJob"}))

    def admitted() -> int:
        count = 0
        for _ in range(50):
            faults.admit("ListJobs")
            try:
                faults.admit("InitiateJob")
            except ThrottledError:
                continue
            count += 1
        return count

    assert admitted() == 10
    clock.advance(0.5)
    assert admitted() == 5
    clock.advance(100)
    assert admitted() == 10
    faults.throttle(None)
    assert admitted() == 50


def test_a_throttled_request_is_answered_as_glacier_does(glacier: Glacier) -> None:
    glacier.service.faults.throttle(1)
    glacier.ok("GET", "/vaults")
    response = glacier.call("GET", "/vaults")
    assert b"Rate exceeded" in response.read()
    assert error(response) == (400, "ThrottlingException")


def test_faults_are_set_and_read_over_http(glacier: Glacier) -> None:
    fault = {"kind": "error", "operation": "ListVaults", "times": 1}
    glacier.ok("PUT", "/_mock/faults", {"faults": [fault], "throttle": {"requests_per_second": 1000}})
    glacier.ok("POST", "/_mock/faults", {"kind": "range-corrupt"})
    assert glacier.call("GET", "/vaults").status == 500
    state = glacier.document("GET", "/_mock/faults")
    assert [item["kind"] for item in state["faults"]] == ["error", "range-corrupt"]
    assert state["faults"][0]["times"] == 0
    assert state["throttle"]["requests_per_second"] == 1000
    cleared = glacier.document("DELETE", "/_mock/faults")
    assert cleared["faults"] == []
    assert cleared["throttle"]["requests_per_second"] is None


@pytest.mark.parametrize(
    "document", [{"faults": [{"kind": "flood"}]}, {"faults": [{"king": "error"}]}, {"fault": []}, {"faults": [7]}]
)
def test_malformed_faults_change_nothing(document: dict[str, Any]) -> None:
    faults = Faults(ManualClock())
    faults.add(Fault(kind=FaultKind.ERROR))
    with pytest.raises(InvalidParameterError):
        faults.load_json(document)
    assert len(faults.to_json()["faults"]) == 1
