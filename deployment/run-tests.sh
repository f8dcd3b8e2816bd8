#!/bin/sh
# Runs every check there is. Arguments go to tox: for one, -e unit, or -e unit -- -k tree_hash.
. "$(dirname -- "$0")/prepare.sh"
exec tox "$@"
