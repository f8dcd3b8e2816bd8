"""Glacier in the local AWS: the mock of ``solution.mocking.glacier``, at the same endpoint as every other service.

MiniStack authenticates and authorises the calls like its own. Notifications of completed jobs go to MiniStack's SNS,
if the topic's policy lets Glacier publish.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from ministack import app as emulator
from ministack.core import iam_actions, iam_evaluator, responses, router
from ministack.services import sns

from solution.local.errors import LocalAwsError
from solution.local.patches.seam import Seam
from solution.local.sessions import ROOT, client
from solution.local.settings import ACCOUNT_ID, GatewaySettings
from solution.mocking.glacier import GlacierService, GlacierSettings, ReadCutShortError, Request, Response
from solution.mocking.glacier.asgi import GlacierApp
from solution.mocking.glacier.sns import SnsNotifier

_PRINCIPAL: Final = "glacier.amazonaws.com"
_STREAMED_FROM: Final = 256 * 1024
"""Bytes from which a body is sent piece by piece instead of being collected."""
ADMIN_PREFIX: Final = "/_mock/"
"""Paths of the mock's own controls (faults, statistics, clock); no AWS service has them."""


class LocalGlacier:
    """The service inside the gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.service = GlacierService(
            settings.folders.glacier,
            settings=GlacierSettings(account_id=ACCOUNT_ID, region=settings.region, time_factor=settings.time_factor),
            notifier=_PolicedNotifier(settings),
        )
        self.admin = GlacierApp(self.service)
        self.service.start()

    def close(self) -> None:
        """Stop its threads; vaults and jobs are on disk."""
        self.service.close()

    async def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
    ) -> tuple[int, dict[str, str], Any]:
        """One request, in the form of MiniStack's handlers."""
        response = await self.service.handle(
            Request(
                method=method,
                path=path,
                query={name: values[0] for name, values in query.items()},
                headers=headers,
                body=body,
            )
        )
        # MiniStack sends a request id of its own.
        kept = {name: value for name, value in response.headers.items() if name.lower() != "x-amzn-requestid"}
        return response.status, kept, await self._body(response)

    async def _body(self, response: Response) -> Any:
        if isinstance(response.body, bytes):
            return response.body
        if int(response.headers["Content-Length"]) < _STREAMED_FROM:
            try:
                return await self.service.in_thread(response.read)
            except ReadCutShortError:
                # The announced length stays: the client sees that bytes are missing.
                return responses.StreamingResponse(_nothing)
        return responses.StreamingResponse(lambda send, _: self._stream(response, send))

    async def _stream(self, response: Response, send: Any) -> None:
        pieces = iter(response.body)
        try:
            while (piece := await self.service.in_thread(next, pieces, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ReadCutShortError:
            return
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                await self.service.in_thread(close)


async def _nothing(_send: Any, _receive: Any) -> None:
    """Leaves a response unfinished."""


class TopicRefusedError(Exception):
    """The topic's policy does not let Glacier publish."""


class _PolicedNotifier:
    """Publishes as the root user, whom no policy stops, after asking the topic's policy about Glacier itself."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def publish(self, topic_arn: str, message: str) -> None:
        """Publish one notification.

        Raises:
            TopicRefusedError: the policy of the topic does not allow ``glacier.amazonaws.com`` to publish.
        """
        source = json.loads(message).get("VaultARN", "")
        responses.set_request_account_id(ACCOUNT_ID)
        responses.set_request_region(self._settings.region)
        # Glacier publishes over TLS; without a request of its own, MiniStack would say that it did not.
        iam_evaluator.pin_request_origin("127.0.0.1", secure_transport=True)
        if not sns.topic_policy_allows(topic_arn, _PRINCIPAL, source, ACCOUNT_ID):
            text = f"the policy of {topic_arn} does not allow {_PRINCIPAL} sns:Publish"
            raise TopicRefusedError(text)
        topics: Any = client("sns", ROOT, self._settings)
        SnsNotifier(topics).publish(topic_arn, message)


def register(settings: GatewaySettings) -> LocalGlacier:
    """Add Glacier to MiniStack's services, to its router and to its IAM."""
    Seam(sns).require("topic_policy_allows")
    Seam(iam_evaluator).require("pin_request_origin")
    Seam(responses).require("StreamingResponse", "set_request_account_id", "set_request_region")
    # Otherwise the first call loads every model of botocore, for three seconds on the server's loop.
    Seam(router).set("_KNOWN_AWS_SERVICE_NAMES", frozenset({"glacier"}))
    actions = Seam(iam_actions)
    actions.set_entry("SERVICE_TO_IAM_NAMESPACE", "glacier", "glacier")
    actions.set_entry("_BOTOCORE_SERVICE_MAP", "glacier", ["glacier"])
    actions.replace(
        "extract_resource_arn",
        _with_vaults,
        parameters=("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    )
    try:
        made = LocalGlacier(settings)
    except (sqlite3.Error, OSError) as error:
        raise LocalAwsError(
            f"The state folder is broken: {settings.folders.glacier} holds no vaults that can be read ({error})",
            "Delete that folder, or choose another --state-dir",
        ) from error
    Seam(emulator).set_entry("SERVICE_HANDLERS", "glacier", made.handle)
    return made


def _with_vaults(original: Any) -> Any:
    def extract(service: str, method: str, path: str, *rest: Any) -> str:
        if service != "glacier":
            return str(original(service, method, path, *rest))
        *_, region, account = rest
        parts = path.strip("/").split("/")
        owner = account if parts[0] in {"", "-"} else parts[0]
        vault = parts[2] if len(parts) > 2 and parts[1] == "vaults" else "*"
        return f"arn:aws:glacier:{region}:{owner}:vaults/{vault}"

    return extract
