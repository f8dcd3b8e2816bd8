"""Requests and responses, free of any web server, and the small readings of them that operations share."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from solution.mocking.glacier.errors import GlacierError, InvalidParameterError, MissingParameterError

CHUNK: Final = 1024 * 1024
"""Bytes per piece of a streamed body."""

_RANGE = re.compile(r"bytes[= ](\d+)-(\d+)(?:/(?:\*|\d+))?")
_LIMIT_OF_TEXT: Final = 1024


class ReadCutShortError(Exception):
    """Raised by a body in the middle of it: the adapter must close the connection without the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request.

    Attributes:
        method: upper case.
        path: percent-decoded, without the query.
        query: first value of each parameter.
        headers: values by lower-case name.
        body: all of it, or an asynchronous stream of its pieces.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP response.

    Attributes:
        status: HTTP status.
        headers: always with ``Content-Length``, the honest length even when a fault cuts the body short.
        body: all of it, or an iterator of pieces of at most 1 MiB. Close the iterator when it is not read
        to its
            end. It may raise ``ReadCutShortError``: then close the connection.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterator[bytes] = b""

    def read(self) -> bytes:
        """Whole body, for adapters that cannot stream.

        Raises:
            ReadCutShortError: a fault cuts this body short.
        """
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)


def reply(status: int, document: Any = None, **headers: str | None) -> Response:
    """A response with a JSON document, or none; header names are given with ``_`` for ``-``, None leaves one out."""
    body = b"" if document is None else json.dumps(document).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    kind = {} if document is None else {"Content-Type": "application/json"}
    return Response(status=status, headers={**kind, **given, "Content-Length": str(len(body))}, body=body)


def error_reply(error: GlacierError) -> Response:
    """The error as Glacier shapes it."""
    document = {"code": error.code, "message": error.message, "type": error.kind}
    return reply(error.status, document, x_amzn_ErrorType=error.code)


def required_header(request: Request, name: str, meaning: str) -> str:
    """Value of a header that must be there."""
    value = request.headers.get(name, "")
    if not value:
        message = f"Required parameter missing: {meaning}. Send the header {name}."
        raise MissingParameterError(message)
    return value


def json_document(body: bytes, meaning: str) -> dict[str, Any]:
    """The body as a JSON object."""
    if not body.strip():
        message = f"Required parameter missing: {meaning}. Send a JSON object in the body."
        raise MissingParameterError(message)
    try:
        document = json.loads(body)
    except ValueError as error:
        message = f"Invalid {meaning}: the body is not JSON ({error})."
        raise InvalidParameterError(message) from error
    if not isinstance(document, dict):
        message = f"Invalid {meaning}: the body is not a JSON object."
        raise InvalidParameterError(message)
    return document


def parse_range(text: str, meaning: str) -> tuple[int, int]:
    """First and last byte of ``bytes=0-1048575`` or ``bytes 0-1048575/*``."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or int(match[1]) > int(match[2]):
        message = f"Invalid {meaning}: {text}. Give it as bytes=first-last with first <= last."
        raise InvalidParameterError(message)
    return int(match[1]), int(match[2])


def check_description(text: str, meaning: str) -> str:
    """A description as the API takes it: printable ASCII, at most 1,024 characters (*Upload Archive*)."""
    if len(text) > _LIMIT_OF_TEXT or any(not " " <= char <= "~" for char in text):
        message = (
            f"Invalid {meaning}: {text[:40]!r}… has {len(text)} characters. "
            f"At most {_LIMIT_OF_TEXT} printable ASCII characters (32-126) are allowed."
        )
        raise InvalidParameterError(message)
    return text


def page_limit(request: Request, most: int) -> int:
    """The ``limit`` of a list request, at most ``most``."""
    text = request.query.get("limit", str(most))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = f"Invalid limit: {text}. Give a whole number of 1 or more."
        raise InvalidParameterError(message)
    return min(int(text), most)


def page_marker(request: Request) -> int:
    """Position after which a list goes on; 0 at its start. Ours are numbers, opaque to the caller."""
    text = request.query.get("marker", "") or "0"
    if not text.isascii() or not text.isdigit():
        message = f"Invalid marker: {text}. Pass the Marker of the previous answer unchanged."
        raise InvalidParameterError(message)
    return int(text)
