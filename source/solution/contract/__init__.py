"""What deploy time and run time must agree on, each fact written once.

Key formats of tables and buckets, messages and state-machine inputs, the environment of each function, and which
handler serves which function. Imports ``solution.domain`` alone; no AWS library, no CDK.
"""
