"""What holds for every test of this house."""

from __future__ import annotations

import os

from hypothesis import settings

# A deadline is a timed assertion, and a busy machine would fail it. In CI the examples are the same at every run, so
# that a change is judged by what it changed; at home each run looks somewhere else.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")
