#!/bin/sh
# Make the virtual environment of `make demo` and `make test`: sh Testing/setup.sh REQUIREMENTS
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

as_root() { # system packages need root; without it, say what is missing
  if [ "$(id -u)" = 0 ]; then
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
  else
    echo "Missing system packages; run: sudo apt-get install $*" >&2
    exit 1
  fi
}

is_there() { # a shared library by name, or a file by path
  case $1 in
    /*) [ -e "$1" ] ;;
    *) ldconfig -p 2>/dev/null | grep -q "$1" ;;
  esac
}

if ! command -v "$PYTHON" >/dev/null 2>&1 || ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
  as_root python3 python3-venv
fi
"$PYTHON" - <<'PY'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Python 3.11 or later is needed, found {sys.version.split()[0]}; set PYTHON=<python3.11>")
PY

if [ -f "Testing/$1.apt" ]; then
  missing=""
  while read -r needed package; do
    is_there "$needed" || missing="$missing $package"
  done < "Testing/$1.apt"
  # shellcheck disable=SC2086
  [ -z "$missing" ] || as_root $missing
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install -q --disable-pip-version-check -r "Testing/$1.txt"
"$VENV/bin/python" - <<'PY'
import pathlib
import site

# `python -m QSMReconLib` and `python -m QSMStatsLib` work from any folder
folders = [str(pathlib.Path(name).resolve()) for name in ("QSMRecon", "QSMStats")]
pathlib.Path(site.getsitepackages()[0], "slicerqsm.pth").write_text("\n".join(folders) + "\n")
PY
