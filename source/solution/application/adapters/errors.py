"""botocore's errors as our own, the few that somebody acts on; the rest passes through as it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from solution.domain.errors import NoAnswer, Throttled, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "SlowDown",
        "LimitExceededException",
        "PolicyEnforcedException",
        "InsufficientCapacityException",
    }
)
_PASSING = frozenset({"RequestTimeout", "RequestTimeoutException", "ServiceUnavailableException", "InternalError"})
_SERVER_ERROR = 500


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    """AWS's message for people, or the code where there is none."""
    return error.response.get("Error", {}).get("Message") or code_of(error)


@contextmanager
def translated(known: Mapping[str, type[Exception]] | None = None) -> Iterator[None]:
    """Raise the errors in ``known``, by code, as their classes; throttling and passing trouble as `TransientError`s."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if known is not None and code in known:
            raise known[code](message_of(error)) from error
        if code in _THROTTLING:
            raise Throttled(f"{code}: {message_of(error)}") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _PASSING or status >= _SERVER_ERROR:
            raise TransientError(f"{code}: {message_of(error)}") from error
        raise
    except NotConnected as error:
        raise TransientError(str(error)) from error
    except HTTPClientError as error:
        raise NoAnswer(str(error)) from error
