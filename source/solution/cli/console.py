"""Where the commands print: people's text and JSON to stdout, complaints and progress to stderr."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(data: Mapping[str, object]) -> None:
    """One JSON document on stdout, for machines: never wrapped, never coloured."""
    out.print(json.dumps(data, indent=2, default=str), soft_wrap=True, markup=False, emoji=False)


def complain(text: str) -> None:
    """One line on stderr."""
    err.print(f"[bold red]Error:[/] {escape(text)}", soft_wrap=True)


def size_text(size: int) -> str:
    """Bytes as people read them, in binary units."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} PiB"


def duration_text(seconds: float) -> str:
    """Seconds as people read them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
