"""Bodies that are sent to S3 as they come, with their checksum in a trailer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError

from solution.application.ports.objects import BLOCK_BYTES
from solution.domain.errors import TransferError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client

    from solution.application.ports.objects import HashedBody

_TRAILER = "x-amz-checksum-sha256"
_BODY = "solution_hashed_body"
_CRLF = b"\r\n"
_CHECKSUM_CHARACTERS = 44  # 32 bytes in base64


def stream_bodies(client: S3Client) -> S3Client:
    """Teach a client to send `HashedBody` bodies as they come, with their SHA-256 in a trailer.

    botocore streams with a trailer over https by itself, but hashes on its own, which would be the third time for each
    byte; over plain http it reads the body first and signs its hash. Here both are told to use the trailer, and the
    trailer is taken from the body. The bytes are signed by neither; over https TLS protects them, and in any case S3
    compares the checksum ("Checking object integrity in Amazon S3", trailing checksums).
    """
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"before-call.s3.{operation}", _announce_trailer)
        client.meta.events.register_first(f"request-created.s3.{operation}", _send_as_it_comes)
    return client


def _announce_trailer(params: dict[str, Any], **_: Any) -> None:
    if isinstance(params["body"], StreamedBody):
        params["context"]["checksum"]["request_algorithm"]["in"] = "trailer"
        params["context"][_BODY] = params["body"]


def _send_as_it_comes(request: AWSRequest, **_: Any) -> None:
    stream = request.context.get(_BODY)
    if stream is not None:
        request.data = _AwsChunked(stream)
        # The encoded length is known, so HTTP need not frame each block once more. Setting a header adds to it.
        for name in ("Transfer-Encoding", "Content-Length", "X-Amz-Decoded-Content-Length"):
            del request.headers[name]
        request.headers["Content-Length"] = str(encoded_length(stream.body.length))
        request.headers["X-Amz-Decoded-Content-Length"] = str(stream.body.length)


def encoded_length(length: int) -> int:
    """Bytes that `_AwsChunked` makes of a body of ``length`` bytes."""
    full, rest = divmod(length, BLOCK_BYTES)
    framing = sum(
        count * (len(_head(size)) + len(_CRLF)) for count, size in ((full, BLOCK_BYTES), (int(rest > 0), rest))
    )
    return length + framing + len(_tail("=" * _CHECKSUM_CHARACTERS))


def _head(size: int) -> bytes:
    return b"%x\r\n" % size


def _tail(checksum: str) -> bytes:
    return f"0\r\n{_TRAILER}:{checksum}\r\n\r\n".encode()


class StreamedBody:
    """What botocore gets as a body: it is never read by botocore, only carried to `_AwsChunked`."""

    def __init__(self, body: HashedBody) -> None:
        self.body = body
        self.failure: Exception | None = None

    def read(self, amt: int = -1, /) -> bytes:
        raise NotImplementedError(f"{self!r} is sent in blocks; the client was not prepared by stream_bodies ({amt})")


class _AwsChunked:
    """The body in S3's ``aws-chunked`` encoding, one chunk per block, then the trailer.

    An iterable and not a file: files are read in pieces of 16 KiB on the way to the socket. Blocks are handed over as
    they are, never copied.
    """

    def __init__(self, stream: StreamedBody) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes | memoryview]:
        body = self._stream.body
        end = b""
        try:
            for block in body.blocks():
                # Each piece is a call of the socket's: the end of a block goes with the beginning of the next.
                yield end + _head(len(block))
                yield block
                end = _CRLF
        except TransferError as error:
            self._stream.failure = error
            raise
        yield end + _tail(body.checksum())


class body_errors:  # noqa: N801 - used as a statement
    """Let what a body raised come out as it is, whatever became of it inside the HTTP client."""

    def __init__(self, stream: StreamedBody) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._stream.failure is not None and isinstance(error, TransientError | ClientError | HTTPClientError):
            raise self._stream.failure from error
