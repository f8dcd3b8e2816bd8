"""The graph of the inventory job: which transform feeds which, what is kept between passes, and in which order it ends.

README.md in this folder draws it and says why it has this shape.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from pyspark import StorageLevel
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.contract import object_keys
from solution.domain.errors import InvalidInput
from solution.glue import checking, names, ordering, overrides, reading, writing
from solution.glue.accounting import Account, Amount
from solution.glue.storage import Storage, StoredFile, total_size

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from solution.contract.settings import GlueJobArguments

_READ_BYTES: Final = 32 * 1024**2
_TASK_BYTES: Final = 48 * 1024**2
_SAMPLE_BYTES: Final = 256 * 1024
_SMALL_BYTES: Final = 8 * 1024**2
_BROADCAST_ROWS: Final = 4_000_000
_LOG = logging.getLogger(__name__)


class InventoryJob:
    """One run of the job. ``state`` is told the account of all rows before the list of partitions is published."""

    def __init__(self, spark: SparkSession, arguments: GlueJobArguments, state: Callable[[Account], None]) -> None:
        self._spark = spark
        self._arguments = arguments
        self._state = state
        self._storage = Storage(spark)
        self._kept: list[DataFrame] = []
        self._tasks = 1
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
        try:
            return self._run()
        finally:
            for frame in self._kept:
                frame.unpersist()

    def _run(self) -> Account:
        files = self._inventory_files()
        self._configure(total_size(files))
        chosen = self._overrides()
        records, unreadable = self._read(files, chosen)
        sound, repeated = self._deduplicate(records.filter(checking.reason().isNull()))
        archives, renamed = self._name(sound.filter(~checking.is_too_large()))
        partitions = self._publish_sorted(archives)
        skipped = self._publish_not_migrated(sound.filter(checking.is_too_large()))
        rejected = self._publish_rejected(records, repeated, unreadable)
        if chosen is not None:
            self._publish_override_problems(chosen, sound, renamed)
        account = Account(
            to_transfer=sum((Amount(archives=p.archives, size=p.size) for p in partitions), Amount()),
            skipped=skipped,
            rejected=rejected,
        )
        self._state(account)
        text = writing.partitions_csv(self._arguments.workflow_run, partitions)
        self._storage.write_text(f"{self._arguments.output_uri}partitions.csv", text)
        _LOG.info("inventory sorted: %s", account)
        return account

    def _configure(self, size: int) -> None:
        self._tasks = max(1, -(-size // _TASK_BYTES))
        # for a small inventory planning again and compiling whole stages takes longer than doing the work
        large = str(size > _SMALL_BYTES).lower()
        settings = {
            "spark.sql.adaptive.enabled": large,
            "spark.sql.codegen.wholeStage": large,
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "false",
            # ids and hashes do not repeat: looking for it in every column costs more than it saves
            "spark.sql.inMemoryColumnarStorage.compressed": "false",
            "spark.sql.files.maxPartitionBytes": str(_READ_BYTES),
            "spark.sql.shuffle.partitions": str(self._tasks),
        }
        for name, value in settings.items():
            self._spark.conf.set(name, value)

    def _keep(self, frame: DataFrame) -> DataFrame:
        # on disk: memory stays free for sorting, and an inventory never has to fit
        kept = frame.persist(StorageLevel.DISK_ONLY)
        self._kept.append(kept)
        return kept

    def _inventory_files(self) -> list[StoredFile]:
        uri = self._arguments.inventory_uri
        files = [file for file in self._storage.list_files(uri) if file.uri.lower().endswith(".csv") and file.size]
        if not files:
            raise InvalidInput(f"there is no inventory: no .csv file with content below {uri}; put one there")
        return files

    def _overrides(self) -> DataFrame | None:
        uri = self._arguments.overrides_uri
        files = [file for file in self._storage.list_files(uri) if file.uri.lower().endswith(".csv") and file.size]
        lines = overrides.read(self._spark, self._storage, files)
        return None if lines is None else self._keep(lines)

    def _read(self, files: list[StoredFile], chosen: DataFrame | None) -> tuple[DataFrame, DataFrame]:
        """All readable records with their ``name`` as far as expressions decide it, and the ``unreadable`` rows."""
        prepare = partial(self._prepare, chosen=chosen)
        layouts: dict[reading.Layout, list[StoredFile]] = {}
        for file in files:
            layouts.setdefault(reading.detect_layout(self._storage.beginning(file.uri, _SAMPLE_BYTES)), []).append(file)
        place = ("fragment", "file", "block", "position")
        records, joined = [], []
        for layout, members in layouts.items():
            lines = reading.split_records(reading.read_lines(self._spark, members), layout)
            kept = self._keep(prepare(lines))
            records.append(kept.filter("fragment is null").drop(*place))
            fragments = kept.filter("fragment is not null").select(*place)
            joined.append(reading.reread(reading.join_fragments(fragments, layout), layout))
        again = self._keep(prepare(reading.union_all(joined)))
        records.append(again.filter("unreadable is null").drop("unreadable", "file"))
        return reading.union_all(records), again.filter("unreadable is not null").select("unreadable")

    def _prepare(self, records: DataFrame, chosen: DataFrame | None) -> DataFrame:
        typed = checking.typed(records)
        if chosen is None:
            return names.with_names(typed.withColumn("override", F.lit(None).cast("string")))
        return names.with_names(typed.join(overrides.good(chosen), "archive_id", "left"))

    def _deduplicate(self, sound: DataFrame) -> tuple[DataFrame, DataFrame | None]:
        """Each archive id once, and the rows that are one too many."""
        hashes = self._keep(checking.repeated_hashes(sound))
        if hashes.isEmpty():
            return sound, None
        single, ranked = checking.split_repeated(sound, hashes)
        ranked = self._keep(ranked)
        first = ranked.filter("place = 1").drop("place")
        return single.unionByName(first), ranked.filter("place > 1").drop("place")

    def _name(self, archives: DataFrame) -> tuple[DataFrame, DataFrame | None]:
        """Archives with their final name, and those that had to take another than they would have liked."""
        decided, odd = names.complete_names(archives)
        named = decided.unionByName(self._keep(odd))
        shared = self._keep(names.shared_hashes(named))
        if shared.isEmpty():
            return named, None
        candidates = named.withColumn("name_hash", F.xxhash64("name")).join(shared, "name_hash", "left_semi")
        renamed = self._keep(names.losers(candidates))
        taken = self._keep(names.names_like_suffixed(named))
        attempts = self._attempts(renamed, taken)
        return names.rename(named, renamed, attempts, broadcast=renamed.count() <= _BROADCAST_ROWS), renamed

    def _attempts(self, renamed: DataFrame, taken: DataFrame) -> dict[str, int]:
        """How often the suffix of an archive must be varied, for the few archives where somebody has that very name."""
        attempts: dict[str, int] = {}
        if taken.isEmpty():
            return attempts
        attempt, pending = 0, renamed
        while True:
            clashing = names.suffixed(pending, attempt).join(taken, "new_name", "left_semi")
            ids = [row.archive_id for row in clashing.select("archive_id").collect()]
            if not ids:
                return attempts
            attempt += 1
            attempts.update(dict.fromkeys(ids, attempt))
            pending = renamed.filter(F.col("archive_id").isin(ids))

    def _publish_sorted(self, archives: DataFrame) -> list[ordering.Partition]:
        units = ordering.collect_units(archives, self._limits, self._tasks)
        if not ordering.are_within(units, self._limits):
            archives = ordering.with_positions(self._keep(ordering.ranked(archives, self._tasks)))
            units = ordering.collect_units(archives, self._limits, self._tasks)
        if not units:
            return []
        partitions = ordering.pack(units, self._limits)
        first_keys = [unit.first_key for partition in partitions for unit in partition.units]
        placed = archives.withColumn("unit", ordering.unit_of(F.col("order_key"), first_keys))
        staging = f"{self._arguments.output_uri}_staging/"
        tasks = min(len(first_keys), self._tasks)
        writing.write_units(placed, staging, tasks, self._limits.file_archives)
        writing.publish_units(self._storage, staging, self._arguments.output_uri, partitions)
        return partitions

    def _publish_not_migrated(self, large: DataFrame) -> Amount:
        amount = _amount(large)
        if amount.archives:
            writing.write_listing(
                self._storage,
                large.select(
                    F.col("archive_id").alias("ArchiveId"),
                    F.col("size").alias("Size"),
                    F.col("creation_date").alias("CreationDate"),
                    F.col("tree_hash").alias("SHA256TreeHash"),
                    F.col("description").alias("ArchiveDescription"),
                    F.lit(checking.TOO_LARGE).alias("Reason"),
                ),
                amount.archives,
                *_place(self._arguments.not_migrated_uri, object_keys.not_migrated_key(self._arguments.workflow_run)),
            )
        return amount

    def _publish_rejected(self, records: DataFrame, repeated: DataFrame | None, unreadable: DataFrame) -> Amount:
        bad = records.withColumn("reason", checking.reason()).filter("reason is not null")
        rejected = [checking.rejection(bad), checking.unreadable_rejection(unreadable)]
        if repeated is not None:
            rejected.append(checking.rejection(repeated.withColumn("reason", F.lit(checking.TWICE))))
        rows = self._keep(reading.union_all(rejected))
        amount = _amount(rows.withColumnRenamed("Size", "size"))
        if amount.archives:
            key = object_keys.rejected_rows_key(self._arguments.workflow_run)
            writing.write_listing(self._storage, rows, amount.archives, *_place(self._arguments.rejected_uri, key))
        return amount

    def _publish_override_problems(self, chosen: DataFrame, sound: DataFrame, renamed: DataFrame | None) -> None:
        taken = renamed.filter("is_override") if renamed is not None else sound.limit(0)
        rows = self._keep(overrides.problems(chosen, sound, taken))
        if count := rows.count():
            report = rows.select(
                F.col("archive_id").alias("GlacierArchiveID"),
                F.col("override").alias("FileName"),
                F.col("reason").alias("Reason"),
            )
            writing.write_listing(self._storage, report, count, self._arguments.rejected_uri, "override_problems")


def _amount(rows: DataFrame) -> Amount:
    # sizes that nobody believes have up to 18 digits; ten of them would not fit into 64 bits
    size = F.coalesce(F.sum(F.col("size").cast("decimal(20,0)")), F.lit(0))
    found = rows.agg(F.count("*").alias("archives"), size.alias("bytes")).first()
    return Amount() if found is None else Amount(archives=found["archives"], size=int(found["bytes"]))


def _place(prefix: str, key: str) -> tuple[str, str]:
    return prefix, key.rpartition("/")[2].removesuffix(".csv")
