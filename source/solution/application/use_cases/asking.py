"""Asking Glacier for many archives, or of many jobs, at a steady pace, until all are asked or time runs out."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from solution.application.ports.records import Outcome
from solution.domain.errors import JobExpired, JobRefused, NoAnswer, QuotaUsed, Throttled, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.glacier import GlacierJobs, JobState
    from solution.application.use_cases.backoff import FullJitter, TokenBucket
    from solution.domain.archive import Tier

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_R = TypeVar("_R")

SETTLE_EVERY = 25
"""Outcomes are written down in groups of this size: what one DynamoDB batch of statements holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An archive to ask for. ``cost``: the bytes that count against the budget."""

    archive_id: str
    vault: str
    tier: Tier
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A job of an archive to ask about."""

    archive_id: str
    vault: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the job of an archive stands; None when Glacier no longer knows it."""

    archive_id: str
    state: JobState | None


class JobAsker:
    """Asks concurrently, never faster than the token bucket allows."""

    def __init__(
        self, *, glacier: GlacierJobs, clock: Clock, bucket: TokenBucket, jitter: FullJitter, workers: int = 24
    ) -> None:
        """``workers`` calls at a time: at some 200 ms each, enough for 100 per second."""
        self._glacier = glacier
        self._clock = clock
        self._bucket = bucket
        self._jitter = jitter
        self._workers = workers

    def ask(
        self,
        run: str,
        wishes: Sequence[Wish],
        *,
        deadline: Deadline,
        settle: Callable[[list[Outcome]], None],
        enter_again: Callable[[Wish], None],
        unheard: Callable[[Sequence[Wish]], None],
        go_on: Callable[[], bool],
    ) -> None:
        """Ask for each wish and hand over the outcomes, in groups, as they come.

        ``go_on`` is asked before each request; what remains when it says no is not asked for.

        A refusal is an outcome. Throttling and passing trouble are waited out while the deadline allows; what remains
        is raised after every outcome has been handed over, so that asking again asks only for the rest. Of that rest,
        the wishes that Glacier has certainly not heard are handed over before: it was never asked, or said no.

        Asking a second time without an answer to the first may be two retrievals: ``enter_again`` comes in between.
        """
        entered = Counter(wish.archive_id for wish in wishes)
        heard: Counter[str] = Counter()

        def request(wish: Wish) -> Outcome:
            if heard[wish.archive_id] == entered[wish.archive_id]:
                enter_again(wish)
                entered[wish.archive_id] += 1
            heard[wish.archive_id] += 1
            try:
                job_id = self._glacier.request_archive(
                    vault=wish.vault, archive_id=wish.archive_id, tier=wish.tier, run=run
                )
            except TransientError as error:
                if not isinstance(error, NoAnswer):
                    heard[wish.archive_id] -= 1
                raise
            except JobRefused as error:
                return Outcome(archive_id=wish.archive_id, failure=f"Glacier refused to retrieve the archive: {error}")
            return Outcome(archive_id=wish.archive_id, job_id=job_id)

        def rest() -> list[Wish]:
            return [wish for wish in wishes if not heard[wish.archive_id]]

        try:
            self._each(wishes, request, deadline, settle, go_on)
        except Exception:
            unheard(rest())
            raise
        unheard(rest())

    def look(
        self, questions: Sequence[Question], *, deadline: Deadline, settle: Callable[[list[Answer]], None]
    ) -> None:
        """Ask how each job stands and hand over the answers, in groups, as they come; trouble as in `ask`."""

        def describe(question: Question) -> Answer:
            try:
                state = self._glacier.describe(vault=question.vault, job_id=question.job_id)
            except JobExpired:
                return Answer(archive_id=question.archive_id, state=None)
            return Answer(archive_id=question.archive_id, state=state)

        self._each(questions, describe, deadline, settle, lambda: True)

    def _each(
        self,
        items: Sequence[_T],
        call: Callable[[_T], _R],
        deadline: Deadline,
        settle: Callable[[list[_R]], None],
        go_on: Callable[[], bool],
    ) -> None:
        if not items:
            return
        stop = threading.Event()
        settled: list[_R] = []
        first_error: BaseException | None = None
        with ThreadPoolExecutor(max_workers=min(self._workers, len(items))) as pool:
            futures = [pool.submit(self._one, call, item, deadline, stop, go_on) for item in items]
            for future in as_completed(futures):
                error = future.exception()
                if error is not None:
                    first_error = first_error or error
                    stop.set()
                    continue
                outcome = future.result()
                if outcome is not None:
                    settled.append(outcome)
                if len(settled) == SETTLE_EVERY:
                    try:
                        settle(settled)
                    except BaseException:
                        stop.set()
                        raise
                    settled = []
        if settled:
            settle(settled)
        if first_error is not None:
            raise first_error

    def _one(
        self,
        call: Callable[[_T], _R],
        item: _T,
        deadline: Deadline,
        stop: threading.Event,
        go_on: Callable[[], bool],
    ) -> _R | None:
        attempt = 0
        while not stop.is_set():
            self._bucket.take()
            if not go_on():
                stop.set()
                break
            if deadline.remaining() <= 0:
                raise Throttled("no time left to ask Glacier at the rate that is allowed")
            try:
                return call(item)
            except QuotaUsed:
                raise
            except TransientError as error:
                delay = self._jitter.delay(attempt)
                attempt += 1
                if deadline.remaining() <= delay:
                    raise Throttled(f"no time left after {attempt} attempts to ask Glacier: {error}") from error
                self._clock.sleep(delay)
        return None
