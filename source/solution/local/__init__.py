"""The local AWS: MiniStack in one process of its own, with IAM enforced and what it lacks added; templates unchanged.

What lives here: the server (``gateway``, ``server``), what we change in MiniStack (``patches``) and add to it
(``services``), the life of an instance (``instance``) and the deployment of synthesised templates (``assembly``,
``deploy``). What does not: the command line (``cli``), and any code of the solution itself, which runs here only as
packaged assets. README.md tells how to run it.

Public API
----------
``up(...) -> Deployment``
    Start an instance, make the destination bucket, deploy ``solution``.
``Instance(state_dir).start(...)``, ``.stop()``, ``.status()``, ``.environment()``
    The life of one instance; its state folder is its identity.
``deploy_stack(endpoint, assembly, stack_id, parameters) -> outputs``
    Apply one stack of a cloud assembly; ``synthesise(outdir, context)`` makes the assembly.
``LocalAwsError`` (``cause``, ``remedy``) and its children ``DeploymentError``, ``SynthesisError``,
    ``IncompatibleEmulatorError``: the only errors raised on purpose.
"""

from __future__ import annotations

from solution.local.assembly import synthesise
from solution.local.deploy import deploy_stack
from solution.local.errors import DeploymentError, IncompatibleEmulatorError, LocalAwsError, SynthesisError
from solution.local.instance import Instance, InstanceStatus, State
from solution.local.settings import DEFAULT_PORT, DEFAULT_REGION, default_state_dir
from solution.local.up import Deployment, up

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_REGION",
    "Deployment",
    "DeploymentError",
    "IncompatibleEmulatorError",
    "Instance",
    "InstanceStatus",
    "LocalAwsError",
    "State",
    "SynthesisError",
    "default_state_dir",
    "deploy_stack",
    "synthesise",
    "up",
]
