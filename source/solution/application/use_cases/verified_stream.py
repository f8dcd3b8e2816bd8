"""A body on its way from Glacier to S3: hashed as it passes, and broken off if it is not what was asked for."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from solution.application.ports.objects import BLOCK_BYTES
from solution.application.use_cases.sized_stream import check_length, fill
from solution.domain.errors import ChecksumMismatch
from solution.domain.tree_hash import MIB as LEAF_BYTES
from solution.domain.tree_hash import TreeHasher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.application.ports.glacier import JobOutput


class VerifiedStream:
    """`solution.application.ports.objects.HashedBody` over a job's output.

    Every byte is hashed twice, for Glacier's tree hash and for S3's SHA-256, or once where the two are the same: a tree
    of one leaf. One block is held, received into over and over again. The last block is handed over only when
    length and tree hash have been found right.
    """

    def __init__(self, output: JobOutput, *, length: int, tree_hash: str) -> None:
        """Expect ``length`` bytes whose tree hash is ``tree_hash``, from an output that may know it too."""
        self._output = output
        self._length = length
        self._expected = tree_hash
        self._tree = TreeHasher()
        self._sha256 = hashlib.sha256() if length > LEAF_BYTES else None

    @property
    def length(self) -> int:
        """Bytes in all."""
        return self._length

    @property
    def tree_hash(self) -> str:
        """Tree hash of the bytes that have passed, hexadecimal."""
        return self._tree.hexdigest()

    def checksum(self) -> str:
        """SHA-256 of the bytes that have passed, base64."""
        digest = self._tree.digest() if self._sha256 is None else self._sha256.digest()
        return base64.b64encode(digest).decode()

    def blocks(self) -> Iterator[memoryview]:
        """The bytes in blocks, as `HashedBody` says. May be called again to carry on where an earlier reader stopped.

        Raises `ShortRead` or `ChecksumMismatch` in place of the last block.
        """
        self._check_announcement()
        buffer = memoryview(bytearray(min(BLOCK_BYTES, self._length - self._tree.size)))
        while self._tree.size < self._length:
            block = buffer[: self._length - self._tree.size]
            fill(block, self._output.body, passed=self._tree.size, length=self._length)
            self._tree.update(block)
            if self._sha256 is not None:
                self._sha256.update(block)
            if self._tree.size == self._length and self.tree_hash != self._expected:
                raise ChecksumMismatch(
                    f"tree hash of the {self._length} bytes received is {self.tree_hash}, expected {self._expected}"
                )
            yield block

    def drain(self) -> None:
        """Read and hash what nobody wanted, so that the checksum is that of the whole."""
        for _ in self.blocks():
            pass

    def _check_announcement(self) -> None:
        check_length(self._output, self._length)
        if self._output.tree_hash is not None and self._output.tree_hash != self._expected:
            raise ChecksumMismatch(
                f"Glacier announces tree hash {self._output.tree_hash} for the output, expected {self._expected}"
            )
