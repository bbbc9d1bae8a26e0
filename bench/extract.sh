#!/usr/bin/env bash
# Time feature extraction against the reference procedure, on one photo at two sizes, the runs of both in alternation:
#   a  piaa, text tokens at the default layer           b  piaa, every pool at every layer
#   c  Hugging Face transformers (bench/reference.py)   d  like a, with q4_K weights made on load
# Prints a CSV of medians and of ratios to c.  Needs build/release, 8 GB of disk in CACHE, 16 GB of memory, and the network once, for pip.
#   bench/extract.sh [--cache build/bench] [--size 2b] [--threads N] [--rounds 3] [--repeat 1]
set -euo pipefail
cd "$(dirname "$0")/.."
cache=build/bench size=2b threads=$(nproc 2>/dev/null || sysctl -n hw.ncpu) rounds=3 repeat=1 piaa=build/release/src/cli/piaa
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || set -- help help
    case $1 in
        --cache) cache=$2 ;; --size) size=$2 ;; --threads) threads=$2 ;; --rounds) rounds=$2 ;; --repeat) repeat=$2 ;; --piaa) piaa=$2 ;;
        *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -x "$piaa" ] || { echo "extract.sh: $piaa is not there; run \`make\` first" >&2; exit 1; }
mkdir -p "$cache"

python=${PIAA_PYTHON:-$(bench/venv.sh "$cache/venv")}   # PIAA_PYTHON: an interpreter that has the packages already
model=$cache/$size
if [ ! -f "$model/complete" ]; then
    "$python" bench/make_checkpoint.py "$model" --size "$size" >&2
    touch "$model/complete"
fi
photos=("$cache/coffee_512x384.png" "$cache/coffee_1024x672.png")
[ -f "${photos[1]}" ] || "$python" - "${photos[@]}" <<'EOF'
import sys
import skimage.data
from PIL import Image

for path, side in zip(sys.argv[1:], ((512, 384), (1024, 672))):   # PNG: both sides decode it to the same pixels
    Image.fromarray(skimage.data.coffee()).resize(side, Image.LANCZOS).save(path)
EOF

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export OMP_NUM_THREADS=$threads
for round in $(seq "$rounds"); do
    echo "Round $round of $rounds" >&2
    common=(--model "$model" --threads "$threads" --repeat "$repeat")
    "$piaa" bench "${common[@]}" --pool lt --dtype bf16 "${photos[@]}" > "$results/a.$round.csv"
    "$piaa" bench "${common[@]}" --pool lt,lt_tail,lv,v --layer all --dtype bf16 "${photos[@]}" > "$results/b.$round.csv"
    "$python" bench/reference.py "$model" "${photos[@]}" --threads "$threads" --repeat "$repeat" > "$results/c.$round.csv"
    "$piaa" bench "${common[@]}" --pool lt --dtype q4_K "${photos[@]}" > "$results/d.$round.csv"
done
"$python" bench/reference.py "$model" --threads "$threads" --gemm > "$results/gemm.csv"
python3 bench/ratios.py "$results"
