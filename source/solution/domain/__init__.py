"""What a vault transfer is, in pure Python: archives, states, chunks, tree hashes, names, pacing, errors.

Standard library only; nothing here knows AWS clients, tables, queues or frameworks. Time is always passed in and
timezone-aware. Names of tables, messages and settings live in ``solution.contract``.
"""
