#!/usr/bin/env python3
"""The page with 40,000 photos: what a person waits for.

    python bench/browse.py BUILD/src/cli/piaa [--photos 40000] [--columns 2560] [--ratings 100] [--world FOLDER]

Makes, in a folder of its own that is deleted afterwards (--world: that one, which is kept and used again), a few hundred pictures with many names each (hard links), a store with made-up features
of them, and a model of the demonstration's kind that is as wide as Qwen3-VL-4B; no photo is read by it.  Prints CSV, milliseconds and megabytes:

    first_screen        from opening the address to the last picture in sight; cold (no small picture was ever made) and again
    blank               the longest that a tile in sight had no picture while scrolled past, 2,000 pixels a second for 5 seconds; cold and again
    next_photo          from an arrow key in the large view to the next photo, 3 keys a second (median and most)
    rating_server       from sending a rating to having fetched a state that has learned from it (median and most)
    rating_page         from the key to tiles in their new order (median and most)
    list, state, scores what the page asks for when it opens, at the client (least of 10)
    small_picture       processor time of the server for one of them, made from the photo
    order               processor time of the page for putting all photos in order
    load                how many processes wanted a processor, in the last minute, before and after: what else went on
    memory              the server's own (RssAnon), and with the store's pages that it shares with the system's cache (VmRSS): when it starts,
                        the model's weights above all, and at the end

Needs numpy, Pillow, playwright and Debian's chromium (as tests/browse/browser.py).
"""
import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "demo")
PICTURES = 400
options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("piaa")
options.add_argument("--photos", type=int, default=40000)
options.add_argument("--columns", type=int, default=2560)
options.add_argument("--ratings", type=int, default=100, help="before those that are timed")
options.add_argument("--world", help="a folder for what is made, kept for the next run")
options = options.parse_args()


def make_photos(folder, rng):
    """1200 x 800: blobs of colour and some grain."""
    os.mkdir(folder)
    for i in range(min(PICTURES, options.photos)):
        small = Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).resize((1200, 800), Image.BICUBIC)
        grain = rng.integers(-12, 13, (800, 1200, 1))
        Image.fromarray(np.clip(np.asarray(small) + grain, 0, 255).astype(np.uint8)).save(os.path.join(folder, f"{i:06}.jpg"), quality=85)
    for i in range(PICTURES, options.photos):
        os.link(os.path.join(folder, f"{i % PICTURES:06}.jpg"), os.path.join(folder, f"{i:06}.jpg"))


