"""Benchmarks: what a transfer costs and how fast it is, counted and measured on one machine.

``python -m tests.bench transfer`` is about moving archives, ``inventory`` about the job that sorts and names them.
Figures are printed as tables, or as JSON with ``--json``; an aim that is missed makes the exit code 1. What must never
regress is asserted by tests elsewhere; nothing here is collected by pytest.
"""
