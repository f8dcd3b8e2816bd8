"""Archive retrieval over the in-memory ports: queues deliver at least once, and functions may die anywhere."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.in_memory.facilitator import InMemoryFacilitator
from solution.application.in_memory.glacier import InMemoryGlacier
from solution.application.in_memory.objects import InMemoryObjectStore
from solution.application.in_memory.queues import InMemoryQueue
from solution.application.in_memory.quota import InMemoryQuotaLedger
from solution.application.in_memory.records import InMemoryRunFacts, InMemoryTransferRecords, Written
from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanPage, ScanQuery
from solution.application.ports.clock import Deadline
from solution.application.ports.counters import Tally
from solution.application.ports.records import ArchiveRecord, RunFacts
from solution.application.use_cases.allowance import Allowance
from solution.application.use_cases.asking import JobAsker
from solution.application.use_cases.backoff import FullJitter, TokenBucket
from solution.application.use_cases.bury_message import BuryMessage
from solution.application.use_cases.close_archives import CloseArchives
from solution.application.use_cases.close_run import SETTLE
from solution.application.use_cases.completion import CheckCompletion
from solution.application.use_cases.count_changes import Change, CountChanges
from solution.application.use_cases.extend_windows import Extended, ExtendWindows
from solution.application.use_cases.follow_up_retrievals import FollowedUp, FollowUpRetrievals
from solution.application.use_cases.process_notifications import Incoming, ProcessNotifications
from solution.application.use_cases.recount import Recount, RecountPosition
from solution.application.use_cases.request_archives import RequestArchives, Requested
from solution.application.use_cases.standing import Standing
from solution.application.use_cases.transfer_chunk import TransferChunk
from solution.application.use_cases.validate_archive import ValidateArchive
from solution.contract.messages import ChunkMessage, ValidationMessage, WorkBatch
from solution.contract.tables import RunStatus, completion_job_id
from solution.domain.archive import Tier
from solution.domain.chunk_plan import MIB, ChunkPlan
from solution.domain.pacing import Budget
from solution.domain.status import ALLOWED_FROM, UNFINISHED, ArchiveStatus, Metric, milestones
from tests import builders

MAX_RECEIVES = 5
OVERDUE = {Tier.BULK: timedelta(hours=18), Tier.STANDARD: timedelta(hours=7.5)}
STOPPED_FROM = frozenset(status for status in ALLOWED_FROM[ArchiveStatus.STOPPED] if status is not None)
STOPPED = {
    "status": ArchiveStatus.STOPPED,
    "job_id": None,
    "upload_id": None,
    "window_end": None,
    "failure": None,
}


class Crash(BaseException):
    """The process is gone: nothing below may catch it."""


@dataclass
class Fuse:
    """Ends the process at call number ``at``, before it is made or after it has had its effect.

    With ``meanwhile``, that happens there instead, and the process goes on. ``spared`` calls do not count.
    """

    at: int | None = None
    after: bool = False
    calls: int = 0
    blown: bool = False
    meanwhile: Callable[[], None] | None = None
    spared: frozenset[str] = frozenset()

    def arm(
        self,
        at: int,
        *,
        after: bool,
        meanwhile: Callable[[], None] | None = None,
        spared: frozenset[str] = frozenset(),
    ) -> None:
        """From now on, count to ``at``."""
        self.at, self.after, self.calls, self.blown, self.meanwhile = at, after, 0, False, meanwhile
        self.spared = spared

    def blow(self, call: str) -> None:
        """The call is reached."""
        self.at, self.blown = None, True
        if self.meanwhile is None:
            raise Crash(call)
        self.meanwhile()


class Fragile:
    """A port whose calls count against a fuse."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            fuse = self._fuse
            fuse.calls += name not in fuse.spared
            blow = fuse.calls == fuse.at and name not in fuse.spared
            if blow and not fuse.after:
                fuse.blow(name)
            answer = method(*args, **kwargs)
            if blow and fuse.after:
                fuse.blow(name)
            return answer

        return call


