#!/usr/bin/env python3
"""Write tests/golden/gguf_types/types.gguf: random blocks of every ggml type that the gguf package can read, and the values it reads.

    python scripts/golden/gguf_types.py [OUT]      (default tests/golden/gguf_types/types.gguf; packages in requirements.txt beside this file)

Tensor NAME holds the blocks, NAME.values the same as float32.
"""
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

# Where a block keeps its float16 scales, which random bytes would make infinite or worse.
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82], Type.Q3_K: [108],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ2_XXS: [0], Type.IQ2_XS: [0], Type.IQ2_S: [0], Type.IQ3_XXS: [0],
    Type.IQ3_S: [0], Type.IQ1_S: [0], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.TQ1_0: [52], Type.TQ2_0: [64],
}


def main() -> None:
    out = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/gguf_types/types.gguf"
    random = np.random.default_rng(5)
    writer = gguf.GGUFWriter(out, "types")
    for kind in Type:
        if kind in (Type.F32, Type.F16, Type.BF16):
            blocks = quants.quantize(random.standard_normal((2, 64)).astype(np.float32), kind)
        elif kind in SCALES:
            block, size = gguf.GGML_QUANT_SIZES[kind]
            count = 2 if block == 256 else 4
            blocks = random.integers(0, 256, (2, count, size), dtype=np.uint8)
            for at in SCALES[kind]:
                scale = (random.standard_normal((2, count)) * 0.1).astype(np.float16)
                blocks[:, :, at:at + 2] = scale.view(np.uint8).reshape(2, count, 2)
            blocks = blocks.reshape(2, -1)
        else:
            continue
        values = quants.dequantize(blocks, kind)
        assert np.isfinite(values).all(), kind
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        writer.add_tensor(kind.name + ".values", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
