"""The demo's path from an empty local AWS to compared objects; the end-to-end test takes it as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.archives import Sample
from solution.cli.demo.comparison import Comparison, compare
from solution.cli.demo.vault import Uploaded, fill_vault
from solution.cli.runs import RunState, read_run
from solution.cli.target import Target
from solution.domain.archive import STORAGE_CLASS_LABELS, StorageClass, Tier

VAULT: Final = "demo-vault"
RUN: Final = "demo"
STORAGE_CLASS: Final = StorageClass.GLACIER_IR
"""An archive class whose objects can be read at once, since the demo reads all of them."""
_DAY: Final = 86_400
_WINDOW: Final = 36.0
"""Seconds of ours that a window of 24 hours takes at the least: bulk retrievals, 5 to 12 hours, then take 8 to 18."""
_WINDOW_PER_ARCHIVE: Final = 0.5
"""Seconds of ours by which each archive lengthens it: two cores copy a few archives a second, and all are staged at
about the same time."""
_INTERVAL: Final = 0.5


class Observer(Protocol):
    """Told how the demo goes on."""

    def uploading(self, total_bytes: int) -> None:
        """The vault is about to be filled."""

    def uploaded(self, size: int) -> None:
        """An archive of ``size`` bytes is in the vault."""

    def launched(self, run: str) -> None:
        """The runbook has started the run."""

    def moving(self, state: RunState) -> None:
        """A look at the run."""

    def comparing(self, total_bytes: int) -> None:
        """The objects are about to be read."""

    def compared(self, size: int) -> None:
        """An archive of ``size`` bytes has been compared."""


class Silent:
    """An observer that says nothing."""

    def uploading(self, total_bytes: int) -> None:
        """Nothing."""

    def uploaded(self, size: int) -> None:
        """Nothing."""

    def launched(self, run: str) -> None:
        """Nothing."""

    def moving(self, state: RunState) -> None:
        """Nothing."""

    def comparing(self, total_bytes: int) -> None:
        """Nothing."""

    def compared(self, size: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a demo ended: what was uploaded, how the run ended, what came out, and how long it took in seconds."""

    run: str
    uploaded: tuple[Uploaded, ...]
    state: RunState
    comparison: Comparison
    transfer_seconds: float

    @property
    def good(self) -> bool:
        """Whether the run says that all was copied, and it was."""
        return (
            self.state.complete
            and not self.comparison.problems
            and self.comparison.equal == len(self.uploaded) == self.state.to_copy.archives
        )


def transfer(
    target: Target,
    samples: Sequence[Sample],
    *,
    run: str = RUN,
    vault: str = VAULT,
    observer: Observer | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Fill a vault, transfer it through the launch runbook, and compare every object with what was uploaded.

    Args:
        target: the local AWS, with the solution deployed.
        samples: what to upload.
        run: id of the run.
        vault: name of the vault.
        observer: told of the progress.
        sleep: how to wait, in seconds.
    """
    watching = observer or Silent()
    size = sum(sample.size for sample in samples)
    watching.uploading(size)
    uploaded = fill_vault(target.glacier, vault, samples, advance=watching.uploaded)
    begun = time.monotonic()
    started = start_run(target, LAUNCH_DOCUMENT, launch_parameters(run=run, vault=vault))
    watching.launched(started.run)
    while not (state := read_run(target, started.run, execution_arn=started.execution_arn)).ended:
        watching.moving(state)
        sleep(_INTERVAL)
    watching.moving(state)
    took = time.monotonic() - begun
    watching.comparing(size)
    comparison = compare(
        target.s3, target.output("DestinationBucketName"), started.run, uploaded, advance=watching.compared
    )
    return Outcome(run=started.run, uploaded=uploaded, state=state, comparison=comparison, transfer_seconds=took)


def launch_parameters(*, run: str, vault: str, storage_class: StorageClass = STORAGE_CLASS) -> dict[str, str]:
    """What the demo answers to the launch runbook."""
    label = next(label for label, value in STORAGE_CLASS_LABELS.items() if value is storage_class)
    return {
        "VaultName": vault,
        "WorkflowRun": run,
        "ProvidedInventory": "NO",
        "Description": "the demo",
        "S3StorageClass": label,
        "RetrievalTier": Tier.BULK,
    }


def time_factor(archives: int) -> float:
    """How much faster than real time the demo runs: as fast as this machine can copy within Glacier's window."""
    return float(_DAY // (_WINDOW + _WINDOW_PER_ARCHIVE * archives))


def demo_parameters(chunk_size_mib: int) -> dict[str, str]:
    """Stack parameters of the demo; durations are compressed by the local AWS itself."""
    return {"ChunkSizeMiB": str(chunk_size_mib)}


def samples_folder(state_dir: Path) -> Path:
    """Where the demo keeps its copies of the real files."""
    return state_dir / "demo-files"
