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
_PATH_ODD: Final = r"(?:^|/)\.{0,2}(?:/|$)"

# strict forms, a subset of what the reference understands
_FAST_GLACIER: Final = (
    r"^<m><v>[0-9]+</v><p>((?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)</p>"
    r"(?:<lm>[^<>&]*+</lm>)?</m>\z"
)
_FAST_GLACIER_V1: Final = (
    r"^<ArchiveMetadata><Path>((?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)</Path>"
    r"(?:<LastModified>[^<>&]*+</LastModified>)?</ArchiveMetadata>\z"
)
_MT: Final = r"^mt[12] ([A-Za-z0-9_-]++)={0,2}\z"
_JSON_STRING: Final = r'"([^"\\]*+(?:\\["\\/][^"\\]*+)*+)"'
_JSON_OTHERS: Final = (
    r'(?:\s*,\s*"(?![Pp]ath"|filename")[A-Za-z0-9_]++"\s*:\s*(?:"[^"\\]*+"|[1-9][0-9]{0,17}|true|false|null))*+'
)


def _json_form(keys: str) -> str:
    return rf'^\{{\s*"{keys}"\s*:\s*{_JSON_STRING}{_JSON_OTHERS}\s*\}}\z'


def _json_text(text: Column, keys: str) -> Column:
    """The text at the first member of a plain JSON object, null where the form is not the plain one."""
    value = F.regexp_extract(text, _json_form(keys), 1)
    return F.when(text.rlike(_json_form(keys)), F.regexp_replace(value, r'\\(["\\/])', "$1"))


def _decoded(encoded: Column) -> Column:
    # Java puts U+FFFD where bytes are not UTF-8; that character is not ordinary, so the reference decides
    return F.decode(F.unbase64(encoded), "UTF-8")


def _fast_glacier(text: Column) -> Column:
    return F.when(text.rlike(_FAST_GLACIER), _decoded(F.regexp_extract(text, _FAST_GLACIER, 1))).when(
        text.rlike(_FAST_GLACIER_V1), _decoded(F.regexp_extract(text, _FAST_GLACIER_V1, 1))
    )


def _mt_aws(text: Column) -> Column:
    encoded = F.translate(F.regexp_extract(text, _MT, 1), "-_", "+/")
    whole = text.rlike(_MT) & (F.length(encoded) % 4 != 1)
    odd = F.length(encoded) % 4
    document = _decoded(F.concat(encoded, F.when(odd == 2, "==").when(odd == 3, "=").otherwise("")))
    return F.when(whole, _json_text(document, "filename"))


def described_path(description: Column) -> Column:
    """The path a description names; empty if it names nothing, null if the reference must decide."""
    text = F.trim(description)
    return F.when(
        (F.length(description) <= _LONGEST) & description.rlike(_ORDINARY),
        F.when(text.startswith("{"), _json_text(text, "[Pp]ath"))
        .when(text.startswith("<"), _fast_glacier(text))
        .when(text.rlike("^mt[12] "), _mt_aws(text))
        .otherwise(text),
    )


def safe_key(path: Column) -> Column:
    """The safe key of a path; empty if nothing is left of it, null if the reference must decide."""
    slashed = F.translate(F.trim(path), "\\", "/")
    clean = F.when(
        slashed.rlike(_PATH_ODD),
        F.array_join(F.array_remove(F.array_remove(F.array_remove(F.split(slashed, "/"), ""), "."), ".."), "/"),
    ).otherwise(slashed)
    return F.when(path.rlike(_ORDINARY) & (F.octet_length(path) <= naming.MAX_BASE_BYTES), clean)


def base_name(archive_id: Column, description: Column) -> Column:
    """The name of an archive before names are made unique, null if the reference must decide."""
    key = safe_key(described_path(description))
    return F.when(key == "", F.concat(F.lit(naming.UNDEFINED_PREFIX), archive_id)).otherwise(key)


@F.udf(returnType=StringType())
def reference_name(archive_id: str, description: str, override: str | None) -> str:
    """`naming.base_name`, for the rows the expressions do not decide."""
    return naming.base_name(archive_id, description, override)


def with_names(archives: DataFrame) -> DataFrame:
    """Add ``name`` to archives with ``override``: null where `complete_names` must still decide."""
    from_override = F.when(F.col("override").isNotNull(), F.nullif(safe_key(F.col("override")), F.lit("")))
    name = F.when(F.col("override").isNotNull(), from_override).otherwise(
        base_name(F.col("archive_id"), F.col("description"))
    )
    return archives.withColumn("name", name)


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
