"""Counters are exact: a replayed stream batch, however it is cut, changes nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.facilitator import InMemoryFacilitator
from solution.application.in_memory.records import InMemoryRunFacts
from solution.application.ports.counters import Tally
from solution.application.ports.records import RunFacts
from solution.application.use_cases.backoff import FullJitter
from solution.application.use_cases.count_changes import Change, CountChanges, parse_change
from solution.contract.tables import completion_job_id
from solution.domain.errors import TransientError
from solution.domain.status import ALLOWED_FROM, ArchiveStatus, Metric, milestones
from tests.builders import RUN

EXECUTION = "run-1-1"


def history(rng: random.Random, archives: int, moves: int) -> tuple[list[Change], dict[tuple[str, int], ArchiveStatus]]:
    """Random lives of archives of two runs, as a stream, and where each archive ended."""
    states: dict[tuple[str, int], ArchiveStatus] = {}
    changes: list[Change] = []
    for number in range(moves):
        key = (rng.choice([RUN, "run-2"]), rng.randrange(archives))
        before = states.get(key)
        after = rng.choice([status for status, sources in ALLOWED_FROM.items() if before in sources] or [before])
        if after is None:
            continue
        states[key] = after
        change = Change(
            run=key[0],
            record_id=number.to_bytes(12, "big"),
            slot=number // 7,
            size=10 + key[1],
            before=before,
            after=after,
        )
        changes.append(change)
    return changes, states


def counting(counters: InMemoryCounters, facilitator: InMemoryFacilitator | None = None) -> CountChanges:
    """MetricsProcessor over these counters."""
    runs = [RunFacts(run=run, execution_name=EXECUTION) for run in (RUN, "run-2")]
    return CountChanges(
        counters=counters,
        runs=InMemoryRunFacts(*runs),
        facilitator=facilitator or InMemoryFacilitator(),
        clock=ManualClock(),
        jitter=FullJitter(seed=1),
    )


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), archives=st.integers(1, 6), moves=st.integers(0, 120))
@pytest.mark.holds(6)
def test_any_replay_and_any_cut_of_the_stream_leave_the_counters_equal_to_the_truth(
    seed: int, archives: int, moves: int
) -> None:
    rng = random.Random(seed)
    changes, states = history(rng, archives, moves)
    counters = InMemoryCounters()
    count = counting(counters)
    position = 0
    while position < len(changes):
        start, end = rng.randint(0, position), rng.randint(position, len(changes)) + 1
        piece = changes[start:end]
        rng.shuffle(piece)
        counters.conflicts = rng.randint(0, 3)
        count(piece)
        position = end
    for run in (RUN, "run-2"):
        tally = counters.read(run) or Tally()
        for metric in Metric:
            ended = [number for (of, number), status in states.items() if of == run and metric in milestones(status)]
            assert tally.count(metric) == len(ended)
            assert tally.size.get(metric, 0) == sum(10 + number for number in ended)


def change(number: int, before: ArchiveStatus | None, after: ArchiveStatus, **facts: Any) -> Change:
    """One change."""
    values: dict[str, Any] = {"run": RUN, "record_id": number.to_bytes(12, "big"), "slot": 1, "size": 5}
    return Change(**{**values, **facts}, before=before, after=after)


def test_the_last_count_releases_the_run() -> None:
    counters, facilitator = InMemoryCounters(), InMemoryFacilitator()
    counters.add(RUN, Tally(archives={Metric.TOTAL: 2}))
    count = counting(counters, facilitator)
    count([change(1, ArchiveStatus.STAGED, ArchiveStatus.DOWNLOADED)])
    assert facilitator.results == {}
    last = change(2, ArchiveStatus.REQUESTED, ArchiveStatus.FAILED)
    count([last])
    assert facilitator.results[completion_job_id(RUN, EXECUTION)].message == "1 of 2 archives copied, 1 failed"


def test_a_release_that_was_lost_is_made_up_for_by_the_replay() -> None:
    counters, facilitator = InMemoryCounters(), InMemoryFacilitator()
    counters.add(RUN, Tally(archives={Metric.TOTAL: 1}))
    last = change(1, ArchiveStatus.STAGED, ArchiveStatus.DOWNLOADED)
    counting(counters)([last])
    counting(counters, facilitator)([last])
    assert len(facilitator.results) == 1
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.DOWNLOADED) == 1


def test_a_change_that_moves_no_counter_is_not_remembered() -> None:
    counters = InMemoryCounters()
    counting(counters)([change(1, None, ArchiveStatus.REQUESTING)])
    assert counters.memory(RUN, [1]).slots == {}


def test_counters_that_are_always_taken_end_in_a_retry() -> None:
    counters = InMemoryCounters()
    counters.conflicts = 1000
    with pytest.raises(TransientError, match="were taken"):
        counting(counters)([change(1, ArchiveStatus.REQUESTED, ArchiveStatus.STAGED)])


def test_more_slots_than_a_transaction_holds_are_counted_in_several() -> None:
    counters = InMemoryCounters()
    count = counting(counters)
    count([change(n, ArchiveStatus.REQUESTED, ArchiveStatus.STAGED, slot=n) for n in range(250)])
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.STAGED) == 250


def stream_record(**changes: Any) -> dict[str, Any]:
    """A record of the table's stream, as Lambda delivers it."""
    image = {"pk": {"S": "run-1|archive"}, "sk": {"S": "meta"}, "status": {"S": "staged"}, "size": {"N": "7"}}
    dynamodb: dict[str, Any] = {
        "ApproximateCreationDateTime": 1740830400.5,
        "Keys": {"pk": {"S": "run-1|archive"}, "sk": {"S": "meta"}},
        "SequenceNumber": "4421584500000000017450439091",
        "OldImage": {**image, "status": {"S": "requested"}},
        "NewImage": image,
    }
    return {"eventID": "1", "eventName": "MODIFY", "dynamodb": {**dynamodb, **changes}}


def test_a_stream_record_is_read() -> None:
    read = parse_change(stream_record())
    assert read is not None
    assert (read.run, read.size, read.slot) == ("run-1", 7, 1740830400)
    assert (read.before, read.after) == (ArchiveStatus.REQUESTED, ArchiveStatus.STAGED)
    assert read.moves(counted_from=0) == {Metric.STAGED: 1}
    other = parse_change(stream_record(SequenceNumber="4421584500000000017450439092"))
    assert other is not None
    assert other.record_id != read.record_id


@pytest.mark.parametrize(
    "changes",
    [
        {"Keys": {"pk": {"S": "run-1"}, "sk": {"S": "meta"}}},
        {"Keys": {"pk": {"S": "run-1|archive"}, "sk": {"S": "p:00001"}}},
        {"OldImage": {}, "NewImage": {"upload_id": {"S": "u"}}},
    ],
)
def test_records_that_are_not_about_an_archives_state_are_passed_over(changes: dict[str, Any]) -> None:
    assert parse_change(stream_record(**changes)) is None
