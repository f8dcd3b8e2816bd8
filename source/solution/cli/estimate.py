"""``estimate``: cost, duration and quota use of a transfer, before anything is started."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from solution.cli import options
from solution.cli.console import duration_text, out, print_json, size_text
from solution.cli.inventory_sizes import read_sizes
from solution.cli.launch import storage_class_label
from solution.cli.target import Target, choose_target
from solution.domain.archive import MAX_OBJECT_BYTES, STORAGE_CLASS_LABELS, StorageClass, Tier
from solution.domain.costs import GIB, Bill, Workload, bill, dollars_text, equal_sizes, prices, workload
from solution.domain.errors import InvalidInput, NotPossible
from solution.domain.pacing import Budget
from solution.simulation.run import Outcome, simulate
from solution.simulation.scenario import STAGING, Scenario
from solution.simulation.vault import SyntheticVault

DAY: Final = 86_400
_POWERS: Final = {letter: power for power, letter in enumerate("KMGTP", start=1)}
_UNITS: Final[Mapping[str, int]] = {
    "": 1,
    "B": 1,
    **{f"{letter}IB": int(1024**power) for letter, power in _POWERS.items()},
    **{f"{letter}B": int(1000**power) for letter, power in _POWERS.items()},
}


def parse_size(text: str) -> int:
    """Bytes: ``1125899906842624``, ``1 PiB``, ``2.5TB``; raises `InvalidInput` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise InvalidInput(f"{text!r} is not a number of bytes: write 1000000, 500GiB or 1.5TiB")
    whole, _, fraction = found[1].partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is estimated: archives by size, and their sizes in order, for the simulation."""

    name: str
    by_size: Mapping[int, int]
    in_order: Callable[[], Iterable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long it takes.

    Attributes:
        requests: seconds until the last archive is asked for.
        total: seconds until the last archive is copied.
        quota_periods: how many times the whole daily budget is needed.
    """

    requests: float
    total: float
    quota_periods: float


