"""What use cases need from the world, as Protocols with the values they exchange; one module per concern.

A port's docstring is its contract: adapters and in-memory versions are proven against it by one suite per port in
``tests/ports``.
"""