def make_model(folder):
    """The demonstration model's first two blocks, of another width, all weights zero."""
    shutil.copytree(DEMO, folder)
    config = json.load(open(os.path.join(DEMO, "config.json")))
    text, was = config["text_config"], config["text_config"]["hidden_size"]
    text.update(hidden_size=options.columns, num_attention_heads=2, num_hidden_layers=2)
    config["vision_config"]["out_hidden_size"] = options.columns
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    path, head, end = os.path.join(folder, "model.safetensors"), {}, 0
    with open(path, "rb") as file:
        tensors = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    for name, tensor in tensors.items():
        block = re.search(r"language_model\.layers\.(\d+)", name)
        if name == "__metadata__" or block and int(block[1]) >= 2:
            continue
        shape = [options.columns if n == was else n for n in tensor["shape"]]
        if "q_proj" in name:
            shape[0] = 2 * text["head_dim"]
        elif "o_proj" in name:
            shape[1] = 2 * text["head_dim"]
        size = int(np.prod(shape)) * (4 if tensor["dtype"] == "F32" else 2)
        head[name] = dict(dtype=tensor["dtype"], shape=shape, data_offsets=[end, end + size])
        end += size
    words = json.dumps(head).encode()
    with open(path, "wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        file.truncate(8 + len(words) + end)


def make_store(world, environment, rng):
    """One photo is read, for a store with the right identity; then all lines and the matrix are written over."""
    one, store = os.path.join(world, "one"), os.path.join(world, "store")
    os.mkdir(one)
    Image.new("RGB", (64, 64)).save(os.path.join(one, "one.jpg"))
    subprocess.run([options.piaa, "embed", one, "--out", store, "--model", os.path.join(world, "model"), "--layer", "1"], env=environment, check=True, capture_output=True)
    matrix = os.path.join(store, "lt.1.npy")
    size = 1 / np.sqrt(1 + np.arange(256, dtype=np.float32))
    mixing = rng.standard_normal((256, options.columns), dtype=np.float32)
    x = np.lib.format.open_memmap(matrix, "w+", np.float32, (options.photos, options.columns))
    for first in range(0, options.photos, 4000):
        n = min(4000, options.photos - first)
        x[first:first + n] = (rng.standard_normal((n, 256), dtype=np.float32) * size) @ mixing + .1 * rng.standard_normal((n, options.columns), dtype=np.float32)
    x.flush()
    catalog = sqlite3.connect(os.path.join(store, "catalog.sqlite"))
    batch = catalog.execute("SELECT batch FROM vectors").fetchone()[0]
    catalog.execute("DELETE FROM photos")
    catalog.execute("DELETE FROM vectors")
    photos = os.path.realpath(os.path.join(world, "photos"))
    for i, name in enumerate(sorted(os.listdir(photos))):
        status = os.stat(os.path.join(photos, name))
        catalog.execute("INSERT INTO vectors(row, hash, slots, checksum, batch) VALUES(?, ?, x'01', 0, ?)", (i, f"{i:064x}", batch))
        catalog.execute("INSERT INTO photos(path, size, mtime_ns, hash, row, ctime_ns, inode) VALUES(?, ?, ?, ?, ?, ?, ?)",
                        (os.path.join(photos, name), status.st_size, status.st_mtime_ns, f"{i:064x}", i, status.st_ctime_ns, status.st_ino))
    catalog.commit()
    catalog.close()


def make_world(world, environment):
    rng = np.random.default_rng(1)
    os.makedirs(world, exist_ok=True)
    make_photos(os.path.join(world, "photos"), rng)
    make_model(os.path.join(world, "model"))
    make_store(world, environment, rng)


class Server:
    def __init__(self, world, environment):
        self.process = subprocess.Popen([options.piaa, "browse", os.path.join(world, "photos"), "--no-open", "--store", os.path.join(world, "store"), "--model",
                                         os.path.join(world, "model"), "--layer", "1"], env=environment, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if address := re.search(r"http://\S+/", line):
                self.address = address[0]
                return
        sys.exit("piaa browse ended")

    def ask(self, path, body=None):
        host = self.address.split("/")[2]
        request = urllib.request.Request(self.address + path, data=json.dumps(body).encode() if body else None, headers={"Origin": "http://" + host})
        return json.load(urllib.request.urlopen(request))

    def learned(self):
        return (self.ask("api/state")["learned"] or {"ratings": 0})["ratings"]

    def until_learned(self, count, seconds=60):
        """Asks when the server says that something has changed: asking all the time would be a load of its own."""
        with urllib.request.urlopen(self.address + "api/events", timeout=seconds) as events:
            for line in events:
                if line.startswith(b"data:") and self.learned() == count:
                    return
        sys.exit("nothing was learned")

    def processor_time(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")

    def memory(self, key):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(key + r":\s+(\d+)", status)[1]) / 1024


IN_SIGHT = """() => {
  const box = document.getElementById("scroller").getBoundingClientRect();
  return [...document.querySelectorAll(".tile")].filter((t) => { const r = t.getBoundingClientRect(); return r.bottom > box.top && r.top < box.bottom; });
}"""
FULL = "() => { const seen = (%s)(); return seen.length > 0 && seen.every((t) => t.querySelector('img')?.naturalWidth > 0); }" % IN_SIGHT
SCROLL = """() => new Promise((done) => {
  const scroller = document.getElementById("scroller"), sight = %s, since = new Map(), begin = performance.now();
  let longest = 0;
  scroller.scrollTop = 0;
  const frame = (now) => {
    scroller.scrollTop = 2 * Math.max(0, now - begin);
    const seen = new Set();
    for (const tile of sight()) {
      const photo = tile.dataset.photo;
      if (tile.querySelector("img")?.complete) continue;
      seen.add(photo);
      if (!since.has(photo)) since.set(photo, now);
      longest = Math.max(longest, now - since.get(photo));
    }
    for (const photo of since.keys()) if (!seen.has(photo)) since.delete(photo);
    if (now - begin < 5000) requestAnimationFrame(frame); else done(longest);
  };
  requestAnimationFrame(frame);
})""" % IN_SIGHT
# Both are set before the key and give milliseconds after it.
NEXT = """() => { const image = document.getElementById("photo"), was = image.src;
  window.waited = new Promise((done) => addEventListener("keydown", () => { const begin = performance.now();
    const frame = () => image.src !== was && image.complete && image.naturalWidth ? image.decode().then(() => done(performance.now() - begin)) : setTimeout(frame, 1);
    frame(); }, { capture: true, once: true })); }"""
RATED = """async () => { const page = (await import(location.href + "page.js")).page, was = page.state.learned.ratings;
  window.waited = new Promise((done) => addEventListener("keydown", () => { const begin = performance.now();
    const frame = () => page.state.learned?.ratings === was + 1 ? done(performance.now() - begin) : setTimeout(frame, 1);
    frame(); }, { capture: true, once: true })); }"""


def first_screen(page, server):
    begin = time.perf_counter()
    page.goto(server.address, wait_until="commit")  # its "load" waits for pictures below what is seen, too
    page.wait_for_function(FULL)
    return (time.perf_counter() - begin) * 1e3


def keyed(page, key, prepare, count):
    times = []
    for _ in range(count):
        page.evaluate(prepare)
        page.keyboard.press(key)
        times.append(page.evaluate("window.waited"))
        page.wait_for_timeout(330)
    return statistics.median(times), max(times)


def show(name, *values):
    print(",".join([name] + [f"{value:.0f}" for value in values]), flush=True)


def show_parts(server, page, world):
    for what in ("list", "state", "scores"):
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            urllib.request.urlopen(f"{server.address}api/{what}").read()
            times.append((time.perf_counter() - begin) * 1e3)
        show(what, min(times))
    made = lambda: len(os.listdir(os.path.join(world, "cache", "piaa", "pictures", "320")))  # ahead of the eye, too
    before, begin = made(), server.processor_time()
    for photo in range(options.photos // 2, options.photos // 2 + min(200, options.photos // 2)):
        urllib.request.urlopen(f"{server.address}small/{photo}").read()
    show("small_picture", (server.processor_time() - begin) / max(1, made() - before))
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    spent = lambda: next(metric["value"] for metric in session.send("Performance.getMetrics")["metrics"] if metric["name"] == "TaskDuration")
    begin = spent()
    page.evaluate("async () => { const { arrange } = await import(location.href + 'grid.js'); for (let i = 0; i < 20; i++) arrange(); }")
    show("order", (spent() - begin) * 1e3 / 20)


def measure(server, browser, world):
    show("memory_start", server.memory("RssAnon"), server.memory("VmRSS"))
    for name in ("cold", "again"):
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        show("first_screen_" + name, first_screen(page, server))
        page.locator("#order").select_option("name")
        page.wait_for_function(FULL)
        show("blank_" + name, page.evaluate(SCROLL))
        page.context.close()
    for i in range(options.ratings):
        server.ask("api/rate", {"photo": i * 37 % options.photos, "score": 1 + i * 7 % 5})
    server.until_learned(options.ratings)
    time.sleep(5)  # what teaches most is chosen meanwhile
    times = []
    for i in range(10):
        begin = time.perf_counter()
        server.ask("api/rate", {"photo": (i * 37 + 18) % options.photos, "score": 1 + i % 5})
        server.until_learned(options.ratings + i + 1)
        times.append((time.perf_counter() - begin) * 1e3)
        time.sleep(1)
    show("rating_server", statistics.median(times), max(times))
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    first_screen(page, server)
    page.locator("#order").select_option("score")
    page.locator("#show").select_option("unrated")
    page.wait_for_function(FULL)
    page.wait_for_timeout(1000)
    show("rating_page", *keyed(page, "4", RATED, 10))
    page.keyboard.press("Enter")
    page.wait_for_timeout(2000)
    show("next_photo", *keyed(page, "ArrowRight", NEXT, 30))
    show_parts(server, page, world)
    show("memory_end", server.memory("RssAnon"), server.memory("VmRSS"))
    show("load", os.getloadavg()[0])


def main():
    world = options.world or tempfile.mkdtemp()
    show("load", os.getloadavg()[0])
    environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(world, "cache"), XDG_DATA_HOME=os.path.join(world, "data"))
    try:
        if os.path.exists(os.path.join(world, "store")):  # only what the last run left is removed
            for name in ("cache", "data"):
                shutil.rmtree(os.path.join(world, name), ignore_errors=True)
        else:
            make_world(world, environment)
        begin = time.perf_counter()
        server = Server(world, environment)
        show("address", (time.perf_counter() - begin) * 1e3)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            measure(server, browser, world)
            browser.close()
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)
    finally:
        if not options.world:
            shutil.rmtree(world)


main()
