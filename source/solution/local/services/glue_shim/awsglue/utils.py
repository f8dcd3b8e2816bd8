"""Arguments of a job, read as AWS Glue's library reads them (*Accessing parameters using getResolvedOptions*)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class GlueArgumentError(Exception):
    """An argument that the script needs was not given."""


def getResolvedOptions(args: Sequence[str], options: Iterable[str]) -> dict[str, str]:  # noqa: N802 - Glue's name
    """Values of ``--name value`` or ``--name=value`` by name."""
    wanted = [option.removeprefix("--") for option in options]
    given: dict[str, str] = {}
    for at, text in enumerate(args):
        name, equals, value = text.removeprefix("--").partition("=")
        if text.startswith("--"):
            given[name] = value if equals else (args[at + 1] if at + 1 < len(args) else "")
    missing = [name for name in wanted if name not in given]
    if missing:
        message = f"the following arguments are required: {', '.join(f'--{name}' for name in missing)}"
        raise GlueArgumentError(message)
    return {name: given[name] for name in wanted}
