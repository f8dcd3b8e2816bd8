"""The way out of Amazon S3 Glacier vaults.

The solution's identity lives here and nowhere else: its id, its version and the user agent that AWS sees.
Each package below opens with what lives in it and what does not.
"""

SOLUTION_NAME = "glacier-transfer"
VERSION = "0.1.0"
USER_AGENT_EXTRA = f"{SOLUTION_NAME}/{VERSION}"
