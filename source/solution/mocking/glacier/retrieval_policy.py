"""The data retrieval policy: how much Standard retrieval an account allows per hour (*Data Retrieval Policies*)."""

from __future__ import annotations

import json
from typing import Any, Final

from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import InvalidParameterError, PolicyEnforcedError
from solution.mocking.glacier.messages import Response, json_document, reply
from solution.mocking.glacier.settings import HOUR, Tier

_NAME: Final = "data-retrieval-policy"
_FREE_BYTES_PER_HOUR: Final = 10 * 1024**3 // (30 * 24)
"""The free tier: 10 GiB per month, evenly spread."""


class RetrievalPolicy:
    """Keeps the policy and enforces it. Only Standard retrievals are subject to it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self) -> Response:
        """GET policies/data-retrieval."""
        return reply(200, {"Policy": {"Rules": [self._rule()]}})

    def set(self, body: bytes) -> Response:
        """PUT policies/data-retrieval."""
        document = json_document(body, "data retrieval policy")
        rules = (document.get("Policy") or {}).get("Rules") or []
        if len(rules) != 1 or rules[0].get("Strategy") not in ("BytesPerHour", "FreeTier", "None"):
            message = f"Invalid policy rules: {rules}. Give one rule: BytesPerHour, FreeTier or None."
            raise InvalidParameterError(message)
        rule = rules[0]
        limit = rule.get("BytesPerHour")
        if rule["Strategy"] == "BytesPerHour" and (not isinstance(limit, int) or limit < 1):
            message = f"Invalid BytesPerHour: {limit}. Give a whole number of 1 or more."
            raise InvalidParameterError(message)
        self._context.store.execute(
            "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (_NAME, json.dumps(rule))
        )
        return reply(204)

    def admit(self, tier: Tier, size: int) -> None:
        """Count a retrieval.

        Raises:
            PolicyEnforcedError: it would exceed the hourly limit.
        """
        rule = self._rule()
        if tier is not Tier.STANDARD or rule["Strategy"] == "None":
            return
        limit = rule["BytesPerHour"] if rule["Strategy"] == "BytesPerHour" else _FREE_BYTES_PER_HOUR
        since = self._context.clock.now() - self._context.settings.scaled(HOUR)
        row = self._context.store.row(
            "SELECT COALESCE(SUM(range_end - range_start + 1), 0) AS used FROM jobs WHERE tier = ? AND created > ?",
            (tier.value, since),
        )
        if (row["used"] if row else 0) + size > limit:
            message = f"InitiateJob request denied by the data retrieval policy of {limit} bytes per hour."
            raise PolicyEnforcedError(message)

    def _rule(self) -> dict[str, Any]:
        row = self._context.store.row("SELECT value FROM settings WHERE name = ?", (_NAME,))
        rule: dict[str, Any] = json.loads(row["value"]) if row else {"Strategy": "None"}
        return rule
