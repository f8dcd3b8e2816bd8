"""The retrieval budget: never exceeded in any stretch of a period, by whomever and whatever dies; never a dead end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solution.domain.errors import InvalidInput
from solution.domain.pacing import Budget, Ledger, admit, seconds_until_more

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BUDGET = Budget(size=100, period=DAY)


@dataclass(frozen=True)
class Asked:
    """Bytes that went out at a moment."""

    at: datetime
    size: int


def worst_stretch(asked: Sequence[Asked], period: timedelta) -> int:
    """Most bytes in any stretch of a period, both ends included; the worst ones begin with a request."""
    return max((sum(o.size for o in asked if a.at <= o.at <= a.at + period) for a in asked), default=0)


def test_archives_are_admitted_in_order_while_there_is_room() -> None:
    first = admit(Ledger(), BUDGET, [30, 30, 30, 30], START)
    assert first.count == 3
    assert first.ledger.size == 90
    assert admit(first.ledger, BUDGET, [30], START).count == 0
    assert admit(first.ledger, BUDGET, [10, 1], START).count == 1


def test_a_later_archive_does_not_overtake_one_that_has_no_room() -> None:
    used = admit(Ledger(), BUDGET, [60], START).ledger
    assert admit(used, BUDGET, [50, 1, 1], START).count == 0


def test_what_was_asked_for_weighs_until_a_period_after_its_last_moment() -> None:
    used = admit(Ledger(), BUDGET, [100], START).ledger
    # five minutes to ask, rounded up to five minutes; it is noon
    assert used.entries == {int((START + timedelta(minutes=5)).timestamp()): 100}
    assert seconds_until_more(used, BUDGET, START) == 86_400 + 300
    assert admit(used, BUDGET, [1], START + timedelta(seconds=86_400 + 299)).count == 0
    assert admit(used, BUDGET, [100], START + timedelta(seconds=86_400 + 300)).count == 1


def test_an_archive_larger_than_the_budget_goes_alone_when_nothing_else_weighs() -> None:
    used = admit(Ledger(), BUDGET, [1], START).ledger
    assert admit(used, BUDGET, [101], START).count == 0
    alone = admit(Ledger(), BUDGET, [101, 1], START)
    assert alone.count == 1
    assert admit(alone.ledger, BUDGET, [1], START + DAY).count == 0


def test_an_empty_ledger_is_asked_again_after_a_second() -> None:
    assert seconds_until_more(Ledger(), BUDGET, START) == 1


def test_a_ledger_does_not_grow_with_the_number_of_requests() -> None:
    ledger = Ledger()
    for second in range(0, 2 * 86_400, 40):
        ledger = admit(ledger, Budget(size=10**9, period=DAY), [1], START + timedelta(seconds=second)).ledger
    assert len(ledger.entries) <= 290


@pytest.mark.parametrize(("size", "period"), [(0, DAY), (-1, DAY), (1, timedelta(0))])
def test_a_budget_that_lets_nothing_through_is_refused(size: int, period: timedelta) -> None:
    with pytest.raises(InvalidInput, match="positive"):
        Budget(size=size, period=period)


@st.composite
def periods(draw: st.DrawFn) -> timedelta:
    """Days, and the short ones of compressed tests."""
    return timedelta(seconds=draw(st.sampled_from([1, 10, 60, 600, 3600, 86_400])))


@given(
    period=periods(),
    steps=st.lists(
        st.tuples(
            st.lists(st.integers(0, 130), min_size=1, max_size=6),  # sizes of a batch
            st.floats(0, 1.2),  # pause before it, in periods
            st.floats(0, 1),  # when in its grace it goes out
            st.booleans(),  # whether it dies before
        ),
        max_size=25,
    ),
)
def test_no_stretch_of_a_period_ever_holds_more_than_the_budget(
    period: timedelta, steps: list[tuple[list[int], float, float, bool]]
) -> None:
    """Any number of runs make such steps on one ledger: it orders them. What died is asked for anew in later steps."""
    budget = Budget(size=100, period=period)
    ledger, now = Ledger(), START
    asked: list[Asked] = []
    for sizes, pause, lateness, dies in steps:
        now += period * pause
        admission = admit(ledger, budget, sizes, now)
        ledger = admission.ledger
        if not dies:
            asked += [Asked(now + budget.grace * lateness, size) for size in sizes[: admission.count]]
    ordinary = [one for one in asked if one.size <= budget.size]
    assert worst_stretch(ordinary, period) <= budget.size
    for giant in (one for one in asked if one.size > budget.size):
        others = [one for one in asked if one is not giant and abs(one.at - giant.at) <= period and one.size]
        assert others == []


@given(period=periods(), sizes=st.lists(st.integers(0, 250), min_size=1, max_size=30))
def test_waiting_as_told_always_leads_on_and_asks_for_everything(period: timedelta, sizes: list[int]) -> None:
    budget = Budget(size=100, period=period)
    ledger, now, left, fruitless = Ledger(), START, list(sizes), 0
    while left:
        admission = admit(ledger, budget, left, now)
        ledger, left = admission.ledger, left[admission.count :]
        fruitless = 0 if admission.count else fruitless + 1
        assert fruitless <= 1 + len(ledger.entries)
        if left:
            wait = seconds_until_more(ledger, budget, now)
            assert 1 <= wait <= (period + budget.grace).total_seconds() + budget.slot_seconds + 1
            now += timedelta(seconds=wait)


@given(period=periods(), sizes=st.lists(st.integers(1, 100), min_size=1, max_size=10))
def test_what_fits_is_admitted_at_once(period: timedelta, sizes: list[int]) -> None:
    budget = Budget(size=sum(sizes), period=period)
    assert admit(Ledger(), budget, sizes, START).count == len(sizes)
