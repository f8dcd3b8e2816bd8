"""``glacier-transfer``: the commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from solution import SOLUTION_NAME, VERSION
from solution.cli.console import out
from solution.cli.demo.command import demo
from solution.cli.estimate import estimate
from solution.cli.failures import guarded, show_tracebacks
from solution.cli.launch import launch
from solution.cli.local import app as local_app
from solution.cli.report import report
from solution.cli.resume import resume
from solution.cli.status import status
from solution.cli.stop import stop
from solution.cli.verify import verify
from solution.cli.watch import watch

app = typer.Typer(
    name=SOLUTION_NAME,
    help="Copy every archive of an S3 Glacier vault into an S3 bucket, intact, well named and resumably.",
    epilog="Exit codes: 0 all is well, 1 the transfer has failures or verification found a difference, "
    "2 wrong usage or a refused parameter, 3 a problem of the environment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"{SOLUTION_NAME} {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    version: Annotated[  # noqa: ARG001 - acted upon by its callback
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    show_tracebacks(debug)


app.command()(demo)
app.command()(estimate)
app.command()(launch)
app.command()(resume)
app.command()(watch)
app.command()(stop)
app.command()(status)
app.command()(report)
app.command()(verify)
app.add_typer(local_app)


def main() -> None:
    """Run the command line."""
    guarded(app)
