"""The functions of the orchestrator, from registration to notice."""
