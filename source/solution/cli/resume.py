"""``resume``: carry on with a run that stopped or left failures."""

from __future__ import annotations

from typing import Annotated

import typer

from solution.cli import options
from solution.cli.automation import RESUME_DOCUMENT, start_run
from solution.cli.launch import announce
from solution.cli.target import choose_target
from solution.cli.watch import follow
from solution.domain.archive import check_run_id


def resume(
    *,
    run: options.RunId,
    accept_cross_region_cost: Annotated[
        bool, typer.Option("--accept-cross-region-cost", help="Copy although the bucket lies in another region.")
    ] = False,
    fresh_inventory: Annotated[
        bool,
        typer.Option(
            "--fresh-inventory",
            help="Take a new inventory: archives added since are copied too. Possible until the first one is copied.",
        ),
    ] = False,
    naming_override: Annotated[
        str,
        typer.Option(
            help="Presigned URL of a CSV GlacierArchiveID,FileName with names of your own, where the run has none yet."
        ),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show the progress until the run ends.")] = False,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Transfer what an earlier attempt of a run did not, through the runbook ResumeAutomationRunbook."""
    check_run_id(run)
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    started = start_run(
        target,
        RESUME_DOCUMENT,
        {
            "WorkflowRun": run,
            "NamingOverrideFile": naming_override,
            "FreshInventory": "YES" if fresh_inventory else "NO",
            "AcknowledgeAdditionalCostForCrossRegionTransfer": "YES" if accept_cross_region_cost else "NO",
        },
    )
    announce(started.run, as_json=as_json and not watch)
    if watch:
        follow(target, started.run, as_json=as_json, execution_arn=started.execution_arn)
