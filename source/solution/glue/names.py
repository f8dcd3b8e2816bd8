"""Descriptions become names: ordinary ones in the JVM, the odd ones by ``solution.domain.naming`` itself.

The expressions here recognise what they are sure about and say null to everything else: text that may not be in NFC,
control characters, names too long, JSON with rare escapes, what does not decode. Those few rows go through the
reference in Python, for Unicode normalisation has no door in Spark's expressions. Where an expression does
give a name, it is the one the reference gives; tests hold them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import Column, Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name
from pyspark.sql.types import StringType

from solution.domain import naming

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ORDINARY_CHARACTERS: Final = (
    r"\x20-\x7E\xA0-\u02FF\u0400-\u0482\u048A-\u052F\u2010-\u2027"
    r"\u3041-\u3093\u30A1-\u30F6\u30FC\u4E00-\u9FFF\uAC00-\uD7A3"
)
"""Characters that need no replacement and that normalisation leaves alone, whatever stands beside them."""

_ORDINARY: Final = rf"^[{ORDINARY_CHARACTERS}]*+\z"
_LONGEST: Final = 4096
_EXTENSION: Final = naming.EXTENSION_PATTERN

_MARK: Final = "\u0001"
_DOTS: Final = r"(?:^|/)\.{0,2}(?:/|$)"

# strict forms, a subset of what the reference understands
_BASE64: Final = r"((?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"
_FAST_GLACIER: Final = rf"^<m><v>[0-9]+</v><p>{_BASE64}</p>(?:<lm>[^<>&]*+</lm>)?</m>\z"
_FAST_GLACIER_V1: Final = (
    rf"^<ArchiveMetadata><Path>{_BASE64}</Path>(?:<LastModified>[^<>&]*+</LastModified>)?</ArchiveMetadata>\z"
)
_MT: Final = r"^mt[12] ([A-Za-z0-9_-]++)={0,2}\z"
_JSON_STRING: Final = r'"([^"\\]*+(?:\\["\\/][^"\\]*+)*+)"'
_JSON_OTHERS: Final = (
    r'(?:\s*,\s*"(?![Pp]ath"|filename")[A-Za-z0-9_]++"\s*:\s*(?:"[^"\\]*+"|[1-9][0-9]{0,17}|true|false|null))*+'
)
_JSON_PATH: Final = rf'^\{{\s*"[Pp]ath"\s*:\s*{_JSON_STRING}{_JSON_OTHERS}\s*\}}\z'
_JSON_FILENAME: Final = rf'^\{{\s*"filename"\s*:\s*{_JSON_STRING}{_JSON_OTHERS}\s*\}}\z'


def _marked(text: Column, pattern: str) -> Column:
    """The pattern's group after a mark, or the text itself where it does not match: one search, not two."""
    return F.regexp_replace(text, pattern, _MARK + "$1")


def _unmarked(marked: Column) -> Column:
    return F.when(marked.startswith(_MARK), F.substring(marked, 2, _LONGEST))


def _decoded(encoded: Column) -> Column:
    # a unit that is not complete would end the whole job, so the condition is inside: no plan evaluates it without.
    # Java puts U+FFFD where bytes are not UTF-8; that character is not ordinary, so the reference decides
    complete = F.when(F.length(encoded) % 4 == 0, encoded)
    return F.decode(F.unbase64(complete), "UTF-8")


def with_path(archives: DataFrame) -> DataFrame:
    """Add ``path``: the override, or what the description names; empty for nothing, null if the reference must decide.

    The columns in between are steps: each is computed once although the next one needs it in several places.
    """
    description, text, encoded, decoded = (F.col(name) for name in ("description", "text", "encoded", "decoded"))
    ordinary = (F.length(description) <= _LONGEST) & description.rlike(_ORDINARY)
    is_mt, is_json, is_xml = text.rlike("^mt[12] "), text.startswith("{"), text.startswith("<")
    padding = F.when(~is_mt, "").when(F.length(encoded) % 4 == 2, "==").when(F.length(encoded) % 4 == 3, "=")
    steps = (
        ("text", F.when(F.col("override").isNull() & ordinary, F.trim(description))),
        (
            "encoded",
            F.when(text.startswith("<m>"), _marked(text, _FAST_GLACIER))
            .when(is_xml, _marked(text, _FAST_GLACIER_V1))
            .when(is_mt, F.translate(_marked(text, _MT), "-_", "+/")),
        ),
        ("encoded", _unmarked(encoded)),
        ("decoded", _decoded(F.concat(encoded, F.coalesce(padding, F.lit(""))))),
        (
            "document",
            F.when(is_json, _marked(text, _JSON_PATH)).when(
                is_mt & decoded.startswith("{"), _marked(decoded, _JSON_FILENAME)
            ),
        ),
        ("document", _unmarked(F.col("document"))),
    )
    frame = archives
    for name, column in steps:
        frame = frame.withColumn(name, column)
    path = (
        F.when(F.col("override").isNotNull(), F.col("override"))
        .when(is_json | is_mt, F.regexp_replace("document", r'\\(["\\/])', "$1"))
        .when(is_xml, decoded)
        .otherwise(text)
    )
    return frame.withColumn("path", path).drop("text", "encoded", "decoded", "document")


