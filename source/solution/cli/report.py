"""``report``: what a run left behind for people: its summary, its failures, its manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from solution.cli import options
from solution.cli.console import out, print_json
from solution.cli.runs import read_text
from solution.cli.target import Target, choose_target
from solution.contract import object_keys
from solution.domain.archive import check_run_id
from solution.domain.errors import InvalidInput


def report(
    *,
    run: options.RunId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to download summary, failures and manifest to.", file_okay=False),
    ] = None,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Print a finished run's summary, and download its report."""
    check_run_id(run)
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    summary = read_text(target, object_keys.summary_json_key(run) if as_json else object_keys.summary_key(run))
    if summary is None:
        raise InvalidInput(f"run {run!r} has no report: it is still running, or its id is wrong (see: status {run})")
    if as_json:
        print_json(json.loads(summary))
    else:
        out.print(Markdown(summary))
    if output is not None:
        files = download_report(target, run, output)
        if not as_json:
            out.print(f"{files} files are in {output}", markup=False, soft_wrap=True)


def download_report(target: Target, run: str, folder: Path) -> int:
    """Download everything of a run's report into a folder; returns the number of files."""
    bucket = target.output("InventoryBucketName")
    files = 0
    for area in (object_keys.REPORT, object_keys.FAILED_ARCHIVES, object_keys.NOT_MIGRATED, object_keys.REJECTED_ROWS):
        pages = target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=object_keys.prefix(run, area))
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            path = folder / entry["Key"].removeprefix(f"{run}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            target.s3.download_file(bucket, entry["Key"], str(path))
            files += 1
    return files
