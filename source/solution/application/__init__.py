"""The Lambda functions of a transfer.

``handlers`` parse an event, call one of ``use_cases`` and return; use cases speak to the world through ``ports``;
``adapters`` are the ports on boto3 and ``in_memory`` the same ports in dictionaries; ``wiring`` puts them together once
per process. Deployment, emulation and the command line live elsewhere and are never imported from here.
"""
