"""Resource types that MiniStack's CloudFormation does not know, so that templates need no change.

It refuses a template with an unknown type altogether. The types here only have to exist; documents of Systems Manager
are really kept (``services.ssm_documents``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from ministack.services.cloudformation import provisioners

from solution.local.patches.seam import Seam
from solution.local.settings import ACCOUNT_ID, GatewaySettings

Properties = dict[str, Any]
Handler = dict[str, Callable[..., Any]]

_ALARM: Final = "AWS::CloudWatch::Alarm"


def apply(settings: GatewaySettings) -> None:
    """Register them."""
    seam = Seam(provisioners)

    def register(name: str, *, attributes: Callable[[str], dict[str, str]], name_property: str = "") -> None:
        seam.set_entry("_RESOURCE_HANDLERS", f"AWS::{name}", existing_only(attributes, name_property))

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{settings.region}:{ACCOUNT_ID}:{resource}"

    register("Logs::QueryDefinition", attributes=lambda made: {"QueryDefinitionId": made})
    register("Athena::NamedQuery", attributes=lambda made: {"NamedQueryId": made})
    register("Athena::PreparedStatement", attributes=lambda _: {}, name_property="StatementName")
    register("Glue::SecurityConfiguration", attributes=lambda _: {}, name_property="Name")
    register(
        "CloudWatch::CompositeAlarm",
        attributes=lambda made: {"Arn": arn("cloudwatch", f"alarm:{made}")},
        name_property="AlarmName",
    )
    register("CloudWatch::AnomalyDetector", attributes=lambda _: {})
    register("CloudWatch::InsightRule", attributes=lambda _: {}, name_property="RuleName")
    register(
        "ServiceCatalogAppRegistry::Application",
        attributes=lambda made: {
            "Id": made,
            "Arn": arn("servicecatalog", f"/applications/{made}"),
            "ApplicationName": made,
            "ApplicationTagKey": "awsApplication",
            "ApplicationTagValue": arn("resource-groups", f"group/{made}/{made}"),
        },
    )
    register(
        "ServiceCatalogAppRegistry::AttributeGroup",
        attributes=lambda made: {"Id": made, "Arn": arn("servicecatalog", f"/attribute-groups/{made}")},
    )
    for association in ("ResourceAssociation", "AttributeGroupAssociation"):
        register(f"ServiceCatalogAppRegistry::{association}", attributes=lambda made: {"Id": made})
    register("SNS::TopicInlinePolicy", attributes=lambda _: {})
    register("SQS::QueueInlinePolicy", attributes=lambda _: {})
    register(
        "ResourceGroups::Group",
        attributes=lambda made: {"Arn": arn("resource-groups", f"group/{made}")},
        name_property="Name",
    )
    register("Backup::BackupSelection", attributes=lambda made: {"Id": made, "SelectionId": made})
    _accept_alarms_over_expressions(seam, settings)


def existing_only(attributes: Callable[[str], dict[str, str]], name_property: str = "") -> Handler:
    """A type whose resources are only there to be referred to.

    Args:
        attributes: what ``Fn::GetAtt`` finds, from the physical id.
        name_property: property that gives the physical id; without it, ids are drawn.
    """

    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
        drawn = uuid.uuid4()
        made = properties.get(name_property) or (f"{stack_name}-{logical_id}" if name_property else str(drawn))
        return made, attributes(made)

    def update(made: str, _old: Properties, _new: Properties, _stack: str) -> tuple[str, dict[str, str]]:
        return made, attributes(made)

    return {"create": create, "update": update, "delete": lambda _made, _properties: None}


def _accept_alarms_over_expressions(seam: Seam, settings: GatewaySettings) -> None:
    """MiniStack fails alarms over metric mathematics; such an alarm exists here and never goes off."""
    seam.require("_RESOURCE_HANDLERS")
    known: Handler = dict(provisioners._RESOURCE_HANDLERS[_ALARM])
    silent = existing_only(
        lambda made: {"Arn": f"arn:aws:cloudwatch:{settings.region}:{ACCOUNT_ID}:alarm:{made}"}, "AlarmName"
    )

    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:
        return (silent if properties.get("Metrics") else known)["create"](logical_id, properties, stack_name)

    def update(made: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None) -> Any:
        if new.get("Metrics"):
            return silent["update"](made, old, new, stack)
        return known["update"](made, old, new, stack, logical_id=logical_id)

    seam.set_entry("_RESOURCE_HANDLERS", _ALARM, {**known, "create": create, "update": update})
