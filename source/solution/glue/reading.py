"""Inventory files become messages with rows: which blocks there are, and what is known of a file before it is read.

Spark reads the lines, whatever the scheme of the files; a task has one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from solution.glue import blocks, layout, ordering
from solution.glue.blocks import Edges, Read
from solution.glue.layout import Layout
from solution.glue.messages import Addressed, BlockEnds, Refused, Rows

if TYPE_CHECKING:
    from pyspark.rdd import RDD
    from pyspark.sql import SparkSession

    from solution.glue.storage import Storage, StoredFile

_BEGINNING_BYTES: Final = 256 * 1024
_SAMPLE_BYTES: Final = 16 * 1024
_SAMPLES_PER_BUCKET: Final = 16
_MOST_SAMPLES: Final = 1024
_GLOB: Final = re.compile(r"[\\*?\[\]{}]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, how it is written, and a sample of its rows."""

    file: StoredFile
    layout: Layout
    sample: tuple[bytes, ...] = ()


def look_at(storage: Storage, file: StoredFile, buckets: int) -> Source:
    """What a file's beginning and pieces of it tell.

    Raises:
        InvalidInput: its header cannot be understood.
    """
    found = layout.detect(storage.beginning(file.uri, _BEGINNING_BYTES))
    count = min(_MOST_SAMPLES, _SAMPLES_PER_BUCKET * buckets) if buckets > 1 else 1
    # cut lines are no whole records, so nothing comes of them
    lines = [line for piece in storage.samples(file, count, _SAMPLE_BYTES) for line in piece.split("\n")]
    rule = found
    if found.quoting is layout.Quoting.UNKNOWN:
        rule = replace(found, quoting=layout.quoting_of(sum(found.lead(line) for line in lines if '"' in line)))
    sample = (blocks.row_of_line(line.encode(), rule) for line in lines)
    return Source(file, rule, tuple(row for row in sample if row is not None))


def lines_of(spark: SparkSession, sources: Sequence[Source], block_bytes: int) -> tuple[RDD[bytes], list[int]]:
    """Lines of all files, and how many blocks each file has: partitions are blocks, in order."""
    context = spark.sparkContext
    # the only end of a line: descriptions may hold a lone carriage return
    context._jsc.hadoopConfiguration().set("textinputformat.record.delimiter", "\n")  # noqa: SLF001
    texts: list[RDD[Any]] = [
        # without Unicode lines are bytes, whatever its signature says
        context.textFile(_literal(source.file.uri), max(1, -(-source.file.size // block_bytes)), use_unicode=False)
        for source in sources
    ]
    return (texts[0] if len(texts) == 1 else context.union(texts)), [text.getNumPartitions() for text in texts]


def _literal(uri: str) -> str:
    """A path that Hadoop takes for one file, whatever characters its name has."""
    return _GLOB.sub(r"\\\g<0>", uri).replace(",", r"{\,}")


def block_messages(
    file: int, block: int, lines: Iterable[bytes], layout: Layout, borders: Sequence[bytes]
) -> Iterator[Addressed]:
    """The messages of one block: rows for the buckets, and its edges for the driver, whose partition is the last."""
    read, edges = blocks.read_block(lines, layout, is_first=block == 0)
    yield from row_messages(read, borders, block)
    yield len(borders) + 1, BlockEnds(file, block, edges, read.count)


def row_messages(read: Read, borders: Sequence[bytes], spread: int) -> Iterator[Addressed]:
    """Messages with what was read; rows that cannot be migrated go to some bucket, by ``spread``."""
    for bucket, rows in ordering.dealt(read.rows, borders):
        yield bucket, Rows(b"\n".join(rows))
    if read.rejected:
        yield spread % (len(borders) + 1), Refused(tuple(read.rejected))


def places_of(counts: Sequence[int]) -> list[tuple[int, int]]:
    """File and block of each partition."""
    return [(file, block) for file, count in enumerate(counts) for block in range(count)]


def edges_of(ends: Iterable[BlockEnds], file: int) -> list[Edges]:
    """Edges of a file's blocks in order."""
    return [end.edges for end in sorted(ends, key=lambda end: end.block) if end.file == file]


def corrected(source: Source, edges: Iterable[Edges]) -> Source:
    """The file with the rule for quotes that all of it follows."""
    rule = layout.quoting_of(sum(each.lead for each in edges))
    return source if rule is source.layout.quoting else replace(source, layout=replace(source.layout, quoting=rule))
