"""Stands in for the library that AWS Glue brings; found by job scripts on their search path."""
