"""Ports of the orchestrator."""
