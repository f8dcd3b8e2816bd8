"""The retrieval budget: never exceeded in any stretch of a period, by whomever and whatever dies; never a dead end."""

from __future__ import annotations

import random
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
            st.sampled_from(["", "run-1", "run-2", "run-3"]),  # whose it is
        ),
        max_size=25,
    ),
)
def test_no_stretch_of_a_period_ever_holds_more_than_the_budget(
    period: timedelta, steps: list[tuple[list[int], float, float, bool, str]]
) -> None:
    """Any number of runs make such steps on one ledger: it orders them. What died is asked for anew in later steps."""
    budget = Budget(size=100, period=period)
    ledger, now = Ledger(), START
    asked: list[Asked] = []
    for sizes, pause, lateness, dies, owner in steps:
        now += period * pause
        admission = admit(ledger, budget, sizes, now, owner=owner)
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


# --- who waits


def refused(ledger: Ledger, owner: str, size: int, now: datetime = START) -> Ledger:
    """The ledger after this one got nothing."""
    admission = admit(ledger, BUDGET, [size], now, owner=owner)
    assert admission.count == 0
    return admission.ledger


def test_who_is_refused_is_served_before_those_who_come_later() -> None:
    used = admit(Ledger(), BUDGET, [70], START).ledger
    ledger = refused(used, "large", 60)
    ledger = refused(ledger, "small", 1)  # there is room for it now, but then there would be none for the large one
    tomorrow = START + DAY + timedelta(minutes=5)
    taken = admit(ledger, BUDGET, [30, 30], tomorrow, owner="newcomer")
    assert (taken.count, [one.owner for one in taken.ledger.waiting]) == (1, ["large", "small"])
    taken = admit(taken.ledger, BUDGET, [60, 60], tomorrow, owner="large")
    assert (taken.count, [one.owner for one in taken.ledger.waiting]) == (1, ["small"])
    taken = admit(taken.ledger, BUDGET, [1], tomorrow, owner="small")
    assert (taken.count, taken.ledger.waiting) == (1, ())


def test_who_waits_keeps_its_place_however_often_it_asks() -> None:
    ledger = admit(Ledger(), BUDGET, [100], START).ledger
    for owner in ("one", "two", "one", "three", "two", "one"):
        ledger = refused(ledger, owner, 5)
    assert [one.owner for one in ledger.waiting] == ["one", "two", "three"]


def test_who_has_no_name_does_not_wait() -> None:
    assert admit(admit(Ledger(), BUDGET, [100], START).ledger, BUDGET, [1], START).ledger.waiting == ()


def test_what_costs_nothing_is_never_set_back() -> None:
    ledger = refused(admit(Ledger(), BUDGET, [100], START).ledger, "giant", 500)
    assert admit(ledger, BUDGET, [0, 0, 7], START, owner="other").count == 2


def test_who_does_not_come_back_as_it_said_has_lost_its_place() -> None:
    ledger = refused(admit(Ledger(), BUDGET, [100], START).ledger, "stopped", 100)
    tomorrow = START + DAY + timedelta(minutes=5)
    assert admit(ledger, BUDGET, [1], tomorrow, owner="other").count == 0
    assert admit(ledger, BUDGET, [1], tomorrow + BUDGET.grace, owner="other").count == 1
    assert seconds_until_more(ledger, BUDGET, tomorrow) == 30


def test_a_rule_keeps_its_place_until_it_ticks_again() -> None:
    used = admit(Ledger(), BUDGET, [100], START).ledger
    two_hours = timedelta(hours=2)
    ledger = admit(used, BUDGET, [5], START, owner="rule", back_within=two_hours).ledger
    assert [one.owner for one in ledger.weighing(BUDGET, START + two_hours - timedelta(seconds=1)).waiting] == ["rule"]
    assert ledger.weighing(BUDGET, START + two_hours).waiting == ()


def test_an_archive_larger_than_the_budget_is_not_starved_by_other_runs() -> None:
    """One with archives for months comes first at every piece of the budget that becomes free."""
    ledger, now, waited = admit(Ledger(), BUDGET, [50], START).ledger, START, 0
    while admit(ledger, BUDGET, [101], now, owner="giant").count == 0:
        ledger = admit(ledger, BUDGET, [101], now, owner="giant").ledger
        ledger = admit(ledger, BUDGET, [1] * 10, now, owner="other").ledger
        waited = seconds_until_more(ledger, BUDGET, now)
        now += timedelta(seconds=waited)
        ledger = admit(ledger, BUDGET, [1] * 10, now, owner="other").ledger
        assert now - START <= 1.1 * DAY


@given(
    period=st.sampled_from([timedelta(seconds=600), DAY]),
    runs=st.lists(st.lists(st.integers(1, 250), min_size=1, max_size=12), min_size=1, max_size=5),
    dead=st.sets(st.integers(0, 4)),
    order=st.randoms(use_true_random=False),
)
def test_each_run_gets_its_next_archive_within_two_periods_for_each_of_the_others(
    period: timedelta, runs: list[list[int]], dead: set[int], order: random.Random
) -> None:
    """Runs come when they are told to; those that are ``dead`` come once and never again."""
    budget = Budget(size=100, period=period)
    ledger, now = Ledger(), START
    due = dict.fromkeys(range(len(runs)), START)
    since = dict.fromkeys(range(len(runs)), START)
    while due:
        now = max(now, min(due.values()))
        run = order.choice([one for one, at in due.items() if at <= now])
        admission = admit(ledger, budget, runs[run], now, owner=f"run-{run}")
        ledger, runs[run] = admission.ledger, runs[run][admission.count :]
        if admission.count:
            since[run] = now
        if not runs[run] or run in dead:
            del due[run]
            continue
        assert now - since[run] <= (2 * len(since) + 1) * (period + 3 * budget.grace)
        due[run] = now + timedelta(seconds=seconds_until_more(ledger, budget, now))
