"""From the inventory job to one file, in ranges."""

from __future__ import annotations

import io
import json
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles, InMemoryInventoryUploads
from solution.application.ports.glacier import JobOutput, JobState
from solution.application.use_cases.retrieve_inventory import (
    CompleteInventoryUpload,
    DescribeInventoryJob,
    InventoryUpload,
    RequestInventory,
    StartInventoryUpload,
    TransferInventoryRange,
    plan_ranges,
)
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.chunk_plan import MAX_PARTS, MIB, Chunk
from solution.domain.errors import GlacierJobError, NotPossible, ShortRead, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.application.ports.objects import HashedBody
    from solution.domain.archive import Tier

RANGE = 8 * MIB
KEY = "run-1/original_inventory/inventory.csv"


class _Glacier:
    def __init__(self, body: bytes = b"", *, state: JobState | None = None, cuts: int = 0, excess: int = 0) -> None:
        self.body, self.state, self.cuts, self.excess = body, state, cuts, excess
        self.asked: list[tuple[str, str]] = []

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        raise NotImplementedError(vault, archive_id, tier, run)

    def request_inventory(self, *, vault: str, run: str) -> str:
        self.asked.append((vault, run))
        return "job-1"

    def describe(self, *, vault: str, job_id: str) -> JobState:
        assert (vault, job_id) == ("photos", "job-1")
        assert self.state is not None
        return self.state

    @contextmanager
    def open_output(
        self, *, vault: str, job_id: str, first: int | None = None, last: int | None = None
    ) -> Iterator[JobOutput]:
        assert (vault, job_id) == ("photos", "job-1")
        assert first is not None
        assert last is not None
        content = self.body[first : last + 1]
        length = len(content) + self.excess
        if self.cuts:
            self.cuts -= 1
            content = content[:-1]
        yield JobOutput(body=io.BytesIO(content), length=length, tree_hash=None)


class _Desk:
    """An upload under way for an inventory."""

    def __init__(self, glacier: _Glacier) -> None:
        self.files = InMemoryInventoryFiles()
        self.uploads = InMemoryInventoryUploads(self.files)
        self.clock = ManualClock()
        self.glacier = glacier
        self.upload = self.start(len(glacier.body))

    def start(self, size: int) -> InventoryUpload:
        start = StartInventoryUpload(uploads=self.uploads, range_bytes=RANGE)
        return start(run="run-1", job_id="job-1", size=size)

    def copy(self, chunk: Chunk) -> int:
        transfer = TransferInventoryRange(glacier=self.glacier, uploads=self.uploads, clock=self.clock)
        return transfer(vault="photos", job_id="job-1", key=KEY, upload_id=self.upload.upload_id, chunk=chunk)

    def complete(self) -> list[int]:
        complete = CompleteInventoryUpload(uploads=self.uploads, files=self.files)
        return complete(
            key=KEY,
            upload_id=self.upload.upload_id,
            job_id="job-1",
            size=self.upload.plan.size,
            range_bytes=self.upload.plan.chunk_size,
        )


def test_the_inventory_is_asked_for_in_the_name_of_the_run() -> None:
    glacier = _Glacier()
    assert RequestInventory(glacier=glacier)(run="run-1", vault="photos") == "job-1"
    assert glacier.asked == [("photos", "run-1")]


def _state(*, completed: bool, succeeded: bool = False, message: str = "") -> JobState:
    return JobState(
        job_id="job-1",
        completed=completed,
        succeeded=succeeded,
        status_message=message,
        inventory_size=7 if succeeded else None,
    )


def test_a_job_in_progress_is_no_failure() -> None:
    state = _state(completed=False)
    assert DescribeInventoryJob(glacier=_Glacier(state=state))(vault="photos", job_id="job-1") == state


def test_a_failed_job_is_described_with_glaciers_reason() -> None:
    state = _state(completed=True, message="Internal failure")
    assert DescribeInventoryJob(glacier=_Glacier(state=state))(vault="photos", job_id="job-1") == state


ranges = st.sampled_from([5 * MIB, RANGE, 64 * MIB])


