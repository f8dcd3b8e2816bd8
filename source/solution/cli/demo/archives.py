"""What the demo's vault holds: real files, and generated archives that each show something."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import solution
from solution.domain.errors import InvalidInput

MIB: Final = 1024 * 1024
CHUNK_SIZE_MIB: Final = 8
"""The smallest chunk: the demo's large archive has five of them and a bit."""
DEFAULT_ARCHIVES: Final = 60
MINIMUM_ARCHIVES: Final = 40
LARGEST_FILE: Final = 256 * MIB
"""Larger files of ``--from`` are passed over: the demo is to end within minutes."""

_PASSED_OVER: Final = frozenset({"node_modules", "cdk.out", "build", "dist", "__pycache__"})
_PIECE: Final = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An archive to upload.

    Attributes:
        shows: why it is there, for people.
        description: Glacier's archive description, printable ASCII of at most 1,024 characters.
        size: in bytes.
        path: the file with its content; None for generated content.
        seed: what generated content is drawn from; equal seeds and sizes are equal contents.
        file_name: the name that the transfer must give it, None where it cannot be told beforehand.
    """

    shows: str
    description: str
    size: int
    path: Path | None = None
    seed: int = 0
    file_name: str | None = None

    def pieces(self, size: int = _PIECE) -> Iterator[bytes]:
        """The content, in pieces of ``size`` bytes; the last may be shorter."""
        if self.path is not None:
            with self.path.open("rb") as file:
                while piece := file.read(size):
                    yield piece
            return
        # Whole mebibytes are drawn, then cut: content does not depend on how it is read.
        generator = random.Random(self.seed)  # noqa: S311 - content, not secrets
        buffer = bytearray()
        drawn = 0
        while drawn < self.size:
            block = generator.randbytes(MIB)[: self.size - drawn]
            drawn += len(block)
            buffer += block
            while len(buffer) >= size:
                yield bytes(buffer[:size])
                del buffer[:size]
        if buffer:
            yield bytes(buffer)


def fast_glacier(name: str) -> str:
    """FastGlacier's description, metadata version 4: XML with the name in base64."""
    encoded = base64.b64encode(name.encode()).decode()
    return f"<m><v>4</v><p>{encoded}</p><lm>20120515T172139Z</lm></m>"


def mt_aws_glacier(name: str) -> str:
    """mt-aws-glacier's description, metadata version 2: base64url of JSON."""
    fields = {"filename": name, "mtime": "20120515T172139Z"}
    encoded = base64.urlsafe_b64encode(json.dumps(fields, ensure_ascii=False).encode()).decode()
    return f"mt2 {encoded.rstrip('=')}"


def json_path(name: str) -> str:
    """A JSON description with a path, letters outside ASCII escaped."""
    return json.dumps({"Path": name, "UTCDateModified": "20120515T172139Z"})


_GENERATED: Final = (
    Sample(shows="one byte", description="sizes/one byte.bin", size=1, seed=1),
    Sample(shows="exactly 1 MiB", description="sizes/1 MiB.bin", size=MIB, seed=2),
    Sample(shows="1 MiB and a byte", description="sizes/1 MiB + 1.bin", size=MIB + 1, seed=3),
    Sample(
        shows="five chunks and a bit",
        description="sizes/five chunks.bin",
        size=5 * CHUNK_SIZE_MIB * MIB + 12_345,
        seed=4,
    ),
    Sample(shows="exactly two chunks", description="sizes/two chunks.bin", size=2 * CHUNK_SIZE_MIB * MIB, seed=5),
    Sample(shows="FastGlacier, unicode", description=fast_glacier("Fotos/Käse & Brötchen ☕.jpg"), size=4_321, seed=6),
    Sample(shows="mt-aws-glacier, unicode", description=mt_aws_glacier("архив/данные 2012.tar"), size=70_001, seed=7),
    Sample(shows="JSON, escaped unicode", description=json_path("写真/東京 2012.raw"), size=65_537, seed=8),
    Sample(shows="backslashes", description=json_path("D:\\backup\\mail\\2012.pst"), size=9_999, seed=9),
    Sample(shows="quotes and commas", description='she said "later", then\\or "now", twice', size=777, seed=10),
    Sample(shows="climbing path", description="../../etc/../secrets/./passwd", size=313, seed=11),
    Sample(shows="no description", description="", size=2_048, seed=12),
    Sample(shows="only spaces", description="   ", size=33, seed=13),
    Sample(shows="broken FastGlacier", description="<m><v>4</v><p>no base64!</p></m>", size=404, seed=14),
    Sample(shows="one name, first", description="letters/from home.txt", size=1_111, seed=15),
    Sample(shows="one name, second", description="letters/from home.txt", size=2_222, seed=16),
    Sample(shows="equal contents, first", description="twins/first.bin", size=54_321, seed=17),
    Sample(shows="equal contents, second", description="twins/second.bin", size=54_321, seed=17),
)


