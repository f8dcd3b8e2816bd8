"""Moving archives: what each costs in calls, capacity and dollars, and what a chunk takes in time and memory.

Exit code 1 when a count, the memory or the share of the bound misses its aim.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from solution.domain.chunk_plan import MIB
from tests.bench import prices, servers
from tests.bench.counting import Costs, Workload, count, surroundings
from tests.bench.throughput import Pass, measure

MOST_CALLS = 6
MOST_WRITE_UNITS = 6
MOST_CALLS_PER_FURTHER_CHUNK = 5
MOST_LOG_BYTES = 2048
MOST_CLIENTS = 5
MOST_MEMORY_MIB = 48
AIM_OF_BOUND = 0.9

SIZES = (64, 512, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A figure, and the most it may be, or the least."""

    what: str
    found: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        """Whether it is."""
        return (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)

    @property
    def bounds(self) -> str:
        """In words."""
        words = (("at most", self.most), ("at least", self.least))
        return ", ".join(f"{word} {bound:,.2f}" for word, bound in words if bound is not None)


def workloads(archives: int) -> tuple[Workload, Workload, Workload]:
    """One chunk, 16 chunks, and many: whether a chunk's calls grow with their number."""
    return (
        Workload(archives=archives, size=MIB, chunks=1),
        Workload(archives=max(1, archives // 10), size=16 * MIB, chunks=16),
        Workload(archives=max(1, archives // 100), size=64 * MIB, chunks=64),
    )


def aims_of_costs(one: Costs, some: Costs, many: Costs) -> list[Aim]:
    """What the counts must keep to."""
    further = (some.all_calls - one.all_calls) / (some.workload.chunks - one.workload.chunks)
    still_further = (many.all_calls - some.all_calls) / (many.workload.chunks - some.workload.chunks)
    return [
        Aim(what="API calls of an archive of one chunk", found=one.all_calls, most=MOST_CALLS),
        Aim(what="write units of an archive of one chunk", found=one.write_units, most=MOST_WRITE_UNITS),
        Aim(
            what="bytes logged for it, Lambda's own lines included",
            found=one.log_bytes + one.platform_log_bytes,
            most=MOST_LOG_BYTES,
        ),
        Aim(what="bytes we log for an archive of 16 chunks", found=some.log_bytes, most=MOST_LOG_BYTES),
        Aim(what="API calls per further chunk, 2nd to 16th", found=further, most=MOST_CALLS_PER_FURTHER_CHUNK),
        Aim(what="API calls per further chunk, 17th to 64th", found=still_further, most=further),
        *(
            Aim(
                what=f"clients made for {costs.workload.archives} archives of {costs.workload.chunks} chunks",
                found=sum(costs.clients.values()),
                most=MOST_CLIENTS,
            )
            for costs in (one, some, many)
        ),
    ]


def aims_of_passes(passes: Sequence[Pass]) -> list[Aim]:
    """What memory and speed must keep to."""
    memory = [
        Aim(
            what=f"MiB of memory growth with a chunk of {one.mib} MiB",
            found=one.memory_growth / MIB,
            most=MOST_MEMORY_MIB,
        )
        for one in passes
        if one.memory_growth is not None
    ]
    speed = [
        Aim(what=f"of the bound's speed with a chunk of {one.mib} MiB", found=one.of_bound, least=AIM_OF_BOUND)
        for one in passes
    ]
    return memory + speed


def main(arguments: Sequence[str]) -> int:
    """Count, measure, print."""
    parser = argparse.ArgumentParser(prog="bench transfer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archives", type=int, default=1000, help="archives of one chunk to count with")
    parser.add_argument("--quick", action="store_true", help="100 archives, one chunk of 64 MiB")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args(arguments)
    archives, sizes = (100, SIZES[:1]) if options.quick else (options.archives, SIZES)
    with surroundings() as around:
        one, some, many = (count(around, workload) for workload in workloads(archives))
    with servers.running("glacier", "s3") as ends:
        passes = [measure(ends["glacier"], ends["s3"], mib) for mib in sizes]
    aims = [*aims_of_costs(one, some, many), *aims_of_passes(passes)]
    if options.json:
        _print_json(one, some, many, passes, aims)
    else:
        console = Console(width=120)
        _show_costs(console, one, some)
        _show_passes(console, passes)
        show_aims(console, aims)
    return 0 if all(aim.met for aim in aims) else 1


def machine() -> str:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        names = [
            line.partition(":")[2].strip() for line in cpu.read_text().splitlines() if line.startswith("model name")
        ]
        model = f"{len(names)} x {names[0]}" if names else model
    return f"{model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _print_json(one: Costs, some: Costs, many: Costs, passes: Sequence[Pass], aims: Sequence[Aim]) -> None:
    figures = {
        "machine": machine(),
        "prices": {"region": prices.REGION, "as_of": prices.AS_OF},
        "per_archive": [asdict(costs) for costs in (one, some, many)],
        "chunks": [
            {
                **asdict(each),
                "of_bound": each.of_bound,
                "of_bound_quartiles": each.of_bound_quartiles,
                "of_bound_in_cache": each.of_bound_in_cache,
                "of_bare": each.of_bare,
            }
            for each in passes
        ],
        "aims": [{**asdict(aim), "met": aim.met} for aim in aims],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def _rows(costs: Costs) -> dict[str, float]:
    return {
        **costs.calls,
        "API calls in all": costs.all_calls,
        "DynamoDB write units (by item sizes)": costs.write_units,
        "DynamoDB read units (by item sizes)": costs.read_units,
        "SQS requests, Lambda's and SNS's included": costs.sqs_requests,
        **{f"invocations of {name}": number for name, number in costs.invocations.items()},
        "Lambda invocations in all": sum(costs.invocations.values()),
        "bytes logged by us": costs.log_bytes,
        "bytes logged by Lambda itself": costs.platform_log_bytes,
    }


def _show_costs(console: Console, *kinds: Costs) -> None:
    table = Table(title="Per 1,000 archives", title_justify="left")
    table.add_column("")
    for costs in kinds:
        work = costs.workload
        table.add_column(
            f"{work.size // MIB} MiB, {work.chunks} chunk{'s' * (work.chunks > 1)}\n({work.archives} counted)",
            justify="right",
        )
    rows = [_rows(costs) for costs in kinds]
    for what in dict.fromkeys(name for row in rows for name in row):
        table.add_row(what, *(f"{1000 * row.get(what, 0):,.0f}" for row in rows))
    table.add_row("boto3 clients made, in all", *(str(sum(costs.clients.values())) for costs in kinds))
    console.print(table)
    money = Table(
        title=f"Dollars per million archives ({prices.REGION}, list prices as of {prices.AS_OF})", title_justify="left"
    )
    money.add_column("")
    for costs in kinds:
        money.add_column(f"{costs.workload.size // MIB} MiB", justify="right")
    for what in kinds[0].dollars_per_million:
        money.add_row(what, *(f"{costs.dollars_per_million[what]:,.2f}" for costs in kinds))
    money.add_row("in all", *(f"{costs.dollars:,.2f}" for costs in kinds), style="bold")
    console.print(money)


def _show_passes(console: Console, passes: Sequence[Pass]) -> None:
    table = Table(title=f"One chunk, CPU time, on {machine()}", title_justify="left")
    for heading in (
        "MiB",
        "bound: hashing s",
        "in cache s",
        "bare loop s",
        "copy s",
        "kernel's part s",
        f"of bound (aim {AIM_OF_BOUND})",
        "half of rounds",
        "of bound in cache",
        "of bare loop",
        "memory growth MiB",
    ):
        table.add_column(heading, justify="right")
    for one in passes:
        growth = "unknown" if one.memory_growth is None else f"{one.memory_growth / MIB:.1f}"
        times = (
            one.median(lambda each: each.bound),
            one.median(lambda each: each.bound_in_cache),
            one.median(lambda each: each.bare),
            one.median(lambda each: each.copy),
            one.median(lambda each: each.system),
        )
        low, high = one.of_bound_quartiles
        table.add_row(
            f"{one.mib} ({len(one.rounds)} rounds)",
            *(f"{time:.3f}" for time in times),
            f"{one.of_bound:.2f}",
            f"{low:.2f} to {high:.2f}",
            *(f"{share:.2f}" for share in (one.of_bound_in_cache, one.of_bare)),
            growth,
        )
    console.print(table)


def show_aims(console: Console, aims: Sequence[Aim]) -> None:
    """Print each, and whether it is met."""
    table = Table(title="Aims", title_justify="left")
    for heading in ("", "found", "aim", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for aim in aims:
        table.add_row(aim.what, f"{aim.found:,.2f}", aim.bounds, _mark(met=aim.met))
    console.print(table)


def _mark(*, met: bool) -> str:
    return "[green]met[/green]" if met else "[red]missed[/red]"
