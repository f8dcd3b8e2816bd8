"""Notices on SNS; statistics and borrowed files over HTTP."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import HTTPError

from solution import USER_AGENT_EXTRA
from solution.domain.errors import InvalidInput, NotPossible, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_sns import SNSClient

PIECE: Final = 1024**2
STATS_TIMEOUT_SECONDS: Final = 5
SCHEMES: Final = frozenset({"http", "https"})
_OK: Final = range(200, 300)
_NOT_WELL: Final = frozenset({429, 500, 502, 503, 504})


def _pool(*, read_timeout: float) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        headers={"User-Agent": USER_AGENT_EXTRA},
        timeout=urllib3.Timeout(connect=5, read=read_timeout),
        retries=urllib3.Retry(total=2, redirect=3, backoff_factor=0.5, raise_on_redirect=False),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsNotices:
    """`solution.application.ports.notices.Notices` on one topic."""

    client: SNSClient
    topic_arn: str

    def publish(self, *, subject: str, text: str) -> None:
        """One Publish."""
        self.client.publish(TopicArn=self.topic_arn, Subject=subject, Message=text)


@dataclass(frozen=True, slots=True)
class HttpStats:
    """`solution.application.ports.notices.StatsEndpoint`; waits seconds, not minutes."""

    pool: urllib3.PoolManager = field(default_factory=lambda: _pool(read_timeout=STATS_TIMEOUT_SECONDS))

    def send(self, endpoint: str, statistics: Mapping[str, object]) -> None:
        """One POST of JSON, to that endpoint and to none that it names; of the answer the status alone is read."""
        try:
            answer = self.pool.request(
                "POST",
                endpoint,
                body=json.dumps(dict(statistics)).encode(),
                headers={"Content-Type": "application/json", "User-Agent": USER_AGENT_EXTRA},
                retries=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise TransientError(f"{endpoint} cannot be reached: {error}") from error
        answer.close()
        if answer.status not in _OK:
            raise TransientError(f"{endpoint} answered with status {answer.status}")


@dataclass(frozen=True, slots=True)
class HttpSource:
    """`solution.application.ports.notices.WebSource` over http and https."""

    pool: urllib3.PoolManager = field(default_factory=lambda: _pool(read_timeout=60))

    @contextmanager
    def open(self, url: str) -> Iterator[Iterator[bytes]]:
        """One GET, streamed. No error quotes the URL or its path: it may be presigned."""
        parsed = _parse(url)
        host = parsed.host or ""
        try:
            # urllib3 1 does not notice by itself that a body is shorter than announced; names would be missing
            answer = self.pool.request(
                "GET", url, preload_content=False, decode_content=False, enforce_content_length=True
            )
        except HTTPError as error:
            message = f"NamingOverrideFile: host {host} cannot be reached ({type(error).__name__}): check the URL"
            raise NotPossible(message) from None
        try:
            if answer.status in _NOT_WELL:
                raise TransientError(f"NamingOverrideFile: host {host} answered with status {answer.status}: try later")
            if answer.status not in _OK:
                message = (
                    f"NamingOverrideFile: host {host} answered with status {answer.status}: "
                    "check that the URL is right and, if it is presigned, that it has not expired"
                )
                raise NotPossible(message)
            yield _pieces(answer, host)
        finally:
            answer.release_conn()
            answer.close()


def _parse(url: str) -> urllib3.util.Url:
    try:
        parsed = urllib3.util.parse_url(url)
    except HTTPError:
        raise InvalidInput("NamingOverrideFile is not a URL: give an https URL") from None
    if parsed.scheme not in SCHEMES or not parsed.host:
        message = f"NamingOverrideFile has scheme {parsed.scheme!r} and host {parsed.host!r}: give an https URL"
        raise InvalidInput(message)
    return parsed


def _pieces(answer: urllib3.BaseHTTPResponse, host: str) -> Iterator[bytes]:
    try:
        yield from answer.stream(PIECE)
    except HTTPError as error:
        message = f"NamingOverrideFile: host {host} broke off in the middle ({type(error).__name__})"
        raise TransientError(message) from None
