"""Sample vaults, the same on every machine and in every run, from empty to awkward.

Ids, contents and creation dates are functions of the vault's name and the archive's place in it, so tests
may name them. Descriptions are those of real vaults: the formats of the programs that filled them, and
everything that has ever broken a parser.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from solution.domain.tree_hash import MIB
from solution.mocking.vaults.virtual import ARCHIVE_ID_BYTES, Pattern, VirtualContent, VirtualVault

FIRST_CREATION: Final = 1_356_998_400.0
"""Creation of the first archive of each sample: 2013-01-01T00:00:00Z."""
_STEP: Final = 3661.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleArchive:
    """One archive of a sample.

    Attributes:
        description: as the vault's owner left it.
        size: bytes.
        content: name of the content; archives of equal name and size have equal bytes. None: its own.
        archive_id: a chosen id; None: derived from the sample and the place in it.
    """

    description: str
    size: int = 1000
    content: str | None = None
    archive_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A vault to be: listed archives, and any number of virtual ones."""

    purpose: str
    archives: tuple[SampleArchive, ...] = ()
    virtual: VirtualVault | None = None


class FillableVaults(Protocol):
    """What a sample is poured into: a ``GlacierService``."""

    def create_vault(self, name: str, virtual: VirtualVault | None = None) -> None:
        """Make the vault."""

    def add_archive(
        self,
        vault_name: str,
        content: VirtualContent,
        *,
        description: str = "",
        created: float | None = None,
        archive_id: str | None = None,
    ) -> str:
        """Put an archive into it."""


def fast_glacier(path: str, version: int) -> str:
    """Description as FastGlacier writes it; version 1 is the long form, 2 to 4 the short one."""
    encoded = base64.b64encode(path.encode()).decode()
    if version == 1:
        return f"<ArchiveMetadata><Path>{encoded}</Path><LastModified>20130101T000000Z</LastModified></ArchiveMetadata>"
    return f"<m><v>{version}</v><p>{encoded}</p><lm>20130101T000000Z</lm></m>"


def mt_aws_glacier(path: str, version: int) -> str:
    """Description as mt-aws-glacier writes it: ``mt1`` or ``mt2`` and base64url of JSON, without padding."""
    document = json.dumps({"filename": path, "mtime": "20130101T000000Z"}, ensure_ascii=False)
    return f"mt{version} {base64.urlsafe_b64encode(document.encode()).decode().rstrip('=')}"


def _described(*descriptions: str) -> tuple[SampleArchive, ...]:
    return tuple(SampleArchive(description=text, size=500 + 7 * n) for n, text in enumerate(descriptions))


_FORMATS: Final = _described(
    *(fast_glacier(f"photos/2013/v{version}/strandkörbe.jpg", version) for version in (1, 2, 3, 4)),
    *(mt_aws_glacier(f"backup/mt{version}/журнал.tar", version) for version in (1, 2)),
    '{"Path": "documents/contract.pdf"}',
    '{"path": "documents/lower case.pdf"}',
    '{"Path":"documents/with \\"quotes\\".pdf","UTCDateModified":"20130101T000000Z"}',
    "plain/name.txt",
)

_AWKWARD_TEXTS: Final = (
    "",
    " ",
    "ordinary.txt",
    "comma, and; semicolon.txt",
    'double "quotes" inside.txt',
    '"quoted whole.txt"',
    "single 'quotes'.txt",
    "back\\slash\\path.txt",
    "ends with a backslash\\",
    'backslash and quote \\".txt',
    "two\nlines.txt",
    "carriage\r\nreturn.txt",
    "\ttab\tand\x07bell.txt",
    "\nbegins and ends with a line break\n",
    "ünïcödé/naïve café.txt",
    "nai\u0308ve.txt",
    "日本語/写真.jpg",
    "العربية/ملف.txt",
    "emoji 🏔️❄️.png",
    "zero\u200bwidth\ufeff.txt",
    "a" * 1024,
    "é" * 512,
    "/leading/slash.txt",
    "trailing/slash/",
    "double//slash.txt",
    "../../etc/passwd",
    "./dot/./path.txt",
    "C:\\Users\\me\\file.txt",
    "%2e%2e%2fencoded.txt",
    "=1+1.csv",
    "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash",
    "<m><v>4</v><p>not base64!</p></m>",
    "<m><v>4</v><p></p></m>",
    "<ArchiveMetadata><Path>dW5maW5pc2hlZA==",
    '{"Path": "unfinished',
    '{"Path": ""}',
    '{"Path": 7}',
    "mt2 not-base64!",
    "mt2 e30",
    "null",
    "name|with|pipes.txt",
    "{braces} and ${dollars}.txt",
)

