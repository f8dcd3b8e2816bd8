"""A template as its readers think of it: resources by the beginning of their name, text with references spelled out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Properties = dict[str, Any]
SUFFIX = "-{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a template."""

    logical_id: str
    kind: str
    body: dict[str, Any]

    @property
    def properties(self) -> Properties:
        """Its properties."""
        found: Properties = self.body.get("Properties", {})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy, all in text."""

    actions: frozenset[str]
    resources: frozenset[str]
    conditions: dict[str, Any]
    effect: str = "Allow"


@dataclass(frozen=True, slots=True)
class Synthesised:
    """A template."""

    template: dict[str, Any]

    def all(self, kind: str) -> list[Resource]:
        """Every resource of a type."""
        found = [
            Resource(logical_id=name, kind=body["Type"], body=body)
            for name, body in self.template["Resources"].items()
            if body["Type"] == kind
        ]
        assert found, f"the template has no {kind}"
        return found

    def named(self, kind: str, name: str) -> Resource:
        """The resource of a type whose physical name is ``name`` and the suffix of the deployment."""
        key = NAME_PROPERTIES[kind]
        wanted = f"{name}{SUFFIX}"
        found = [r for r in self.all(kind) if self.text(r.properties.get(key)) == wanted]
        assert len(found) == 1, f"{len(found)} resources {kind} are called {wanted}"
        return found[0]

    def text(self, value: Any) -> str:
        """Text with every reference as ``<LogicalId>`` or ``<LogicalId.Attribute>``."""
        if value == _SUFFIX:
            return "{suffix}"
        match value:
            case {"Ref": name}:
                found = f"<{name}>"
            case {"Fn::GetAtt": path}:
                found = "<" + ".".join(path) + ">"
            case {"Fn::Join": [separator, parts]}:
                found = str(separator).join(self.text(part) for part in parts)
            case {"Fn::If": parts}:
                found = "{" + "|".join(self.text(part) for part in parts) + "}"
            case {"Fn::FindInMap": parts}:
                found = "{" + "/".join(self.text(part) for part in parts) + "}"
            case dict():
                found = json.dumps(value, sort_keys=True)
            case _:
                found = str(value)
        return found

    def statements(self, role: str) -> list[Statement]:
        """What a role may do, its own policies only. ``role`` is a logical id."""
        body = self.template["Resources"][role]["Properties"]
        return [
            statement
            for policy in body.get("Policies", [])
            for statement in self.read(policy["PolicyDocument"]["Statement"])
        ]

    def read(self, statements: list[dict[str, Any]]) -> list[Statement]:
        """Statements of a policy document."""
        return [
            Statement(
                actions=frozenset(_listed(s["Action"])),
                resources=frozenset(self.text(r) for r in _as_list(s["Resource"])),
                conditions=s.get("Condition", {}),
                effect=s["Effect"],
            )
            for s in statements
        ]

    def may(self, role: str, action: str) -> frozenset[str]:
        """The resources on which a role may do ``action``."""
        return frozenset().union(*(s.resources for s in self.statements(role) if action in s.actions))

    def role_of(self, resource: Resource, key: str = "Role") -> str:
        """Logical id of the role a resource has."""
        return str(resource.properties[key]["Fn::GetAtt"][0])

    def definition(self, machine: Resource) -> dict[str, Any]:
        """A state machine's definition, references spelled out."""
        found: dict[str, Any] = json.loads(self.text(machine.properties["DefinitionString"]))
        return found

    def functions(self) -> dict[str, Resource]:
        """Functions by their public name."""
        return {self.public_name(r): r for r in self.all("AWS::Lambda::Function")}

    def machines(self) -> dict[str, Resource]:
        """State machines by their public name."""
        return {self.public_name(r): r for r in self.all("AWS::StepFunctions::StateMachine")}

    def public_name(self, resource: Resource) -> str:
        """The physical name without the deployment's suffix."""
        return self.text(resource.properties[NAME_PROPERTIES[resource.kind]]).removesuffix(SUFFIX)


NAME_PROPERTIES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::Glue::Job": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Document": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}

_STACK_ID_PARTS = {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}
_SUFFIX = {"Fn::Select": [0, {"Fn::Split": ["-", {"Fn::Select": [2, _STACK_ID_PARTS]}]}]}


def scopes(states: dict[str, Any], start: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every group of states that refer to each other, with its start: the machine's, and that of each map."""
    yield start, states
    for state in states.values():
        processor = state.get("ItemProcessor")
        if processor:
            yield from scopes(processor["States"], processor["StartAt"])


def every_state(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a machine, those inside maps too."""
    for _, states in scopes(definition["States"], definition["StartAt"]):
        yield from states.items()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _listed(value: Any) -> list[str]:
    return [str(entry) for entry in _as_list(value)]
