"""Each state machine of the solution, as deployed, executed on the local AWS: happy, retry, catch, time-out, wait.

Roles, tables, buckets, rules and streams are real; the functions that state machines call are stubs that ask the test
what to answer (``stubs``), and the inventory job is a script that ends at once. Whole transfers with the real functions
are in ``tests/local``.
"""
