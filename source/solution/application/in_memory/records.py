"""Records of archives, parts and runs in dictionaries."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solution.application.ports.records import (
    ASKED_ABOUT,
    ASKED_AGAIN_FROM,
    ASKED_FROM,
    COMPLETE_FROM,
    FAIL_FROM,
    RECLAIM_FROM,
    STAGE_FROM,
    ArchiveRecord,
    Part,
    PartStored,
    Progress,
    RunFacts,
    Staging,
)
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from solution.application.ports.records import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A write to an archive's record, as the table's stream would tell it."""

    number: int
    before: ArchiveRecord | None
    after: ArchiveRecord


class InMemoryTransferRecords:
    """`solution.application.ports.records.TransferRecords`; ``stream`` holds every write in order."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], ArchiveRecord] = {}
        self.stream: list[Written] = []
        self._parts: dict[tuple[str, str], dict[int, tuple[str, Part]]] = defaultdict(dict)
        self._progress: dict[tuple[str, str, str], Progress] = {}
        self._problems: dict[tuple[str, str], str] = {}
        self._lock = threading.RLock()

    def load_many(self, run: str, archive_ids: Collection[str]) -> dict[str, ArchiveRecord]:
        return {one: self.records[run, one] for one in archive_ids if (run, one) in self.records}

    def load(self, run: str, archive_id: str) -> ArchiveRecord | None:
        return self.records.get((run, archive_id))

    def create(self, records: Sequence[ArchiveRecord]) -> set[str]:
        with self._lock:
            new = [record for record in records if (record.run, record.archive_id) not in self.records]
            for record in new:
                self._write(None, record)
            return {record.archive_id for record in new}

    def reclaim(self, records: Sequence[ArchiveRecord], *, seen: Mapping[str, ArchiveRecord]) -> set[str]:
        moved = set()
        for record in records:
            before = seen[record.archive_id]
            unchanged = _of_attempt(before.attempt)
            sources = {before.status} & RECLAIM_FROM
            if self._move(record.run, record.archive_id, sources, _become(record), unchanged)[0]:
                moved.add(record.archive_id)
        return moved

    def settle(self, run: str, outcomes: Sequence[Outcome], now: datetime) -> None:
        for outcome in outcomes:
            changes: dict[str, Any] = (
                {"status": ArchiveStatus.REQUESTED, "job_id": outcome.job_id, "requested_at": now}
                if outcome.job_id is not None
                else {"status": ArchiveStatus.FAILED, "failure": outcome.failure or ""}
            )
            self._set(run, outcome.archive_id, ASKED_FROM, changes)

    def stage(self, run: str, archive_id: str, *, job_id: str, window_end: datetime, now: datetime) -> Staging:
        moved, record = self._set(
            run,
            archive_id,
            STAGE_FROM,
            {"status": ArchiveStatus.STAGED, "job_id": job_id, "window_end": window_end, "staged_at": now},
        )
        return Staging(moved=moved, record=record)

    def extend(self, run: str, archive_id: str, *, job_id: str, window_end: datetime) -> bool:
        return self._set(
            run,
            archive_id,
            frozenset({ArchiveStatus.STAGED}),
            {"job_id": job_id, "window_end": window_end},
            lambda record: record.window_end is not None and record.window_end < window_end,
        )[0]

    def close_window(self, run: str, archive_id: str, *, expired_job: str, now: datetime) -> bool:
        return self._set(
            run,
            archive_id,
            frozenset({ArchiveStatus.STAGED}),
            {"window_end": now},
            lambda record: record.job_id == expired_job and record.window_end is not None and record.window_end > now,
        )[0]

    def note_asked(self, run: str, archive_id: str, *, job_id: str, now: datetime) -> bool:
        return self._set(run, archive_id, ASKED_ABOUT, {"requested_at": now}, lambda record: record.job_id == job_id)[0]

    def claim_asking(self, seen: Sequence[ArchiveRecord], *, now: datetime) -> set[str]:
        return {one.archive_id for one in seen if self._ask_at(one, one.requested_at, now)}

    def release_asking(self, seen: Sequence[ArchiveRecord], *, claimed_at: datetime) -> None:
        for one in seen:
            self._ask_at(one, claimed_at, one.requested_at)

    def _ask_at(self, seen: ArchiveRecord, before: datetime | None, after: datetime | None) -> bool:
        def unchanged(record: ArchiveRecord) -> bool:
            return (record.job_id, record.requested_at) == (seen.job_id, before)

        return self._set(seen.run, seen.archive_id, ASKED_ABOUT, {"requested_at": after}, unchanged)[0]

    def request_again(self, run: str, archive_id: str, *, expired_job: str, new_job: str, now: datetime) -> bool:
        return self._set(
            run,
            archive_id,
            ASKED_AGAIN_FROM,
            {"status": ArchiveStatus.REQUESTED, "job_id": new_job, "requested_at": now},
            lambda record: record.job_id == expired_job,
        )[0]

    def register_upload(self, run: str, archive_id: str, upload_id: str) -> str | None:
        _, record = self._set(
            run,
            archive_id,
            frozenset({ArchiveStatus.STAGED}),
            {"upload_id": upload_id},
            lambda record: record.upload_id is None,
        )
        return record.upload_id if record else None

    def complete(self, run: str, archive_id: str, *, checksum: str, now: datetime) -> ArchiveStatus | None:
        _, record = self._set(
            run,
            archive_id,
            COMPLETE_FROM,
            {"status": ArchiveStatus.DOWNLOADED, "checksum": checksum, "downloaded_at": now},
        )
        return record.status if record else None

    def fail(
        self,
        run: str,
        archive_id: str,
        *,
        reason: str,
        only: frozenset[ArchiveStatus] = FAIL_FROM,
        job_id: str | None = None,
    ) -> ArchiveStatus | None:
        _, record = self._set(
            run,
            archive_id,
            only & FAIL_FROM,
            {"status": ArchiveStatus.FAILED, "failure": reason},
            lambda record: job_id is None or record.job_id == job_id,
        )
        return record.status if record else None

    def store_part(self, run: str, archive_id: str, *, upload_id: str, part: Part) -> PartStored:
        with self._lock:
            known = self._parts[run, archive_id].get(part.number)
            if known is not None and known[0] == upload_id:
                return PartStored.KNOWN
            record = self.records.get((run, archive_id))
            if known is not None and (record is None or record.upload_id != upload_id):
                return PartStored.ABANDONED
            self._parts[run, archive_id][part.number] = (upload_id, part)
            return PartStored.NEW

    def count_part(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        return self._count(run, archive_id, upload_id, counted=1)

    def count_replay(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        return self._count(run, archive_id, upload_id, replays=1)

    def part(self, run: str, archive_id: str, *, upload_id: str, number: int) -> Part | None:
        known = self._parts[run, archive_id].get(number)
        return known[1] if known is not None and known[0] == upload_id else None

    def parts(self, run: str, archive_id: str, *, upload_id: str) -> list[Part]:
        known = self._parts[run, archive_id]
        return [known[number][1] for number in sorted(known) if known[number][0] == upload_id]

    def forget_parts(self, run: str, archive_id: str) -> None:
        self._parts[run, archive_id].clear()

    def note_problem(self, run: str, archive_id: str, *, problem: str, now: datetime) -> None:  # noqa: ARG002
        self._problems[run, archive_id] = problem

    def problem(self, run: str, archive_id: str) -> str | None:
        return self._problems.get((run, archive_id))

    def _count(self, run: str, archive_id: str, upload_id: str, *, counted: int = 0, replays: int = 0) -> Progress:
        with self._lock:
            now = self._progress.get((run, archive_id, upload_id), Progress(counted=0, replays=0))
            now = Progress(counted=now.counted + counted, replays=now.replays + replays)
            self._progress[run, archive_id, upload_id] = now
            return now

    def _set(
        self,
        run: str,
        archive_id: str,
        sources: Collection[ArchiveStatus],
        changes: dict[str, Any],
        condition: Callable[[ArchiveRecord], bool] = lambda _: True,
    ) -> tuple[bool, ArchiveRecord | None]:
        return self._move(run, archive_id, sources, lambda record: replace(record, **changes), condition)

    def _move(
        self,
        run: str,
        archive_id: str,
        sources: Collection[ArchiveStatus],
        change: Callable[[ArchiveRecord], ArchiveRecord],
        condition: Callable[[ArchiveRecord], bool] = lambda _: True,
    ) -> tuple[bool, ArchiveRecord | None]:
        with self._lock:
            record = self.records.get((run, archive_id))
            if record is None or record.status not in sources or not condition(record):
                return False, record
            after = change(record)
            self._write(record, after)
            return True, after

    def _write(self, before: ArchiveRecord | None, after: ArchiveRecord) -> None:
        self.records[after.run, after.archive_id] = after
        self.stream.append(Written(number=len(self.stream) + 1, before=before, after=after))


def _become(record: ArchiveRecord) -> Callable[[ArchiveRecord], ArchiveRecord]:
    return lambda _: record


def _of_attempt(attempt: int) -> Callable[[ArchiveRecord], bool]:
    return lambda record: record.attempt == attempt


class InMemoryRunFacts:
    """`solution.application.ports.records.RunFactsReader`."""

    def __init__(self, *facts: RunFacts) -> None:
        self.by_run = {one.run: one for one in facts}

    def facts(self, run: str) -> RunFacts | None:
        return self.by_run.get(run)
