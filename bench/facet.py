#!/usr/bin/env python3
"""piaa's page and Facet (https://github.com/ncoevoet/facet) on the same photos: what their servers take for what their pages ask.

    python bench/browse.py BUILD/src/cli/piaa --world FOLDER       # makes 40,000 photos and a store of them, and keeps both
    python bench/facet.py BUILD/src/cli/piaa FOLDER FACET          # FACET: a checkout; this Python has what its server imports

Facet's scan needs gigabytes of models, so that its database is filled with what a scan leaves there, made up: a thumbnail of 640 pixels, 768
numbers and a few scores of each photo.  Both are asked by one client over six connections, as a browser has, for what a page asks for:

    first_screen    the list (Facet: 64 photos of it; piaa: all names, the state and the scores) and 35 small pictures; milliseconds
    scroll          400 small pictures, and of Facet the pages of 64 that they are on; milliseconds.  piaa makes them from the photos the first
                    time, as Facet did in its scan, and keeps them
    rate            from a rating to its answer; median and most, milliseconds
    learn           from there until every photo has its new score, milliseconds: piaa by itself after each rating; of Facet the functions that it
                    calls by itself once 25 ratings have come and then none for 60 s (scoring_config.json, auto_retrain)
    memory          the server's own (RssAnon), megabytes

Prints CSV.  Needs numpy and Pillow, and of Facet fastapi, uvicorn, pyjwt, aiosqlite, scipy, scikit-learn, opencv-python-headless and the like.
"""
import argparse
import concurrent.futures
import http.client
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

import numpy as np
from PIL import Image

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("piaa")
options.add_argument("world")
options.add_argument("facet")
options = options.parse_args()
photos = os.path.realpath(os.path.join(options.world, "photos"))
names = sorted(os.listdir(photos))
RATED, FIRST, SCROLLED, PAGE = 100, 35, 400, 64


class Client:
    """Six connections to one server."""

    def __init__(self, host):
        self.host, self.own = host, threading.local()
        self.pool = concurrent.futures.ThreadPoolExecutor(6)

    def ask(self, path, body=None):
        headers = {"Origin": "http://" + self.host, "Content-Type": "application/json"}
        for last in (False, True):  # a connection that was kept may have been closed meanwhile
            if last or not hasattr(self.own, "connection"):
                self.own.connection = http.client.HTTPConnection(self.host)
            try:
                self.own.connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
                answer = self.own.connection.getresponse()
                break
            except (OSError, http.client.HTTPException):
                if last:
                    raise
        said = answer.read()
        assert answer.status == 200, (path, answer.status, said[:200])
        return said

    def ask_all(self, paths):
        list(self.pool.map(self.ask, paths))


def timed(what):
    begin = time.perf_counter()
    what()
    return (time.perf_counter() - begin) * 1e3


def own_memory(process):
    return int(re.search(r"RssAnon:\s+(\d+)", open(f"/proc/{process.pid}/status").read())[1]) / 1024


def show(name, *values):
    print(",".join([name] + [f"{value:.0f}" for value in values]), flush=True)


def measure(name, client, first, scroll, rate, learn, lessons, process):
    """rate(i) and learn(i) are for rating i."""
    show(name + "_first_screen", timed(first))
    show(name + "_scroll", timed(scroll))
    if not rate:
        return
    for i in range(RATED):
        rate(i)
    time.sleep(5)
    waits = [(timed(lambda: rate(i)), timed(lambda: learn(i))) for i in range(RATED, RATED + lessons)]
    for part, values in zip(("rate", "learn"), zip(*waits)):
        show(f"{name}_{part}", statistics.median(values), max(values))
    show(name + "_memory", own_memory(process))


def rating(i):
    return i * 37 % len(names), 1 + i * 7 % 5


