"""Metadata of the service in one SQLite file (WAL): vaults, archives, uploads, jobs, notifications to publish.

One connection behind a lock: SQLite has one writer anyway, each statement is short, and whoever must read
much reads it in pages. What the rows mean, and what may be done with them, is decided in the modules named
after the business.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from solution.mocking.glacier.bodies import Bodies, Content, FileContent
from solution.mocking.vaults.virtual import VirtualContent, VirtualVault

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS vaults (
    vault_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    notification TEXT,
    tags TEXT NOT NULL DEFAULT '{}',
    virtual TEXT
);
CREATE TABLE IF NOT EXISTS archives (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    vault_id INTEGER NOT NULL,
    archive_id TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created REAL NOT NULL,
    size INTEGER NOT NULL,
    tree_hash TEXT NOT NULL,
    body TEXT,
    virtual TEXT,
    deleted_after INTEGER
);
CREATE INDEX IF NOT EXISTS archives_of_vault ON archives (vault_id, seq);
CREATE TABLE IF NOT EXISTS uploads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL UNIQUE,
    vault_id INTEGER NOT NULL,
    description TEXT NOT NULL,
    part_size INTEGER NOT NULL,
    created REAL NOT NULL,
    archive_id TEXT
);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    tree_hash TEXT NOT NULL,
    PRIMARY KEY (upload_id, start)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    vault_id INTEGER NOT NULL,
    vault_name TEXT NOT NULL,
    action TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT,
    description TEXT,
    topic TEXT,
    tier TEXT,
    created REAL NOT NULL,
    due REAL,
    completed REAL,
    expires REAL,
    archive_id TEXT,
    archive_description TEXT,
    archive_size INTEGER,
    archive_tree_hash TEXT,
    body TEXT,
    virtual TEXT,
    range_start INTEGER,
    range_end INTEGER,
    range_tree_hash TEXT,
    inventory TEXT,
    inventory_size INTEGER,
    snapshot INTEGER,
    next_marker TEXT
);
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (action, due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_expiring ON jobs (expires) WHERE expires IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_of_vault ON jobs (vault_id, seq);
CREATE INDEX IF NOT EXISTS jobs_of_body ON jobs (body) WHERE body IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_by_tier ON jobs (tier, created) WHERE tier IS NOT NULL;
CREATE TABLE IF NOT EXISTS notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    due REAL NOT NULL,
    topic TEXT NOT NULL,
    message TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (due);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A row of ``vaults``."""

    vault_id: int
    name: str
    created: float
    notification: dict[str, Any] | None
    tags: dict[str, str]
    virtual: VirtualVault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArchive:
    """What is known of an archive, stored or virtual. ``position`` orders the rows of an inventory."""

    archive_id: str
    description: str
    created: float
    size: int
    tree_hash: str
    body: str | None
    virtual: VirtualContent | None
    position: str


class Store:
    """The database and the folders of one data directory."""

    def __init__(self, data_dir: Path, *, network_disk: bool = False) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.bodies = Bodies(data_dir)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            data_dir / "glacier.sqlite3", check_same_thread=False, isolation_level=None, timeout=30
        )
        self._connection.row_factory = sqlite3.Row
        # WAL needs memory shared between processes, which network file systems do not give
        self._connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if network_disk else 'WAL'}")
        # survives a crash of the process; only a power cut may lose the last transactions, and this is a mock
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        """Release the database."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and alone: nobody else touches the database meanwhile. May be nested."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth = 1
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth = 0

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """First row of a query."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; returns how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, parameters).rowcount

    def execute_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the parameters; call it inside a transaction."""
        with self._lock:
            self._connection.executemany(sql, parameters)

    def insert(self, table: str, values: dict[str, Any]) -> int:
        """Insert a row; returns its sequence number. Table and column names come from our code alone."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # names are ours
        with self._lock:
            return int(self._connection.execute(sql, tuple(values.values())).lastrowid or 0)

    def vault(self, name: str) -> Vault | None:
        """The vault of this name."""
        row = self.row("SELECT * FROM vaults WHERE name = ?", (name,))
        return vault_of(row) if row else None

    def archive(self, vault: Vault, archive_id: str) -> StoredArchive | None:
        """The archive of this id, unless it was deleted."""
        row = self.row(
            "SELECT * FROM archives WHERE archive_id = ? AND vault_id = ? AND deleted_after IS NULL",
            (archive_id, vault.vault_id),
        )
        if row:
            return archive_of(row)
        found = vault.virtual.find(archive_id) if vault.virtual else None
        if found is None:
            return None
        return StoredArchive(
            archive_id=archive_id,
            description=found.description,
            created=found.created,
            size=found.content.size,
            tree_hash=found.content.tree_hash(),
            body=None,
            virtual=found.content,
            position=f"v{found.index}",
        )

    def content(self, size: int, body: str | None, virtual: VirtualContent | None) -> Content:
        """The bytes behind an archive or a job."""
        if virtual is not None:
            return virtual
        if body is None:
            message = "an archive has neither a body nor a virtual content: the database was changed by hand"
            raise ValueError(message)
        return FileContent(path=self.bodies.body(body), size=size)


def vault_of(row: sqlite3.Row) -> Vault:
    """Read a row of ``vaults``."""
    return Vault(
        vault_id=row["vault_id"],
        name=row["name"],
        created=row["created"],
        notification=json.loads(row["notification"]) if row["notification"] else None,
        tags=json.loads(row["tags"]),
        virtual=VirtualVault.from_json(json.loads(row["virtual"])) if row["virtual"] else None,
    )


def archive_of(row: sqlite3.Row) -> StoredArchive:
    """Read a row of ``archives``."""
    return StoredArchive(
        archive_id=row["archive_id"],
        description=row["description"],
        created=row["created"],
        size=row["size"],
        tree_hash=row["tree_hash"],
        body=row["body"],
        virtual=content_of(row["virtual"]),
        position=f"s{row['seq']}",
    )


def content_of(text: str | None) -> VirtualContent | None:
    """Read a ``virtual`` column."""
    return VirtualContent.from_json(json.loads(text)) if text else None
