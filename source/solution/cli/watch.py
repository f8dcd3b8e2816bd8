"""``watch``: progress bars until a run ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from solution.cli import options
from solution.cli.console import err, print_json, size_text
from solution.cli.runs import InventoryPhase, RunState, read_run
from solution.cli.status import print_state
from solution.cli.target import Target, choose_target
from solution.domain.status import Metric

_BARS: Final = {
    Metric.REQUESTED: "Requested",
    Metric.STAGED: "Staged by Glacier",
    Metric.DOWNLOADED: "Downloaded, proven",
}


class RunProgress:
    """The bars of one run, as a context manager; feed it with `show`."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=err,
        )
        self._inventory = self._progress.add_task("Inventory", total=len(InventoryPhase), note="requested")
        self._tasks: dict[Metric, TaskID] = {
            metric: self._progress.add_task(name, total=None, note="") for metric, name in _BARS.items()
        }
        self._failed: TaskID | None = None

    def __enter__(self) -> RunProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def drawing(self) -> RenderableType:
        """The bars as they stand."""
        return self._progress.get_renderable()

    def show(self, state: RunState) -> None:
        """Draw one look at the run."""
        phase = list(InventoryPhase).index(state.inventory) + 1
        self._progress.update(self._inventory, completed=phase, note=state.inventory)
        if state.inventory is not InventoryPhase.SORTED:
            return
        for metric, task in self._tasks.items():
            count = state.counts[metric]
            self._progress.update(
                task, total=state.to_copy.archives, completed=count.archives, note=size_text(count.bytes)
            )
        failed = state.failed
        if failed.archives and self._failed is None:
            self._failed = self._progress.add_task("[red]Failed[/]", total=state.to_copy.archives, note="")
        if self._failed is not None:
            # a resume takes failures back
            self._progress.update(
                self._failed,
                completed=failed.archives,
                note=size_text(failed.bytes),
                visible=failed.archives > 0,
            )


def await_end(
    look: Callable[[], RunState], *, interval: float, sleep: Callable[[float], None] = time.sleep, bars: bool = True
) -> RunState:
    """Look at a run every ``interval`` seconds, with progress bars if wanted, until it has ended."""
    if not bars:
        while not (state := look()).ended:
            sleep(interval)
        return state
    with RunProgress() as progress:
        while True:
            state = look()
            progress.show(state)
            if state.ended:
                return state
            sleep(interval)


def follow(target: Target, run: str, *, as_json: bool, execution_arn: str = "", interval: float = 2.0) -> None:
    """Watch a run to its end, print how it ended, and exit accordingly."""

    def look() -> RunState:
        return read_run(target, run, execution_arn=execution_arn)

    state = await_end(look, interval=interval, bars=not as_json)
    if as_json:
        print_json(state.as_json())
    else:
        print_state(state)
    raise typer.Exit(state.exit_code)


def watch(
    *,
    run: options.RunId,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Show progress bars until a run ends; exit code 1 when it did not copy everything."""
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    follow(target, run, as_json=as_json)
