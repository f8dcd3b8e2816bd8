"""S3 Glacier's jobs over archives held in memory, with what can go wrong on demand."""

from __future__ import annotations

import io
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from solution.application.ports.glacier import JobOutput, JobState
from solution.domain.archive import format_time
from solution.domain.errors import JobExpired, JobRefused, NoAnswer, Throttled
from solution.domain.tree_hash import is_tree_hash_aligned, tree_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from solution.application.ports.clock import Clock
    from solution.domain.archive import Tier


@dataclass(slots=True, kw_only=True)
class _Job:
    job_id: str
    archive_id: str
    run: str
    completed: datetime | None = None
    failure: str | None = None


class InMemoryGlacier:
    """`solution.application.ports.glacier.GlacierJobs` of one vault, ``archives`` by id."""

    def __init__(self, clock: Clock, archives: dict[str, bytes], *, window: timedelta = timedelta(hours=24)) -> None:
        self.archives = archives
        self.asked: list[str] = []
        self.jobs: dict[str, _Job] = {}
        self.throttle_next = 0
        self.throttle_until: datetime | None = None
        self.lose_answers_next = 0
        self.corrupt_next = 0
        self.cut_next = 0
        self._clock = clock
        self._window = window
        self._lock = threading.Lock()

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:  # noqa: ARG002
        with self._lock:
            self._throttle()
            if archive_id not in self.archives:
                raise JobRefused(f"The archive ID was not found: {archive_id}")
            job_id = f"job-{len(self.jobs) + 1}"
            self.jobs[job_id] = _Job(job_id=job_id, archive_id=archive_id, run=run)
            self.asked.append(archive_id)
            if self.lose_answers_next:
                self.lose_answers_next -= 1
                raise NoAnswer("the connection was closed before the answer came")
            return job_id

    def _throttle(self) -> None:
        if self.throttle_next:
            self.throttle_next -= 1
        elif self.throttle_until is None or self._clock.now() >= self.throttle_until:
            return
        raise Throttled("ThrottlingException: Rate exceeded")

    def request_inventory(self, *, vault: str, run: str) -> str:
        raise NotImplementedError(f"this vault has archives alone ({vault}, {run})")

    def describe(self, *, vault: str, job_id: str) -> JobState:  # noqa: ARG002
        job = self._job(job_id)
        if job.completed is not None and self._clock.now() >= job.completed + self._window:
            raise JobExpired(f"The job ID was not found: {job_id}")
        return JobState(
            job_id=job_id,
            completed=job.completed is not None,
            succeeded=job.completed is not None and job.failure is None,
            status_message=job.failure or "",
            inventory_size=None,
            completion_date=format_time(job.completed) if job.completed else "",
        )

    def finish(self, job_id: str, *, failure: str | None = None) -> str:
        """End a job; returns the notification, as often as asked for. A job that has failed stays so."""
        job = self.jobs[job_id]
        job.completed = job.completed or self._clock.now()
        job.failure = failure or job.failure
        return json.dumps(
            {
                "Action": "ArchiveRetrieval",
                "ArchiveId": job.archive_id,
                "ArchiveSizeInBytes": len(self.archives[job.archive_id]),
                "Completed": True,
                "CompletionDate": format_time(job.completed),
                "JobDescription": job.run,
                "JobId": job_id,
                "SHA256TreeHash": tree_hash(self.archives[job.archive_id]),
                "StatusCode": "Failed" if job.failure else "Succeeded",
                "StatusMessage": job.failure or "Succeeded",
            }
        )

    def forget(self) -> None:
        """Let the window of every job close that has ended."""
        for job in self.jobs.values():
            if job.completed is not None:
                job.completed = min(job.completed, self._clock.now() - self._window)

    @contextmanager
    def open_output(
        self,
        *,
        vault: str,  # noqa: ARG002
        job_id: str,
        first: int | None = None,
        last: int | None = None,
    ) -> Iterator[JobOutput]:
        self._throttle()
        job = self._job(job_id)
        if job.completed is None or self._clock.now() >= job.completed + self._window:
            raise JobExpired(f"The job ID was not found: {job_id}")
        whole = self.archives[job.archive_id]
        first, last = first or 0, len(whole) - 1 if last is None else last
        content = whole[first : last + 1]
        announced = tree_hash(content) if is_tree_hash_aligned(first, last, len(whole)) else None
        sent = content
        if self.corrupt_next:
            self.corrupt_next -= 1
            sent = bytes([content[0] ^ 1]) + content[1:]
        elif self.cut_next:
            self.cut_next -= 1
            sent = content[:-1]
        yield JobOutput(body=io.BytesIO(sent), length=len(content), tree_hash=announced)

    def _job(self, job_id: str) -> _Job:
        if job_id not in self.jobs:
            raise JobExpired(f"The job ID was not found: {job_id}")
        return self.jobs[job_id]
