"""Whole runs in virtual time: budget kept, nothing lost, and hardly longer than it has to take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.application.in_memory.quota import InMemoryQuotaLedger
from solution.domain.errors import InvalidInput
from solution.domain.pacing import Budget
from solution.simulation.requests import LowerBound, Requests, StretchMeter
from solution.simulation.run import simulate
from solution.simulation.scenario import GIB, HOUR, MIB, TIB, Copying, Scenario, Staging
from solution.simulation.vault import SyntheticVault

DAY = 24 * HOUR
SMALL_BUDGET = Scenario(budget=Budget(size=100 * GIB, period=timedelta(days=1)))


@given(archives=st.integers(0, 3500), spare=st.integers(0, 10**15), seed=st.integers(0, 9))
def test_a_vault_has_exactly_the_archives_and_bytes_it_is_said_to_have(archives: int, spare: int, seed: int) -> None:
    size = archives + spare if archives else 0
    sizes = list(SyntheticVault(archives=archives, size=size, seed=seed).sizes())
    assert len(sizes) == archives
    assert sum(sizes) == size
    assert min(sizes, default=1) >= 1


@pytest.mark.parametrize(("archives", "size"), [(0, 1), (2, 1), (-1, 0)])
def test_a_vault_that_cannot_be_is_refused(archives: int, size: int) -> None:
    with pytest.raises(InvalidInput, match="at least one byte"):
        SyntheticVault(archives=archives, size=size)


def test_a_million_archives_of_a_pebibyte_take_hardly_longer_than_budget_and_rate_allow() -> None:
    outcome = simulate(SyntheticVault(archives=10**6, size=1024 * TIB).sizes(), Scenario())
    assert (outcome.archives, outcome.size) == (10**6, 1024 * TIB)
    assert 99 * TIB < outcome.most_in_a_period <= 100 * TIB
    # ten times the budget, each a day after the one before, and 24 TiB more
    assert outcome.bound > 10 * DAY
    assert outcome.makespan <= 1.03 * outcome.bound + outcome.slowest_staging
    assert (outcome.extensions, outcome.closed) == (0, 0)
    assert len(outcome.by_period) == 11
    assert sum(outcome.by_period) == outcome.size


def test_a_vault_within_the_budget_never_waits_for_it() -> None:
    outcome = simulate([MIB] * 1000, SMALL_BUDGET)
    assert (outcome.waits, outcome.waited) == (0, 0)
    # ten batches: a second to ask for each, half a second beside
    assert outcome.last_request == pytest.approx(15)
    assert outcome.bound == pytest.approx(9.99)
    assert outcome.makespan <= 15 + 12 * HOUR + 120


def test_an_archive_beyond_the_budget_of_a_day_is_asked_for_a_day_later() -> None:
    outcome = simulate([GIB] * 101, SMALL_BUDGET)
    assert outcome.waits == 1
    assert outcome.most_in_a_period == 100 * GIB
    # five minutes in which a batch must be asked for, rounded up to five minutes
    assert DAY < outcome.last_request <= DAY + 610
    assert outcome.bound == pytest.approx(DAY + 0.0)


def test_an_archive_larger_than_the_budget_has_its_own_day() -> None:
    outcome = simulate([GIB, 150 * GIB, GIB], SMALL_BUDGET)
    assert outcome.archives == 3
    assert outcome.most_in_a_period == 150 * GIB
    assert 2 * DAY < outcome.last_request <= 2 * DAY + 1230


def test_windows_of_archives_that_wait_long_for_a_function_are_extended_and_nothing_is_lost() -> None:
    slow = replace(SMALL_BUDGET, copying=Copying(functions=1, seconds_per_archive=100, bytes_per_second=60 * MIB))
    outcome = simulate([MIB] * 1500, slow)
    assert outcome.archives == 1500
    assert outcome.longest_wait > 24 * HOUR
    assert outcome.extensions > 0
    # all staged within hours, one copied in 100 seconds
    assert outcome.most_staged > 1000
    assert outcome.makespan == pytest.approx(5 * HOUR + 1500 * 100.0, rel=0.05)


def test_a_window_that_closes_before_the_newer_job_is_there_delays_the_archive_and_does_not_lose_it() -> None:
    slow = replace(
        SMALL_BUDGET,
        copying=Copying(functions=1, seconds_per_archive=100, bytes_per_second=60 * MIB),
        staging=Staging(least=11 * HOUR, most=12 * HOUR),
    )
    outcome = simulate([MIB] * 1500, slow)
    assert outcome.closed > 0
    assert outcome.archives == 1500


def test_the_same_seed_gives_the_same_run() -> None:
    sizes = list(SyntheticVault(archives=5000, size=500 * GIB).sizes())
    assert simulate(sizes, SMALL_BUDGET) == simulate(sizes, SMALL_BUDGET)


def test_an_empty_vault_takes_no_time() -> None:
    outcome = simulate([], Scenario())
    assert (outcome.archives, outcome.makespan, outcome.bound, outcome.by_period) == (0, 0, 0, ())


def test_two_runs_over_one_ledger_together_keep_the_budget_and_both_get_on() -> None:
    ledger = InMemoryQuotaLedger()
    runs = [Requests(SMALL_BUDGET, ledger=ledger) for _ in range(2)]
    pending = {number: run.batches([GIB] * 150) for number, run in enumerate(runs)}
    meter, asked = StretchMeter(DAY), [0, 0]
    while pending:
        number = min(pending, key=lambda one: runs[one].clock.seconds)
        batch = next(pending[number], None)
        if batch is None:
            del pending[number]
            continue
        asked[number] += len(batch.sizes)
        meter.add(batch)
    assert asked == [150, 150]
    assert meter.most <= 100 * GIB


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 120), min_size=1, max_size=200),
    rate=st.sampled_from([0.5, 10.0, 100.0]),
    period=st.sampled_from([600, 86_400]),
)
def test_nobody_asks_sooner_than_the_bound_and_production_hardly_later(
    sizes: list[int], rate: float, period: int
) -> None:
    budget = Budget(size=100, period=timedelta(seconds=period))
    scenario = Scenario(budget=budget, jobs_per_second=rate, seconds_between_batches=0)
    requests = Requests(scenario)
    meter, bound = StretchMeter(period), LowerBound(budget, rate)
    for batch in requests.batches(sizes):
        meter.add(batch)
        bound.add(batch.sizes)
    assert bound.last <= requests.clock.seconds
    # for each stretch waited for: the grace, its rounding, and the second that a wait is rounded up to
    allowed = (budget.grace.total_seconds() + 2 * budget.slot_seconds + 2) * (1 + bound.last / period)
    assert requests.clock.seconds <= bound.last + allowed + len(sizes) / rate
    assert meter.most <= max(100, *sizes)
