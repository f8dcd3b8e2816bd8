"""What MiniStack does differently from AWS, one small module each; README.md of ``local`` has the table.

Each module has one function ``apply`` that takes hold of MiniStack through a ``Seam``, which checks every name first.
What MiniStack lacks altogether is in ``services``.
"""

from __future__ import annotations

from solution.local.patches import (
    bucket_owner,
    cloudformation_types,
    dead_letters,
    distributed_map,
    iam_resources,
    lambda_code,
    lambda_errors,
    lambda_interpreter,
    lambda_logs,
    machine_logs,
    machine_roles,
    partiql_streams,
    redelivery,
    schedules,
    sdk_tasks,
    stream_mappings,
    stream_state,
    task_limits,
)
from solution.local.patches.seam import check_version
from solution.local.settings import GatewaySettings


def apply(settings: GatewaySettings) -> None:
    """Apply every patch, or raise ``IncompatibleEmulatorError`` at the first name that is not as expected."""
    check_version()
    lambda_errors.apply()
    lambda_logs.apply()
    lambda_code.apply(settings)
    lambda_interpreter.apply(settings)
    sdk_tasks.apply(settings)
    distributed_map.apply()
    task_limits.apply()
    # After the other wrappers of executions, so that the role is set before any of them runs.
    machine_roles.apply()
    machine_logs.apply()
    iam_resources.apply()
    cloudformation_types.apply(settings)
    bucket_owner.apply()
    schedules.apply(settings)
    partiql_streams.apply()
    stream_mappings.apply(settings)
    stream_state.apply()
    redelivery.apply(settings)
    dead_letters.apply()
