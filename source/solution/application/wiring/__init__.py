"""The composition root: environment → settings → clients → use case, once per process.

``process`` holds what every function shares, ``retrieval`` and ``orchestration`` one function per entry point. Nothing
here decides anything, and nothing but handlers imports it.
"""
