#!/usr/bin/env bash
# Makes .venv beside this file, installs into it, and runs every notebook (./run_all.sh), the tests
# (./run_all.sh test) or the benchmarks (./run_all.sh benchmark). ./run_all.sh --help lists the options.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail

# Without `cd`, which looks into CDPATH first; through links, since what belongs to this file lies beside it alone.
root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
venv="$root/.venv"
# Nothing of the user's takes the place of what is installed here, or sends it elsewhere.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER

fail() {
    echo "run_all.sh: $1" >&2
    exit 1
}

# Whether a Python is of a version from the second argument on and below the third.
is_python() {
    [ -n "$1" ] && "$1" -c "import sys; sys.exit(not ($2) <= sys.version_info < ($3))" 2>/dev/null
}

# The Python for .venv: one that TensorFlow has releases for, be it that uv fetches it; else 3.14, with JAX alone.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if is_python "$candidate" "3, 11" "3, 14"; then echo "$candidate" && return; fi
    done
    if command -v uv >/dev/null && uv python install 3.13 >&2; then uv python find 3.13 && return; fi
    for candidate in "${PYTHON:-}" python3 python3.14; do
        if is_python "$candidate" "3, 14" "3, 15"; then
            echo "Only Python 3.14 is here, which TensorFlow has no release for: everything runs on JAX." >&2
            echo "$candidate" && return
        fi
    done
    fail "Python 3.11 to 3.14 is needed, and none was found; install one, or name it: PYTHON=/path/to/python3.12 $0"
}

# One line that names the package being fetched; only on a terminal.
show_packages() {
    local word name _
    while read -r word name _; do
        if [ -t 1 ] && { [ "$word" = Collecting ] || [ "$word" = Installing ]; }; then
            printf '\r\033[K  %s %s' "$word" "$name"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

# Whether .venv has this kit: pip install . would put a copy beside the notebooks' own.
kit_is_here() {
    "$venv/bin/python" -I -c 'import os, sys, gzutils; sys.exit(not os.path.samefile(gzutils.__path__[0], sys.argv[1]))' \
        "$root/gzutils" 2>/dev/null
}

install() {
    local python said extras=lab,test wanted log="$venv/install.log"
    command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 && extras=gpu,$extras
    wanted="$extras $(cat "$root/requirements.txt" "$root/constraints.txt" "$root/pyproject.toml" | cksum)"
    [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ] && kit_is_here && return
    python=$(find_python)
    [ "$(df -Pk "$root" | awk 'NR == 2 { print $4 }')" -gt 6000000 ] ||
        fail "less than 6 GB are free in $root; the installation and the data need as much, make room first"
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -Pm pip --version >/dev/null 2>&1; then
        echo "Making $venv"
        said=$("$python" -Pm venv --clear "$venv" 2>&1) ||
            fail "$python cannot make a virtual environment in $venv (${said:-no reason given}); if its venv module is \
what lacks, install that (Debian, Ubuntu: apt install python3-venv)"
    fi
    echo "Installing TensorFlow, JupyterLab and the rest (2.6 GB on disk, minutes; log: $log)"
    "$venv/bin/python" -Pm pip install --disable-pip-version-check --progress-bar off \
        --constraint "$root/constraints.txt" --editable "$root[$extras]" 2>&1 | tee "$log" | show_packages ||
        fail "the installation failed ($(grep -m 1 ^ERROR "$log" || tail -n 1 "$log")); is there a network? the log is $log"
    echo "$wanted" >"$venv/installed"
}

case $root in
    *:*) fail "$root has a colon in its name, which separates folders in Python's and the shell's lists; rename it" ;;
esac
command=${1:-}
if [ "$command" != test ] && [ "$command" != benchmark ]; then
    # Options are checked first: nobody should wait for an installation to read of a typing error.
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if is_python "$python" "3, 11" "3, 15"; then break; fi
    done
    is_python "$python" "3, 11" "3, 15" || python=$(find_python)
    PYTHONPATH="$root" "$python" -BP -m gzutils.course.command_line "$@"
    for argument in "$@"; do
        case $argument in -h | --help) exit 0 ;; esac
    done
fi
install
if [ "$command" = test ] || [ "$command" = benchmark ]; then
    shift
    cd "$root"
    # Two test files at a time: most tests keep one core busy. Benchmarks have the machine to themselves.
    if [ "$command" = benchmark ]; then set -- tests/benchmarks "$@"; else set -- -n 2 --dist loadfile "$@"; fi
    exec "$venv/bin/python" -m pytest "$@"
fi
# -P: a gzutils in the current directory is somebody else's.
exec "$venv/bin/python" -P -m gzutils.course.pipeline "$@"
