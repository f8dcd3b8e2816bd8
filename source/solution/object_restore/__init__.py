"""Bulk restore of objects that already are in S3 Glacier storage classes: a sibling of the vault transfer.

CDK only: a state machine over S3 Batch Operations, without functions of its own. Knows nothing of vaults.
"""
