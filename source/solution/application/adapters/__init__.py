"""The ports on boto3. Only here are AWS calls made, and AWS errors translated into `solution.domain.errors`."""