def with_safe_key(rows: DataFrame) -> DataFrame:
    """Turn ``path`` into ``key``: the safe key; empty if nothing is left of it, null if the reference must decide."""
    path, slashed = F.col("path"), F.col("slashed")
    ordinary = (F.octet_length(path) <= naming.MAX_BASE_BYTES) & path.rlike(_ORDINARY)
    parts = F.split(slashed, "/")
    for dropped in ("", ".", ".."):
        parts = F.array_remove(parts, dropped)
    clean = F.when(slashed.rlike(_DOTS), F.array_join(parts, "/")).otherwise(slashed)
    frame = rows.withColumn("slashed", F.when(ordinary, F.translate(F.trim(path), "\\", "/")))
    return frame.withColumn("key", clean).drop("slashed", "path")


def with_names(archives: DataFrame) -> DataFrame:
    """Add ``name`` to archives with ``override``: null where `complete_names` must still decide."""
    key, override = F.col("key"), F.col("override")
    undefined = F.concat(F.lit(naming.UNDEFINED_PREFIX), F.col("archive_id"))
    # an override of which nothing is left does not count: the reference looks at the description then
    name = F.when(key != "", key).when(override.isNull() & (key == ""), undefined)
    return with_safe_key(with_path(archives)).withColumn("name", name).drop("key")


@F.udf(returnType=StringType())
def reference_name(archive_id: str, description: str, override: str | None) -> str:
    """`naming.base_name`, for the rows the expressions do not decide."""
    return naming.base_name(archive_id, description, override)


def complete_names(archives: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The archives whose name the expressions decided, and the others with their names from the reference."""
    odd = archives.filter(F.col("name").isNull())
    named = odd.withColumn("name", reference_name("archive_id", "description", "override"))
    return archives.filter(F.col("name").isNotNull()), named


def with_suffix(name: Column, archive_id: Column, attempt: int) -> Column:
    """`naming.with_suffix` as an expression."""
    salted = archive_id if attempt == 0 else F.concat(archive_id, F.lit(f"#{attempt}"))
    tag = F.substring(F.sha2(salted, 256), 1, naming.TAG_DIGITS)
    extension = F.regexp_extract(name, _EXTENSION, 0)
    stem = name.substr(F.lit(1), F.length(name) - F.length(extension))
    return F.concat(stem, F.lit("-"), tag, extension)


def shared_hashes(archives: DataFrame) -> DataFrame:
    """Hashes of names that several archives would like; a hash says nothing falsely different, so none is missed."""
    hashes = archives.select(F.xxhash64("name").alias("name_hash"))
    return hashes.groupBy("name_hash").count().filter("count > 1").select("name_hash")


def losers(candidates: DataFrame) -> DataFrame:
    """Of archives that may share names, those that must get another: ``archive_id``, ``name``, ``is_override``.

    An override keeps its name first, then the oldest archive, then the lowest archive id.
    """
    claim = Window.partitionBy("name").orderBy(F.col("override").isNull(), "order_key", "archive_id")
    ranked = candidates.withColumn("claim", F.row_number().over(claim)).filter("claim > 1")
    return ranked.select("archive_id", "name", F.col("override").isNotNull().alias("is_override"))


def suffixed(renamed: DataFrame, attempt: int) -> DataFrame:
    """Losers with their new name."""
    return renamed.withColumn("new_name", with_suffix(F.col("name"), F.col("archive_id"), attempt))


_LIKE_SUFFIXED: Final = rf"-[0-9a-f]{{{naming.TAG_DIGITS}}}(?:(?:\.tar)?\.[A-Za-z0-9]{{1,10}})?$"


def names_like_suffixed(archives: DataFrame) -> DataFrame:
    """Names, wished for by someone, that look like one we would make; hardly ever any."""
    return archives.filter(F.col("name").rlike(_LIKE_SUFFIXED)).select(F.col("name").alias("new_name")).distinct()


def rename(archives: DataFrame, renamed: DataFrame, attempts: dict[str, int], *, broadcast: bool) -> DataFrame:
    """Archives with their final name: those in ``renamed`` get their suffix.

    The join is by a hash of the archive id, small enough to be sent everywhere; should two ids ever share one, an
    archive gets a suffix it did not need.
    """
    marks = renamed.select(F.xxhash64("archive_id").alias("id_hash")).distinct().withColumn("loses", F.lit(True))
    joined = archives.withColumn("id_hash", F.xxhash64("archive_id")).join(
        F.broadcast(marks) if broadcast else marks, "id_hash", "left"
    )
    name, archive_id = F.col("name"), F.col("archive_id")
    new_name = with_suffix(name, archive_id, 0)
    for attempt in sorted(set(attempts.values())):
        members = [key for key, value in attempts.items() if value == attempt]
        new_name = F.when(archive_id.isin(members), with_suffix(name, archive_id, attempt)).otherwise(new_name)
    return joined.withColumn("name", F.when(F.col("loses"), new_name).otherwise(name)).drop("id_hash", "loses")
