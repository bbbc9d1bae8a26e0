"""What 10^5, 10^6 and 10^7 photos take: the tables of docs/scale.md, calculated.

    python3 bench/scale.py

Seconds of one core are those measured in docs/performance.md, or, where a model was not measured, its arithmetic
over the rate that was; prices are named with their dates.
"""

PHOTOS = [10**5, 10**6, 10**7]

# us-east-1, Linux, on demand, October 2026: a core of c7a.8xlarge (32 cores, 1.64224 an hour); g6.xlarge (one L4).
CORE_HOUR = 1.64224 / 32
L4_HOUR = 0.8048
L4_RATE = 121e12 / 3  # of its peak in bfloat16: what is assumed, not measured


def block(hidden, heads, keys, inner, width=128):
    """Numbers in the matrices of one decoder block."""
    return hidden * width * (2 * heads + 2 * keys) + 3 * hidden * inner


SMALL = block(2048, 16, 8, 6144)  # Qwen3-VL-2B, 28 blocks
LARGE = block(2560, 32, 8, 9728)  # Qwen3-VL-4B, 36 blocks
# 2B at the default layer, measured: FLOP, tokens, FLOP a second of one core.  The vision encoder of 4B is the same.
SIZES = {"512x384": (797e9, 207, 215e9), "1024x672": (3267e9, 687, 211e9)}


def work_4b(size, blocks):
    flop, tokens, _ = SIZES[size]
    return flop + 2 * tokens * (LARGE * blocks - SMALL * 12)


MEASURED = [
    ("Qwen3-VL-2B, LT12", "512x384", 3.7),
    ("Qwen3-VL-2B, LT12", "1024x672", 15.5),
    ("Qwen3-VL-2B, all layers and pools", "512x384", 2 * 2.822),
    ("Qwen3-VL-2B, all layers and pools", "1024x672", 2 * 11.356),
    ("Gemma 3 4B, LT14", "896x896", 30.5),
    ("DINOv3 ViT-B/16, all layers", "224x224", 0.187),
]
CALCULATED = [
    (f"Qwen3-VL-4B, {name}", size, work_4b(size, blocks) / SIZES[size][2])
    for name, blocks in [("LT15", 15), ("all layers and pools", 36)]
    for size in SIZES
]


def digits(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def hours(seconds):
    return [seconds * n / 3600 for n in PHOTOS]


def bytes_text(value):
    for unit in ["MB", "GB", "TB"]:
        value /= 1e3 if unit != "MB" else 1e6
        if value < 1000:
            return f"{value:.3g} {unit}"
    return f"{value:.3g} TB"


def main():
    print("| what | photo | core seconds | hours of a core: 10^5, 10^6, 10^7 photos | dollars |\n|---|---|---|---|---|")
    for rows, how in [(MEASURED, ""), (CALCULATED, ", calculated")]:
        for name, size, seconds in rows:
            spent = hours(seconds)
            print(
                f"| {name} | {size} | {seconds:.3g}{how} | {', '.join(digits(h) for h in spent)} "
                f"| {', '.join(digits(h * CORE_HOUR) for h in spent)} |"
            )
    for size in SIZES:
        spent = hours(work_4b(size, 15) / L4_RATE)
        print(
            f"| Qwen3-VL-4B, LT15, on an L4 | {size} | {spent[0] * 3600 / PHOTOS[0]:.2g} of the GPU, calculated "
            f"| {', '.join(digits(h) for h in spent)} | {', '.join(digits(h * L4_HOUR) for h in spent)} |"
        )
    print("\n| in a store | bytes of a photo, f32 | 10^5, 10^6, 10^7 photos: f32 | f16 or bf16 | int8 |\n|---|---|---|---|---|")
    for name, numbers in [
        ("Qwen3-VL-4B, LT15", 2560),
        ("Qwen3-VL-4B, all layers and pools", 37 * 3 * 2560 + 24 * 1024),
        ("Qwen3-VL-2B, LT12", 2048),
        ("Qwen3-VL-2B, all layers and pools", 29 * 3 * 2048 + 24 * 1024),
    ]:
        kinds = [", ".join(bytes_text(width * numbers * n) for n in PHOTOS) for width in (4, 2, 1)]
        print(f"| {name} | {4 * numbers:,} | {' | '.join(kinds)} |")


main()
