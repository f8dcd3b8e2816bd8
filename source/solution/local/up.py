"""One call from nothing to a usable solution: server, destination bucket, deployed stack."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from solution.local.assembly import read_stack, synthesise
from solution.local.deploy import deploy_stack, make_bucket
from solution.local.errors import LocalAwsError
from solution.local.instance import Instance
from solution.local.settings import DEFAULT_PORT, DEFAULT_REGION, ROOT_KEY

_STACK: Final = "solution"
_DESTINATION_PARAMETER: Final = "DestinationBucketParameter"
_DURATION_SUFFIX: Final = "Seconds"
_PERIOD_SUFFIX: Final = "PeriodMinutes"
_SHORTEST_TICK: Final = 4.0
"""Seconds of ours between two ticks of a rule: faster ones would keep a laptop busy with little else."""
_NOT_FASTER_THAN: Final = {"StallSeconds": 900}
"""Seconds of ours, for what this machine does and not Glacier: a busy laptop may rest for minutes and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running instance with the solution in it.

    Attributes:
        endpoint: URL of every AWS service.
        state_dir: folder of the instance.
        environment: variables for boto3 and the AWS CLI.
        outputs: of the stack ``solution``.
    """

    endpoint: str
    state_dir: Path
    environment: dict[str, str]
    outputs: dict[str, str]


def up(
    *,
    port: int = DEFAULT_PORT,
    state_dir: Path | None = None,
    destination_bucket: str = "",
    time_factor: float = 1.0,
    region: str = DEFAULT_REGION,
    parameters: Mapping[str, str] | None = None,
    context: Mapping[str, str] | None = None,
    assembly: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Deployment:
    """Start the local AWS if it does not run, make the destination bucket if it is missing, deploy ``solution``.

    Args:
        port: TCP port on 127.0.0.1.
        state_dir: folder of the instance; by default one under the user's data folder.
        destination_bucket: bucket for the archives, made if it is missing; empty leaves it to the stack.
        time_factor: seconds of AWS that pass in one of ours. Parameters of the stack whose name ends with
            ``Seconds`` are divided by it, and periods of rules are lengthened where they would pass in no time,
            unless ``parameters`` names them.
        region: region of the instance.
        parameters: values of the stack's parameters.
        context: context of the synthesis.
        assembly: a cloud assembly to deploy instead of synthesising one.
        progress: told what happens, a line at a time.

    Raises:
        LocalAwsError: nothing is left half-started; an instance that this call started is stopped again.
    """
    tell = progress or (lambda _: None)
    instance = Instance(state_dir)
    was_running = instance.status().pid is not None
    tell("Starting the local AWS …")
    status = instance.start(port=port, time_factor=time_factor, region=region)
    endpoint = f"http://127.0.0.1:{status.port}"
    try:
        if destination_bucket:
            _ensure_bucket(endpoint, destination_bucket, region)
        with tempfile.TemporaryDirectory(prefix="cloud-assembly-") as folder:
            tell("Synthesising the templates …")
            source = assembly or synthesise(Path(folder), {"skip_integration_tests": "true", **(context or {})})
            values = _scaled(read_stack(source, _STACK).parameters(), time_factor)
            if destination_bucket:
                values[_DESTINATION_PARAMETER] = destination_bucket
            values |= parameters or {}
            tell("Publishing the assets …")
            outputs = deploy_stack(
                endpoint, source, _STACK, values, region=region, progress=lambda name, state, _: tell(f"{name} {state}")
            )
    except BaseException:
        if not was_running:
            instance.stop()
        raise
    return Deployment(
        endpoint=endpoint,
        state_dir=instance.folders.root,
        environment=instance.environment(),
        outputs=outputs,
    )


def _scaled(declared: Mapping[str, Mapping[str, Any]], time_factor: float) -> dict[str, str]:
    """Durations of the template, compressed like everything else, but not below what the template allows."""
    found = {}
    for name, properties in declared.items():
        default = str(properties.get("Default", ""))
        if time_factor == 1 or not default.isdigit():
            continue
        if name.endswith(_DURATION_SUFFIX):
            least = max(int(properties.get("MinValue", 1)), _NOT_FASTER_THAN.get(name, 1))
            found[name] = str(max(least, round(int(default) / time_factor)))
        elif name.endswith(_PERIOD_SUFFIX):
            # The rules themselves tick faster by the factor; only what would be too fast is slowed down.
            found[name] = str(max(int(default), math.ceil(_SHORTEST_TICK * time_factor / 60)))
    return found


def _ensure_bucket(endpoint: str, name: str, region: str) -> None:
    s3 = boto3.session.Session(aws_access_key_id=ROOT_KEY, aws_secret_access_key=ROOT_KEY, region_name=region).client(
        "s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"})
    )
    if name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        return
    try:
        make_bucket(s3, name, region)
    except s3.exceptions.ClientError as error:
        raise LocalAwsError(
            f"The destination bucket {name!r} cannot be made: {error.response['Error'].get('Message', error)}",
            "Choose another name with --destination-bucket (3-63 lower-case letters, digits, hyphens)",
        ) from error
