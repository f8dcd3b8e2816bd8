"""Everything this solution raises on purpose, as one tree; callers catch at the level they need.

::

    TransferError
    ├── InvalidInput             somebody asked for something that cannot be: names the value, the rule, the remedy
    │   └── SettingsError        a Lambda function's environment is incomplete or wrong
    ├── NotPossible              the request is well formed, the world forbids it (run exists, vault is missing …)
    ├── TransientError           trying again later is right
    │   ├── Throttled            the service asked us to slow down
    │   ├── NoAnswer             what was asked for may have been done, but nobody said so
    │   ├── QuotaUsed            the retrieval budget allows for no more at present
    │   ├── ShortRead            a body ended before its announced length
    │   └── ChecksumMismatch     bytes are not what their checksum says
    ├── GlacierJobError          a Glacier job cannot give its output
    │   ├── JobExpired           the 24-hour window has closed, or Glacier forgot the job
    │   └── JobRefused           Glacier will not start the job (archive deleted, for one)
    └── DestinationError         the destination bucket refuses for good
        ├── ObjectExists         something already has that key
        ├── PartsReplaced        parts of the multipart upload were stored again since they were noted
        └── UploadVanished       the multipart upload is no longer there: completed, aborted or expired
"""

from __future__ import annotations


class TransferError(Exception):
    """Base of every error raised on purpose by this solution."""


class InvalidInput(TransferError):  # noqa: N818 - reads as the statement it makes
    """The caller's value breaks a rule; the message names value, rule and remedy."""


class SettingsError(InvalidInput):
    """A function's environment is incomplete or malformed."""


class NotPossible(TransferError):  # noqa: N818
    """The request is valid but cannot be carried out in the present state of the world."""


class TransientError(TransferError):
    """Trying the same thing again later is the right answer."""


class Throttled(TransientError):  # noqa: N818
    """The service asked us to slow down."""


class NoAnswer(TransientError):  # noqa: N818
    """A call ended without an answer; what it asked for may have been done."""


class QuotaUsed(TransientError):  # noqa: N818
    """The retrieval budget allows for no more archives at present."""


class ShortRead(TransientError):  # noqa: N818
    """A body ended before the length that was announced."""


class ChecksumMismatch(TransientError):  # noqa: N818
    """Bytes do not match the checksum they came with."""


class GlacierJobError(TransferError):
    """A Glacier job cannot give its output."""


class JobExpired(GlacierJobError):  # noqa: N818
    """The job's output is no longer available; a new job is needed."""


class JobRefused(GlacierJobError):  # noqa: N818
    """Glacier refuses to start the job, for good."""


class DestinationError(TransferError):
    """The destination bucket refuses for good."""


class ObjectExists(DestinationError):  # noqa: N818
    """An object with that key is already in the destination bucket."""


class PartsReplaced(DestinationError):  # noqa: N818
    """The multipart upload has parts under other ETags than those named: they were stored again."""


class UploadVanished(DestinationError):  # noqa: N818
    """The multipart upload is no longer known to S3: completed, aborted or expired."""
