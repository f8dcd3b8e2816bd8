"""How a cdk-nag finding is accepted: on one construct, for one rule, with a reason."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from constructs import Construct, IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str, findings: Iterable[str] = ()) -> None:
    """Accept ``rule`` on ``construct`` and what is below it; with ``findings``, only those findings of the rule.

    ``rule`` may name one finding itself, as in ``AwsSolutions-IAM5[Resource::*]``; prefer that to the whole rule.
    """
    identifiers = [f"{rule}[{finding}]" for finding in findings] or [rule]
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=identifier, reason=reason) for identifier in identifiers)
    )


def logical_id(construct: Construct) -> str:
    """Logical id of the resource behind an L2 construct, as it stands in the names of findings."""
    resource = construct.node.default_child
    if not isinstance(resource, cdk.CfnElement):
        raise TypeError(f"{construct.node.path} has no CloudFormation resource")
    return cdk.Stack.of(construct).get_logical_id(resource)