def shortest(load: Workload, *, budget: int, rate: float, tier: Tier) -> Duration:
    """How long it takes at least if archives are of equal size, when Glacier takes its time for the last one."""
    if not load.archives:
        return Duration(requests=0, total=0, quota_periods=0)
    full_days = -(-load.size // budget) - 1
    remainder = (load.size - full_days * budget) / load.size * load.archives
    requests = max(load.archives / rate, full_days * DAY + remainder / rate)
    return Duration(requests=requests, total=requests + STAGING[tier].most, quota_periods=load.size / budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the command found; ``budget`` is bytes per day, ``outcome`` None unless simulated."""

    subject: str
    tier: Tier
    storage_class: StorageClass
    budget: int
    load: Workload
    cost: Bill
    duration: Duration
    outcome: Outcome | None

    def as_json(self) -> dict[str, object]:
        """For machines. Money in US dollars, times in seconds, sizes in bytes."""
        load, cost, table = self.load, self.cost, prices()
        outcome = None if self.outcome is None else {**asdict(self.outcome), "over_bound": self.outcome.over_bound}
        return {
            "subject": self.subject,
            "archives": load.archives,
            "bytes": load.size,
            "too_large": {"archives": load.skipped, "bytes": load.skipped_size},
            "tier": self.tier,
            "storage_class": self.storage_class,
            "prices": {"region": table["region"], "as_of": table["as_of"], "sources": table["sources"]},
            "cost": {item.name: round(item.dollars, 4) for item in cost.once},
            "cost_total": round(cost.total, 4),
            "storage_per_month": round(cost.monthly, 4),
            "vault_storage_per_month": round(cost.vault_monthly, 4),
            "daily_budget_bytes": self.budget,
            "daily_budgets_needed": round(self.duration.quota_periods, 4),
            "seconds_to_last_request": round(self.duration.requests),
            "seconds": round(self.duration.total),
            "simulation": outcome,
        }


def estimate(
    *,
    archives: Annotated[int | None, typer.Option(help="How many archives there are.", min=0)] = None,
    size: Annotated[
        str | None, typer.Option("--bytes", help="Bytes of all archives together, such as 1125899906842624 or 1PiB.")
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(help="Inventory of the vault, as Glacier gives it in CSV.", exists=True, dir_okay=False),
    ] = None,
    vault: Annotated[str | None, typer.Option(help="Ask Glacier about this vault.")] = None,
    tier: Annotated[Tier, typer.Option(help="Retrieval tier: Bulk is cheapest, Standard faster.")] = Tier.BULK,
    storage_class: Annotated[
        str, typer.Option(help="Storage class of the copies: S3's name or the runbook's label.")
    ] = StorageClass.DEEP_ARCHIVE,
    budget_gib: Annotated[
        int, typer.Option(help="Stack parameter DailyRetrievalBudgetGiB: GiB that may be asked for in a day.", min=1)
    ] = 102_400,
    jobs_per_second: Annotated[
        int, typer.Option(help="Stack parameter InitiateJobsPerSecond: archives asked for in a second.", min=1)
    ] = 100,
    simulated: Annotated[
        bool, typer.Option("--simulate", help="Simulate the whole run in virtual time, with production's pacing.")
    ] = False,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Estimate cost, duration and quota use of a transfer. Nothing is started, nothing is changed."""
    target_class = STORAGE_CLASS_LABELS[storage_class_label(storage_class)]
    if [archives is not None or size is not None, inventory is not None, vault is not None].count(True) != 1:
        raise InvalidInput("say what to estimate: --archives and --bytes, or --inventory, or --vault")
    if inventory is not None:
        subject = _of_inventory(inventory, in_order=simulated)
    elif vault is not None:
        subject = _of_vault(choose_target(local=local, state_dir=state_dir, profile=profile, region=region), vault)
    elif archives is None or size is None:
        raise InvalidInput("--archives and --bytes belong together: give both")
    else:
        subject = _of_totals("vault", archives, parse_size(size))
    load = workload(subject.by_size)
    cost = bill(load, tier=tier, storage_class=target_class)
    budget = budget_gib * GIB
    duration = shortest(load, budget=budget, rate=jobs_per_second, tier=tier)
    outcome = None
    if simulated:
        scenario = Scenario(
            budget=Budget(size=budget, period=timedelta(days=1)),
            jobs_per_second=jobs_per_second,
            staging=STAGING[tier],
        )
        outcome = simulate((one for one in subject.in_order() if one <= MAX_OBJECT_BYTES), scenario)
    made = Estimate(
        subject=subject.name,
        tier=tier,
        storage_class=target_class,
        budget=budget,
        load=load,
        cost=cost,
        duration=duration,
        outcome=outcome,
    )
    if as_json:
        print_json(made.as_json())
    else:
        _show(made)


def _of_totals(name: str, archives: int, size: int) -> Subject:
    return Subject(
        name=name,
        by_size=equal_sizes(archives, size),
        in_order=lambda: SyntheticVault(archives=archives, size=size).sizes(),
    )


def _of_inventory(path: Path, *, in_order: bool) -> Subject:
    sizes = read_sizes(path, in_order=in_order)
    return Subject(name=path.name, by_size=Counter(sizes), in_order=lambda: sizes)


def _of_vault(target: Target, vault: str) -> Subject:
    try:
        found = target.glacier.describe_vault(vaultName=vault)
    except target.glacier.exceptions.ResourceNotFoundException as error:
        raise InvalidInput(
            f"there is no vault {vault!r} in this region of this account: check name, region and account"
        ) from error
    if found.get("LastInventoryDate") is None:
        raise NotPossible(
            f"Glacier has not taken an inventory of vault {vault!r} yet, which it does once a day: "
            "estimate with --archives and --bytes"
        )
    return _of_totals(vault, found["NumberOfArchives"], found["SizeInBytes"])


def _show(made: Estimate) -> None:
    load, cost, duration = made.load, made.cost, made.duration
    table = Table("", escape(made.subject))
    table.columns[1].justify = "right"
    table.add_row("archives to copy", f"{load.archives:,}")
    table.add_row("bytes to copy", size_text(load.size))
    if load.skipped:
        table.add_row("left out: larger than 5 TiB", f"{load.skipped:,}, {size_text(load.skipped_size)}")
    table.add_section()
    for item in cost.once:
        table.add_row(item.name, dollars_text(item.dollars))
    table.add_row("[bold]cost of the copy[/]", f"[bold]{dollars_text(cost.total)}[/]")
    table.add_section()
    table.add_row(f"storage as {made.storage_class}, a month", dollars_text(cost.monthly))
    table.add_row("storage of the vault, a month", dollars_text(cost.vault_monthly))
    table.add_section()
    table.add_row("daily budget", size_text(made.budget))
    table.add_row("daily budgets needed", f"{duration.quota_periods:.2f}")
    table.add_row("last archive asked for after, about", _days(duration.requests))
    table.add_row("copied after, about", _days(duration.total))
    if made.outcome is not None:
        _add_simulation(table, made.outcome)
    out.print(table)
    out.print(
        f"List prices of {prices()['region']} as of {prices()['as_of']}, without free tiers, discounts and transfer to "
        "other regions; what running the solution costs is rough.",
        soft_wrap=True,
    )


def _add_simulation(table: Table, outcome: Outcome) -> None:
    table.add_section()
    table.add_row("simulated: last archive asked for after", _days(outcome.last_request))
    table.add_row("simulated: copied after", _days(outcome.makespan))
    table.add_row("earliest possible last request", _days(outcome.bound))
    table.add_row("longer than that and one staging time by", _excess(outcome))
    table.add_row("most asked for in any 24 hours", size_text(outcome.most_in_a_period))
    table.add_row("most staged at once", f"{outcome.most_staged:,} archives, {size_text(outcome.most_staged_bytes)}")
    table.add_row("windows extended", f"{outcome.extensions:,}")


def _excess(outcome: Outcome) -> str:
    # where the bound is seconds, a share of it says nothing
    return "nothing" if outcome.excess <= 0 else f"{_days(outcome.excess)} ({100 * outcome.over_bound:.1f} %)"


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.2f} days" if seconds >= 2 * DAY else duration_text(seconds)
