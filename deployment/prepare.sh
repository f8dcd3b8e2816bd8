# Sourced by run-demo.sh and run-tests.sh: leaves a .venv with the pinned tools (tox and uv), and $repository.
# Needs nothing but Python 3.11 or newer with venv.
set -eu

repository=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
constraints=$repository/deployment/constraints.txt

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "No Python from 3.11 to 3.14 with venv was found: install one (on Debian and Ubuntu also python3-venv)," \
        "or name it, as in PYTHON=/path/to/python3 $0" >&2
    return 3
}

prepare() {
    wanted=$(cksum <"$constraints")
    if [ "$(cat "$repository/.venv/.tools-stamp" 2>/dev/null || true)" = "$wanted" ] &&
        "$repository/.venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    python=$(find_python) || exit 3
    echo "Preparing $repository/.venv with $("$python" --version) …"
    [ -x "$repository/.venv/bin/python" ] && "$repository/.venv/bin/python" -m pip --version >/dev/null 2>&1 ||
        "$python" -m venv --clear "$repository/.venv"
    "$repository/.venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$constraints" tox tox-uv uv
    printf '%s\n' "$wanted" >"$repository/.venv/.tools-stamp"
}

prepare
cd "$repository"
# The tools of the environment come first; an activated one of the caller's must not shine through.
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
PATH=$repository/.venv/bin:$PATH
export PATH
