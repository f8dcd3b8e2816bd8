"""Credentials of roles: what our own services sign with when they act as a role, so that IAM judges them."""

from __future__ import annotations

import functools
import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from ministack.services import sts

from solution.local.settings import ROOT_KEY, GatewaySettings

if TYPE_CHECKING:
    from botocore.client import BaseClient

_SALT = secrets.token_hex(16)
"""Drawn at each start: a session's secret cannot be computed by the functions that we run."""
_CLIENTS_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Credentials of a session of a role, or of the root user (without a token)."""

    access_key: str
    secret_key: str
    token: str | None = None
    arn: str = "arn:aws:iam::000000000000:root"

    def environment(self) -> dict[str, str]:
        """As environment variables of a process."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return variables if self.token is None else {**variables, "AWS_SESSION_TOKEN": self.token}


ROOT = Credentials(access_key=ROOT_KEY, secret_key=ROOT_KEY)


def role_session(role_arn: str, name: str) -> Credentials:
    """A session of the role, known to MiniStack from now on.

    Args:
        role_arn: ARN of the role.
        name: session name; it ends the ARN that error messages show.
    """
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{_SALT} {role_arn} {name}".encode()).hexdigest()
    found = Credentials(
        access_key=f"ASIA{digest[:16].upper()}",
        secret_key=digest[16:56],
        token=digest,
        arn=f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
    )
    session = {
        "Arn": found.arn,
        "UserId": f"{role}:{name}",
        "SecretAccessKey": found.secret_key,
        "SessionToken": found.token,
    }
    sts.register_session(found.access_key, session)
    return found


def client(service: str, credentials: Credentials, settings: GatewaySettings) -> BaseClient:
    """A boto3 client of this local AWS; the same one for the same arguments, since making one is slow."""
    with _CLIENTS_LOCK:
        return _client(service, credentials, settings.endpoint, settings.region)


@functools.lru_cache(maxsize=256)
def _client(service: str, credentials: Credentials, endpoint: str, region: str) -> BaseClient:
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=64,
        read_timeout=120,
        s3={"addressing_style": "path"},
        inject_host_prefix=False,
    )
    # The typed overloads take literal names; ours come from state machines.
    session: Any = boto3.session.Session()
    made: BaseClient = session.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=config,
    )
    return made
