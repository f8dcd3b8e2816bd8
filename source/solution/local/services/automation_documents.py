"""Automation documents of Systems Manager, schema 0.3: their checks, their parameters, their ``{{ references }}``.

Pure: nothing here knows the emulator. Source: *Automation runbook schema*, *Data elements and parameters*.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA: Final = "0.3"
LARGEST_DOCUMENT: Final = 64 * 1024
"""Bytes of a document (*Systems Manager quotas*)."""
PYTHON_RUNTIMES: Final = frozenset(f"python3.{minor}" for minor in range(6, 12))
"""What ``aws:executeScript`` takes (*aws:executeScript*)."""
SCRIPT_ACTION: Final = "aws:executeScript"

_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,128}")
_REFERENCE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_:.-]+)\s*\}\}")
_LIST_TYPES: Final = frozenset({"StringList", "MapList"})


class DocumentError(Exception):
    """A document or a call breaks a rule.

    Attributes:
        code: the exception of the API.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of ``mainSteps``."""

    name: str
    action: str
    inputs: Mapping[str, Any]
    outputs: Sequence[Mapping[str, Any]] = ()
    on_failure: str = "Abort"
    next_step: str = ""
    is_end: bool = False
    timeout: float | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that was checked.

    Attributes:
        text: as given.
        description: of the document.
        assume_role: ARN, reference or nothing.
        parameters: declarations by name.
        steps: in order.
        outputs: references ``step.Output`` that the execution shows.
    """

    text: str
    description: str = ""
    assume_role: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    outputs: Sequence[str] = ()


def parse(content: str | Mapping[str, Any], load_yaml: Callable[[str], Any] | None = None) -> Document:
    """Check a document.

    Args:
        content: JSON text, YAML text if a loader is given, or the object itself.
        load_yaml: reads YAML.

    Raises:
        DocumentError: ``InvalidDocumentContent`` or ``MaxDocumentSizeExceeded``.
    """
    text = content if isinstance(content, str) else json.dumps(content)
    if len(text.encode()) > LARGEST_DOCUMENT:
        raise DocumentError("MaxDocumentSizeExceeded", f"The document has more than {LARGEST_DOCUMENT} bytes")
    data = _load(text, load_yaml)
    if str(data.get("schemaVersion")) != SCHEMA:
        raise _invalid(f"schemaVersion is {data.get('schemaVersion')!r}: an Automation document has '{SCHEMA}'")
    given = data.get("mainSteps")
    if not isinstance(given, list) or not given:
        raise _invalid("mainSteps must be a list of at least one step")
    steps = [_step(step) for step in given]
    names = [step.name for step in steps]
    for step in steps:
        if names.count(step.name) > 1:
            raise _invalid(f"step {step.name} is defined more than once")
        if step.next_step and step.next_step not in names:
            raise _invalid(f"nextStep {step.next_step} of step {step.name} does not exist")
    for name, declared in data.get("parameters", {}).items():
        if not isinstance(declared, dict) or "type" not in declared:
            raise _invalid(f"parameter {name} has no type")
    document = Document(
        text=text,
        description=str(data.get("description", "")),
        assume_role=str(data.get("assumeRole") or ""),
        parameters=data.get("parameters", {}),
        steps=steps,
        outputs=data.get("outputs", []),
    )
    _check_references(document)
    return document


def _load(text: str, load_yaml: Callable[[str], Any] | None) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        if load_yaml is None:
            raise _invalid(f"the content is not JSON: {error}") from error
        try:
            data = load_yaml(text)
        except Exception as broken:
            raise _invalid(f"the content is neither JSON nor YAML: {broken}") from broken
    if not isinstance(data, dict):
        raise _invalid("the content is not an object")
    return data


def _step(data: Any) -> Step:
    if not isinstance(data, dict) or not _NAME.fullmatch(str(data.get("name", ""))):
        raise _invalid(f"a step needs a name of letters, digits and _, found {data!r:.80}")
    name, action, inputs = data["name"], str(data.get("action", "")), data.get("inputs", {})
    if action == SCRIPT_ACTION:
        missing = [key for key in ("Runtime", "Handler", "Script") if not inputs.get(key)]
        if missing:
            raise _invalid(f"step {name} lacks the inputs {', '.join(missing)}")
        if inputs["Runtime"] not in PYTHON_RUNTIMES:
            raise _invalid(
                f"step {name} asks for Runtime {inputs['Runtime']}: one of {sorted(PYTHON_RUNTIMES)} is needed"
            )
    timeout = data.get("timeoutSeconds")
    return Step(
        name=name,
        action=action,
        inputs=inputs,
        outputs=data.get("outputs", []),
        on_failure=str(data.get("onFailure", "Abort")),
        next_step=str(data.get("nextStep", "")),
        is_end=bool(data.get("isEnd", False)),
        timeout=None if timeout is None else float(timeout),
        attempts=int(data.get("maxAttempts", 1)),
    )