_AWKWARD: Final = (
    *_FORMATS,
    *_described(*_AWKWARD_TEXTS),
    SampleArchive(description="same name.txt", size=11),
    SampleArchive(description="same name.txt", size=12),
    SampleArchive(description="same name.txt", size=12),
    SampleArchive(description="Same Name.txt", size=13),
    SampleArchive(description="equal content, one.bin", size=4096, content="equal"),
    SampleArchive(description="equal content, two.bin", size=4096, content="equal"),
    SampleArchive(description="same in all.bin", size=4096, content="equal"),
    SampleArchive(description="same in all.bin", size=4096, content="equal"),
    SampleArchive(description="one byte.bin", size=1),
    SampleArchive(description="exactly 1 MiB.bin", size=MIB),
    SampleArchive(description="1 MiB and a byte.bin", size=MIB + 1),
    SampleArchive(description="id begins with a dash.txt", archive_id="-" + "a1_B" * 34 + "c"),
    SampleArchive(description="id begins with an underscore.txt", archive_id="_" + "Z9-x" * 34 + "y"),
)

SAMPLES: Final[dict[str, Sample]] = {
    "empty": Sample(purpose="nothing at all"),
    "one": Sample(purpose="a single small archive", archives=_described("only.txt")),
    "small": Sample(
        purpose="a dozen ordinary archives",
        archives=_described(*(f"folder/file-{number:02d}.txt" for number in range(12))),
    ),
    "sizes": Sample(
        purpose="sizes around the edges of leaves and chunks",
        archives=tuple(
            SampleArchive(description=f"{size} bytes.bin", size=size)
            for size in (1, 2, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 5, 8 * MIB, 8 * MIB + 1, 17 * MIB)
        ),
    ),
    "formats": Sample(purpose="the descriptions of known upload programs", archives=_FORMATS),
    "awkward": Sample(purpose="whatever has ever broken a parser", archives=_AWKWARD),
    "giants": Sample(
        purpose="archives around S3's limits, computed: 5 TB and a byte, 40 TB",
        archives=(),
        virtual=VirtualVault(
            seed="giants",
            archive_count=4,
            sizes=(5 * 10**9, 5 * 1024**4, 5 * 1024**4 + 1, 40 * 10**12),
            description="giant-{index}.bin",
            pattern=Pattern.REPEATED,
        ),
    ),
    "million": Sample(
        purpose="a million small archives, computed",
        virtual=VirtualVault(seed="million", archive_count=1_000_000, sizes=(1, 100, 1000, 10_000)),
    ),
}


def archive_id(sample: str, position: int) -> str:
    """Id of the archive at ``position`` of a sample, unless it has a chosen one."""
    raw = hashlib.shake_128(f"sample/{sample}/{position}".encode()).digest(ARCHIVE_ID_BYTES)
    return base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")


def content(sample: str, position: int) -> VirtualContent:
    """Bytes of the archive at ``position`` of a sample."""
    archive = SAMPLES[sample].archives[position]
    return VirtualContent(seed=f"{sample}/{archive.content or position}", size=archive.size)


def fill(
    vaults: FillableVaults,
    sample: str,
    *,
    vault_name: str | None = None,
    only: Callable[[SampleArchive], bool] | None = None,
) -> list[str]:
    """Make a vault from a sample; returns the ids of its listed archives, in order of creation.

    Args:
        vaults: a ``GlacierService``.
        sample: a key of ``SAMPLES``.
        vault_name: the sample's name, if None.
        only: which of the listed archives.

    Raises:
        ValueError: there is no such sample.
    """
    if sample not in SAMPLES:
        message = f"there is no sample vault {sample!r}: choose one of {', '.join(SAMPLES)}"
        raise ValueError(message)
    name = vault_name or sample
    vaults.create_vault(name, SAMPLES[sample].virtual)
    prefix = "" if name == sample else f"{name}/"  # ids stay unique when a sample is used twice
    ids: list[str] = []
    for position, archive in enumerate(SAMPLES[sample].archives):
        if only is None or only(archive):
            chosen = archive.archive_id if not prefix else None
            ids.append(
                vaults.add_archive(
                    name,
                    content(sample, position),
                    description=archive.description,
                    created=FIRST_CREATION + position * _STEP,
                    archive_id=chosen or archive_id(prefix + sample, position),
                )
            )
    return ids
