"""What the benchmark of the transfer makes of its rounds."""

from __future__ import annotations

from tests.bench.throughput import Pass, Round
from tests.bench.transfer import Aim, aims_of_passes


def measured(*shares: float, growth: int | None = 1) -> Pass:
    rounds = (
        Round(bound=share * (number + 1), bound_in_cache=0.5, bare=1, copy=number + 1, system=0.1)
        for number, share in enumerate(shares)
    )
    return Pass(mib=64, rounds=tuple(rounds), memory_growth=growth)


def test_a_share_is_the_median_of_what_each_round_gave_however_slow_the_round_was() -> None:
    found = measured(0.95, 0.97, 0.99, 0.2, 0.96)
    assert found.of_bound == 0.96
    assert found.of_bound_quartiles == (0.95, 0.97)


def test_a_copy_that_is_slower_than_the_aim_misses_it() -> None:
    assert [aim.met for aim in aims_of_passes([measured(0.91, 0.92, 0.93), measured(0.87, 0.88, 0.95)])] == [
        *(True, True),
        *(True, False),
    ]


def test_memory_that_nobody_could_measure_is_no_aim() -> None:
    assert [aim.what for aim in aims_of_passes([measured(1, 1, growth=None)])] == [
        "of the bound's speed with a chunk of 64 MiB"
    ]


def test_an_aim_says_what_it_allows() -> None:
    assert (Aim(what="a", found=2, most=2).met, Aim(what="a", found=2, least=2.1).met) == (True, False)
    assert (Aim(what="a", found=2, most=2).bounds, Aim(what="a", found=2, least=1).bounds) == (
        "at most 2.00",
        "at least 1.00",
    )
