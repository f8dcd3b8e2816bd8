"""Operations on vaults: create, describe, list, delete, tags, notification configuration; what is refused."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from solution.mocking.glacier.clock import iso
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import (
    InvalidParameterError,
    LimitExceededError,
    MissingParameterError,
    NotFoundError,
)
from solution.mocking.glacier.messages import Request, Response, json_document, page_limit, reply
from solution.mocking.glacier.store import Vault, vault_of
from solution.mocking.vaults.virtual import VirtualVault

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_TOPIC: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
_EVENTS: Final = frozenset({"ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"})
_MOST_TAGS: Final = 10
_MOST_VAULTS_PER_PAGE: Final = 10


def check_topic(topic: object) -> str:
    """An SNS topic's ARN.

    Raises:
        InvalidParameterError: it is none.
    """
    if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
        message = f"Invalid SNS Topic ARN: {topic}. Give arn:aws:sns:region:account:name."
        raise InvalidParameterError(message)
    return topic


class Vaults:
    """Vault operations (*Vault Operations*, API reference)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def create(self, name: str) -> Vault:
        """The vault of this name, made if it is not there: creating twice is no error."""
        if not _NAME.fullmatch(name):
            message = f"Invalid vault name: {name!r}. Use 1 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'."
            raise InvalidParameterError(message)
        with self._store.transaction():
            if self._store.vault(name) is None:
                count = self._store.row("SELECT COUNT(*) AS number FROM vaults")
                if count and count["number"] >= self._context.settings.max_vaults:
                    message = f"Limit of {self._context.settings.max_vaults} vaults exceeded. Delete one."
                    raise LimitExceededError(message)
                self._store.insert("vaults", {"name": name, "created": self._context.clock.now()})
        return self._context.vault(name)

    def make_virtual(self, name: str, virtual: VirtualVault) -> None:
        """Give a vault its virtual archives, in place of those it may have had."""
        self._update(self._context.vault(name), "virtual", json.dumps(virtual.to_json()))

    def create_vault(self, name: str) -> Response:
        """PUT vault."""
        self.create(name)
        return reply(201, Location=f"/{self._context.settings.account_id}/vaults/{name}")

    def describe_vault(self, name: str) -> Response:
        """GET vault."""
        return reply(200, self._description(self._context.vault(name)))

    def list_vaults(self, request: Request) -> Response:
        """GET vaults, ordered by name as Glacier does; the marker is the ARN of the last vault seen."""
        limit = page_limit(request, _MOST_VAULTS_PER_PAGE)
        prefix = self._context.settings.vault_arn("")
        marker = request.query.get("marker", "")
        if marker and not marker.startswith(prefix):
            message = f"Invalid marker: {marker}. Pass the Marker of the previous answer unchanged."
            raise InvalidParameterError(message)
        rows = self._store.rows(
            "SELECT * FROM vaults WHERE name > ? ORDER BY name LIMIT ?",
            (marker.removeprefix(prefix), limit + 1),
        )
        vaults = [vault_of(row) for row in rows[:limit]]
        following = self._context.settings.vault_arn(vaults[-1].name) if len(rows) > limit else None
        return reply(200, {"VaultList": [self._description(vault) for vault in vaults], "Marker": following})

    def delete_vault(self, name: str) -> Response:
        """DELETE vault; refused unless it is empty. Deleting a vault that is not there is no error."""
        with self._store.transaction():
            vault = self._store.vault(name)
            if vault is not None:
                if self._totals(vault)[0]:
                    arn = self._context.settings.vault_arn(name)
                    message = f"Vault not empty or recently written to: {arn}"
                    raise InvalidParameterError(message)
                self._store.execute("DELETE FROM vaults WHERE vault_id = ?", (vault.vault_id,))
        return reply(204)

    def set_notifications(self, name: str, body: bytes) -> Response:
        """PUT notification-configuration."""
        vault = self._context.vault(name)
        document = json_document(body, "vault notification configuration")
        if not document.get("SNSTopic"):
            message = "Required parameter missing: SNSTopic."
            raise MissingParameterError(message)
        events = document.get("Events")
        if not isinstance(events, list) or not events or not set(events) <= _EVENTS:
            message = f"Invalid notification events: {events}. Use any of {sorted(_EVENTS)}."
            raise InvalidParameterError(message)
        configuration = {"SNSTopic": check_topic(document["SNSTopic"]), "Events": events}
        self._update(vault, "notification", json.dumps(configuration))
        return reply(204)

    def get_notifications(self, name: str) -> Response:
        """GET notification-configuration."""
        vault = self._context.vault(name)
        if vault.notification is None:
            arn = self._context.settings.vault_arn(name)
            message = f"No notification configuration is set for vault: {arn}"
            raise NotFoundError(message)
        return reply(200, vault.notification)

    def delete_notifications(self, name: str) -> Response:
        """DELETE notification-configuration."""
        self._update(self._context.vault(name), "notification", None)
        return reply(204)

    def list_tags(self, name: str) -> Response:
        """GET tags."""
        return reply(200, {"Tags": self._context.vault(name).tags})

    def change_tags(self, name: str, request: Request, body: bytes) -> Response:
        """POST tags?operation=add or remove."""
        operation = request.query.get("operation")
        document = json_document(body, "tags")
        with self._store.transaction():
            vault = self._context.vault(name)
            if operation == "add":
                tags = vault.tags | self._tags(document.get("Tags"))
            elif operation == "remove":
                gone = set(document.get("TagKeys") or [])
                tags = {key: value for key, value in vault.tags.items() if key not in gone}
            else:
                message = f"Invalid operation: {operation}. Use operation=add or operation=remove."
                raise InvalidParameterError(message)
            if len(tags) > _MOST_TAGS:
                message = f"The vault would have {len(tags)} tags, at most {_MOST_TAGS} may be. Remove some."
                raise LimitExceededError(message)
            self._update(vault, "tags", json.dumps(tags))
        return reply(204)

    def _tags(self, tags: object) -> dict[str, str]:
        if not isinstance(tags, dict) or not tags:
            message = "Required parameter missing: Tags."
            raise MissingParameterError(message)
        for key, value in tags.items():
            if not 1 <= len(key) <= 128 or not isinstance(value, str) or len(value) > 256:
                message = f"Invalid tag: {key!r}. Keys have 1 to 128 characters, values are text of up to 256."
                raise InvalidParameterError(message)
        return tags

    def _update(self, vault: Vault, column: str, value: str | None) -> None:
        sql = f"UPDATE vaults SET {column} = ? WHERE vault_id = ?"  # noqa: S608  # column names are ours
        self._store.execute(sql, (value, vault.vault_id))

    def _totals(self, vault: Vault, before: float | None = None) -> tuple[int, int]:
        """Number and bytes of the archives created up to ``before``."""
        row = self._store.row(
            "SELECT COUNT(*) AS number, COALESCE(SUM(size), 0) AS total FROM archives"
            " WHERE vault_id = ? AND deleted_after IS NULL AND created <= ?",
            (vault.vault_id, before if before is not None else float("inf")),
        )
        number, total = (row["number"], row["total"]) if row else (0, 0)
        if vault.virtual:
            number, total = number + vault.virtual.archive_count, total + vault.virtual.total_size
        return number, total

    def _description(self, vault: Vault) -> dict[str, Any]:
        settings = self._context.settings
        inventoried = self._context.clock.now() - settings.scaled(settings.inventory_lag)
        number, total = self._totals(vault, inventoried)
        return {
            "VaultARN": settings.vault_arn(vault.name),
            "VaultName": vault.name,
            "CreationDate": iso(vault.created),
            "LastInventoryDate": iso(inventoried) if number else None,
            "NumberOfArchives": number,
            "SizeInBytes": total,
        }
