"""Vaults: made, listed, described, tagged, configured, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from solution.mocking.glacier import GlacierService, GlacierSettings
from tests.unit.mocking.caller import TOPIC, Glacier, error

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:glacier:us-east-1:000000000000:vaults/"


def test_a_vault_counts_its_archives_and_their_bytes(glacier: Glacier) -> None:
    glacier.upload(b"abc")
    glacier.upload(b"defgh")
    vault = glacier.document("GET", "/vaults/v")
    assert vault["VaultARN"] == ARN + "v"
    assert (vault["NumberOfArchives"], vault["SizeInBytes"]) == (2, 8)
    assert vault["LastInventoryDate"]


def test_an_empty_vault_has_no_inventory_date(glacier: Glacier) -> None:
    assert glacier.document("GET", "/vaults/v")["LastInventoryDate"] is None


def test_creating_a_vault_twice_is_no_error(glacier: Glacier) -> None:
    for _ in range(2):
        response = glacier.ok("PUT", "/vaults/again")
        assert (response.status, response.headers["Location"]) == (201, "/000000000000/vaults/again")


@pytest.mark.parametrize("name", ["with space", "x" * 256, "ünï"])
def test_a_name_glacier_forbids_is_refused(glacier: Glacier, name: str) -> None:
    assert error(glacier.call("PUT", f"/vaults/{name}")) == (400, "InvalidParameterValueException")


def test_a_vault_that_is_not_there_is_not_found(glacier: Glacier) -> None:
    assert error(glacier.call("GET", "/vaults/none")) == (404, "ResourceNotFoundException")


def test_pages_of_vaults_show_each_once(glacier: Glacier) -> None:
    for number in range(25):
        glacier.service.create_vault(f"vault-{number:02d}")
    names: list[str] = []
    marker = ""
    while True:
        page = glacier.document("GET", "/vaults", query={"marker": marker, "limit": "7"})
        names += [vault["VaultName"] for vault in page["VaultList"]]
        marker = page["Marker"]
        if not marker:
            break
    assert names == ["v", *(f"vault-{number:02d}" for number in range(25))]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "many"}, {"marker": "elsewhere"}])
def test_a_malformed_page_is_refused(glacier: Glacier, query: dict[str, str]) -> None:
    assert error(glacier.call("GET", "/vaults", query=query)) == (400, "InvalidParameterValueException")


def test_only_an_empty_vault_can_be_deleted(glacier: Glacier) -> None:
    archive = glacier.upload(b"abc")
    assert error(glacier.call("DELETE", "/vaults/v")) == (400, "InvalidParameterValueException")
    glacier.ok("DELETE", f"/vaults/v/archives/{archive}")
    assert glacier.ok("DELETE", "/vaults/v").status == 204
    assert glacier.ok("DELETE", "/vaults/v").status == 204
    assert error(glacier.call("GET", "/vaults/v")) == (404, "ResourceNotFoundException")


def test_the_account_has_a_limit_of_vaults(tmp_path: Path, glacier: Glacier) -> None:
    service = GlacierService(tmp_path / "small", settings=GlacierSettings(max_vaults=1))
    small = Glacier(service=service, clock=glacier.clock, notifier=glacier.notifier)
    small.ok("PUT", "/vaults/one")
    assert error(small.call("PUT", "/vaults/two")) == (400, "LimitExceededException")
    service.close()


def test_tags_come_and_go(glacier: Glacier) -> None:
    glacier.ok("POST", "/vaults/v/tags", {"Tags": {"a": "1", "b": ""}}, query={"operation": "add"})
    glacier.ok("POST", "/vaults/v/tags", {"TagKeys": ["a"]}, query={"operation": "remove"})
    assert glacier.document("GET", "/vaults/v/tags") == {"Tags": {"b": ""}}


def test_an_eleventh_tag_is_too_many(glacier: Glacier) -> None:
    tags = {"Tags": {str(number): "x" for number in range(11)}}
    response = glacier.call("POST", "/vaults/v/tags", tags, query={"operation": "add"})
    assert error(response) == (400, "LimitExceededException")
    assert glacier.document("GET", "/vaults/v/tags") == {"Tags": {}}


@pytest.mark.parametrize(
    ("body", "operation", "code"),
    [
        ({}, "add", "MissingParameterValueException"),
        ({"Tags": {"": "x"}}, "add", "InvalidParameterValueException"),
        ({"Tags": {"a": "b"}}, "stir", "InvalidParameterValueException"),
    ],
)
def test_malformed_tags_are_refused(glacier: Glacier, body: dict[str, object], operation: str, code: str) -> None:
    response = glacier.call("POST", "/vaults/v/tags", body, query={"operation": operation})
    assert error(response) == (400, code)


def test_a_notification_configuration_comes_and_goes(glacier: Glacier) -> None:
    path = "/vaults/v/notification-configuration"
    assert error(glacier.call("GET", path)) == (404, "ResourceNotFoundException")
    configuration = {"SNSTopic": TOPIC, "Events": ["ArchiveRetrievalCompleted"]}
    glacier.ok("PUT", path, configuration)
    assert glacier.document("GET", path) == configuration
    glacier.ok("DELETE", path)
    assert error(glacier.call("GET", path)) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize(
    "configuration",
    [
        {"SNSTopic": "not-an-arn", "Events": ["ArchiveRetrievalCompleted"]},
        {"SNSTopic": TOPIC, "Events": ["Sunrise"]},
        {"SNSTopic": TOPIC},
    ],
)
def test_a_malformed_configuration_is_refused(glacier: Glacier, configuration: dict[str, object]) -> None:
    response = glacier.call("PUT", "/vaults/v/notification-configuration", configuration)
    assert error(response) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize("path", ["/vaults/v/access-policy", "/vaults/v/lock-policy", "/provisioned-capacity"])
def test_what_the_mock_lacks_it_says(glacier: Glacier, path: str) -> None:
    response = glacier.call("GET", path)
    assert b"not supported by this mock" in response.read()
    assert error(response) == (400, "InvalidParameterValueException")
