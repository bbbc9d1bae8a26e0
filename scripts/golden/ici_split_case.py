#!/usr/bin/env python3
"""A made-up PARA table large enough for the published split builder: python ici_split_case.py OUT

260 people rate 200 of 12,000 images each: 200 are drawn for evaluation and some images are left for training.  Rows are
in a mixed order; a few ratings are doubled; a few lack an attribute score (such a row trains but is not drawn from); a
few lack the aesthetic score (such a row does neither).
"""
import os, sys
import numpy as np
import pandas as pd
out = sys.argv[1]
os.makedirs(os.path.join(out, "annotation"), exist_ok=True)
r = np.random.default_rng(20261125)
users = [f"A{u:04x}" for u in r.choice(65536, 260, replace=False)]
rows = []
for u in users:
    n = int(r.integers(150, 251)) if r.random() < 0.15 else 200
    for i in r.choice(12000, n, replace=False):
        rows.append((f"session{i // 70 + 1}", f"iaa_pub{i:05d}_.jpg", u, 1 + int(r.integers(9)) / 2))
rows += [rows[int(i)] for i in r.choice(len(rows), 60, replace=False)]
df = pd.DataFrame(rows, columns=["sessionId", "imageName", "userId", "aestheticScore"]).iloc[r.permutation(len(rows))].reset_index(drop=True)
for s in ("quality", "composition", "color", "dof", "light", "content"):
    df[s + "Score"] = 3.0
df.loc[r.choice(len(df), 700, replace=False), "lightScore"] = np.nan
df.loc[r.choice(len(df), 400, replace=False), "aestheticScore"] = np.nan
df.to_csv(os.path.join(out, "annotation", "PARA-Images.csv"), index=False)
images = df.groupby(["sessionId", "imageName"], sort=True)["aestheticScore"].agg(list).reset_index()
bins = [1 + b / 2 for b in range(9)]
m = images[["sessionId", "imageName"]].copy()
for b in bins:
    m[f"aestheticScore_{b:.1f}"] = [sum(v == b for v in s) for s in images["aestheticScore"]]
for s in ("aesthetic", "quality", "composition", "color", "dof", "light", "content"):
    m[s + "Score_mean"] = [round(float(np.nanmean(v)), 4) if s == "aesthetic" and not np.isnan(v).all() else 3.0 for v in images["aestheticScore"]]
cut = r.permutation(len(m))
m.iloc[sorted(cut[1200:])].to_csv(os.path.join(out, "annotation", "PARA-GiaaTrain.csv"), index=False)
m.iloc[sorted(cut[:1200])].to_csv(os.path.join(out, "annotation", "PARA-GiaaTest.csv"), index=False)
pick = lambda *v: [v[int(i)] for i in r.integers(len(v), size=len(users))]
pd.DataFrame(dict(userId=users, age=pick("18-21", "22-25", "26-29", "30-34", "35-40"), gender=pick("male", "female"), EducationalLevel=pick("junior_college", "university"),
                  artExperience=pick("beginner", "expert"), photographyExperience=pick("beginner", "proficient"), **{f"personality-{t}": r.integers(1, 11, len(users)) for t in "EANOC"})
             ).sort_values("userId").to_csv(os.path.join(out, "annotation", "PARA-UserInfo.csv"), index=False)