def generated_samples() -> tuple[Sample, ...]:
    """The archives that are there whatever else is: sizes at the edges, awkward descriptions, twins."""
    return _GENERATED


def default_folder() -> Path:
    """Where real files come from: the repository this package runs from, else the installed package."""
    package = Path(solution.__file__).parent
    repository = package.parent.parent
    return repository if (repository / "pyproject.toml").is_file() else package


def choose_samples(count: int, folder: Path) -> tuple[Sample, ...]:
    """The demo's archives: all generated ones, real files, and if there are too few of these, further generated ones.

    Args:
        count: how many archives.
        folder: where real files come from.

    Raises:
        InvalidInput: the count is below 40, or the folder is none or holds no file to copy.
    """
    if count < MINIMUM_ARCHIVES:
        raise InvalidInput(f"--archives {count} is too few: the demo shows its cases with {MINIMUM_ARCHIVES} or more")
    if not folder.is_dir():
        raise InvalidInput(f"--from {folder} is not a folder")
    wanted = count - len(_GENERATED)
    files = tuple(_spread(sorted(_real_files(folder)), wanted))
    if not files:
        raise InvalidInput(f"--from {folder} holds no file from 1 byte to {LARGEST_FILE // MIB} MiB: choose another")
    filling = tuple(
        Sample(
            shows="filling", description=f"filling/{number:05d}.bin", size=1 + number * 997 % 40_000, seed=100 + number
        )
        for number in range(wanted - len(files))
    )
    return (*_GENERATED, *(_file_sample(folder, path) for path in files), *filling)


def _real_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _PASSED_OVER or path.is_symlink():
            continue
        if path.is_dir():
            yield from _real_files(path)
        elif path.is_file() and 0 < path.stat().st_size <= LARGEST_FILE and _can_describe(path):
            yield path


def _can_describe(path: Path) -> bool:
    return len(json_path(str(path))) <= 1024


def _spread(files: list[Path], wanted: int) -> Iterable[Path]:
    """Evenly spaced ones, so that every folder has its share."""
    if len(files) <= wanted:
        return files
    return (files[number * len(files) // wanted] for number in range(wanted))


def _file_sample(folder: Path, path: Path) -> Sample:
    name = path.relative_to(folder).as_posix()
    plain = all(32 <= ord(letter) < 127 for letter in name)
    return Sample(
        shows="a file",
        description=name if plain else json_path(name),
        size=path.stat().st_size,
        path=path,
    )


def snapshot(samples: Iterable[Sample], folder: Path) -> tuple[Sample, ...]:
    """Copies of the real files, so that one which changes during the demo is still compared with what was uploaded."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[Sample] = []
    for number, sample in enumerate(samples):
        if sample.path is None:
            kept.append(sample)
            continue
        copy = folder / f"{number:06d}"
        shutil.copyfile(sample.path, copy)
        kept.append(Sample(shows=sample.shows, description=sample.description, size=copy.stat().st_size, path=copy))
    return tuple(sample for sample in kept if sample.size)
