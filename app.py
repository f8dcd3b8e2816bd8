"""Synthesises all stacks; the CDK command line runs it as cdk.json says."""

from __future__ import annotations

from solution.infrastructure.synthesis import build_app

build_app().synth()
