"""What vaults can hold: deterministic samples, from empty to awkward, and content that is computed, not stored.

Only descriptions of vaults live here; the service that serves them is ``solution.mocking.glacier``.
"""
