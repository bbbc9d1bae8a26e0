#!/usr/bin/env python3
"""The middles of the golden photographs as torchvision's classifiers see them, at small sides, by Pillow.

    python scripts/golden/ici_crops.py tests/golden/images tests/golden/ici/crops.safetensors

`FILE|SIDE`: [SIDE, SIDE, 3] bytes of Resize(SIDE * 256 // 224), CenterCrop(SIDE). 25 and 39 leave 3 and 5 pixels of the shorter side,
whose halves are rounded to even. Needs numpy, safetensors, pillow and torchvision.
"""
import pathlib
import sys

import numpy as np
import torchvision.transforms as T
from PIL import Image
from safetensors.numpy import save_file

folder, out = sys.argv[1:]
crops = {}
for path in sorted(pathlib.Path(folder).iterdir()):
    with Image.open(path) as image:
        for side in (15, 25, 39):
            crop = T.Compose([T.Resize(side * 256 // 224), T.CenterCrop(side)])(image.convert("RGB"))
            crops[f"{path.name}|{side}"] = np.array(crop)
save_file(crops, out)
