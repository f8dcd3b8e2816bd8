"""Where one local AWS keeps its things, and the environment its server runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

APPLICATION: Final = "glacier-transfer"
ACCOUNT_ID: Final = "000000000000"
DEFAULT_REGION: Final = "us-east-1"
DEFAULT_PORT: Final = 4566
ROOT_KEY: Final = "test"
"""Access key id and secret of the account's root user, whom IAM never refuses."""
INSTANCE_PATH: Final = "/_local/instance"
"""Answers with the id that the starter of the server gave, so that it knows its own server."""

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT")
"""Of the caller's environment the server keeps these alone: functions inherit the server's."""


def default_state_dir() -> Path:
    """Where the local AWS lives unless the user names another folder."""
    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False)) / "local-aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folder of one instance, and what is in it."""

    root: Path

    @property
    def emulator(self) -> Path:
        """State of MiniStack's services, written at a clean stop."""
        return self.root / "emulator"

    @property
    def objects(self) -> Path:
        """Bodies of S3 objects."""
        return self.root / "s3"

    @property
    def glacier(self) -> Path:
        """Vaults, archives and jobs."""
        return self.root / "glacier"

    @property
    def automation(self) -> Path:
        """Systems Manager documents and their executions."""
        return self.root / "automation"

    @property
    def glue(self) -> Path:
        """Logs and working folders of Glue job runs."""
        return self.root / "glue"

    @property
    def temporary(self) -> Path:
        """Temporary files of the server and of the functions; emptied at each start."""
        return self.root / "tmp"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.root / "gateway.log"

    @property
    def record(self) -> Path:
        """Which process serves this folder."""
        return self.root / "instance.json"

    @property
    def server_lock(self) -> Path:
        """Held by the server for its whole life."""
        return self.root / "gateway.lock"

    @property
    def caller_lock(self) -> Path:
        """Held while somebody starts or stops the server."""
        return self.root / "instance.lock"

    def make(self) -> None:
        """Create what is missing."""
        for folder in (self.emulator, self.objects, self.glacier, self.automation, self.glue, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """How one server runs.

    Attributes:
        port: TCP port on 127.0.0.1.
        folders: where it keeps its things.
        time_factor: how many seconds of AWS pass in one of ours (staging, windows, rule periods); 1 is real time.
        region: the region that functions run in.
    """

    port: int
    folders: Folders
    time_factor: float = 1.0
    region: str = DEFAULT_REGION

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            message = f"port {self.port} is not a TCP port: choose one from 1 to 65535"
            raise ValueError(message)
        if self.time_factor < 1:
            message = f"time factor {self.time_factor} is below 1: 1 is real time, 3600 makes an hour a second"
            raise ValueError(message)

    @property
    def endpoint(self) -> str:
        """URL of every AWS service."""
        return f"http://127.0.0.1:{self.port}"


def client_environment(*, port: int, region: str) -> dict[str, str]:
    """Variables with which boto3 and the AWS CLI work against the local AWS unchanged."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def emulator_environment(settings: GatewaySettings) -> dict[str, str]:
    """MiniStack's own settings; no function may see them."""
    folders = settings.folders
    return {
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        # An address instead of a name keeps S3 path-style and queue URLs reachable.
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": settings.region,
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folders.emulator),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folders.objects),
        "LOG_LEVEL": "WARNING",
    }


def server_environment(settings: GatewaySettings, outer: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the server process."""
    return {
        **{name: outer[name] for name in _INHERITED if name in outer},
        **emulator_environment(settings),
        "TMPDIR": str(settings.folders.temporary),
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The user's own profiles must not reach functions, which run as their role.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
