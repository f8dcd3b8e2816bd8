r"""Lines of inventory files become archives, or rejected rows with a reason; none gets lost, none is a single task's.

A CSV reader that honours line breaks inside quotes cannot split a file, and an inventory may be one file of 10 GB. So
the file is read by lines, in splits. Four of the five columns have a strict form (an archive id is 138 characters, a
tree hash 64), so nearly every line proves by itself that it is a whole record. The few others, *fragments*, are put
together in order. Both ways to write a quote within quotes are understood: ``\"`` with ``\\`` (Glacier's) and ``""``
(RFC 4180). The beginning of a file tells which; where it tells nothing, each record is read by the rule it follows.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import SparkSession

    from solution.glue.storage import StoredFile

ARCHIVE_ID: Final = "ArchiveId"
DESCRIPTION: Final = "ArchiveDescription"
CREATION_DATE: Final = "CreationDate"
SIZE: Final = "Size"
TREE_HASH: Final = "SHA256TreeHash"
GLACIER_COLUMNS: Final = (ARCHIVE_ID, DESCRIPTION, CREATION_DATE, SIZE, TREE_HASH)
REQUIRED: Final = frozenset(GLACIER_COLUMNS)

_FORMS: Final = {
    ARCHIVE_ID: "[A-Za-z0-9_-]{138}",
    CREATION_DATE: r"[0-9]{4}-[0-9TZ:.+-]{6,40}",
    SIZE: "[0-9]{1,18}",
    TREE_HASH: "[0-9A-Fa-f]{64}",
}
_OTHER_COLUMN: Final = r'(?:"[^"]*+"|[^",\r\n]*+)'
_MARK: Final = "\u0001"
_MAX_RECORD: Final = 64 * 1024

RAW_SCHEMA: Final = "archive_id string, description string, creation_date string, size string, tree_hash string"


class Quoting(StrEnum):
    """How a quote within quotes is written."""

    GLACIER = "glacier"
    RFC = "rfc"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a file in their order; others than Glacier's five are allowed and ignored."""

    columns: tuple[str, ...]
    has_header: bool
    quoting: Quoting = Quoting.UNKNOWN

    @property
    def pattern(self) -> str:
        """A whole record. The strict columns and the raw description are its groups, in order."""
        return r"(?s)^\uFEFF?" + ",".join(self._column(name) for name in self.columns) + r"\r?\z"

    @property
    def head(self) -> str:
        """The beginning of a record up to the description's opening quote."""
        before = self.columns[: self.columns.index(DESCRIPTION)]
        return r"^\uFEFF?" + "".join(self._column(name) + "," for name in before) + '"'

    @property
    def tail(self) -> str:
        """The end of a record from the description's closing quote."""
        after = self.columns[self.columns.index(DESCRIPTION) + 1 :]
        return '"' + "".join("," + self._column(name) for name in after) + r"\r?\z"

    @property
    def rewrite(self) -> str:
        """Replacement for `pattern`: the five values in Glacier's order but the description last, each marked."""
        groups = [name for name in self.columns if name in REQUIRED]
        order = (ARCHIVE_ID, CREATION_DATE, SIZE, TREE_HASH, DESCRIPTION)
        return "".join(f"{_MARK}${groups.index(name) + 1}" for name in order)

    @staticmethod
    def _column(name: str) -> str:
        if name == DESCRIPTION:
            return "(.*)"
        return f'"?({_FORMS[name]})"?' if name in _FORMS else _OTHER_COLUMN


def detect_layout(beginning: str) -> Layout:
    """Columns and quoting of a file from its first lines; without a header the columns are Glacier's.

    Raises:
        InvalidInput: it looks like a header, but a column is missing or there twice.
    """
    first, *lines = beginning.removeprefix("\ufeff").split("\n")
    names = tuple(name.strip() for name in next(csv.reader([first]), []))
    if ARCHIVE_ID not in names:
        layout = Layout(columns=GLACIER_COLUMNS, has_header=False)
        return replace(layout, quoting=_sniffed([first, *lines], layout))
    missing = sorted(REQUIRED.difference(names))
    twice = sorted({name for name in names if names.count(name) > 1 and name in REQUIRED})
    if missing or twice:
        raise InvalidInput(
            f"the inventory's header {first!r} lacks {missing} and has {twice} twice: "
            f"an inventory has each of {', '.join(GLACIER_COLUMNS)} once"
        )
    layout = Layout(columns=names, has_header=True)
    return replace(layout, quoting=_sniffed(lines, layout))


def _sniffed(lines: Iterable[str], layout: Layout) -> Quoting:
    """The rule that more descriptions follow which do not follow both."""
    record = re.compile(layout.pattern.replace(r"\z", r"\Z"))
    group = [name for name in layout.columns if name in REQUIRED].index(DESCRIPTION) + 1
    lead = 0
    for line in lines:
        match = record.match(line)
        if match and len(match[group]) > 1 and match[group].startswith('"') and match[group].endswith('"'):
            inner = match[group][1:-1]
            lead += (not re.search(r'(?<!\\)"', inner)) - ('"' not in inner.replace('""', ""))
    return Quoting.UNKNOWN if lead == 0 else Quoting.GLACIER if lead > 0 else Quoting.RFC


