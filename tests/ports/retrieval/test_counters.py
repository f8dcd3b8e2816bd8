"""Counters: counters and memory move together or not at all."""

from __future__ import annotations

import pytest

from solution.application.adapters.counters import DynamoCounters
from solution.application.in_memory.clock import START
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.ports.counters import MAX_SLOTS_PER_COMMIT, Counters, Pulse, SeenSlot, SlotUpdate, Tally
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
    assert counters.seen(RUN, [1, 2]) == {}
    assert counters.pulse(RUN) is None


def test_a_commit_adds_and_remembers(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update()])
    tally = counters.read(RUN)
    assert tally is not None
    assert (tally.count(Metric.STAGED), tally.size[Metric.STAGED]) == (1, 5 * 1024**4)
    assert counters.seen(RUN, [7, 8]) == {7: SeenSlot(version=1, ids=frozenset({ID}))}
    assert counters.seen("another-run", [7]) == {}


def test_a_commit_on_an_outdated_slot_changes_nothing(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update(7, 0, ID)])
    assert not counters.commit(RUN, ONE_STAGED, [update(8, 0, MORE), update(7, 0, MORE)])
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.STAGED) == 1
    assert counters.seen(RUN, [7, 8]) == {7: SeenSlot(version=1, ids=frozenset({ID}))}


def test_a_slot_grows_with_each_commit(counters: Counters) -> None:
    assert counters.commit(RUN, ONE_STAGED, [update(7, 0, ID)])
    assert counters.commit(RUN, ONE_STAGED, [update(7, 1, MORE)])
    assert counters.seen(RUN, [7]) == {7: SeenSlot(version=2, ids=frozenset({ID, MORE}))}


def test_counters_go_down_as_well(counters: Counters) -> None:
    counters.commit(RUN, Tally(archives={Metric.FAILED: 2}), [update(1)])
    counters.commit(RUN, Tally(archives={Metric.FAILED: -2}, size={Metric.FAILED: 0}), [update(2)])
    tally = counters.read(RUN)
    assert tally is not None
    assert tally.count(Metric.FAILED) == 0


def test_as_many_slots_as_a_transaction_holds_fit_into_one_commit(counters: Counters) -> None:
    updates = [update(slot) for slot in range(MAX_SLOTS_PER_COMMIT)]
    assert counters.commit(RUN, ONE_STAGED, updates)
    assert len(counters.seen(RUN, range(MAX_SLOTS_PER_COMMIT + 50))) == MAX_SLOTS_PER_COMMIT


def test_a_pulse_comes_back_as_it_was_kept(counters: Counters) -> None:
    pulse = Pulse(execution_name="run-1-1", tally=ONE_STAGED, moved_at=START)
    counters.keep_pulse(RUN, pulse)
    assert counters.pulse(RUN) == pulse
