"""A body on its way from Glacier to S3 of which nobody knows a hash, only its length: a range of an inventory."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from solution.application.ports.objects import BLOCK_BYTES
from solution.domain.errors import ShortRead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.application.ports.glacier import ByteSource, JobOutput


class SizedStream:
    """`solution.application.ports.objects.HashedBody` over a job's output.

    One block is held, whatever the length. The last block is handed over only when it has come whole.
    """

    def __init__(self, output: JobOutput, *, length: int) -> None:
        """Expect ``length`` bytes."""
        self._output = output
        self._length = length
        self._sha256 = hashlib.sha256()

    @property
    def length(self) -> int:
        """Bytes in all."""
        return self._length

    def checksum(self) -> str:
        """SHA-256 of the bytes that have passed, base64."""
        return base64.b64encode(self._sha256.digest()).decode()

    def blocks(self) -> Iterator[memoryview]:
        """The bytes in blocks, as `HashedBody` says. Raises `ShortRead` in place of a block that has not come whole."""
        check_length(self._output, self._length)
        buffer = memoryview(bytearray(min(BLOCK_BYTES, self._length)))
        for passed in range(0, self._length, BLOCK_BYTES):
            block = buffer[: self._length - passed]
            fill(block, self._output.body, passed=passed, length=self._length)
            self._sha256.update(block)
            yield block


def check_length(output: JobOutput, length: int) -> None:
    """Raise `ShortRead` when a job's output is announced with another length, in bytes."""
    if output.length != length:
        raise ShortRead(f"the job's output is announced with {output.length} bytes, expected {length}")


def fill(block: memoryview, source: ByteSource, *, passed: int, length: int) -> None:
    """Receive a whole block after ``passed`` bytes of ``length``; raises `ShortRead` when the source ends before."""
    filled = 0
    while filled < len(block):
        received = source.readinto(block[filled:])
        if not received:
            raise ShortRead(f"the job's output ended after {passed + filled} of {length} bytes")
        filled += received