def read_lines(spark: SparkSession, files: Sequence[StoredFile]) -> DataFrame:
    """Lines as they are, with where they stood: ``line``, ``file``, ``block`` and ``position`` within all splits."""
    text = spark.read.text([file.uri for file in files], lineSep="\n")
    return text.select(
        F.col("value").alias("line"),
        F.col("_metadata.file_path").alias("file"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("position"),
    )


def _quoting(inner: Column, rule: Quoting) -> Column:
    """The rule by which quotes within quotes are written; null if by none that the file may follow.

    Bare is a backslash before quotes while other backslashes stand for themselves, which some tools write.
    """
    is_glacier = ~F.regexp_replace(inner, r'\\["\\]', "").rlike(r'["\\]')
    is_rfc = ~F.replace(inner, F.lit('""'), F.lit("")).contains('"')
    is_bare = ~inner.rlike(r'(?<!\\)"')
    found = F.when(~inner.contains('"') & ~inner.contains("\\"), "none")
    if rule is not Quoting.RFC:
        found = found.when(is_glacier, Quoting.GLACIER.value)
    if rule is not Quoting.GLACIER:
        found = found.when(is_rfc, Quoting.RFC.value)
    return found if rule is Quoting.RFC else found.when(is_bare, "bare")


def _with_values(lines: DataFrame, layout: Layout) -> DataFrame:
    """Add ``values``, ``raw`` (the description's column), ``inner`` and ``quoting``; null where there is no record."""
    line, values, raw = (F.col(name) for name in ("line", "values", "raw"))
    marked = F.when(
        (F.length(line) <= _MAX_RECORD) & ~line.startswith(_MARK),
        F.regexp_replace(line, layout.pattern, layout.rewrite),
    )
    is_quoted = raw.startswith('"') & raw.endswith('"') & (F.length(raw) >= 2)
    steps = (
        ("marked", marked),
        ("values", F.when(F.col("marked").startswith(_MARK), F.split("marked", _MARK, 6))),
        ("raw", values[5]),
        ("inner", F.when(is_quoted, raw.substr(F.lit(2), F.length(raw) - 2))),
        ("quoting", _quoting(F.col("inner"), layout.quoting)),
    )
    frame = lines
    for name, column in steps:
        frame = frame.withColumn(name, column)
    return frame.drop("marked")


def _read_values(condition: Column) -> list[Column]:
    values, inner, quoting = F.col("values"), F.col("inner"), F.col("quoting")
    # a description that follows no rule is taken as it stands
    description = (
        F.when(inner.isNull(), F.col("raw"))
        .when(quoting == "glacier", F.regexp_replace(inner, r'\\(["\\])', "$1"))
        .when(quoting == "rfc", F.replace(inner, F.lit('""'), F.lit('"')))
        .when(quoting == "bare", F.replace(inner, F.lit('\\"'), F.lit('"')))
        .otherwise(inner)
    )
    columns = {
        "archive_id": values[1],
        "description": description,
        "creation_date": values[2],
        "size": values[3],
        "tree_hash": F.lower(values[4]),
    }
    return [F.when(condition, column).alias(name) for name, column in columns.items()]


def split_records(lines: DataFrame, layout: Layout) -> DataFrame:
    """Each line gets the five values of its record; lines that are not a whole record keep ``fragment`` instead."""
    raw = F.col("raw")
    whole = F.col("quoting").isNotNull() | (~raw.startswith('"') & ~raw.contains(",") & ~raw.contains('"'))
    flagged = _with_values(lines, layout).withColumn("whole", F.coalesce(whole, F.lit(False)))
    return flagged.select(
        *_read_values(F.col("whole")),
        *(F.when(~F.col("whole"), F.col(name)).alias(alias) for name, alias in _PLACE),
    )


_PLACE: Final = (("line", "fragment"), ("file", "file"), ("block", "block"), ("position", "position"))


def join_fragments(fragments: DataFrame, layout: Layout) -> DataFrame:
    """Put records together that line breaks in their description tore apart: ``line``, one for each record or orphan.

    A record goes from a line that opens the description's quotes to the next that closes them.
    """
    line = F.col("fragment")
    after_head, before_tail = F.regexp_replace(line, layout.head, ""), F.regexp_replace(line, layout.tail, "")
    opens = line.rlike(layout.head) & _quoting(after_head, layout.quoting).isNotNull()
    closes = line.rlike(layout.tail) & _quoting(before_tail, layout.quoting).isNotNull()
    place = F.struct("block", "position")
    marked = fragments.select(
        "file",
        place.alias("place"),
        line,
        F.when(opens, place).alias("head"),
        F.when(closes & ~opens, place).alias("tail"),
    )
    before = Window.partitionBy("file").orderBy("place")
    run = marked.withColumn("last_head", F.max("head").over(before)).withColumn(
        "last_tail", F.max("tail").over(before.rowsBetween(Window.unboundedPreceding, -1))
    )
    inside = F.col("last_head").isNotNull() & (F.col("last_tail").isNull() | (F.col("last_tail") < F.col("last_head")))
    grouped = run.withColumn("record", F.when(inside, F.col("last_head")).otherwise(F.col("place")))
    parts = F.sort_array(F.collect_list(F.struct("place", "fragment")))
    return grouped.groupBy("file", "record").agg(F.array_join(parts.getField("fragment"), "\n").alias("line"))


def is_noise(line: Column, layout: Layout) -> Column:
    """Whether a line between records says nothing: it is blank, or the header again."""
    bare = F.regexp_replace(line, r'[\uFEFF\s"]', "")
    header = ",".join(name.replace(" ", "") for name in layout.columns)
    return (bare == "") | (bare == header)


def reread(joined: DataFrame, layout: Layout) -> DataFrame:
    """Read joined lines as records, leniently: what has all strict columns is kept, however odd its description."""
    records = _with_values(joined.filter(~is_noise(F.col("line"), layout)), layout)
    known = F.col("values").isNotNull()
    return records.select(*_read_values(known), F.when(~known, F.col("line")).alias("unreadable"), "file")


def union_all(frames: Sequence[DataFrame]) -> DataFrame:
    """All rows of frames with the same columns."""
    return reduce(DataFrame.unionByName, frames)
