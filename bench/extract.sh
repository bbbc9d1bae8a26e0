#!/usr/bin/env bash
# Time feature extraction against Hugging Face transformers (bench/reference.py), on the same pixels and threads, the runs of both in
# alternation.  Of a model that reads text: text tokens at the default layer (in bfloat16, and in q4_K made on load) and every pool at every
# layer, against the reference procedure in bfloat16.  Of a vision model: every layer and vector, in float32 and in bfloat16.
# Prints a CSV of medians and of ratios (bench/ratios.py says which).  Needs build/release, disk in CACHE (2 bytes for each parameter), memory
# for twice the weights, and the network once, for pip.  PIAA_PYTHON: an interpreter that has the packages already.
#   bench/extract.sh [--model qwen3-vl-2b|gemma-3-4b|dinov3-vitb16|…|families] [--cache build/bench] [--threads N] [--rounds 3]
#                    [--repeat 1] [--piaa build/release/src/cli/piaa]      families: Gemma 3, DINOv3, CLIP and SigLIP one after the other
set -euo pipefail
cd "$(dirname "$0")/.."
cache=build/bench model=qwen3-vl-2b threads=$(nproc 2>/dev/null || sysctl -n hw.ncpu) rounds=3 repeat=1 piaa=build/release/src/cli/piaa
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || set -- help help
    case $1 in
        --cache) cache=$2 ;; --model) model=$2 ;; --threads) threads=$2 ;; --rounds) rounds=$2 ;; --repeat) repeat=$2 ;; --piaa) piaa=$2 ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -x "$piaa" ] || { echo "extract.sh: $piaa is not there; run \`make\` first" >&2; exit 1; }
mkdir -p "$cache"

python=${PIAA_PYTHON:-$(bench/venv.sh "$cache/venv")}
photos=("$cache/coffee_512x384.png" "$cache/coffee_1024x672.png")
[ -f "${photos[1]}" ] || "$python" - "${photos[@]}" <<'PYTHON'
import sys
import skimage.data
from PIL import Image

for path, side in zip(sys.argv[1:], ((512, 384), (1024, 672))):   # PNG: both sides decode it to the same pixels
    Image.fromarray(skimage.data.coffee()).resize(side, Image.LANCZOS).save(path)
PYTHON

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export OMP_NUM_THREADS=$threads

# ours NAME DTYPE SLOTS..., theirs DTYPE: one run into NAME.DTYPE.ROUND.csv
ours() {
    echo "  piaa $1 $2" >&2
    "$piaa" bench --model "$folder" --threads "$threads" --repeat "$repeat" --dtype "$2" "${@:3}" "${used[@]}" > "$out/$1.$2.$round.csv"
}
theirs() {
    echo "  transformers $1" >&2
    "$python" bench/reference.py "$folder" "${used[@]}" --dtype "$1" --threads "$threads" --repeat "$repeat" > "$out/transformers.$1.$round.csv"
}

measure() {
    folder=$cache/$1 out=$results/$1 used=("${photos[@]}")
    mkdir "$out"
    if [ ! -f "$folder/complete" ]; then
        "$python" bench/make_checkpoint.py "$folder" --model "$1" >&2
        touch "$folder/complete"
    fi
    case $1 in qwen*|tiny) ;; *) used=("${photos[1]}") ;; esac     # the others read every photo at one size
    for round in $(seq "$rounds"); do
        echo "$1: round $round of $rounds" >&2
        case $1 in
            qwen*|tiny|gemma*)
                ours default bf16 --pool lt
                ours all bf16 --pool lt,lt_tail,lv,v --layer all
                theirs bf16
                ours default q4_K --pool lt ;;
            *)
                given=pooled
                [ "$1" != clip-vitl14 ] || given=projected
                for dtype in f32 bf16; do
                    ours all "$dtype" --pool "v,$given" --layer all
                    theirs "$dtype"
                done ;;
        esac
    done
    python3 bench/ratios.py "$1" "$out"
}

[ "$model" != families ] || model="dinov3-vitb16 clip-vitl14 siglip-so400m gemma-3-4b"
for name in $model; do measure "$name"; done
"$python" bench/reference.py "$cache" --threads "$threads" --gemm | python3 -c '
import csv, sys
peak = max(float(row["gflop_per_s"]) for row in csv.DictReader(sys.stdin))
print(f"Bfloat16 matrix-product peak of this machine in PyTorch: {peak:.0f} GFLOP/s", file=sys.stderr)'
