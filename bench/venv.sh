#!/bin/sh
# Makes a throw-away Python environment with the pinned packages that the benchmarks compare with, and prints its interpreter:
#   bench/venv.sh FOLDER [PACKAGE...]        (no package named: all of scripts/golden/requirements.txt, some gigabytes with PyTorch;
#                                             PACKAGE==VERSION: one that is not there)
set -eu
folder=$1
shift
list=$(dirname "$0")/../scripts/golden/requirements.txt
if [ ! -f "$folder/complete" ]; then
    pinned=$(for name in "${@:-.*}"; do case $name in *==*) echo "$name" ;; *) grep -E "^$name==" "$list" ;; esac; done)
    echo "Installing into $folder:" $pinned >&2
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check $pinned >&2
    touch "$folder/complete"
fi
echo "$folder/bin/python"