@given(size=st.integers(1, MAX_OBJECT_BYTES) | st.integers(1, 2**34), range_bytes=ranges)
@example(size=MAX_OBJECT_BYTES, range_bytes=64 * MIB)
@example(size=10_000 * RANGE, range_bytes=RANGE)
@example(size=10_000 * RANGE + 1, range_bytes=RANGE)
@example(size=1, range_bytes=RANGE)
def test_ranges_of_any_inventory_are_parts_that_s3_takes_and_a_function_has_time_for(
    size: int, range_bytes: int
) -> None:
    plan = plan_ranges(size, range_bytes)
    assert 1 <= plan.count <= 10_000
    first, last = plan.chunk(1), plan.chunk(plan.count)
    assert (first.first, last.last) == (0, size - 1)
    if plan.count > 1:
        assert range_bytes <= first.size <= max(range_bytes, 525 * MIB)
        assert plan.chunk(2).first == first.last + 1
    assert (plan.count - 1) * first.size + last.size == size


@pytest.mark.parametrize(
    ("size", "count", "length"),
    [
        (1, 1, 8 * MIB),
        (8 * MIB, 1, 8 * MIB),
        (8 * MIB + 1, 2, 8 * MIB),
        (10_000 * 8 * MIB, 10_000, 8 * MIB),
        (10_000 * 8 * MIB + 1, 8889, 9 * MIB),
        (MAX_OBJECT_BYTES, 9987, 525 * MIB),
    ],
)
def test_ranges_grow_where_there_would_be_too_many(size: int, count: int, length: int) -> None:
    plan = plan_ranges(size, RANGE)
    assert (plan.count, plan.chunk_size) == (count, length)
    assert sum(chunk.size for chunk in plan) == size


def test_the_ranges_of_the_largest_inventory_fit_into_one_state() -> None:
    """256 KiB is what a state of Step Functions holds, items of a map included (*Step Functions service quotas*)."""
    parts = list(range(1, MAX_PARTS + 1))
    # the most there can be at one moment: every range was asked for, every range is missing, and nothing else is small
    state = {
        "workflow_run": "r" * 50,
        "vault_name": "v" * 255,
        "description": "d" * 1024,
        "name_override_presigned_url": "https://" + "u" * 8192,
        "inventory_job": {"job_id": "j" * 92},
        "job_result": {"job_id": "j" * 92, "message": "m" * 1024, "size": MAX_OBJECT_BYTES},
        "job_failure": {"Error": "GlacierJobError", "Cause": "c" * 32768},
        "copy_failure": {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "c" * 32768},
        "upload": {"upload_id": "i" * 256, "key": "k" * 1024, "range_bytes": 525 * MIB, "parts": parts},
        "completion": {"missing": parts},
    }
    assert len(json.dumps(state)) < 256 * 1024
    # and what the children of the map give back, before it is thrown away
    assert len(json.dumps([{}] * MAX_PARTS)) < 256 * 1024


@pytest.mark.parametrize("size", [0, MAX_OBJECT_BYTES + 1])
def test_an_output_of_a_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(GlacierJobError, match=f" {size} bytes"):
        _Desk(_Glacier(b"header\n")).start(size)


