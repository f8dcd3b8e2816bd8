#!/bin/sh
# Copies a vault into a bucket on this machine, through the real templates, and compares every byte.
# Arguments go to "glacier-transfer demo": for one, --archives 100, --from DIR or --keep.
. "$(dirname -- "$0")/prepare.sh"
exec tox run -q -e demo -- "$@"
