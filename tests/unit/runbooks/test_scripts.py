"""What both scripts repeat, of each other and of the domain, is the same everywhere."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

from solution.contract import object_keys, tables
from solution.domain import archive
from solution.runbooks import launch, resume

SCRIPTS = [launch, resume]
MAX_DOCUMENT_BYTES = 64 * 1024
"""An SSM document may be this large ("AWS Systems Manager endpoints and quotas")."""


@pytest.mark.parametrize("script", SCRIPTS)
def test_facts_of_the_domain_are_repeated_faithfully(script: ModuleType) -> None:
    assert dict(archive.STORAGE_CLASS_LABELS) == script.STORAGE_CLASSES
    assert list(script.TIERS) == [tier.value for tier in archive.Tier]
    assert script.RUN_ID_PATTERN == archive.RUN_ID_PATTERN
    assert script.VAULT_NAME_PATTERN == archive.VAULT_NAME_PATTERN


def test_facts_of_the_contract_are_repeated_faithfully() -> None:
    text = inspect.getsource(launch)
    assert f'"{tables.PK}": {{"S": run}}, "{tables.SK}": {{"S": "{tables.META}"}}' in text
    assert f"{object_keys.prefix('{run}', object_keys.ORIGINAL_INVENTORY)}" in text
    resumed = inspect.getsource(resume)
    for attribute in (
        tables.Run.VAULT_NAME,
        tables.Run.TIER,
        tables.Run.STORAGE_CLASS,
        tables.Run.PROVIDED_INVENTORY,
        tables.Run.CROSS_REGION,
        tables.Run.DESCRIPTION,
        tables.Run.ATTEMPT,
        tables.Run.EXECUTION_ARN,
        tables.Run.STATUS,
    ):
        assert f'record["{attribute}"]' in resumed
    assert list(resume.NOT_ENDED) == [status for status in tables.RunStatus if not status.ended]


def _functions(script: ModuleType) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(script))
    return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_what_both_scripts_need_is_the_same_in_both() -> None:
    first, second = _functions(launch), _functions(resume)
    shared = (set(first) & set(second)) - {"script_handler"}
    assert len(shared) >= 9
    assert {name: first[name] for name in shared} == {name: second[name] for name in shared}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_stands_alone(script: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(script))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert {name.split(".")[0] for name in imported} <= {
        *("__future__", "json", "re", "secrets", "datetime", "typing", "urllib", "boto3", "botocore")
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_fits_into_a_document_and_holds_nothing_that_automation_would_replace(script: ModuleType) -> None:
    text = inspect.getsource(script)
    assert len(text.encode()) < MAX_DOCUMENT_BYTES / 2
    assert "{{" not in text
