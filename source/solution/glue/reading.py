r"""Lines of inventory files become archives, or rejected rows with a reason; none gets lost, none is a single task's.

A CSV reader that honours line breaks inside quotes cannot split a file, and an inventory may be one file of 10 GB. So
the file is read by lines, in splits. Four of the five columns have a strict form (an archive id is 138 characters, a
tree hash 64), so nearly every line proves by itself that it is a whole record. The few others, *fragments*, are put
together in order. Both ways to write a quote within quotes are understood, for each record by itself: ``\"`` with
``\\`` (Glacier's) and ``""`` (RFC 4180).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a file in their order; others than Glacier's five are allowed and ignored."""

    columns: tuple[str, ...]
    has_header: bool

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


def detect_layout(first_line: str) -> Layout:
    """Columns of a file from its first line; without a header they are Glacier's.

    Raises:
        InvalidInput: it looks like a header, but a column is missing or there twice.
    """
    names = tuple(name.strip() for name in next(csv.reader([first_line]), []))
    if ARCHIVE_ID not in names:
        return Layout(columns=GLACIER_COLUMNS, has_header=False)
    missing = sorted(REQUIRED.difference(names))
    twice = sorted({name for name in names if names.count(name) > 1 and name in REQUIRED})
    if missing or twice:
        raise InvalidInput(
            f"the inventory's header {first_line!r} lacks {missing} and has {twice} twice: "
            f"an inventory has each of {', '.join(GLACIER_COLUMNS)} once"
        )
    return Layout(columns=names, has_header=True)


def read_lines(spark: SparkSession, files: Sequence[StoredFile]) -> DataFrame:
    """Lines as they are, with where they stood: ``line``, ``file``, ``block`` and ``position`` within all splits."""
    text = spark.read.text([file.uri for file in files], lineSep="\n")
    return text.select(
        F.col("value").alias("line"),
        F.col("_metadata.file_path").alias("file"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("position"),
    )


def _inner(raw: Column) -> Column:
    return raw.substr(F.lit(2), F.length(raw) - 2)


def _is_glacier_quoting(inner: Column) -> Column:
    return ~F.regexp_replace(inner, r'\\["\\]', "").rlike(r'["\\]')


def _is_rfc_quoting(inner: Column) -> Column:
    return ~F.replace(inner, F.lit('""'), F.lit("")).contains('"')


def _is_bare_backslash_quoting(inner: Column) -> Column:
    return ~inner.rlike(r'(?<!\\)"')


def _is_quoting(inner: Column) -> Column:
    return _is_glacier_quoting(inner) | _is_rfc_quoting(inner) | _is_bare_backslash_quoting(inner)


def _is_quoted(raw: Column) -> Column:
    return raw.startswith('"') & raw.endswith('"') & (F.length(raw) >= 2)


def is_whole_description(raw: Column) -> Column:
    """Whether the text of the description's column is one well-formed field, with its quotes."""
    quoted = _is_quoted(raw) & _is_quoting(_inner(raw))
    return F.when(raw.startswith('"'), quoted).otherwise(~raw.rlike('[",]'))


def unquote(raw: Column) -> Column:
    """The description itself from its column's text; one that follows no rule is taken as it stands."""
    inner = _inner(raw)
    unescaped = (
        F.when(~inner.rlike(r'["\\]'), inner)
        .when(_is_glacier_quoting(inner), F.regexp_replace(inner, r'\\(["\\])', "$1"))
        .when(_is_rfc_quoting(inner), F.replace(inner, F.lit('""'), F.lit('"')))
        .otherwise(F.replace(inner, F.lit('\\"'), F.lit('"')))
    )
    return F.when(_is_quoted(raw), unescaped).otherwise(raw)


def split_records(lines: DataFrame, layout: Layout) -> DataFrame:
    """Each line gets the five values of its record; lines that are not a whole record keep ``fragment`` instead."""
    marked = F.when(
        (F.length("line") <= _MAX_RECORD) & ~F.col("line").startswith(_MARK),
        F.regexp_replace("line", layout.pattern, layout.rewrite),
    )
    values = lines.withColumn("values", F.split(marked, _MARK, 6))
    raw = F.col("values")[5]
    whole = (F.size("values") == 6) & (F.col("values")[0] == "") & is_whole_description(raw)
    flagged = values.withColumn("whole", F.coalesce(whole, F.lit(False)))
    return flagged.select(
        *_values(F.col("values"), F.col("whole")),
        *(F.when(~F.col("whole"), F.col(name)).alias(alias) for name, alias in _PLACE),
    )


_PLACE: Final = (("line", "fragment"), ("file", "file"), ("block", "block"), ("position", "position"))


def _values(values: Column, condition: Column) -> list[Column]:
    return [
        F.when(condition, column).alias(name)
        for name, column in (
            ("archive_id", values[1]),
            ("description", unquote(values[5])),
            ("creation_date", values[2]),
            ("size", values[3]),
            ("tree_hash", F.lower(values[4])),
        )
    ]


def join_fragments(fragments: DataFrame, layout: Layout) -> DataFrame:
    """Put records together that line breaks in their description tore apart: ``line``, one for each record or orphan.

    A record goes from a line that opens the description's quotes to the next that closes them.
    """
    line = F.col("fragment")
    rest = F.regexp_replace(line, layout.head, "")
    opens = line.rlike(layout.head) & _is_quoting(rest)
    place = F.struct("block", "position")
    marked = fragments.select(
        "file",
        place.alias("place"),
        line,
        F.when(opens, place).alias("head"),
        F.when(line.rlike(layout.tail) & ~opens, place).alias("tail"),
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
    marked = F.when(~F.col("line").startswith(_MARK), F.regexp_replace("line", layout.pattern, layout.rewrite))
    values = joined.filter(~is_noise(F.col("line"), layout)).withColumn("values", F.split(marked, _MARK, 6))
    known = (F.size("values") == 6) & (F.col("values")[0] == "")
    flagged = values.withColumn("known", F.coalesce(known, F.lit(False)))
    return flagged.select(
        *_values(F.col("values"), F.col("known")),
        F.when(~F.col("known"), F.col("line")).alias("unreadable"),
        "file",
    )


def union_all(frames: Sequence[DataFrame]) -> DataFrame:
    """All rows of frames with the same columns."""
    return reduce(DataFrame.unionByName, frames)
