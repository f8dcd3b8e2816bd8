"""The runbook scripts, run as Automation runs them."""
