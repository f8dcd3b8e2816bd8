"""The server process of one local AWS: ``python -m solution.local.gateway --port N --state-dir DIR --time-factor F``.

It clears the environment that it was started with before MiniStack is imported, since MiniStack reads its settings at
import and hands its environment on to functions.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from solution.local.errors import LocalAwsError
from solution.local.settings import DEFAULT_PORT, DEFAULT_REGION, Folders, GatewaySettings, server_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        0 after a clean stop, 1 with a message on standard error when it could not start.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = GatewaySettings(
            port=options.port,
            folders=Folders(root=options.state_dir.resolve()),
            time_factor=options.time_factor,
            region=options.region,
        )
        with _only_server_of(settings.folders):
            _prepare(settings)
            # MiniStack reads the environment when it is imported, and the lines above have just made it.
            from solution.local.server import serve  # noqa: PLC0415

            serve(settings, instance_id=options.instance_id)
    except (LocalAwsError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m solution.local.gateway", description="The local AWS")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--time-factor", type=float, default=1.0)
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--instance-id", default="")
    return parser


@contextlib.contextmanager
def _only_server_of(folders: Folders) -> Iterator[None]:
    """Hold the folder: two servers would overwrite each other's state."""
    try:
        folders.make()
        lock = folders.server_lock.open("w")
    except OSError as error:
        raise LocalAwsError(
            f"The state folder {folders.root} cannot be used: {error}", "Choose another with --state-dir"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalAwsError(
                f"Another local AWS already serves {folders.root}", "Stop it, or choose another --state-dir"
            ) from error
        # The lock must not be inherited: a function outliving a killed server would keep the folder locked.
        os.set_inheritable(lock.fileno(), False)
        yield


def _prepare(settings: GatewaySettings) -> None:
    shutil.rmtree(settings.folders.temporary, ignore_errors=True)
    settings.folders.temporary.mkdir(parents=True)
    environment = server_environment(settings, os.environ)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None


if __name__ == "__main__":
    sys.exit(main())
