"""Counters: counters and memory move together or not at all."""

from __future__ import annotations

import pytest

from solution.application.adapters.counters import DynamoCounters
from solution.application.in_memory.clock import START
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.ports.counters import (
    MAX_SLOTS_PER_COMMIT,
    Counters,
    Memory,
    Pulse,
    SeenSlot,
    SlotUpdate,
    Tally,
)
from solution.domain.status import Metric
from tests.builders import RUN

ID = b"twelve bytes"
MORE = b"a dozen more"
ONE_STAGED = Tally(archives={Metric.STAGED: 1}, size={Metric.STAGED: 5 * 1024**4})


@pytest.fixture(params=["in memory", "DynamoDB"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryCounters()
    return DynamoCounters(request.getfixturevalue("dynamodb"), request.getfixturevalue("metric_table"))


def update(slot: int = 7, version: int = 0, *ids: bytes) -> SlotUpdate:
    """Ids to remember."""
    return SlotUpdate(slot=slot, version=version, ids=ids or (ID,))


def test_a_run_that_was_never_counted_has_no_counters(counters: Counters) -> None:
    assert counters.read(RUN) is None
    assert counters.memory(RUN, [1, 2]) == Memory(counted_from=0, slots={})
    assert counters.pulse(RUN) is None


def test_a_commit_adds_and_remembers(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update()], counted_from=0)
    tally = counters.read(RUN)
    assert tally is not None
    assert (tally.count(Metric.STAGED), tally.size[Metric.STAGED]) == (1, 5 * 1024**4)
    assert counters.memory(RUN, [7, 8]).slots == {7: SeenSlot(version=1, ids=frozenset({ID}))}
    assert counters.memory("another-run", [7]).slots == {}


def test_a_commit_on_an_outdated_slot_changes_nothing(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update(7, 0, ID)], counted_from=0)
    assert not counters.commit(RUN, ONE_STAGED, [update(8, 0, MORE), update(7, 0, MORE)], counted_from=0)
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.STAGED) == 1
    assert counters.memory(RUN, [7, 8]).slots == {7: SeenSlot(version=1, ids=frozenset({ID}))}


def test_a_slot_grows_with_each_commit(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update(7, 0, ID)], counted_from=0)
    assert counters.commit(RUN, ONE_STAGED, [update(7, 1, MORE)], counted_from=0)
    assert counters.memory(RUN, [7]).slots == {7: SeenSlot(version=2, ids=frozenset({ID, MORE}))}


def test_counters_go_down_as_well(counters: Counters) -> None:
    counters.commit(RUN, Tally(archives={Metric.FAILED: 2}), [update(1)], counted_from=0)
    counters.commit(RUN, Tally(archives={Metric.FAILED: -2}, size={Metric.FAILED: 0}), [update(2)], counted_from=0)
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.FAILED) == 0


def test_as_many_slots_as_a_transaction_holds_fit_into_one_commit(counters: Counters) -> None:
    updates = [update(slot) for slot in range(MAX_SLOTS_PER_COMMIT)]
    assert counters.commit(RUN, ONE_STAGED, updates, counted_from=0)
    assert len(counters.memory(RUN, range(MAX_SLOTS_PER_COMMIT + 50)).slots) == MAX_SLOTS_PER_COMMIT


def test_a_pulse_comes_back_as_it_was_kept(counters: Counters) -> None:
    pulse = Pulse(execution_name="run-1-1", tally=ONE_STAGED, moved_at=START)
    counters.keep_pulse(RUN, pulse)
    assert counters.pulse(RUN) == pulse


DOWNLOADED = Tally(
    archives={Metric.REQUESTED: 3, Metric.STAGED: 3, Metric.DOWNLOADED: 3},
    size={Metric.REQUESTED: 30, Metric.STAGED: 30, Metric.DOWNLOADED: 30},
)


def stated(counters: Counters) -> tuple[dict[Metric, int], dict[Metric, int]]:
    """All counters, and all bytes."""
    tally = counters.read(RUN) or Tally()
    return {m: tally.count(m) for m in Metric}, {m: tally.size.get(m, 0) for m in Metric}


def test_restated_counters_are_what_was_stated_and_the_inventorys_stay(counters: Counters) -> None:
    counters.commit(RUN, Tally(archives={Metric.TOTAL: 9, Metric.SKIPPED: 1}), [update(1)], counted_from=0)
    counters.commit(RUN, Tally(archives={Metric.FAILED: 2, Metric.STAGED: -7}), [update(2)], counted_from=0)
    assert counters.restate(RUN, DOWNLOADED, counted_from=2)
    archives, size = stated(counters)
    assert archives == {**dict.fromkeys(Metric, 0), Metric.TOTAL: 9, Metric.SKIPPED: 1, **DOWNLOADED.archives}
    assert size == {**dict.fromkeys(Metric, 0), **DOWNLOADED.size}
    assert counters.memory(RUN, [1]) == Memory(counted_from=2, slots={1: SeenSlot(version=1, ids=frozenset({ID}))})


@pytest.mark.parametrize("attempt", [1, 2])
def test_counters_are_restated_once_for_an_attempt_and_never_for_an_earlier_one(
    counters: Counters, attempt: int
) -> None:
    counters.commit(RUN, ONE_STAGED, [update(1)], counted_from=0)
    assert counters.restate(RUN, DOWNLOADED, counted_from=2)
    assert counters.commit(RUN, ONE_STAGED, [update(2)], counted_from=2)
    before = stated(counters)
    assert not counters.restate(RUN, DOWNLOADED, counted_from=attempt)
    assert stated(counters) == before


@pytest.mark.parametrize("delta", [ONE_STAGED, Tally(archives={Metric.STAGED: 0}, size={Metric.STAGED: 0})])
@pytest.mark.parametrize("counted_from", [0, 1, 3])
def test_a_commit_that_counts_from_another_attempt_changes_nothing(
    counters: Counters, counted_from: int, delta: Tally
) -> None:
    counters.commit(RUN, ONE_STAGED, [update(1)], counted_from=0)
    counters.restate(RUN, DOWNLOADED, counted_from=2)
    before = stated(counters)
    assert not counters.commit(RUN, delta, [update(2)], counted_from=counted_from)
    assert stated(counters) == before
    assert counters.memory(RUN, [2]).slots == {}


def test_a_run_without_counters_gets_none_by_restating(counters: Counters) -> None:
    assert not counters.restate(RUN, DOWNLOADED, counted_from=2)
    assert counters.read(RUN) is None
