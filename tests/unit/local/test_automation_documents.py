"""Automation documents: what is refused, what parameters and references become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solution.local.services.automation_documents import (
    LARGEST_DOCUMENT,
    DocumentError,
    parse,
    read_parameters,
    select,
    substitute,
)

STEP: dict[str, Any] = {
    "name": "One",
    "action": "aws:executeScript",
    "inputs": {"Runtime": "python3.11", "Handler": "h", "Script": "def h(e, c): return '{{ not a reference }}'"},
}


def document(**changes: Any) -> dict[str, Any]:
    """A document of one step."""
    return {"schemaVersion": "0.3", "mainSteps": [STEP], **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schemaVersion": "2.2"}, "schemaVersion is '2.2'"),
        ({"mainSteps": []}, "at least one step"),
        ({"mainSteps": [STEP, STEP]}, "step One is defined more than once"),
        ({"mainSteps": [{**STEP, "nextStep": "Two"}]}, "nextStep Two of step One does not exist"),
        ({"mainSteps": [{**STEP, "name": "no spaces"}]}, "needs a name of letters"),
        ({"mainSteps": [{**STEP, "inputs": {"Runtime": "python3.11"}}]}, "lacks the inputs Handler, Script"),
        ({"mainSteps": [{**STEP, "inputs": {**STEP["inputs"], "Runtime": "python3.13"}}]}, "Runtime python3.13"),
        ({"parameters": {"P": {"description": "no type"}}}, "parameter P has no type"),
        ({"assumeRole": "{{ Missing }}"}, "{{ Missing }} in step One is neither"),
        ({"outputs": ["One.Nothing"]}, "output One.Nothing is not produced"),
    ],
)
def test_a_document_that_aws_would_refuse_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(document(**changes))
    assert said in str(refused.value)
    assert refused.value.code == "InvalidDocumentContent"


def test_a_document_larger_than_aws_allows_is_refused() -> None:
    with pytest.raises(DocumentError) as refused:
        parse(document(description="x" * LARGEST_DOCUMENT))
    assert refused.value.code == "MaxDocumentSizeExceeded"


def test_the_text_of_a_script_holds_no_references() -> None:
    assert parse(json.dumps(document())).steps[0].name == "One"


def test_values_get_the_type_of_their_parameter() -> None:
    kinds = {"S": "String", "I": "Integer", "B": "Boolean", "L": "StringList", "M": "StringMap", "J": "MapList"}
    parsed = parse(document(parameters={name: {"type": kind} for name, kind in kinds.items()}))
    given = {"S": ["text"], "I": ["-3"], "B": ["TRUE"], "L": ["a", "b"], "M": ['{"k": 1}'], "J": ['{"k": 2}']}
    expected = {"S": "text", "I": -3, "B": True, "L": ["a", "b"], "M": {"k": 1}, "J": [{"k": 2}]}
    assert read_parameters(parsed, given) == expected


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ({"type": "String", "maxChars": 2}, ["abc"]),
        ({"type": "String", "minChars": 1}, [""]),
        ({"type": "StringList", "maxItems": 1}, ["a", "b"]),
        ({"type": "StringList", "allowedValues": ["a"]}, ["a", "b"]),
        ({"type": "String"}, ["a", "b"]),
        ({"type": "Boolean"}, ["yes"]),
        ({"type": "StringMap"}, ["{"]),
        ({"type": "String", "allowedPattern": "a+"}, ["aab"]),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(declared: dict[str, Any], given: list[str]) -> None:
    with pytest.raises(DocumentError, match="Parameter P ") as refused:
        read_parameters(parse(document(parameters={"P": declared})), {"P": given})
    assert refused.value.code == "InvalidAutomationExecutionParametersException"


def test_a_lone_reference_keeps_its_type_and_one_in_a_text_becomes_text() -> None:
    known = {"L": ["a"], "N": 3, "One.Made": {"k": 1}}
    value = {"list": "{{ L }}", "text": "n={{N}}, made={{ One.Made }}", "deep": [{"x": "{{N}}"}], "plain": 5}
    expected = {"list": ["a"], "text": 'n=3, made={"k": 1}', "deep": [{"x": 3}], "plain": 5}
    assert substitute(value, known) == expected


def test_a_selector_finds_what_it_names_or_nothing() -> None:
    payload = {"runs": [{"id": "r1"}]}
    assert select(payload, "$.Payload.runs[0].id") == "r1"
    assert select(payload, "$.Payload") == payload
    assert select(payload, "$.Payload.runs[7].id") is None
