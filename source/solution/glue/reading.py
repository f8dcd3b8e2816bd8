"""Inventory files become messages with rows: which blocks there are, and what is known of a file before it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from solution.glue import blocks, layout, ordering
from solution.glue.blocks import Edges, Read
from solution.glue.layout import Layout
from solution.glue.messages import Addressed, BlockEnds, Refused, Rows

if TYPE_CHECKING:
    from solution.glue.storage import Storage, StoredFile

_BEGINNING_BYTES: Final = 256 * 1024
_SAMPLE_BYTES: Final = 16 * 1024
_SAMPLES_PER_BUCKET: Final = 16
_MOST_SAMPLES: Final = 1024
_THREADS: Final = 16
_WORTH_A_TASK: Final = 2 * 1024**2
"""Bytes: less is done in the time that starting a task takes."""

_LOOK_AHEAD: Final = 64 * 1024
_LONGEST_LINE: Final = 1024**2
"""Bytes. A record is far shorter; of a longer line, what lies so far beyond its block is left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, how it is written, and a sample of its rows."""

    file: StoredFile
    layout: Layout
    sample: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of a file that begin in a range of its bytes, from ``start`` to before ``end``."""

    file: int
    number: int
    start: int
    end: int


def look_at(storage: Storage, file: StoredFile, buckets: int) -> Source:
    """What a file's beginning and pieces of it tell.

    Raises:
        InvalidInput: its header cannot be understood.
    """
    beginning = storage.read(file.uri, 0, _BEGINNING_BYTES)
    found = layout.detect(beginning.decode(errors="replace"))
    # cut lines are no whole records, so nothing comes of them
    lines = [line for piece in _samples(storage, file, buckets) for line in piece.decode(errors="replace").split("\n")]
    rule = found
    if found.quoting is layout.Quoting.UNKNOWN:
        rule = replace(found, quoting=layout.quoting_of(sum(found.lead(line) for line in lines if '"' in line)))
    sample = (blocks.row_of_line(line.encode(), rule) for line in lines)
    return Source(file, rule, tuple(row for row in sample if row is not None))


def _samples(storage: Storage, file: StoredFile, buckets: int) -> Iterator[bytes]:
    """Pieces of a file, evenly spread; all of it where that is less."""
    count = min(_MOST_SAMPLES, _SAMPLES_PER_BUCKET * buckets)
    if file.size <= count * _SAMPLE_BYTES:
        yield storage.read(file.uri, 0, file.size)
        return
    starts = [file.size * number // count for number in range(count)]
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda start: storage.read(file.uri, start, start + _SAMPLE_BYTES), starts)


def pieces_of(size: int, most_bytes: int, parallel: int) -> int:
    """How many pieces of at most so many bytes: a multiple of ``parallel``, so that no core rests, but no tiny ones."""
    count = max(-(-size // most_bytes), min(parallel, size // _WORTH_A_TASK), 1)
    return count if count == 1 else -(-count // parallel) * parallel


def blocks_of(files: Sequence[StoredFile], most_bytes: int, parallel: int) -> list[Block]:
    """Blocks of all files, those of one file of one size."""
    found = []
    for place, file in enumerate(files):
        count = pieces_of(file.size, most_bytes, parallel)
        borders = [file.size * number // count for number in range(count + 1)]
        found += [Block(place, number, borders[number], borders[number + 1]) for number in range(count)]
    return found


def text_of(storage: Storage, file: StoredFile, block: Block) -> bytes:
    """The lines of a block, whole."""
    # a line feed just before the block makes its first byte the beginning of a line
    start = max(0, block.start - 1)
    text = storage.read(file.uri, start, block.end + _LOOK_AHEAD)
    begin = text.find(b"\n") + 1 if block.start else 0
    last = block.end - start - 1
    if (block.start and not begin) or begin > last:
        return b""
    most = last + _LONGEST_LINE
    while (end := text.find(b"\n", last)) < 0 and start + len(text) < file.size and len(text) < most:
        last = len(text)
        text += storage.read(file.uri, start + last, start + last + _LOOK_AHEAD)
    return text[begin:] if end < 0 else text[begin : end + 1]


def block_messages(block: Block, text: bytes, layout: Layout, borders: Sequence[bytes]) -> Iterator[Addressed]:
    """The messages of one block: rows for the buckets, and its edges for the driver, whose partition is the last."""
    read, edges = blocks.read_block(text, layout, is_first=block.number == 0)
    yield from row_messages(read, borders, block.number)
    yield len(borders) + 1, BlockEnds(block.file, block.number, edges, read.count)


def row_messages(read: Read, borders: Sequence[bytes], spread: int) -> Iterator[Addressed]:
    """Messages with what was read; rows that cannot be migrated go to some bucket, by ``spread``."""
    for bucket, rows in ordering.dealt(read.rows, borders):
        yield bucket, Rows(b"\n".join(rows))
    if read.rejected:
        yield spread % (len(borders) + 1), Refused(tuple(read.rejected))


def edges_of(ends: Iterable[BlockEnds], file: int) -> list[Edges]:
    """Edges of a file's blocks in order."""
    return [end.edges for end in sorted(ends, key=lambda end: end.block) if end.file == file]


def corrected(source: Source, edges: Iterable[Edges]) -> Source:
    """The file with the rule for quotes that all of it follows."""
    rule = layout.quoting_of(sum(each.lead for each in edges))
    return source if rule is source.layout.quoting else replace(source, layout=replace(source.layout, quoting=rule))