def measure_piaa():
    environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(options.world, "cache"), XDG_DATA_HOME=os.path.join(options.world, "data"))
    for folder in ("cache", "data"):
        shutil.rmtree(os.path.join(options.world, folder), ignore_errors=True)
    process = subprocess.Popen([options.piaa, "browse", photos, "--no-open", "--store", os.path.join(options.world, "store"), "--model", os.path.join(options.world, "model"),
                                "--layer", "1"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        address = next(found for line in process.stderr if (found := re.search(r"http://([^/]+)(/\S+/)", line)))
        client, base = Client(address[1]), address[2]

        def first():
            client.ask_all(base + "api/" + what for what in ("list", "state", "scores"))
            client.ask_all(f"{base}small/{i}/0" for i in range(FIRST))

        def learn(i):
            while (json.loads(client.ask(base + "api/state"))["learned"] or {"ratings": 0})["ratings"] <= i:
                time.sleep(0.005)
            client.ask(base + "api/scores")

        def rate(i):
            client.ask(base + "api/rate", dict(zip(("photo", "score"), rating(i))))

        def scroll():
            client.ask_all(f"{base}small/{i}/0" for i in range(FIRST, FIRST + SCROLLED))

        measure("piaa_cold", client, first, scroll, None, None, 0, process)
        measure("piaa", client, first, scroll, rate, learn, 10, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def fill_facet(database):
    subprocess.run([sys.executable, "-c", f"from db.schema import init_database; init_database({database!r})"], cwd=options.facet, check=True, capture_output=True)
    rng, thumbnails, connection = np.random.default_rng(1), {}, sqlite3.connect(database)
    for i, name in enumerate(names):
        inode = os.stat(os.path.join(photos, name)).st_ino
        if inode not in thumbnails:
            small, bytes_ = Image.open(os.path.join(photos, name)), io.BytesIO()
            small.thumbnail((640, 640))
            small.save(bytes_, "JPEG", quality=80)
            thumbnails[inode] = bytes_.getvalue()
        connection.execute("INSERT INTO photos(path, filename, date_taken, image_width, image_height, aesthetic, aggregate, category, clip_embedding, thumbnail) "
                           "VALUES(?, ?, ?, 1200, 800, ?, ?, 'default', ?, ?)",
                           (os.path.join(photos, name), name, f"2024:01:{1 + i % 28:02} 10:00:00", *rng.uniform(2, 9, 2), rng.standard_normal(768, dtype=np.float32).tobytes(), thumbnails[inode]))
    connection.commit()
    connection.close()


def measure_facet():
    database, port = os.path.join(options.world, "facet.db"), 5617
    if not os.path.exists(database):
        fill_facet(database)
    environment = dict(os.environ, DB_PATH=database)
    process = subprocess.Popen([sys.executable, "viewer.py", "--production", "--host", "127.0.0.1", "--port", str(port)], cwd=options.facet, env=environment, stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    try:
        client, listed = Client(f"127.0.0.1:{port}"), []
        for _ in range(600):
            try:
                client.ask("/api/photos?page=1")
                break
            except OSError:
                time.sleep(0.1)

        def page(number):
            paths = [photo["path"] for photo in json.loads(client.ask(f"/api/photos?page={number}&per_page={PAGE}&sort=aggregate"))["photos"]]
            return ["/thumbnail?size=320&path=" + urllib.parse.quote(path) for path in paths]

        def first():
            listed[:] = page(1)
            client.ask_all(listed[:FIRST])

        def scroll():
            for number in range(2, 2 + -(-SCROLLED // PAGE)):
                listed.extend(page(number))
            client.ask_all(listed[FIRST:FIRST + SCROLLED])

        def rate(i):
            photo, score = rating(i)
            client.ask("/api/photo/set_rating", {"photo_path": os.path.join(photos, names[photo]), "rating": score})

        words = f"""import sys, time
from optimization.label_pairs import sync_label_comparisons
from optimization.personal_ranker import train_ranker
for line in sys.stdin:
    sync_label_comparisons({database!r})
    print(train_ranker({database!r}, force=True), flush=True)
"""
        trainer = subprocess.Popen([sys.executable, "-c", words], cwd=options.facet, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)

        def learn(i):
            trainer.stdin.write("\n")
            trainer.stdin.flush()
            said = trainer.stdout.readline()
            assert f"'written': {len(names)}" in said, said

        measure("facet_first_time", client, first, scroll, None, None, 0, process)
        measure("facet", client, first, scroll, rate, learn, 3, process)
        trainer.stdin.close()
        trainer.wait()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


measure_piaa()
measure_facet()
