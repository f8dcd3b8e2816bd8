"""Objects for tests, complete and valid; a test names only what it is about."""

from __future__ import annotations

import hashlib
from typing import Any

from solution.application.in_memory.clock import START
from solution.application.ports.records import ArchiveRecord
from solution.contract.messages import ChunkMessage, RetrievalBatch
from solution.domain.archive import Archive, StorageClass, Tier
from solution.domain.chunk_plan import MIB, ChunkPlan
from solution.domain.status import ArchiveStatus
from solution.domain.tree_hash import tree_hash

RUN = "run-1"
VAULT = "photos"


def archive_id(name: str) -> str:
    """An archive id as Glacier makes them: 138 characters, different for each name."""
    return (hashlib.sha512(name.encode()).hexdigest() * 2)[:138]


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same every time."""
    block = hashlib.sha512(f"{seed}".encode()).digest() * 16
    return (block * (size // len(block) + 1))[:size]


def archive(name: str = "one", data: bytes = b"abc", **changes: Any) -> Archive:
    """An archive with this content."""
    facts: dict[str, Any] = {
        "archive_id": archive_id(name),
        "size": len(data),
        "tree_hash": tree_hash(data),
        "creation_date": "2019-05-17T17:21:39.339Z",
        "description": f"the archive {name}",
        "file_name": f"{name}.bin",
    }
    return Archive(**{**facts, **changes})


def record(of: Archive | None = None, *, chunk_size: int = 8 * MIB, **changes: Any) -> ArchiveRecord:
    """A record, in ``requesting`` unless told otherwise."""
    of = of or archive()
    facts: dict[str, Any] = {
        "run": RUN,
        "archive": of,
        "status": ArchiveStatus.REQUESTING,
        "vault_name": VAULT,
        "tier": Tier.BULK,
        "storage_class": StorageClass.DEEP_ARCHIVE,
        "chunk_size": chunk_size,
        "chunk_count": max(1, ChunkPlan(size=of.size, chunk_size=chunk_size).count),
        "requested_at": START,
    }
    return ArchiveRecord(**{**facts, **changes})


def chunk_message(of: Archive | None = None, **changes: Any) -> ChunkMessage:
    """A message for the first chunk."""
    of = of or archive()
    facts: dict[str, Any] = {
        "run": RUN,
        "vault_name": VAULT,
        "archive_id": of.archive_id,
        "job_id": "job-1",
        "size": of.size,
        "tree_hash": of.tree_hash,
        "creation_date": of.creation_date,
        "description": of.description,
        "file_name": of.file_name,
        "storage_class": StorageClass.DEEP_ARCHIVE,
        "chunk_size": 8 * MIB,
        "part": 1,
    }
    return ChunkMessage(**{**facts, **changes})


def batch(*archives: Archive, attempt: int = 1) -> RetrievalBatch:
    """A batch to ask for."""
    return RetrievalBatch(
        workflow_run=RUN,
        vault_name=VAULT,
        tier=Tier.BULK,
        s3_storage_class=StorageClass.DEEP_ARCHIVE,
        archives=archives,
        attempt=attempt,
    )
