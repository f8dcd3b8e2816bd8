"""Sizes of the archives of a vault, in the order in which they are asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from solution.domain.errors import InvalidInput

_BLOCK: Final = 1000
_SIGMA: Final = 1.5
"""Archive sizes of vaults spread widely; at 1.5 the largest of a thousand is some 40 times the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticVault:
    """``archives`` of log-normal sizes that add up to exactly ``size`` bytes; the same for the same ``seed``."""

    archives: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no vault can hold."""
        if self.archives < 0 or self.size < self.archives or (self.size and not self.archives):
            raise InvalidInput(
                f"{self.archives} archives of {self.size} bytes in all cannot be: an archive has at least one byte"
            )

    def sizes(self) -> Iterator[int]:
        """One size after the other: the same thousand in each block, in another order."""
        if not self.archives:
            return
        shape = NormalDist(sigma=_SIGMA)
        quantiles = [2.718281828459045 ** shape.inv_cdf((place + 0.5) / _BLOCK) for place in range(_BLOCK)]
        mean = sum(quantiles) / _BLOCK
        spare = self.size - self.archives
        block = [int(spare / self.archives * quantile / mean) for quantile in quantiles]
        rng = random.Random(self.seed)  # noqa: S311 - makes vaults, keeps no secret
        rng.shuffle(block)
        total = sum(block)
        blocks, rest = divmod(self.archives, _BLOCK)
        # what rounding and the last, shorter block leave over is spread evenly
        short = block[:rest]
        evenly, extra = divmod(max(0, spare - blocks * total - sum(short)), self.archives)
        too_much = max(0, blocks * total + sum(short) - spare)
        for number in range(blocks + 1):
            turn = rng.randrange(_BLOCK)
            members = block[turn:] + block[:turn] if number < blocks else short
            for size in members:
                # a last block with more than its share gives back
                less = min(too_much, size)
                too_much -= less
                yield 1 + size - less + evenly + (extra > 0)
                extra -= extra > 0
