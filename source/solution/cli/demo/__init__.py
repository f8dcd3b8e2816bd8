"""The demo: a vault is filled on the local AWS, transferred through the real runbook, and compared byte by byte.

`archives` says what goes in, `vault` uploads it, `comparison` reads it back, `run` puts them together (the end-to-end
test takes the same path), `command` is what a person sees. The transfer and the local AWS themselves live elsewhere.
"""
