"""The ports in dictionaries, faithful to the adapters' behaviour: for tests and simulations, not for Lambda."""
