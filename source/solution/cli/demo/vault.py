"""Filling a vault over the Glacier API, as any client would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.cli.demo.archives import MIB, Sample
from solution.domain.errors import ChecksumMismatch
from solution.domain.tree_hash import TreeHasher, combine, tree_hash

if TYPE_CHECKING:
    from mypy_boto3_glacier import GlacierClient

_WORKERS: Final = 4
_PART: Final = 4 * MIB
"""Part size of multipart uploads, and the largest archive uploaded in one piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """An archive in the vault: what it is, the id that Glacier gave it, and its tree hash as computed here."""

    sample: Sample
    archive_id: str
    tree_hash: str


def fill_vault(
    glacier: GlacierClient,
    vault: str,
    samples: Sequence[Sample],
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Uploaded, ...]:
    """Create the vault and upload all samples, several at a time.

    Args:
        glacier: client of the service.
        vault: name of the vault.
        samples: what to upload.
        advance: called with each uploaded archive's bytes.

    Raises:
        ChecksumMismatch: Glacier computed another tree hash than we did.
    """
    glacier.create_vault(accountId="-", vaultName=vault)

    def upload(sample: Sample) -> Uploaded:
        archive_id, checksum, expected = _upload(glacier, vault, sample)
        if checksum != expected:
            raise ChecksumMismatch(
                f"Glacier computed tree hash {checksum} for {sample.description!r}, we computed {expected}"
            )
        advance(sample.size)
        return Uploaded(sample=sample, archive_id=archive_id, tree_hash=expected)

    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        return tuple(pool.map(upload, samples))


def _upload(glacier: GlacierClient, vault: str, sample: Sample) -> tuple[str, str, str]:
    """Archive id and Glacier's tree hash of what was uploaded, and ours."""
    if sample.size > _PART:
        return _upload_in_parts(glacier, vault, sample)
    body = b"".join(sample.pieces())
    answer = glacier.upload_archive(accountId="-", vaultName=vault, archiveDescription=sample.description, body=body)
    return answer["archiveId"], answer["checksum"], tree_hash(body)


def _upload_in_parts(glacier: GlacierClient, vault: str, sample: Sample) -> tuple[str, str, str]:
    upload_id = glacier.initiate_multipart_upload(
        accountId="-", vaultName=vault, archiveDescription=sample.description, partSize=str(_PART)
    )["uploadId"]
    hashes: list[str] = []
    position = 0
    for part in sample.pieces(_PART):
        hashes.append(TreeHasher(part).hexdigest())
        glacier.upload_multipart_part(
            accountId="-",
            vaultName=vault,
            uploadId=upload_id,
            range=f"bytes {position}-{position + len(part) - 1}/*",
            body=part,
        )
        position += len(part)
    whole = combine(hashes)
    answer = glacier.complete_multipart_upload(
        accountId="-", vaultName=vault, uploadId=upload_id, archiveSize=str(position), checksum=whole
    )
    return answer["archiveId"], answer["checksum"], whole
