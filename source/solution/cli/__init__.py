"""The command line, ``glacier-transfer``: one module per command, and what commands share.

Commands speak to AWS alone (CloudFormation outputs, Systems Manager, tables, buckets), so that they work the same
against an account and against the local AWS. The transfer itself does not live here, nor does the local AWS: its
commands only call `solution.local`, which a plain installation does not need.

Exit codes: 0 all is well; 1 the transfer has failures, or verification found a difference; 2 the command was used
wrongly, or the runbook refused a parameter; 3 something about the environment is wrong (credentials, permissions,
a port in use, a missing dependency). 130 after Ctrl-C.
"""
