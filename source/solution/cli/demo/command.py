"""``demo``: copy a vault into a bucket on this machine, and compare every byte."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from solution.cli import options
from solution.cli.console import duration_text, err, out, print_json, size_text
from solution.cli.demo.archives import (
    CHUNK_SIZE_MIB,
    DEFAULT_ARCHIVES,
    choose_samples,
    default_folder,
    snapshot,
)
from solution.cli.demo.run import Outcome, Silent, demo_parameters, samples_folder, time_factor, transfer
from solution.cli.failures import ExitCode
from solution.cli.local import local_extra
from solution.cli.runs import RunState
from solution.cli.target import Target, target_of
from solution.cli.watch import RunProgress

_SHOWN = 5


def demo(
    *,
    archives: Annotated[int, typer.Option(help="How many archives, at least 40.")] = DEFAULT_ARCHIVES,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Folder of real files to upload (default: this repository).", file_okay=False),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local AWS up, to look around.")] = False,
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1; 0 takes a free one.")] = 0,
    state_dir: options.StateDir = None,
    as_json: options.Json = False,
) -> None:
    """Start the local AWS, fill a vault, transfer it through the runbook, and compare every object byte by byte."""
    begun = time.monotonic()
    samples = choose_samples(archives, source or default_folder())
    with local_aws(state_dir, port=port, archives=archives, keep=keep, quiet=as_json) as (target, folder):
        samples = snapshot(samples, samples_folder(folder))
        with ExitStack() as stack:
            observer = Silent() if as_json else stack.enter_context(Bars())
            outcome = transfer(target, samples, observer=observer)
        took = time.monotonic() - begun
        if as_json:
            print_json(as_document(outcome, took))
        else:
            _print(outcome, took)
        if keep:
            err.print(
                f'The local AWS is still up. Use it with: eval "$(glacier-transfer local env --state-dir {folder})"\n'
                f"Stop it with: glacier-transfer local down --state-dir {folder}",
                markup=False,
                soft_wrap=True,
            )
    raise typer.Exit(ExitCode.OK if outcome.good else ExitCode.DIFFERENT)


@contextmanager
def local_aws(
    state_dir: Path | None, *, port: int, archives: int, keep: bool, quiet: bool
) -> Iterator[tuple[Target, Path]]:
    """The local AWS with the solution deployed for a demo of so many archives; it ends with the demo unless kept.

    Without a state folder it gets a temporary one, which is deleted with it.
    """
    with local_extra():
        from solution.local import Instance, up  # noqa: PLC0415 - an optional extra
    folder = state_dir or Path(tempfile.mkdtemp(prefix="glacier-transfer-demo-"))
    instance = Instance(folder)
    # A demo that is asked to end takes its local AWS along, as after Ctrl-C.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with err.status("Starting the local AWS …") as display:
            if quiet:
                display.stop()
            up(
                state_dir=folder,
                port=port or _free_port(),
                time_factor=time_factor(archives),
                parameters=demo_parameters(CHUNK_SIZE_MIB),
                progress=display.update,
            )
        yield target_of(instance.environment()), folder
    finally:
        signal.signal(signal.SIGTERM, previous)
        if not keep:
            instance.stop()
            if state_dir is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                shutil.rmtree(samples_folder(folder), ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Bars(Silent):
    """Progress bars of the whole demo."""

    def __init__(self) -> None:
        self._bytes = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=32),
            DownloadColumn(binary_units=True),
            TimeElapsedColumn(),
            console=err,
        )
        self._run = RunProgress()
        self._shown: Progress | RunProgress | None = None
        self._task = self._bytes.add_task("Uploading", visible=False)

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._show(None)

    def _show(self, display: Progress | RunProgress | None) -> None:
        """One live display at a time; what was shown stays on the screen."""
        if self._shown is display:
            return
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
        self._shown = display
        if display is not None:
            display.__enter__()

    def uploading(self, total_bytes: int) -> None:
        """Begin the bar of the upload."""
        self._bytes.update(self._task, total=total_bytes, visible=True)
        self._show(self._bytes)

    def uploaded(self, size: int) -> None:
        """Advance it."""
        self._bytes.advance(self._task, size)

    def launched(self, run: str) -> None:
        """Go over to the bars of the run."""
        self._show(None)
        err.print(f"The runbook LaunchAutomationRunbook has started run {run}.")
        self._show(self._run)

    def moving(self, state: RunState) -> None:
        """Draw a look at the run."""
        self._run.show(state)

    def comparing(self, total_bytes: int) -> None:
        """Go over to the bar of the comparison."""
        self._bytes.remove_task(self._task)
        self._task = self._bytes.add_task("Comparing", total=total_bytes)
        self._show(self._bytes)

    def compared(self, size: int) -> None:
        """Advance it."""
        self._bytes.advance(self._task, size)


def as_document(outcome: Outcome, seconds: float) -> dict[str, object]:
    """The result for machines; durations are in seconds."""
    return {
        "run": outcome.run,
        "archives": len(outcome.uploaded),
        "bytes": sum(item.sample.size for item in outcome.uploaded),
        "equal": outcome.comparison.equal,
        "failed": outcome.state.failed.archives,
        "status": outcome.state.outcome,
        "failure": outcome.state.failure,
        "problems": list(outcome.comparison.problems),
        "transfer_seconds": round(outcome.transfer_seconds, 1),
        "seconds": round(seconds, 1),
        "good": outcome.good,
    }


def _print(outcome: Outcome, seconds: float) -> None:
    table = Table("archives", "bytes", "equal", "failed", "transfer", "altogether", title=f"Run {outcome.run}")
    table.add_row(
        f"{len(outcome.uploaded)}",
        size_text(sum(item.sample.size for item in outcome.uploaded)),
        f"{outcome.comparison.equal}",
        f"{outcome.state.failed.archives}",
        duration_text(outcome.transfer_seconds),
        duration_text(seconds),
    )
    out.print(table)
    if outcome.state.failure:
        out.print(f"The run failed: {outcome.state.failure}", markup=False, soft_wrap=True)
    for problem in outcome.comparison.problems[:_SHOWN]:
        out.print(f"Not as it should be: {problem}", markup=False, soft_wrap=True)
    if len(outcome.comparison.problems) > _SHOWN:
        out.print(f"… and {len(outcome.comparison.problems) - _SHOWN} more; --json lists all.")
    if outcome.good:
        out.print("[green]Every object is equal to the archive that was uploaded, byte by byte.[/]")
