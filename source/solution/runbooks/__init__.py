"""Scripts of the Systems Manager runbooks, embedded in the documents as text; nothing imports them but tests.

A script runs alone in Automation's Python, beside boto3 and nothing of ours. So each file is self-contained: what both
need (looking at vault and bucket, starting the orchestrator) is written in both, word for word, and a test compares the
copies. Of the domain they repeat the storage classes, tiers and the form of names; a test compares those as well.
"""
