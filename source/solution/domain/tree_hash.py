"""SHA-256 tree hash, the checksum by which Amazon S3 Glacier identifies the content of an archive.

Source: *Computing Checksums* and *Receiving Checksums When Downloading Data*, Amazon S3 Glacier Developer
Guide. The content is cut into leaves of 1 MiB (the last may be shorter); each leaf is hashed with SHA-256;
then neighbours are hashed in pairs, level by level, an odd one out moving up unchanged, until one digest,
the root, is left.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1024 * 1024
"""Bytes in one leaf of the tree."""

_NOT_A_LEAF = "a leaf of a tree hash is a digest of 32 bytes, not {!r}: pass bytes-like data or leaf digests"


class _Nodes:
    """Complete subtrees seen so far, largest first: at most one per level, so memory is O(log n)."""

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []

    def push(self, digest: bytes) -> None:
        """Append one leaf and merge it with every complete subtree of its size."""
        level = 0
        while self._stack and self._stack[-1][0] == level:
            digest = hashlib.sha256(self._stack.pop()[1] + digest).digest()
            level += 1
        self._stack.append((level, digest))

    def root(self) -> bytes:
        """Root over all leaves; the nodes stay as they are, so more leaves may follow."""
        if not self._stack:
            return hashlib.sha256().digest()
        digest = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            digest = hashlib.sha256(left + digest).digest()
        return digest

    def copy(self) -> _Nodes:
        twin = _Nodes()
        twin._stack = self._stack.copy()
        return twin


class TreeHasher:
    """Tree hash of a stream, fed in pieces of any size, in memory that does not grow with the stream.

    It follows the shape of ``hashlib``: ``update`` as often as needed, then ``digest`` or ``hexdigest``,
    which may be asked at any time. Large buffers are hashed in place, never copied.

    With ``keep_leaves=True`` the digests of the leaves are kept too (32 bytes per MiB), for whoever wants
    the tree hash of ranges later.
    """

    __slots__ = ("_leaf", "_leaf_bytes", "_leaves", "_nodes", "_size")

    def __init__(self, data: bytes | bytearray | memoryview = b"", *, keep_leaves: bool = False) -> None:
        self._nodes = _Nodes()
        self._leaf = hashlib.sha256()
        self._leaf_bytes = 0
        self._size = 0
        self._leaves: list[bytes] | None = [] if keep_leaves else None
        self.update(data)

    @property
    def size(self) -> int:
        """Bytes hashed so far."""
        return self._size

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``. The buffer may be reused as soon as the call returns."""
        with memoryview(data) as view, view.cast("B") as octets:
            offset = 0
            while offset < len(octets):
                taken = min(MIB - self._leaf_bytes, len(octets) - offset)
                with octets[offset : offset + taken] as piece:
                    self._leaf.update(piece)
                offset += taken
                self._leaf_bytes += taken
                if self._leaf_bytes == MIB:
                    self._close_leaf()
            self._size += len(octets)

    def digest(self) -> bytes:
        """Root of the tree over everything so far, 32 bytes. Of nothing: the SHA-256 of nothing."""
        if not self._leaf_bytes:
            return self._nodes.root()
        nodes = self._nodes.copy()
        nodes.push(self._leaf.digest())
        return nodes.root()

    def hexdigest(self) -> str:
        """Root as 64 lower-case hexadecimal digits, the form Glacier uses in headers and inventories."""
        return self.digest().hex()

    def leaves(self) -> list[bytes]:
        """Digests of the leaves so far, the last partial one included.

        Raises:
            ValueError: the hasher was not made with ``keep_leaves=True``.
        """
        if self._leaves is None:
            message = "this TreeHasher forgot its leaves: make it with keep_leaves=True to ask for them"
            raise ValueError(message)
        return [*self._leaves, self._leaf.digest()] if self._leaf_bytes else self._leaves.copy()

    def _close_leaf(self) -> None:
        digest = self._leaf.digest()
        self._nodes.push(digest)
        if self._leaves is not None:
            self._leaves.append(digest)
        self._leaf = hashlib.sha256()
        self._leaf_bytes = 0


def tree_hash(data: bytes | bytearray | memoryview | Iterable[bytes]) -> str:
    """Tree hash, in hexadecimal, of bytes-like ``data`` or of an iterable of 32-byte leaf digests.

    Raises:
        ValueError: an item of the iterable is not a 32-byte digest.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return TreeHasher(data).hexdigest()
    nodes = _Nodes()
    for leaf in data:
        if len(leaf) != hashlib.sha256().digest_size:
            raise ValueError(_NOT_A_LEAF.format(leaf))
        nodes.push(leaf)
    return nodes.root().hex()


def combine(part_hashes: Iterable[str]) -> str:
    """Tree hash of a whole archive from the hexadecimal tree hashes of its parts, in order.

    The parts must all have one size, a power of two MiB; only the last may be shorter. Then each part's
    root is a node of the archive's tree, and the parts combine as leaves do (the rule behind multipart
    uploads).

    Raises:
        ValueError: a hash is not 64 hexadecimal digits.
    """
    return tree_hash(bytes.fromhex(part_hash) for part_hash in part_hashes)


def is_tree_hash_aligned(start: int, end_inclusive: int, total_size: int) -> bool:
    """Whether the bytes ``start`` to ``end_inclusive`` of an archive are the content below one node of its tree.

    Only then does Glacier send a tree hash with a range. The range must be megabyte-aligned (its end may be
    the end of the archive), and begin at a multiple of the smallest power of two MiB that holds it; a range
    that does not reach the end of the archive must fill that power of two.

    Raises:
        ValueError: the range is not inside the archive.
    """
    if not 0 <= start <= end_inclusive < total_size:
        message = (
            f"range {start}-{end_inclusive} is not inside an archive of {total_size} bytes: "
            "ask for 0 <= start <= end < size"
        )
        raise ValueError(message)
    stop = end_inclusive + 1
    if start % MIB or (stop % MIB and stop != total_size):
        return False
    leaves = -(-(stop - start) // MIB)
    span = 1 << (leaves - 1).bit_length()
    if (start // MIB) % span:
        return False
    return stop == total_size or leaves == span
