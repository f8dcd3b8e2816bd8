"""A whole run in virtual time: asking within the budget, staging, windows and copying; ten million archives in seconds.

The decisions are production's own: `Allowance` and `CalculateTimeout` over the in-memory ledger, windows as
`solution.domain.pacing` has them. What Glacier and the copying functions do is modelled here, minute by minute, not
archive by archive. No message, no byte and no cost is simulated; costs are estimated by the command line.
"""
