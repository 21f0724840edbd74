#!/bin/sh
# Make the virtual environment: scripts/make_venv.sh FOLDER [PYTHON]
#
# The demo and the tests need PyBullet, which has wheels for Python 3.10 and 3.11 alone. So, in this order:
#   1. a Python 3.11 or 3.10 that is there, with its venv module;
#   2. uv, found or installed into .uv here, which brings a Python 3.11 of its own;
#   3. a newer Python, for which PyBullet is compiled once (about ten minutes, needs a C++ compiler);
#   4. a message that says what to install.
set -u

folder=$1
asked=${2:-}
hint=""

version() { # major.minor of a Python; nothing if it does not run
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

has_venv() { # Debian and Ubuntu split ensurepip off into python3.X-venv
    "$1" -c 'import venv, ensurepip' 2>/dev/null
}

make_with() {
    echo "Making $folder with $1 (Python $(version "$1"))"
    "$1" -m venv "$folder"
}

# 1. A Python that PyBullet has wheels for.
for python in $asked python3.11 python3.10 python3 python; do
    case $(version "$python") in
    3.10 | 3.11)
        if has_venv "$python"; then
            make_with "$python" && exit 0
        else
            echo "$python (Python $(version "$python")) has no venv module, so it cannot be used."
            hint="$hint
  apt install python$(version "$python")-venv    (its venv module is a package of its own on Debian and Ubuntu)"
        fi
        ;;
    "") [ "$python" = "$asked" ] && echo "There is no Python at $python." ;;
    *) [ "$python" = "$asked" ] && echo "$python is Python $(version "$python"); PyBullet has wheels for 3.10 and 3.11 alone." ;;
    esac
done

# 2. uv.
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    for python in python3 python; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            echo "No Python 3.11 or 3.10 here. Installing uv into .uv, to let it bring one."
            if "$python" -m pip install --quiet --disable-pip-version-check --target .uv uv && [ -x .uv/bin/uv ]; then
                uv=.uv/bin/uv
            fi
            break
        fi
    done
fi
if [ -n "$uv" ]; then
    echo "Making $folder with uv and its Python 3.11 (downloaded once, into .uv/python)"
    if UV_PYTHON_INSTALL_DIR=$PWD/.uv/python "$uv" venv --quiet --seed --python 3.11 "$folder"; then
        exit 0
    fi
    echo "uv brought no Python 3.11."
    rm -rf "$folder"
fi

# 3. A newer Python, with PyBullet compiled for it.
for python in $asked python3.13 python3.12 python3 python; do
    case $(version "$python") in
    3.1[2-9]) ;;
    *) continue ;;
    esac
    if ! has_venv "$python"; then
        hint="$hint
  apt install python$(version "$python")-venv    (to use Python $(version "$python"), which is there)"
        continue
    fi
    if ! command -v c++ >/dev/null && ! command -v g++ >/dev/null; then
        echo "There is Python $(version "$python"), but no C++ compiler to build PyBullet with."
        hint="$hint
  apt install g++ python$(version "$python")-dev    (to compile PyBullet for Python $(version "$python"))"
        break
    fi
    make_with "$python" || continue
    echo "PyBullet has no wheel for Python $(version "$python"): compiling it once, which takes about ten minutes."
    log=$folder/pybullet-build.log
    # without build isolation, so that it is built with NumPy: its pictures come as arrays then
    {
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt numpy setuptools &&
            "$folder/bin/python" -m pip install --disable-pip-version-check --no-build-isolation -c constraints.txt pybullet
    } >"$log" 2>&1 &
    build=$!
    minutes=0
    while kill -0 $build 2>/dev/null; do
        seconds=0
        while [ $seconds -lt 60 ] && kill -0 $build 2>/dev/null; do
            sleep 1
            seconds=$((seconds + 1))
        done
        minutes=$((minutes + 1))
        kill -0 $build 2>/dev/null && echo "  still compiling PyBullet, $minutes min"
    done
    if wait $build; then
        echo "PyBullet is compiled."
        exit 0
    fi
    echo "PyBullet could not be compiled; the last lines of the attempt were:" >&2
    tail -n 5 "$log" >&2
    rm -rf "$folder"
    hint="$hint
  apt install python$(version "$python")-dev    (headers, if they were what was missing)"
    break
done

# 4. What to do.
cat >&2 <<MESSAGE
diffkin's demo and tests need Python 3.11 or 3.10, for which PyBullet has wheels; none was found.
Install one:
  apt install python3.11 python3.11-venv    (Debian 12)
  brew install python@3.11                  (macOS)
  uv python install 3.11  or  pyenv install 3.11    (anywhere)$hint
or name it: make demo PYTHON=/path/to/python3.11
MESSAGE
exit 1
