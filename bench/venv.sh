#!/bin/sh
# Makes a throw-away Python environment with the pinned packages that the benchmarks compare with, and prints its interpreter:
#   bench/venv.sh FOLDER [PACKAGE...]        (no package named: all of scripts/golden/requirements.txt, some gigabytes with PyTorch)
set -eu
folder=$1
shift
list=$(dirname "$0")/../scripts/golden/requirements.txt
if [ ! -f "$folder/complete" ]; then
    pinned=$(for name in "${@:-.*}"; do grep -E "^$name==" "$list"; done)
    echo "Installing into $folder:" $pinned >&2
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check $pinned >&2
    touch "$folder/complete"
fi
echo "$folder/bin/python"
