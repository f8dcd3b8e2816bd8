"""``python -m tests.bench NAME [options]``."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = {
    "inventory": "tests.bench.inventory",
    "transfer": "tests.bench.transfer",
}
"""Module of each benchmark; it has ``main(arguments) -> exit code``."""


def main(arguments: list[str]) -> int:
    """Run the benchmark that is named first."""
    if not arguments or arguments[0] not in BENCHMARKS:
        sys.stderr.write(f"which benchmark? one of: {', '.join(sorted(BENCHMARKS))}\n")
        return 2
    return int(importlib.import_module(BENCHMARKS[arguments[0]]).main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