def test_ranges_become_one_file() -> None:
    body = bytes(range(256)) * (9 * MIB // 256)
    desk = _Desk(_Glacier(body))
    assert [desk.copy(chunk) for chunk in reversed(list(desk.upload.plan))] == [MIB, 8 * MIB]
    assert desk.complete() == []
    assert desk.files.files == {KEY: body}


class _Endless:
    """A body of which nothing is ever stored."""

    def read(self, amt: int = -1, /) -> bytes:
        return bytes(amt)

    def readinto(self, buffer: memoryview, /) -> int:
        return len(buffer)


class _Sink(InMemoryInventoryUploads):
    """Takes parts and forgets them."""

    def put_part(self, key: str, upload_id: str, *, part: int, body: HashedBody) -> None:
        assert (key, upload_id, part) == (KEY, "upload", 1)
        assert sum(len(block) for block in body.blocks()) == body.length


@pytest.mark.parametrize("size", [64 * MIB, 525 * MIB])
def test_memory_does_not_grow_with_the_range(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    glacier = _Glacier()

    @contextmanager
    def open_output(**_: object) -> Iterator[JobOutput]:
        yield JobOutput(body=_Endless(), length=size, tree_hash=None)

    monkeypatch.setattr(glacier, "open_output", open_output)
    transfer = TransferInventoryRange(glacier=glacier, uploads=_Sink(InMemoryInventoryFiles()), clock=ManualClock())
    tracemalloc.start()
    try:
        copied = transfer(
            vault="photos", job_id="job-1", key=KEY, upload_id="upload", chunk=plan_ranges(size, size).chunk(1)
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert copied == size
    assert peak < 6 * MIB


def test_a_short_read_is_read_again() -> None:
    desk = _Desk(_Glacier(b"header\n", cuts=2))
    assert desk.copy(desk.upload.plan.chunk(1)) == 7


@pytest.mark.parametrize(
    ("glacier", "reason"),
    [
        (_Glacier(b"header\n", cuts=9), "ended after 6 of 7 bytes"),
        (_Glacier(b"header\n", excess=1), "announced with 8 bytes, expected 7"),
    ],
)
def test_a_range_of_the_wrong_length_is_never_uploaded(glacier: _Glacier, reason: str) -> None:
    desk = _Desk(glacier)
    with pytest.raises(ShortRead, match=reason):
        desk.copy(desk.upload.plan.chunk(1))
    assert desk.uploads.parts(KEY, desk.upload.upload_id) == []


def test_a_second_start_drops_the_first_upload() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.start(7)
    with pytest.raises(UploadVanished):
        desk.copy(desk.upload.plan.chunk(1))


def test_parts_that_are_missing_are_named_and_nothing_is_completed() -> None:
    desk = _Desk(_Glacier(b"x" * (17 * MIB)))
    desk.copy(desk.upload.plan.chunk(2))
    assert desk.complete() == [1, 3]
    assert desk.files.files == {}
    desk.copy(desk.upload.plan.chunk(3))
    desk.copy(desk.upload.plan.chunk(1))
    assert desk.complete() == []
    assert desk.files.size(KEY) == 17 * MIB


def test_a_part_of_the_wrong_size_is_missing() -> None:
    desk = _Desk(_Glacier(b"x" * (9 * MIB)))
    for chunk in desk.upload.plan:
        desk.copy(chunk)
    desk.uploads.open[KEY, desk.upload.upload_id][2] = b"short"
    assert desk.complete() == [2]
    assert desk.files.files == {}


def test_copying_a_range_again_is_copying_it_once() -> None:
    body = bytes(range(256)) * (9 * MIB // 256)
    desk = _Desk(_Glacier(body))
    for part in (1, 2, 1, 2):
        desk.copy(desk.upload.plan.chunk(part))
    assert desk.complete() == []
    assert desk.files.files == {KEY: body}


def test_completing_twice_is_completing_once() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.copy(desk.upload.plan.chunk(1))
    assert desk.complete() == desk.complete() == []
    assert desk.files.files == {KEY: b"header\n"}


def test_an_upload_that_vanished_without_leaving_its_file_is_an_error() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.uploads.open.clear()
    with pytest.raises(UploadVanished):
        desk.complete()


def test_an_older_file_of_the_same_size_is_not_taken_for_the_upload_that_vanished() -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.files.put(KEY, b"before\n", content_type="text/csv")
    desk.uploads.open.clear()
    with pytest.raises(UploadVanished):
        desk.complete()


def test_a_file_of_the_wrong_size_does_not_stay_for_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = _Desk(_Glacier(b"header\n"))
    desk.copy(desk.upload.plan.chunk(1))
    complete = desk.uploads.complete

    def losing(key: str, upload_id: str) -> None:
        complete(key, upload_id)
        desk.files.files[key] = b"head"

    monkeypatch.setattr(desk.uploads, "complete", losing)
    with pytest.raises(NotPossible, match="had 4 bytes, not the 7"):
        desk.complete()
    assert desk.files.files == {}
