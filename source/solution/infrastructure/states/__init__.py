"""Pieces that state machines are made of, as plain data in the Amazon States Language (JSONPath).

Each function returns a state, or a few that belong together; which state follows is added by `chain` or named by the
caller. No construct and no resource lives here.
"""
