"""The inventory job: one Spark script (``main.py``) over small, pure functions over blocks and buckets of rows.

It reads the inventory of a vault and writes it in order, named and partitioned. It ships with ``solution.domain`` and
``solution.contract``; rules about names live in ``solution.domain.naming``, formats of files in ``solution.contract``.
Nothing here starts workflows or knows where it runs: files go through Hadoop's FileSystem, whatever the scheme.
"""
