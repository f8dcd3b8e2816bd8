"""``launch``: start the transfer of a vault."""

from __future__ import annotations

from typing import Annotated

import typer

from solution.cli import options
from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.console import out, print_json
from solution.cli.target import choose_target
from solution.cli.watch import follow
from solution.domain.archive import STORAGE_CLASS_LABELS, StorageClass, Tier, check_run_id
from solution.domain.errors import InvalidInput


def storage_class_label(value: str) -> str:
    """The runbook's label for a label or an API value; raises `InvalidInput` for anything else."""
    if value in STORAGE_CLASS_LABELS:
        return value
    for label, storage_class in STORAGE_CLASS_LABELS.items():
        if value.upper() == storage_class:
            return label
    raise InvalidInput(f"storage class {value!r} is not one of {', '.join(StorageClass)}")


def launch(
    *,
    vault: Annotated[str, typer.Argument(metavar="VAULT", help="Name of the S3 Glacier vault to copy.")],
    run: Annotated[
        str, typer.Option("--run", help="Id for the run; also its folder in the bucket (default: made by the runbook).")
    ] = "",
    storage_class: Annotated[
        str, typer.Option(help="Storage class of the copies: S3's name or the runbook's label.")
    ] = StorageClass.DEEP_ARCHIVE,
    tier: Annotated[Tier, typer.Option(help="Retrieval tier: Bulk is cheapest, Standard faster.")] = Tier.BULK,
    description: Annotated[str, typer.Option(help="A note that stays with the run.")] = "",
    provided_inventory: Annotated[
        bool,
        typer.Option(
            "--provided-inventory",
            help="Use the CSV you put below RUN/original_inventory/ in the inventory bucket; needs --run.",
        ),
    ] = False,
    naming_override: Annotated[
        str, typer.Option(help="Presigned URL of a CSV GlacierArchiveID,FileName with names of your own.")
    ] = "",
    accept_cross_region_cost: Annotated[
        bool, typer.Option("--accept-cross-region-cost", help="Copy although the bucket lies in another region.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show the progress until the run ends.")] = False,
    as_json: options.Json = False,
    local: options.Local = False,
    state_dir: options.StateDir = None,
    profile: options.Profile = None,
    region: options.Region = None,
    stack: options.Stack = options.DEFAULT_STACK,
) -> None:
    """Start copying a vault, through the runbook LaunchAutomationRunbook."""
    if provided_inventory and not run:
        raise InvalidInput("--provided-inventory needs --run: it names the folder that holds your inventory")
    if run:
        check_run_id(run)
    label = storage_class_label(storage_class)
    target = choose_target(local=local, state_dir=state_dir, profile=profile, region=region, stack=stack)
    started = start_run(
        target,
        LAUNCH_DOCUMENT,
        {
            "VaultName": vault,
            "WorkflowRun": run,
            "ProvidedInventory": "YES" if provided_inventory else "NO",
            "Description": description,
            "NamingOverrideFile": naming_override,
            "S3StorageClass": label,
            "RetrievalTier": tier,
            "AcknowledgeAdditionalCostForCrossRegionTransfer": "YES" if accept_cross_region_cost else "NO",
        },
    )
    announce(started.run, as_json=as_json and not watch)
    if watch:
        follow(target, started.run, as_json=as_json, execution_arn=started.execution_arn)


def announce(run: str, *, as_json: bool) -> None:
    """Say which run was started, and how to follow it."""
    if as_json:
        print_json({"run": run})
    else:
        out.print(f"Run [bold]{run}[/] has started. Follow it with: glacier-transfer watch {run}", soft_wrap=True)
