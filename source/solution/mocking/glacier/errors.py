"""Glacier's errors, as it words and shapes them (*Error Responses*, Amazon S3 Glacier Developer Guide).

::

    GlacierError
    ├── MissingParameterError       400 MissingParameterValueException
    ├── InvalidParameterError       400 InvalidParameterValueException
    ├── NotFoundError               404 ResourceNotFoundException
    ├── LimitExceededError          400 LimitExceededException
    ├── PolicyEnforcedError         400 PolicyEnforcedException
    ├── InsufficientCapacityError   400 InsufficientCapacityException
    ├── ThrottledError              400 ThrottlingException
    ├── RequestTimeoutError         408 RequestTimeoutException
    ├── ServiceUnavailableError     500 ServiceUnavailableException
    └── InjectedError               any status and code, asked for through the faults
"""

from __future__ import annotations


class GlacierError(Exception):
    """Base of everything the service answers with an error body."""

    status: int = 500
    code: str = "ServiceUnavailableException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def kind(self) -> str:
        """Who is to blame, in Glacier's words: ``Client`` or ``Server``."""
        return "Server" if self.status >= 500 else "Client"


class MissingParameterError(GlacierError):
    """A required header, field or parameter is absent."""

    status = 400
    code = "MissingParameterValueException"


class InvalidParameterError(GlacierError):
    """A value is malformed, out of bounds, or contradicts the body."""

    status = 400
    code = "InvalidParameterValueException"


class NotFoundError(GlacierError):
    """The vault, archive, upload or job does not exist, or no longer."""

    status = 404
    code = "ResourceNotFoundException"


class LimitExceededError(GlacierError):
    """Too many vaults or tags."""

    status = 400
    code = "LimitExceededException"


class PolicyEnforcedError(GlacierError):
    """The data retrieval policy forbids the retrieval."""

    status = 400
    code = "PolicyEnforcedException"


class InsufficientCapacityError(GlacierError):
    """No capacity for an expedited retrieval."""

    status = 400
    code = "InsufficientCapacityException"


class ThrottledError(GlacierError):
    """More requests per second than the faults allow."""

    status = 400
    code = "ThrottlingException"


class RequestTimeoutError(GlacierError):
    """The body of an upload did not arrive whole."""

    status = 408
    code = "RequestTimeoutException"


class ServiceUnavailableError(GlacierError):
    """The service failed."""

    status = 500
    code = "ServiceUnavailableException"


class InjectedError(GlacierError):
    """An error a test asked for."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
