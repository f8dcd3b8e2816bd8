"""Options that several commands take, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solution.cli.target import STACK_NAME

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Local = Annotated[bool, typer.Option("--local", help="Act on the local AWS instead of an account.")]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        help="Folder of the local AWS (default: one under your data folder); implies --local.",
        file_okay=False,
    ),
]
Profile = Annotated[str | None, typer.Option(help="AWS profile.", envvar="AWS_PROFILE", show_default=False)]
Region = Annotated[str | None, typer.Option(help="AWS region of the stack.", envvar="AWS_REGION", show_default=False)]
Stack = Annotated[str, typer.Option("--stack", help="Name of the deployed stack.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, as launch printed it.")]

DEFAULT_STACK = STACK_NAME
