"""Serve a mock Glacier by hand: ``python -m solution.mocking.glacier --help``."""

from __future__ import annotations

import argparse
import logging
import signal
import threading

from solution.mocking.glacier.asgi import serve
from solution.mocking.glacier.settings import GlacierSettings
from solution.mocking.vaults import samples

logger = logging.getLogger("solution.mocking.glacier")


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m solution.mocking.glacier", description=__doc__)
    parser.add_argument("--data-dir", required=True, help="folder its vaults live in; made if missing")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--time-factor", type=float, default=1.0, help="3600 makes an hour a second")
    parser.add_argument(
        "--sample",
        action="append",
        default=[],
        choices=list(samples.SAMPLES),
        help="fill a vault of this name if it is not there yet; may be repeated",
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = GlacierSettings(time_factor=chosen.time_factor)
    with serve(chosen.data_dir, port=chosen.port, settings=settings) as running:
        for sample in chosen.sample:
            if not running.service.has_vault(sample):
                samples.fill(running.service, sample)
        logger.info("Glacier answers at %s; Ctrl-C ends it", running.url)
        stop.wait()


if __name__ == "__main__":
    main()