def _check_references(document: Document) -> None:
    """Every ``{{ name }}`` must be a parameter, an output of a step, or a system variable."""
    produced = {
        f"{step.name}.{name}" for step in document.steps for name in (*_output_names(step), "Payload", "OutputPayload")
    }
    known = set(document.parameters) | produced
    for step in document.steps:
        # The text of a script is no place for references (*aws:executeScript*).
        inputs = {name: value for name, value in step.inputs.items() if name != "Script"}
        for name in _REFERENCE.findall(json.dumps([inputs, document.assume_role])):
            if name not in known and not name.startswith(("global:", "automation:")):
                raise _invalid(f"{{{{ {name} }}}} in step {step.name} is neither a parameter nor an output")
    for name in document.outputs:
        if name not in produced:
            raise _invalid(f"the output {name} is not produced by any step")


def _output_names(step: Step) -> list[str]:
    return [str(output.get("Name", "")) for output in step.outputs]


def _invalid(message: str) -> DocumentError:
    return DocumentError("InvalidDocumentContent", f"The document is not valid: {message}.")


def read_parameters(document: Document, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Values of parameters, checked against their declarations; defaults for those left out.

    Raises:
        DocumentError: ``InvalidAutomationExecutionParametersException``, naming parameter, value and rule.
    """
    unknown = sorted(set(given) - set(document.parameters))
    if unknown:
        raise _refused(f"Parameters not defined in the document: {', '.join(unknown)}")
    missing = [
        name for name, declared in document.parameters.items() if name not in given and "default" not in declared
    ]
    if missing:
        raise _refused(f"Some required parameters are missing: {', '.join(missing)}")
    return {
        name: _value(name, declared, given[name]) if name in given else declared["default"]
        for name, declared in document.parameters.items()
    }


def _value(name: str, declared: Mapping[str, Any], given: Sequence[str]) -> Any:
    kind = str(declared["type"])
    if kind in _LIST_TYPES:
        _check_count(name, declared, given)
        for item in given:
            _check_text(name, declared, item)
        return [json.loads(item) for item in given] if kind == "MapList" else list(given)
    if len(given) != 1:
        raise _refused(f"Parameter {name} of type {kind} takes one value, {len(given)} were given")
    text = given[0]
    _check_text(name, declared, text)
    return _converted(name, kind, text)


def _converted(name: str, kind: str, text: str) -> Any:
    if kind == "Boolean":
        if text.lower() not in {"true", "false"}:
            raise _refused(f"Parameter {name} is {text!r}: true or false is needed")
        return text.lower() == "true"
    if kind == "Integer":
        if not re.fullmatch(r"-?\d+", text):
            raise _refused(f"Parameter {name} is {text!r}: a whole number is needed")
        return int(text)
    if kind == "StringMap":
        try:
            return json.loads(text)
        except ValueError as error:
            raise _refused(f"Parameter {name} is no JSON object: {error}") from error
    return text


def _check_count(name: str, declared: Mapping[str, Any], given: Sequence[str]) -> None:
    least, most = int(declared.get("minItems", 0)), int(declared.get("maxItems", 10**6))
    if not least <= len(given) <= most:
        raise _refused(f"Parameter {name} has {len(given)} items: {least} to {most} are allowed")


def _check_text(name: str, declared: Mapping[str, Any], text: str) -> None:
    allowed = declared.get("allowedValues")
    if allowed is not None and text not in [str(value) for value in allowed]:
        raise _refused(f"Parameter {name} is {text!r}: allowed values are {', '.join(map(str, allowed))}")
    pattern = declared.get("allowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        raise _refused(f"Parameter {name} is {text!r}: it must match {pattern}")
    least, most = int(declared.get("minChars", 0)), int(declared.get("maxChars", 10**9))
    if not least <= len(text) <= most:
        raise _refused(f"Parameter {name} has {len(text)} characters: {least} to {most} are allowed")


def _refused(message: str) -> DocumentError:
    return DocumentError("InvalidAutomationExecutionParametersException", f"{message}.")


def substitute(value: Any, known: Mapping[str, Any]) -> Any:
    """Replace references. A string that is one reference becomes the value itself, with its type.

    Raises:
        KeyError: a step refers to an output that its predecessors have not produced.
    """
    if isinstance(value, dict):
        return {name: substitute(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, known) for item in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value.strip())
    if whole is not None:
        return known[whole[1]]
    return _REFERENCE.sub(lambda found: as_text(known[found[1]]), value)


def select(payload: Any, selector: str) -> Any:
    """What a selector such as ``$.Payload.run.id`` finds; None when there is nothing."""
    found = {"Payload": payload}
    current: Any = found
    for part in re.findall(r"[^.\[\]]+", selector.removeprefix("$")):
        try:
            current = current[int(part)] if isinstance(current, list) else current[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return current


def as_text(value: Any) -> str:
    """A value as the API shows it."""
    return value if isinstance(value, str) else json.dumps(value)
