"""``local up|down|status|env``: the local AWS, over the library `solution.local`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from solution.cli import options
from solution.cli.console import err, out, print_json
from solution.cli.failures import EnvironmentProblem, ExitCode

app = typer.Typer(name="local", help="The local AWS: the solution deployed on this machine.", no_args_is_help=True)

_DEFAULT_PORT = 4566
_DEFAULT_TIME_FACTOR = 1200.0
"""Glacier's five to twelve hours pass in 15 to 36 seconds: a newcomer's first run ends while they watch."""


@contextmanager
def local_extra() -> Iterator[None]:
    """Say which extra is missing when the local AWS cannot be imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("solution"):
            raise
        raise EnvironmentProblem(
            f"the local AWS needs {error.name}, which a plain installation leaves out: "
            'in a clone of the repository, run: pip install ".[dev]"'
        ) from error


def local_environment(state_dir: Path | None) -> Mapping[str, str]:
    """Variables that point clients at the local AWS; raises when it is not installed or not running."""
    with local_extra():
        from solution.local import Instance  # noqa: PLC0415 - an optional extra
    return Instance(state_dir).environment()


@app.command()
def up(
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1.")] = _DEFAULT_PORT,
    destination_bucket: Annotated[
        str, typer.Option(help="Bucket to copy to, made if it is missing (default: the stack makes one).")
    ] = "",
    time_factor: Annotated[
        float, typer.Option(help="Seconds of AWS that pass in one of ours: staging, windows and rules; 1 is real time.")
    ] = _DEFAULT_TIME_FACTOR,
    state_dir: options.StateDir = None,
    as_json: options.Json = False,
) -> None:
    """Start the local AWS and deploy the solution on it; returns when it can be used."""
    with local_extra():
        from solution.local import up as bring_up  # noqa: PLC0415 - an optional extra
    with err.status("Starting the local AWS …") as display:
        running = bring_up(
            state_dir=state_dir,
            port=port,
            destination_bucket=destination_bucket,
            time_factor=time_factor,
            progress=display.update,
        )
    if as_json:
        print_json({"endpoint": running.endpoint, "state_dir": str(running.state_dir), "outputs": running.outputs})
        return
    out.print(f"The local AWS answers at {running.endpoint} and the solution is deployed.", soft_wrap=True)
    named = f" --state-dir {shlex.quote(str(state_dir))}" if state_dir else ""
    out.print(f'Use it with: eval "$(glacier-transfer local env{named})"', soft_wrap=True, markup=False)


@app.command()
def down(state_dir: options.StateDir = None, as_json: options.Json = False) -> None:
    """Stop the local AWS; its folder keeps vaults, buckets and tables."""
    with local_extra():
        from solution.local import Instance  # noqa: PLC0415 - an optional extra
    stopped = Instance(state_dir).stop()
    if as_json:
        print_json({"stopped": stopped})
    else:
        out.print("The local AWS is stopped." if stopped else "No local AWS was running.")


@app.command()
def status(state_dir: options.StateDir = None, as_json: options.Json = False) -> None:
    """Say whether the local AWS runs; exit code 3 when it does not."""
    with local_extra():
        from solution.local import Instance, State  # noqa: PLC0415 - an optional extra
    found = Instance(state_dir).status()
    if as_json:
        print_json(asdict(found))
    elif found.state is State.STOPPED:
        out.print(f"No local AWS runs on {found.state_dir}", markup=False, soft_wrap=True)
    else:
        out.print(
            f"The local AWS is {found.state} at {found.endpoint} (process {found.pid}, time factor "
            f"{found.time_factor:g}, folder {found.state_dir}).",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(ExitCode.OK if found.state is State.RUNNING else ExitCode.ENVIRONMENT)


@app.command()
def env(state_dir: options.StateDir = None, as_json: options.Json = False) -> None:
    """Print export lines with which boto3 and the AWS CLI work against the local AWS unchanged."""
    variables = local_environment(state_dir)
    if as_json:
        print_json(dict(variables))
        return
    for name, value in variables.items():
        out.print(f"export {name}={shlex.quote(value)}", markup=False, soft_wrap=True)
