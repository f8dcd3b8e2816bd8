"""DESIGN, "What must always hold", as a state machine: over many archives, whatever happens next may be anything.

Messages come twice, late, out of order or never; functions die between any two calls; Glacier throttles, fails jobs,
cuts and spoils bodies, and closes windows; the stream is cut and replayed; the run is resumed in the midst of it. In
the end one more resume, undisturbed, finds everything as it should be.
"""

from __future__ import annotations

import contextlib
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from solution.domain.chunk_plan import MIB
from solution.domain.errors import NotPossible, Throttled
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.unit.application.world import Crash, Queue, World

CONTENTS = {
    **{f"small {number}": builders.content(1 + 300 * number, number) for number in range(9)},
    "two chunks": builders.content(MIB + 1, 20),
    "three chunks": builders.content(3 * MIB, 21),
}
NAMES = st.sampled_from(sorted(CONTENTS))


class AnyInterleaving(RuleBasedStateMachine):
    """One run; each rule is something that happens."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(dict(CONTENTS))

    # what should happen

    @initialize()
    def begin(self) -> None:
        """All are asked for, and Glacier is ready."""
        self.world.ask()
        self.world.finish_jobs()

    @rule(names=st.sets(NAMES))
    def ask(self, names: set[str]) -> None:
        """A batch is asked for, for the first time or again."""
        self.world.ask(*sorted(names))

    @rule()
    def finish_jobs(self) -> None:
        """Glacier is ready with what it was asked for."""
        self.world.finish_jobs()

    @rule(
        choice=st.randoms(use_true_random=False),
        messages=st.integers(1, 12),
        twice=st.booleans(),
        trouble=st.sampled_from(["none", "spoilt", "cut", "dies before a call", "dies after a call"]),
        at=st.integers(1, 12),
    )
    def deliver(self, choice: random.Random, messages: int, twice: bool, trouble: str, at: int) -> None:
        """Some messages are handled, in any order, perhaps with trouble on the way, their deletion perhaps lost."""
        glacier, fuse = self.world.glacier, self.world.fuse
        if trouble == "spoilt":
            glacier.corrupt_next = at
        elif trouble == "cut":
            glacier.cut_next = at
        elif trouble != "none":
            fuse.arm(at, after=trouble == "dies after a call")
        for _ in range(messages):
            queues = self._waiting()
            if queues:
                queue = choice.choice(queues)
                self.world.deliver(queue, choice.randrange(len(queue.messages)), twice=twice)

    @rule(cuts=st.randoms(use_true_random=False))
    def stream(self, cuts: random.Random) -> None:
        """The stream is counted, in pieces that overlap."""
        self.world.stream(cuts)

    @rule()
    def bury(self) -> None:
        """Dead letters are read."""
        self.world.bury_dead()

    @rule()
    def find_changes(self) -> None:
        """Changes that could not be counted are read again."""
        self.world.find_changes()

    @rule(calls=st.integers(1, 30), after=st.booleans())
    def tick(self, calls: int, after: bool) -> None:
        """The rule looks for windows and silence, and may end at a call."""
        self.world.fuse.arm(calls, after=after)
        with contextlib.suppress(Crash, Throttled):
            self.world.extend()
            self.world.follow_up()

    # what should not

    @rule(changes=st.integers(1, 20))
    def lose_changes(self, changes: int) -> None:
        """Changes cannot be counted, and are found later, or never."""
        self.world.lose_changes(changes)

    @rule(names=st.sets(NAMES, min_size=1))
    def straggle(self, names: set[str]) -> None:
        """An invocation of the attempt before goes on asking."""
        if self.world.attempt > 1:
            with contextlib.suppress(NotPossible):
                self.world.ask(*sorted(names), attempt=self.world.attempt - 1)

    @rule(requests=st.integers(1, 5), calls=st.integers(1, 12), after=st.booleans())
    def hinder(self, requests: int, calls: int, after: bool) -> None:
        """Glacier asks to slow down or gives no answer, and a function ends at a call."""
        self.world.glacier.throttle_next = requests
        self.world.glacier.lose_answers_next = requests % 2
        self.world.fuse.arm(calls, after=after)

    @rule()
    def fail_jobs(self) -> None:
        """Glacier gives up what it has not finished."""
        self.world.finish_jobs(failure="the tape is torn")

    @rule(choice=st.randoms(use_true_random=False))
    def repeat_notification(self, choice: random.Random) -> None:
        """Glacier says again what it has said."""
        said = [job_id for job_id, job in self.world.glacier.jobs.items() if job.completed is not None]
        if said:
            self.world.notifications.source.bodies.append(self.world.glacier.finish(choice.choice(said)))

    @rule(choice=st.randoms(use_true_random=False))
    def lose(self, choice: random.Random) -> None:
        """A message is never delivered."""
        queues = self._waiting()
        if queues:
            queue = choice.choice(queues)
            queue.messages.pop(choice.randrange(len(queue.messages)))

    @rule(hours=st.sampled_from([1, 20, 25]))
    def wait(self, hours: int) -> None:
        """Time passes, and windows close."""
        self.world.clock.advance(hours * 3600)

    @rule()
    def resume(self) -> None:
        """The attempt is ended and its uploads aborted, while its messages may still be on their way."""
        self.world.resume()

    @rule(choice=st.randoms(use_true_random=False), at=st.integers(5, 25), fails=st.booleans())
    def die_asking(self, choice: random.Random, at: int, fails: bool) -> None:
        """A resume's first batch dies while it asks, and Glacier may give a job up before the batch is tried again."""
        world = self.world
        world.resume()
        before = set(world.glacier.jobs)
        world.fuse.arm(at, after=False)
        world.ask()
        world.fuse.at = None
        asked = sorted(set(world.glacier.jobs) - before)
        if asked and fails:
            self._fail(choice.choice(asked))

    @rule(choice=st.randoms(use_true_random=False))
    def fail_job(self, choice: random.Random) -> None:
        """Glacier gives up one of its jobs, whether or not anybody still counts on it."""
        unfinished = [job_id for job_id in self.world.glacier.jobs if job_id not in self.world.announced]
        if unfinished:
            self._fail(choice.choice(unfinished))

    # what must hold

    @invariant()
    def what_is_reported_downloaded_is_there(self) -> None:
        """Byte for byte, at any time."""
        for record in self.world.records.records.values():
            if record.status is ArchiveStatus.DOWNLOADED:
                name = record.archive.file_name.removesuffix(".bin")
                assert self.world.copied(name) == CONTENTS[name]

    @invariant()
    def what_failed_says_why(self) -> None:
        """At any time."""
        for record in self.world.records.records.values():
            assert record.status is not ArchiveStatus.FAILED or record.failure

    @invariant()
    def what_failed_with_its_job_had_no_other(self) -> None:
        """That another job has failed says nothing of the archive."""
        for record in self.world.records.records.values():
            if record.failure and record.failure.startswith("Glacier's retrieval job"):
                assert f" {record.job_id} " in record.failure

    def teardown(self) -> None:
        """Undisturbed, every archive ends; and a resume ends with every archive copied, once, and exact counters."""
        world = self.world
        world.fuse.at = None
        world.glacier.cut_next = world.glacier.corrupt_next = world.glacier.throttle_next = 0
        world.glacier.lose_answers_next = 0
        world.clock.advance(25 * 3600)  # the budget's day is over
        assert world.ask() is not None, "as Step Functions does with a batch whose function died"
        world.tick_on()
        world.resume()
        world.clock.advance(25 * 3600)  # the budget's day is over, and what was staged has expired
        assert world.ask() is not None
        world.drain()
        world.look()  # where nothing was left to copy, no change releases the run
        world.assert_what_must_always_hold()
        assert {world.status(name) for name in CONTENTS} == {ArchiveStatus.DOWNLOADED}
        assert len(world.objects.objects) == len(CONTENTS)

    def _fail(self, job_id: str) -> None:
        self.world.announced.add(job_id)
        notification = self.world.glacier.finish(job_id, failure="the tape is torn")
        self.world.notifications.source.bodies.append(notification)

    def _waiting(self) -> list[Queue]:
        world = self.world
        return [queue for queue in (world.notifications, world.chunks, world.validations) if queue.fill()]


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