class SmallChunks(InMemoryTransferRecords):
    """Cuts archives smaller than S3 would have it, so that tests need not hash much."""

    def __init__(self, chunk_size: int) -> None:
        super().__init__()
        self._chunk_size = chunk_size

    def create(self, records: Sequence[ArchiveRecord]) -> set[str]:
        return super().create([self._cut(record) for record in records])

    def reclaim(self, records: Sequence[ArchiveRecord], *, seen: Mapping[str, ArchiveRecord]) -> set[str]:
        return super().reclaim([self._cut(record) for record in records], seen=seen)

    def _cut(self, record: ArchiveRecord) -> ArchiveRecord:
        plan = ChunkPlan(size=record.archive.size, chunk_size=self._chunk_size)
        return replace(record, chunk_size=plan.chunk_size, chunk_count=max(1, plan.count))


@dataclass
class ScanOfRecords:
    """`solution.application.ports.archive_scan.ArchiveScan` for a recount and a clean-up, in pages of two archives."""

    records: InMemoryTransferRecords

    def pages(self, query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        assert (segment, total_segments) == (0, 1)
        everything = list(self.records.records.values())
        for position in range(int(start or 0), len(everything) + 1, 2):
            page = [self.records.records[one.run, one.archive_id] for one in everything[position : position + 2]]
            rows = [
                ArchiveRow(archive_id=one.archive_id, size=one.archive.size, status=one.status)
                for one in page
                if (one.status in UNFINISHED if query.purpose is Purpose.CLOSING else _is_counted(one, query))
            ]
            following = str(position + 2) if position + 2 <= len(everything) else None
            yield ScanPage(rows=rows, next=following)


def _is_counted(record: ArchiveRecord, query: ScanQuery) -> bool:
    assert query.purpose is Purpose.DOWNLOADED
    return record.status is ArchiveStatus.DOWNLOADED and record.attempt < query.before_attempt


@dataclass
class StopsInRecords:
    """`solution.application.ports.archive_scan.ArchiveStops`."""

    records: InMemoryTransferRecords

    def stop(self, run: str, archive_ids: Sequence[str], *, attempt: int) -> int:
        changes = {**STOPPED, "attempt": attempt}
        return sum(self.records._set(run, one, STOPPED_FROM, changes)[0] for one in archive_ids)

    def close(self, run: str, reasons: Mapping[str, str], *, attempt: int) -> int:
        return sum(
            self.records._set(run, one, UNFINISHED, {**STOPPED, "attempt": attempt, "failure": why})[0]
            for one, why in reasons.items()
        )


@dataclass(frozen=True)
class Report:
    """What a run's end has said: where each archive stands, what was asked for, and the counters."""

    statuses: dict[str, ArchiveStatus]
    asked: tuple[str, ...]
    counters: dict[Metric, int]


@dataclass
class Message:
    """A message in a queue, and how often it has been delivered."""

    body: str
    deliveries: int = 0


@dataclass
class Queue:
    """At least once: a message stays until its handler has returned, and moves to the dead letters after five tries."""

    source: InMemoryQueue
    messages: list[Message] = field(default_factory=list)

    def fill(self) -> list[Message]:
        """Take over what was sent."""
        self.messages += [Message(body) for body in self.source.bodies]
        self.source.bodies.clear()
        return self.messages


class World:
    """One run over a vault of archives, cut into chunks of ``chunk_size`` bytes."""

    def __init__(self, contents: dict[str, bytes], *, chunk_size: int = MIB, budget: int = 100 * 1024**4) -> None:
        self.clock = ManualClock()
        self.fuse = Fuse()
        self.contents = contents
        self.archives = {name: builders.archive(name, data) for name, data in contents.items()}
        self.glacier = InMemoryGlacier(self.clock, {builders.archive_id(name): data for name, data in contents.items()})
        self.records = SmallChunks(chunk_size)
        self.objects = InMemoryObjectStore()
        self.counters = InMemoryCounters()
        self.budget = Budget(size=budget, period=timedelta(days=1))
        self.ledger = InMemoryQuotaLedger()
        self.expenses = InMemoryExpenses()
        self.facilitator = InMemoryFacilitator()
        self.notifications = Queue(InMemoryQueue())
        self.chunks = Queue(InMemoryQueue())
        self.validations = Queue(InMemoryQueue())
        self.dead: list[Message] = []
        self.announced: set[str] = set()
        self.attempt = 1
        self.runs = InMemoryRunFacts(self._facts())
        self.streamed = 0
        self.lost: list[Change] = []
        self.counters.add(
            builders.RUN,
            Tally(
                archives={Metric.TOTAL: len(contents)},
                size={Metric.TOTAL: sum(len(data) for data in contents.values())},
            ),
        )
        self._assemble()

    def _assemble(self) -> None:
        records = self._fragile(self.records)
        glacier = self._fragile(self.glacier)
        objects = self._fragile(self.objects)
        facilitator = self._fragile(self.facilitator)
        standing = Standing(runs=self._fragile(self.runs), clock=self.clock)
        jitter = FullJitter(seed=1)
        self.allowance = Allowance(
            ledger=self._fragile(self.ledger),
            expenses=self.expenses,
            clock=self.clock,
            jitter=jitter,
            budget=self.budget,
            jobs_per_second=100,
        )
        asker = JobAsker(
            glacier=glacier, clock=self.clock, bucket=TokenBucket(self.clock, 100), jitter=jitter, workers=1
        )
        self.request = RequestArchives(
            records=records,
            standing=standing,
            allowance=self.allowance,
            asker=asker,
            clock=self.clock,
            chunk_size_mib=8,
        )
        self.extension = ExtendWindows(
            records=records,
            standing=standing,
            allowance=self.allowance,
            asker=asker,
            clock=self.clock,
            threshold=timedelta(hours=5),
        )
        self.following = FollowUpRetrievals(
            records=records,
            standing=standing,
            allowance=self.allowance,
            asker=asker,
            notifications=self._fragile(self.notifications.source),
            clock=self.clock,
            overdue=OVERDUE,
        )
        self.notify = ProcessNotifications(
            records=records,
            facilitator=facilitator,
            chunks=self._fragile(self.chunks.source),
            objects=objects,
            standing=standing,
            clock=self.clock,
            window=timedelta(hours=24),
        )
        self.transfer = TransferChunk(
            records=records,
            glacier=glacier,
            objects=objects,
            validations=self._fragile(self.validations.source),
            standing=standing,
            clock=self.clock,
            jitter=jitter,
        )
        self.validate = ValidateArchive(records=records, objects=objects, clock=self.clock)
        self.bury = BuryMessage(records=records)
        self.count = CountChanges(
            counters=self._fragile(self.counters),
            runs=self.runs,
            facilitator=facilitator,
            clock=self.clock,
            jitter=jitter,
        )
        self.check = CheckCompletion(
            counters=self.counters, facilitator=self.facilitator, clock=self.clock, stall=timedelta(days=3)
        )
        self.recount = Recount(scan=ScanOfRecords(self.records), counters=self._fragile(self.counters))

    def _facts(self) -> RunFacts:
        return RunFacts(run=builders.RUN, execution_name=self.execution, attempt=self.attempt)

    def _fragile(self, port: Any) -> Any:
        return cast("Any", Fragile(port, self.fuse))

    # what the outside does

    def ask(self, *names: str, attempt: int | None = None) -> Requested | None:
        """InitiateArchiveRetrieval with these archives, or all; None when it died."""
        batch = builders.batch(
            *(self.archives[name] for name in names or self.archives), attempt=attempt or self.attempt
        )
        try:
            return self.request(batch, Deadline.after(self.clock, 600))
        except Crash:
            return None

    def extend(self) -> Extended:
        """A tick of the rule, over all archives: the windows."""
        return self.extension(self._everything(), Deadline.after(self.clock, 60))

    def follow_up(self) -> FollowedUp:
        """The same: the retrievals."""
        return self.following(self._everything(), Deadline.after(self.clock, 60))

    def _everything(self) -> WorkBatch:
        ids = tuple(archive.archive_id for archive in self.archives.values())
        return WorkBatch(workflow_run=builders.RUN, vault_name=builders.VAULT, tier=Tier.BULK, archive_ids=ids)

    def tick_on(self, *, hours: int = 1, days: int = 10) -> None:
        """Nobody does anything but the rules, until every archive has ended."""
        for _ in range(0, 24 * days, hours):
            self.drain()
            if not any(record.status in UNFINISHED for record in self.records.records.values()):
                return
            self.clock.advance(hours * 3600)
            self.extend()
            self.follow_up()
        raise AssertionError(f"after {days} days archives are still under way")

    def lose(self, queue: Queue) -> None:
        """All messages of a queue are lost."""
        queue.fill().clear()

    def finish_jobs(self, **outcome: str) -> None:
        """Glacier ends every job that has not ended and publishes."""
        for job_id in list(self.glacier.jobs):
            if job_id not in self.announced:
                self.announced.add(job_id)
                self.notifications.source.bodies.append(self.glacier.finish(job_id, **outcome))

    def mark(self, status: RunStatus = RunStatus.STOPPING) -> None:
        """The run's record says from now on that it ends."""
        self.runs.by_run[builders.RUN] = replace(self._facts(), status=status)

    def end(self) -> Report:
        """The clean-up of a run that is stopped: it waits, stops what is left, counts, aborts, and reports."""
        self.mark(RunStatus.ENDING)
        self.clock.advance(SETTLE.total_seconds())
        close = CloseArchives(scan=ScanOfRecords(self.records), stops=StopsInRecords(self.records), runs=self.runs)
        position = None
        while True:
            deadline = Deadline.after(self.clock, 0)
            outcome = close(run=builders.RUN, segment=0, total_segments=1, start=position, deadline=deadline)
            position = outcome.next
            if position is None:
                break
        self.find_changes()
        self.stream()
        self.objects.uploads.clear()
        self.mark(RunStatus.STOPPED)
        return self.report()

    def report(self) -> Report:
        """How it is."""
        tally = self.counters.read(builders.RUN)
        assert tally is not None
        return Report(
            statuses={one.archive.file_name: one.status for one in self.records.records.values()},
            asked=tuple(self.glacier.asked),
            counters={metric: tally.count(metric) for metric in Metric},
        )

    def resume(self) -> None:
        """The next attempt begins: what the last one left unfinished is stopped, and the counters are restated."""
        self.attempt += 1
        self.runs.by_run[builders.RUN] = self._facts()
        for run, archive_id in list(self.records.records):
            self.records._set(run, archive_id, STOPPED_FROM, {**STOPPED, "attempt": self.attempt})
        self.objects.uploads.clear()
        position: RecountPosition | None = None
        while True:
            with contextlib.suppress(Crash):
                deadline = Deadline.after(self.clock, 0)
                position = self.recount(run=builders.RUN, attempt=self.attempt, start=position, deadline=deadline)
                if position is None:
                    return

    def deliver(self, queue: Queue, position: int = 0, *, twice: bool = False) -> None:
        """Deliver one message; it stays if its handler fails, or if its deletion is lost (``twice``)."""
        message = queue.fill()[position]
        message.deliveries += 1
        if self._handled(queue, message):
            if not twice:
                queue.messages.remove(message)
        elif message.deliveries >= MAX_RECEIVES:
            queue.messages.remove(message)
            self.dead.append(message)

    def _handled(self, queue: Queue, message: Message) -> bool:
        try:
            if queue is self.notifications:
                return self.notify([Incoming(message_id="m", body=message.body)]) == []
            if queue is self.chunks:
                self.transfer(ChunkMessage.parse(message.body), deliveries=message.deliveries)
            else:
                self.validate(ValidationMessage.parse(message.body))
        except (Crash, Exception):  # noqa: BLE001 - as Lambda: whatever it was, the message comes again
            return False
        return True

    def bury_dead(self) -> None:
        """DeadLetterProcessor takes all there is."""
        while self.dead:
            message = self.dead[0]
            with contextlib.suppress(Crash):
                self.bury(message.body, attempts=message.deliveries)
                self.dead.pop(0)

    def stream(self, rng: random.Random | None = None) -> None:
        """Feed the table's stream to the counters, in one piece, or cut and replayed at random."""
        changes = [to_change(written) for written in self.records.stream]
        if rng is None:
            while self.streamed < len(changes):
                with contextlib.suppress(Crash):
                    self.count(changes[self.streamed :])
                    self.streamed = len(changes)
            return
        while self.streamed < len(changes):
            start = rng.randint(max(0, self.streamed - 5), self.streamed)
            end = rng.randint(start + 1, min(len(changes), start + 8))
            with contextlib.suppress(Crash):
                self.count(changes[start:end])
                self.streamed = max(self.streamed, end)

    def lose_changes(self, number: int) -> None:
        """The stream's next changes go to the failure queue."""
        changes = [to_change(written) for written in self.records.stream]
        self.lost += changes[self.streamed : self.streamed + number]
        self.streamed = min(len(changes), self.streamed + number)

    def find_changes(self) -> None:
        """What went there is read again from the stream and counted."""
        with contextlib.suppress(Crash):
            self.count(self.lost)
            self.lost.clear()

    def look(self) -> None:
        """CompletionChecker's rule ticks."""
        self.check(run=builders.RUN, execution_name=self.execution)

    def drain(self) -> None:
        """Let everything run to its end; where a window has closed, the rule ticks."""
        for _ in range(2000):
            self.finish_jobs()
            for queue in (self.notifications, self.chunks, self.validations):
                if queue.fill():
                    self.deliver(queue)
                    break
            else:
                if self.dead:
                    self.bury_dead()
                elif any(self._closed(record) for record in self.records.records.values()):
                    self.clock.advance(3600)
                    with contextlib.suppress(Crash):
                        self.extend()
                else:
                    self.stream()
                    return
        raise AssertionError("the run does not come to an end")

    def _closed(self, record: ArchiveRecord) -> bool:
        return (
            record.status is ArchiveStatus.STAGED
            and record.window_end is not None
            and record.window_end <= self.clock.now()
        )

    # what can be seen

    def status(self, name: str) -> ArchiveStatus:
        """Status of an archive."""
        return self.record(name).status

    def record(self, name: str) -> ArchiveRecord:
        """Record of an archive."""
        return self.records.records[builders.RUN, builders.archive_id(name)]

    def copied(self, name: str) -> bytes | None:
        """Content of an archive's object."""
        kept = self.objects.objects.get(f"{builders.RUN}/{name}.bin")
        return kept.content if kept else None

    @property
    def execution(self) -> str:
        """Name of the present attempt's orchestrator."""
        return f"{builders.RUN}-{self.attempt}"

    @property
    def released(self) -> bool:
        """Whether the orchestrator's wait is over."""
        return completion_job_id(builders.RUN, self.execution) in self.facilitator.results

    def assert_what_must_always_hold(self) -> None:
        """What must always hold (docs/DEVELOPER_GUIDE.md), as far as it can be seen from here."""
        truth: dict[Metric, int] = dict.fromkeys(Metric, 0)
        for record in self.records.records.values():
            for metric in milestones(record.status):
                truth[metric] += 1
            name = record.archive.file_name.removesuffix(".bin")
            if record.status is ArchiveStatus.DOWNLOADED:
                assert self.copied(name) == self.contents[name]
            else:
                assert record.status is ArchiveStatus.FAILED, f"{name} was left {record.status}"
                assert record.failure
        truth[Metric.TOTAL] = len(self.contents)
        tally = self.counters.read(builders.RUN)
        assert tally is not None
        assert {metric: tally.count(metric) for metric in Metric} == truth
        assert len(self.records.records) == len(self.contents)
        assert self.released


def to_change(written: Written) -> Change:
    """A write as the stream tells it."""
    return Change(
        run=written.after.run,
        record_id=written.number.to_bytes(12),
        slot=written.number // 3,
        size=written.after.archive.size,
        before=written.before.status if written.before else None,
        after=written.after.status,
        attempt_before=written.before.attempt if written.before else 0,
        attempt_after=written.after.attempt,
    )
