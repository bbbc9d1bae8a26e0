#!/usr/bin/env python3
"""How far what piaa says of one person's taste can be trusted, on data/para with the demonstration model (docs/statistics.md).

    python bench/taste.py build/release/src/cli/piaa [errors] [copies] [random]

errors   for 5 to 100 ratings of each of the 40 simulated raters (three draws; one of 100): root mean square error on the photos not learned from, over
         that claimed ("± x") and over the leave-one-out error of the alpha that leave-one-out chose (scikit-learn's RidgeCV); how many of the ratings
         lie in the interval; how many tastes are truly better than always guessing the mean; and how often each verdict is given: of the real
         ratings, of the same dealt to the photos at random, and of the real ones whose order of the unseen photos is good (Spearman above 0.3).
copies   of photos alone, how many are taken for near copies; of photos that all have a copy of one kind among them, how many copies are found.
random   "± x" of 40 photos with random ratings, with copies of each kind over that without.
Takes about ten minutes.  Needs numpy, scipy, scikit-learn and Pillow.
"""
import csv
import glob
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageEnhance
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/para")
VERDICTS = ("learned", "may be chance", "not learned")


def shifted(image, rng):
    """A second frame of a burst: a pixel or two further, with other noise."""
    pixels = np.roll(np.asarray(image, dtype=float), (1, 2), (0, 1)) + rng.normal(0, 2, np.shape(image))
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def crop(image, left, top, right, bottom):
    w, h = image.size
    return image.crop((round(w * left), round(h * top), round(w * (1 - right)), round(h * (1 - bottom))))


KINDS = {
    "JPEG, quality 60": lambda i, r: (i, 60),
    "JPEG, quality 75": lambda i, r: (i, 75),
    "JPEG, quality 85": lambda i, r: (i, 85),
    "JPEG, quality 95": lambda i, r: (i, 95),
    "a fortieth cropped on one side": lambda i, r: (crop(i, 0, 0, 1 / 40, 0), 92),
    "a fortieth cropped on two sides": lambda i, r: (crop(i, 1 / 40, 1 / 40, 0, 0), 92),
    "a fortieth cropped on all sides": lambda i, r: (crop(i, 1 / 40, 1 / 40, 1 / 40, 1 / 40), 92),
    "a twentieth cropped on all sides": lambda i, r: (crop(i, 1 / 20, 1 / 20, 1 / 20, 1 / 20), 92),
    "resized to 80 %": lambda i, r: (i.resize([round(.8 * n) for n in i.size], Image.LANCZOS), 92),
    "brighter by 5 %": lambda i, r: (ImageEnhance.Brightness(i).enhance(1.05), 92),
    "brighter by 15 %": lambda i, r: (ImageEnhance.Brightness(i).enhance(1.15), 92),
    "mirrored": lambda i, r: (i.transpose(Image.FLIP_LEFT_RIGHT), 92),
    "next frame of a burst": lambda i, r: (shifted(i, r), 92),
}


class Piaa:
    def __init__(self, program, folder):
        self.program, self.folder, self.store = program, folder, os.path.join(folder, "store")
        self.photos = sorted(glob.glob(DATA + "/imgs/*/*.jpg"))

    def __call__(self, *words):
        return subprocess.run([self.program, *words, "--threads", "1"] if words[0] == "embed" else [self.program, *words],
                              check=True, capture_output=True, text=True).stdout

    def embed(self, *folders):
        self("embed", *folders, "--out", self.store)
        rows = sqlite3.connect(self.store + "/catalog.sqlite").execute("select path, row from photos").fetchall()
        x = np.load(glob.glob(self.store + "/lt.*.npy")[0])
        return {path: x[row] for path, row in rows}

    def fit(self, ratings):
        with open(self.folder + "/r.csv", "w", newline="") as file:
            csv.writer(file).writerows([("path", "score"), *ratings])
        self("fit", "--store", self.store, "--ratings", self.folder + "/r.csv", "--out", self.folder + "/t.json")
        with open(self.folder + "/t.json") as file:
            return json.load(file)

    def predict(self):
        return json.loads(self("predict", "--taste", self.folder + "/t.json", "--store", self.store, "--json"))

    def copies(self):
        rng = np.random.default_rng(0)
        for k, kind in enumerate(KINDS.values()):
            os.makedirs(f"{self.folder}/{k}")
            for path in self.photos:
                image, quality = kind(Image.open(path).convert("RGB"), rng)
                image.save(f"{self.folder}/{k}/{os.path.basename(path)}", quality=quality)


