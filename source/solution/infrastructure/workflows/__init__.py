"""The seven state machines, one construct each; README.md beside this file tells the transfer as a story.

What is reusable lies in ``states``; functions, tables and buckets are handed in.
"""
