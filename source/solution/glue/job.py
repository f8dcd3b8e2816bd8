"""The graph of the inventory job: which task sends which messages to whom, and in which order it ends.

README.md in this folder draws it and says why it has this shape.
"""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pyspark import StorageLevel

from solution.contract import object_keys
from solution.domain.errors import InvalidInput
from solution.glue import blocks, buckets, ordering, overrides, reading, shards, workers, writing
from solution.glue.accounting import Account, Amount
from solution.glue.buckets import Bucket
from solution.glue.messages import Addressed, BlockEnds, Marks, Message, NewRepeats, Survey, partition_of
from solution.glue.ordering import Partition
from solution.glue.storage import storage_of, total_size

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.rdd import RDD

    from solution.contract.settings import GlueJobArguments
    from solution.glue.reading import Source
    from solution.glue.storage import StoredFile
    from solution.glue.writing import File, Value

_BLOCK_BYTES: Final = 64 * 1024**2
_BUCKET_BYTES: Final = 80 * 1024**2
_LOG = logging.getLogger(__name__)

T = TypeVar("T")


class InventoryJob:
    """One run of the job. ``state`` is told the account of all rows before the list of partitions is published."""

    def __init__(
        self,
        context: SparkContext,
        arguments: GlueJobArguments,
        state: Callable[[Account], None],
        *,
        block_bytes: int = _BLOCK_BYTES,
        bucket_bytes: int = _BUCKET_BYTES,
    ) -> None:
        self._context = context
        self._arguments = arguments
        self._state = state
        self._block_bytes = block_bytes
        self._bucket_bytes = bucket_bytes
        self._storage = storage_of(arguments.output_uri)
        self._buckets = 1
        self._limits = ordering.Limits(
            partition_bytes=int(arguments.partition_bytes),
            partition_archives=int(arguments.partition_archives),
            file_archives=int(arguments.file_archives),
        )

    def run(self) -> Account:
        """Do it all. What an earlier try left is removed first; the list of partitions is the last thing written.

        Raises:
            InvalidInput: there is no inventory, or a file has a header that cannot be understood.
        """
        arguments = self._arguments
        for uri in (f"{arguments.output_uri}partitions.csv", arguments.output_uri):
            self._storage.delete(uri)
        self._storage.delete(arguments.not_migrated_uri)
        self._storage.delete(arguments.rejected_uri)
        rows, count = self._read(self._inventory_files())
        chosen = self._overrides()
        if chosen is not None:
            rows = rows.union(self._matched(rows, chosen))
        settled, surveys = self._settled(rows)
        partitions = ordering.pack((unit for survey in surveys for unit in survey.units), self._limits)
        self._publish_sorted(settled, partitions)
        account = Account(
            to_transfer=sum((Amount(archives=p.archives, size=p.size) for p in partitions), Amount()),
            skipped=_sum((survey.skipped, survey.skipped_size) for survey in surveys),
            rejected=_sum((survey.rejected, survey.rejected_size) for survey in surveys),
        )
        if account.total.archives != count:
            raise RuntimeError(f"{count} rows of the inventory were read, but {account} accounts for others")
        if account.skipped.archives or account.rejected.archives or chosen is not None:
            self._publish_listings(settled, account)
        self._state(account)
        table = writing.partitions_csv(arguments.workflow_run, partitions)
        self._storage.write(f"{arguments.output_uri}partitions.csv", table)
        _LOG.info("inventory sorted: %s", account)
        return account

    def _inventory_files(self) -> list[StoredFile]:
        uri = self._arguments.inventory_uri
        files = self._csv_files(uri)
        if not files:
            raise InvalidInput(f"there is no inventory: no .csv file with content below {uri}; put one there")
        return files

    def _csv_files(self, uri: str) -> list[StoredFile]:
        return [file for file in self._storage.list_files(uri) if file.uri.lower().endswith(".csv") and file.size]

    def _overrides(self) -> RDD[Addressed] | None:
        """Messages to the shards with the user's names, None if there are none."""
        files, storage, count = self._csv_files(self._arguments.overrides_uri), self._storage, self._buckets
        if not files:
            return None
        columns = [overrides.columns_of(storage, file) for file in files]
        wanted = reading.blocks_of(files, self._block_bytes, self._context.defaultParallelism)

        def read(number: int, _: Iterable[int]) -> Iterator[Addressed]:
            block = wanted[number]
            text = reading.text_of(storage, files[block.file], block)
            lines = overrides.lines_of(text, columns[block.file], is_first=block.number == 0)
            return overrides.messages(number, lines, count)

        return self._partitioned(self._tasks(len(wanted)).mapPartitionsWithIndex(read))

    def _read(self, files: list[StoredFile]) -> tuple[RDD[Addressed], int]:
        """Messages to the buckets with all rows, those that blocks share included, and how many there are."""
        size = total_size(files)
        wanted = reading.pieces_of(size, self._bucket_bytes, self._context.defaultParallelism)
        sources = [reading.look_at(self._storage, file, -(-wanted * file.size // size)) for file in files]
        borders = ordering.borders((row for source in sources for row in source.sample), wanted)
        self._buckets = len(borders) + 1
        addressed, ends = self._read_blocks(sources, borders)
        known = [reading.corrected(source, reading.edges_of(ends, file)) for file, source in enumerate(sources)]
        if known != sources:
            _LOG.info("read again: quotes follow another rule than the samples of the files told")
            sources = known
            addressed, ends = self._read_blocks(sources, borders)
        shared: list[Addressed] = []
        count = sum(end.rows for end in ends)
        for file, source in enumerate(sources):
            read = blocks.read_across(reading.edges_of(ends, file), source.layout)
            count += read.count
            shared += reading.row_messages(read, borders, file)
        if shared:
            addressed = addressed.union(self._partitioned(self._context.parallelize(shared, 1)))
        return addressed, count

    def _read_blocks(
        self, sources: Sequence[Source], borders: Sequence[bytes]
    ) -> tuple[RDD[Addressed], list[BlockEnds]]:
        storage, files, layouts = self._storage, [each.file for each in sources], [each.layout for each in sources]
        wanted = reading.blocks_of(files, self._block_bytes, self._context.defaultParallelism)

        def read(number: int, _: Iterable[int]) -> Iterator[Addressed]:
            workers.prepare()
            block = wanted[number]
            text = reading.text_of(storage, files[block.file], block)
            return reading.block_messages(block, text, layouts[block.file], borders)

        addressed = self._partitioned(self._tasks(len(wanted)).mapPartitionsWithIndex(read))
        ends = _of_kind(BlockEnds, self._at_driver(addressed))
        if len(ends) != len(wanted):
            raise RuntimeError(f"{len(wanted)} blocks of the inventory were read, but {len(ends)} told how they end")
        return addressed, ends

    def _tasks(self, count: int) -> RDD[int]:
        """So many tasks, each to do what its number says."""
        return self._context.parallelize(range(count), count)

    def _partitioned(self, messages: RDD[Addressed]) -> RDD[Addressed]:
        """Messages where they are addressed to: a partition for each bucket, or shard, and one more for the driver."""
        return messages.partitionBy(self._buckets + 1, partition_of)

    def _at_driver(self, addressed: RDD[Addressed]) -> list[Message]:
        """Messages to the driver. This is where Spark begins to work."""
        return self._context.runJob(addressed, _messages, [self._buckets])

    def _answered(
        self, addressed: RDD[Addressed], answer: Callable[[int, Iterable[Message]], Iterator[Addressed]]
    ) -> RDD[Addressed]:
        """What buckets, or shards, send when they have read their messages."""
        driver = self._buckets

        def answers(number: int, messages: Iterable[Addressed]) -> Iterator[Addressed]:
            workers.prepare()
            return answer(number, _messages(messages)) if number != driver else _none_of(messages)

        return self._partitioned(addressed.mapPartitionsWithIndex(answers))

    def _matched(self, rows: RDD[Addressed], chosen: RDD[Addressed]) -> RDD[Addressed]:
        """Messages to the buckets with the names that the user chose for their archives."""
        count = self._buckets
        present = self._answered(rows, lambda number, messages: buckets.present(number, messages, count))
        return self._answered(present.union(chosen), shards.matched)

    def _settled(self, rows: RDD[Addressed]) -> tuple[RDD[Addressed], list[Survey]]:
        """Messages to the buckets with all there is to know of their rows, and what they hold."""
        count, limits = self._buckets, self._limits
        for _ in range(2):
            claims = self._answered(rows, lambda number, messages: buckets.claimed(number, messages, limits, count))
            marks = self._answered(claims, lambda _, messages: shards.decided(messages, count))
            told = self._at_driver(marks)
            surveys = sorted(_of_kind(Survey, told), key=lambda survey: survey.bucket)
            if [survey.bucket for survey in surveys] != list(range(count)):
                raise RuntimeError(f"{count} buckets of the inventory were opened, {len(surveys)} told what they hold")
            if not _of_kind(NewRepeats, told):
                return rows.union(marks), surveys
            # repeated rows have claimed names that nobody may lose for them: ask again without these
            rows = rows.union(marks.mapPartitions(_repeated_alone, preservesPartitioning=True))
        raise RuntimeError(
            "rows that repeat an archive id were found again after all had been found; run the job again"
        )

    def _publish_sorted(self, settled: RDD[Addressed], partitions: Sequence[Partition]) -> None:
        storage, files = self._storage, writing.files_of(self._arguments.output_uri, partitions)
        of_bucket: dict[int, list[File]] = {}
        for file in files:
            of_bucket.setdefault(file.unit.bucket, []).append(file)
        if not files:
            return

        def written(number: int, messages: Iterable[Addressed]) -> Iterator[str]:
            workers.prepare()
            if number not in of_bucket:
                yield from _none_of(messages)
                return
            bucket = Bucket(_messages(messages))
            for file in of_bucket[number]:
                storage.write(file.uri, writing.sorted_csv(bucket.lines(file.unit)))
                yield file.uri

        done = settled.mapPartitionsWithIndex(written).collect()
        if sorted(done) != sorted(file.uri for file in files):
            raise RuntimeError(f"{len(done)} files of the sorted inventory were written, not {len(files)}")

    def _publish_listings(self, settled: RDD[Addressed], account: Account) -> None:
        """What is not migrated, what is rejected, and what was wrong with overrides."""
        driver, run = self._buckets, self._arguments.workflow_run

        def listed(number: int, messages: Iterable[Addressed]) -> Iterator[tuple[str, tuple[Value, ...]]]:
            return writing.listed(Bucket(_messages(messages))) if number != driver else _none_of(messages)

        exceptions = settled.mapPartitionsWithIndex(listed).persist(StorageLevel.DISK_ONLY)
        not_migrated_key, rejected_key = object_keys.not_migrated_key(run), object_keys.rejected_rows_key(run)
        for kind, prefix, name, expected in (
            (writing.NOT_MIGRATED, self._arguments.not_migrated_uri, _name(not_migrated_key), account.skipped.archives),
            (writing.REJECTED, self._arguments.rejected_uri, _name(rejected_key), account.rejected.archives),
            (writing.PROBLEM, self._arguments.rejected_uri, "override_problems", None),
        ):
            rows = _of_listing(exceptions, kind)
            count = rows.count() if expected is None else expected
            if count:
                self._publish_listing(rows, count, kind, f"{prefix}{name}")
        exceptions.unpersist()

    def _publish_listing(self, rows: RDD[tuple[Value, ...]], count: int, kind: writing.Listing, beginning: str) -> None:
        storage = self._storage

        def written(number: int, rows: Iterable[tuple[Value, ...]]) -> Iterator[int]:
            if lines := list(rows):
                storage.write(writing.listing_uri(beginning, number), writing.listing_csv(kind, lines))
            yield len(lines)

        files = -(-count // writing.LISTING_ROWS)
        ordered = rows.sortBy(writing.listing_order, numPartitions=files)  # type: ignore[type-var] # texts have an order
        listed = ordered.mapPartitionsWithIndex(written).sum()
        if listed != count:
            raise RuntimeError(f"{listed} rows were listed below {beginning}, not {count}")


def _messages(addressed: Iterable[Addressed]) -> Iterator[Message]:
    return (message for _, message in addressed)


def _of_kind(kind: type[T], messages: Iterable[Message]) -> list[T]:
    return [message for message in messages if isinstance(message, kind)]


def _none_of(messages: Iterable[Addressed]) -> Iterator[Any]:
    """Nothing; but a task reads what it is given, or Spark ends the process that did not."""
    deque(messages, maxlen=0)
    return iter(())


def _of_listing(exceptions: RDD[tuple[str, tuple[Value, ...]]], kind: writing.Listing) -> RDD[tuple[Value, ...]]:
    return exceptions.filter(lambda entry: entry[0] == kind.name).map(lambda entry: entry[1])


def _repeated_alone(addressed: Iterable[Addressed]) -> Iterator[Addressed]:
    for partition, message in addressed:
        if isinstance(message, Marks) and message.repeated:
            yield partition, Marks(message.bucket, message.repeated, array("I"), ())


def _sum(amounts: Iterable[tuple[int, int]]) -> Amount:
    return sum((Amount(archives=archives, size=size) for archives, size in amounts), Amount())


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".csv")