def plain(x, y):
    """The leave-one-out error of the alpha that it chose."""
    model = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(StandardScaler().fit_transform(x.astype(float)), y)
    return np.sqrt(-model.best_score_)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def errors(piaa):
    x = piaa.embed(*{os.path.dirname(p) for p in piaa.photos})
    paths = {os.path.basename(p): p for p in x}
    people = {}
    with open(DATA + "/annotation/PARA-Images.csv") as file:
        for line in csv.DictReader(file):
            people.setdefault(line["userId"], []).append((paths[line["imageName"]], float(line["aestheticScore"])))
    rng = np.random.default_rng(1)
    print("ratings,tastes,real/claimed,real/plain,in interval,better than the mean," + ",".join(f"{of}: {v}" for of in ("real", "random", "good") for v in VERDICTS))
    for n in (5, 10, 20, 40, 100):
        found, verdicts = [], {of: [] for of in ("real", "random", "good")}
        for ratings in people.values():
            for _ in range(3 if n < 100 else 1):
                ratings = [ratings[i] for i in rng.permutation(len(ratings))]
                lesson, rest = ratings[:n], ratings[n:]
                dealt = list(zip([p for p, _ in lesson], rng.permutation([s for _, s in lesson])))
                if len({s for _, s in lesson}) < 2: continue
                taste, out = piaa.fit(lesson)["leave_one_out"], piaa.predict()
                score = {p["path"]: p["score"] for p in out["photos"]}
                e = np.array([score[p] - s for p, s in rest])
                mean = np.mean([s for _, s in lesson])
                inside = np.mean(np.abs(e) <= taste["interval"]) if taste["interval"] is not None else np.nan
                found.append((rms(e), taste["rmse"], plain(np.array([x[p] for p, _ in lesson]), [s for _, s in lesson]), inside,
                              rms(e) < rms([s - mean for _, s in rest])))
                verdicts["real"].append(out["verdict"])
                if spearmanr([score[p] for p, _ in rest], [s for _, s in rest])[0] > .3: verdicts["good"].append(out["verdict"])
                piaa.fit(dealt)
                verdicts["random"].append(piaa.predict()["verdict"])
        f = np.array(found, dtype=float)
        shares = [np.mean([v == verdict for v in verdicts[of]]) for of in verdicts for verdict in VERDICTS]
        print(f"{n},{len(f)},{rms(f[:, 0]) / rms(f[:, 1]):.3f},{rms(f[:, 0]) / rms(f[:, 2]):.3f},{np.mean(f[:, 3]):.3f},{np.mean(f[:, 4]):.2f},"
              + ",".join(f"{s:.2f}" for s in shares), flush=True)


def groups(piaa, paths, rng):
    return piaa.fit([(p, s) for p, s in zip(paths, rng.permutation(len(paths)))])["leave_one_out"]["groups"]


def copies(piaa):
    rng = np.random.default_rng(2)
    print("photos,taken for copies," + ",".join('"%s"' % k for k in KINDS))
    for n in (5, 10, 20, 40, 100, 200, 400):
        draws = max(1, 400 // n)
        chosen = [rng.choice(piaa.photos, n, replace=False) for _ in range(draws)]
        wrong = np.mean([n - groups(piaa, [os.path.realpath(p) for p in c], rng) for c in chosen]) / n
        row = [f"{wrong:.4f}"]
        for k in range(len(KINDS)):
            both = [[os.path.realpath(p) for p in c] + [f"{piaa.folder}/{k}/{os.path.basename(p)}" for p in c] for c in chosen[:10]]
            row.append(f"{np.mean([2 * n - groups(piaa, b, rng) for b in both]) / n:.2f}")
        print(n, *row, sep=",", flush=True)


def random(piaa):
    rng = np.random.default_rng(3)
    print("kind,± x with copies / without")
    chosen = [(rng.choice(piaa.photos, 40, replace=False), rng.integers(1, 6, 40)) for _ in range(20)]
    alone = [piaa.fit([(os.path.realpath(p), s) for p, s in zip(*c)])["leave_one_out"]["rmse"] for c in chosen]
    for k, kind in enumerate(KINDS):
        both = [piaa.fit([(p, s) for photo, s in zip(*c) for p in (os.path.realpath(photo), f"{piaa.folder}/{k}/{os.path.basename(photo)}")]) for c in chosen]
        print(f'"{kind}",{rms([t["leave_one_out"]["rmse"] for t in both]) / rms(alone):.3f}', flush=True)


def main(program, *parts):
    parts = parts or ("errors", "copies", "random")
    with tempfile.TemporaryDirectory() as folder:
        piaa = Piaa(os.path.abspath(program), os.path.realpath(folder))
        if "errors" in parts: errors(piaa)
        if "copies" in parts or "random" in parts:
            piaa.copies()
            piaa.embed(*{os.path.dirname(p) for p in piaa.photos}, *(f"{folder}/{k}" for k in range(len(KINDS))))
        if "copies" in parts: copies(piaa)
        if "random" in parts: random(piaa)


main(*sys.argv[1:])
