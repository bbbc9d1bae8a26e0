#!/usr/bin/env python3
"""How far apart the frames of a burst are, and unrelated photos: bursts.py PIAA (needs NumPy and Pillow)

Of each of 80 sample photos three more frames are made as a hand would: turned by up to 2 degrees, zoomed and moved by up to 10 %, up to
10 % brighter or darker, saved again.  Prints CSV: the share of the usual distance up to which two are called alike (study/bursts.c), and
how many frames of a burst and how many pairs of unrelated photos that takes in.
"""
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

import numpy
from PIL import Image, ImageEnhance

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "sample", "photos")
FRAMES = 4


def frame(photo):
    width, height = photo.size
    share = random.uniform(0.9, 1)
    w, h = int(width * share), int(height * share)
    x, y = random.randint(0, width - w), random.randint(0, height - h)
    moved = photo.rotate(random.uniform(-2, 2), resample=Image.BICUBIC).crop((x, y, x + w, y + h)).resize((width, height), Image.BICUBIC)
    return ImageEnhance.Brightness(moved).enhance(random.uniform(0.9, 1.1))


random.seed(3)
with tempfile.TemporaryDirectory() as folder:
    photos, store = os.path.join(folder, "photos"), os.path.join(folder, "store")
    os.mkdir(photos)
    names = sorted(os.listdir(SAMPLE))[:80]
    for name in names:
        photo = Image.open(os.path.join(SAMPLE, name)).convert("RGB")
        for k in range(FRAMES):
            (frame(photo) if k else photo).save(os.path.join(photos, f"{name[:-4]}_{k}.jpg"), quality=90)
    subprocess.run([sys.argv[1], "embed", photos, "--out", store], check=True, capture_output=True)
    matrix = numpy.load(os.path.join(store, next(file for file in os.listdir(store) if file.endswith(".npy"))))
    rows = sqlite3.connect(os.path.join(store, "catalog.sqlite")).execute("select path, row from photos").fetchall()

matrix = (matrix - matrix.mean(0)) / numpy.where(matrix.std(0) > 0, matrix.std(0), 1)
vectors = {os.path.basename(path): matrix[row] for path, row in rows}
apart = lambda a, b: numpy.linalg.norm(vectors[f"{a[:-4]}_0.jpg"] - vectors[b])
other = numpy.array([apart(a, f"{b[:-4]}_0.jpg") for i, a in enumerate(names) for b in names[:i]])
same = numpy.array([apart(name, f"{name[:-4]}_{k}.jpg") for name in names for k in range(1, FRAMES)])
usual = numpy.median(other)
print("share,frames found,other pairs taken")
for share in (0.3, 0.4, 0.5, 0.6, 0.7):
    print(f"{share},{numpy.mean(same <= share * usual):.3f},{numpy.mean(other <= share * usual):.4f}")
