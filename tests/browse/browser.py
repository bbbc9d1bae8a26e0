#!/usr/bin/env python3
"""The page in a real browser, as people use it: browser.py PIAA [--shots FOLDER] [--only FLOW] [--picture FILE]

Debian's chromium through Playwright; every flow by keyboard alone, at the widths of a phone and of a desk, dark and light, and
axe-core finds nothing.  --shots keeps pictures of what was seen; --only tries one flow; --picture makes the README's (docs/images/browse.jpg)
and tries nothing.
"""
import argparse
import csv
import inspect
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "sample", "photos")
options = argparse.ArgumentParser()
options.add_argument("piaa")
options.add_argument("--shots")
options.add_argument("--only")
options.add_argument("--picture")
options = options.parse_args()


def taken_at(jpeg, second):
    """The photo with EXIF that says when it was taken: one entry, which leads to another one, which leads to the text."""
    text = f"2024:05:13 10:11:{second:02}".encode() + b"\0"
    entry = struct.pack(">HHHII", 1, 0x8769, 4, 1, 26) + bytes(4), struct.pack(">HHHII", 1, 0x9003, 2, len(text), 44) + bytes(4)
    block = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + b"".join(entry) + text
    return jpeg[:2] + struct.pack(">HH", 0xFFE1, len(block) + 2) + block + jpeg[2:]


class Program:
    """piaa browse on a copy of the sample, with a cache and a book of its own."""

    def __init__(self, photos, words=False, broken=True, bursts=()):
        self.world = tempfile.mkdtemp()
        self.addresses = []  # of each start: an open page may still ask the one before
        self.photos = os.path.join(self.world, "photos")
        os.mkdir(self.photos)
        for name in sorted(os.listdir(SAMPLE))[:photos]:
            shutil.copy(os.path.join(SAMPLE, name), self.photos)
        for burst, count in enumerate(bursts):
            with open(os.path.join(SAMPLE, sorted(os.listdir(SAMPLE))[burst]), "rb") as file:
                jpeg = file.read()
            for number in range(count):
                with open(os.path.join(self.photos, f"burst {burst}-{number}.jpg"), "wb") as file:
                    file.write(taken_at(jpeg, 20 * burst + number))
                for name in ["burst 0-0.dng"] if burst == number == 0 else []:
                    shutil.copy(os.path.join(self.photos, "burst 0-0.jpg"), os.path.join(self.photos, name))
        if broken:
            with open(os.path.join(self.photos, "broken <i>one.jpg"), "w") as file:
                file.write("no photo")
        self.words = self.learn_words() if words else []
        self.start()

    def environment(self):
        return dict(os.environ, XDG_CACHE_HOME=os.path.join(self.world, "cache"), XDG_DATA_HOME=os.path.join(self.world, "data"))

    def learn_words(self):
        """Two: how large the file is, which has to do with the photo, and its place in the list, which has not."""
        table, projection = os.path.join(self.world, "set.csv"), os.path.join(self.world, "words.json")
        with open(table, "w") as file:
            file.write("path,score,detail,place\n")
            for place, name in enumerate(sorted(os.listdir(SAMPLE))[:40]):
                path = os.path.join(self.photos, name)
                file.write(f"{path},{1 + place % 5},{os.path.getsize(path) / 1000},{place * 37 % 40}\n")
        subprocess.run([options.piaa, "reduce", "--data", "csv:" + table, "--out", projection, "--threads", "1"], env=self.environment(), check=True, capture_output=True)
        return ["--projection", projection]

    def start(self):
        self.process = subprocess.Popen([options.piaa, "browse", self.photos, "--no-open", "--threads", "1", *self.words], env=self.environment(), stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if address := re.search(r"http://\S+/", line):
                self.address = address[0]
                self.addresses.append(self.address)
                return
        sys.exit("piaa browse ended")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        assert code == 0, code


def state(page):
    return page.evaluate("""async () => {
      const state = await (await fetch("api/state")).json();
      return { ...state, scores: [...new Float32Array(await (await fetch("api/scores")).arrayBuffer())].map((score) => Number.isNaN(score) ? null : score) };
    }""")


def rated(page):
    return [value for value in state(page)["ratings"] if value is not None]


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def cursor(page):
    return page.locator(".tile.here").get_attribute("aria-label")


def keys(page, *names):
    for name in names:
        page.keyboard.press(name)


def shot(page, name):
    if options.shots:
        os.makedirs(options.shots, exist_ok=True)
        page.screenshot(path=os.path.join(options.shots, name + ".png"))


def accessible(page, where):
    found = Axe().run(page).response["violations"]
    assert not found, (where, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found])


# ---- flows; each is given a page that has just been opened on photos of which none is rated

def rating_moves_the_ranking(page, name):
    expect(page.locator("#learned")).to_contain_text("0 rated")
    keys(page, *"5342153412")
    until(lambda: len(rated(page)) == 10)
    until(lambda: (state(page)["learned"] or {}).get("ratings") == 10)
    expect(page.locator("#learned")).to_contain_text("10 rated")
    page.locator("#order").select_option("score")
    until(lambda: "foreseen" in (cursor(page) or ""))
    scores = [float(text) for text in page.locator(".tile .line span:last-child").all_inner_texts() if re.fullmatch(r"-?\d+\.\d", text)]
    assert scores == sorted(scores, reverse=True), scores
    shot(page, name + "-rated")
    accessible(page, "the grid")


def what_teaches_most_comes_first(page, name):
    until(lambda: len(state(page)["teaching"]) > 10)
    names = page.evaluate("fetch('api/list').then((answer) => answer.json())")["photos"]

    def at_the_first():  # the list may still be made anew, and the cursor stays with its photo then
        keys(page, "Home")
        return cursor(page).startswith(names[state(page)["teaching"][0]]["name"] + ",")
    for _ in range(3):
        until(at_the_first)
        first = names[state(page)["teaching"][0]]["name"]
        keys(page, "3")
        until(lambda: names[state(page)["teaching"][0]]["name"] != first)
    assert len(rated(page)) == 3


def undo_takes_back_one_by_one(page, name):
    keys(page, "4", "2", "x")
    until(lambda: rated(page) and len(rated(page)) == 3)
    keys(page, "Control+z")
    until(lambda: len(rated(page)) == 2)
    keys(page, "Control+z", "Control+z")
    until(lambda: len(rated(page)) == 0)
    keys(page, "Control+z")
    expect(page.locator("#said")).to_have_text("Nothing to undo.")


def a_filter_keeps_the_place(page, name):
    page.locator("#order").select_option("name")
    page.locator("#show").select_option("unrated")
    page.locator("#grid").focus()
    keys(page, "ArrowRight", "ArrowRight")
    seen = []
    for _ in range(3):
        seen.append(cursor(page).split(",")[0])
        keys(page, "3")
        until(lambda: cursor(page).split(",")[0] not in seen)
    assert seen == sorted(seen) and len(set(seen)) == 3, seen
    page.locator("#show").select_option("3")
    until(lambda: page.locator(".tile").count() == 3)
    page.locator("#find").fill("no such photo")
    expect(page.locator("#nothing")).to_be_visible()


def dates_are_an_order(page, name, program):
    """Written one after the other, the last name first."""
    names = sorted(os.listdir(program.photos), reverse=True)
    for place, file in enumerate(names):
        os.utime(os.path.join(program.photos, file), (1e9 + place, 1e9 + place))
    readable = [file for file in names if not file.startswith("broken")]  # the other one is behind them
    page.locator("#order").select_option("time")
    until(lambda: (cursor(page) or "").startswith(readable[-1] + ","))
    page.locator("#grid").focus()
    keys(page, "End", "ArrowLeft")
    until(lambda: cursor(page).startswith(readable[0] + ","))


def large_by_keyboard(page, name):
    page.locator("#order").select_option("name")
    keys(page, "Enter")
    expect(page.locator("#viewer")).to_be_visible()
    first = page.locator("#name").inner_text()
    shot(page, name + "-large")
    accessible(page, "the large photo")
    keys(page, "5")
    until(lambda: rated(page) == [5])
    until(lambda: page.locator("#name").inner_text() != first)
    keys(page, "ArrowLeft")
    expect(page.locator("#stars [aria-checked=true]")).to_have_attribute("aria-label", "5 stars")
    keys(page, "0")
    until(lambda: rated(page) == [])
    keys(page, "z")
    expect(page.locator("#zoom")).to_have_attribute("aria-pressed", "true")
    keys(page, "z", "Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    keys(page, "3")
    until(lambda: rated(page) == [3])


def names_are_text(page, name):
    page.locator("#show").select_option("errors")
    expect(page.locator(".tile")).to_have_count(1)
    assert "<i>one" in cursor(page), cursor(page)
    assert page.locator(".tile i").count() == 0


def help_by_keyboard(page, name):
    keys(page, "?")
    expect(page.locator("#help")).to_be_visible()
    shot(page, name + "-keys")
    accessible(page, "the keys")
    keys(page, "5")
    assert rated(page) == []
    keys(page, "Escape")
    expect(page.locator("#help")).not_to_be_visible()


def four_are_compared(page, name):
    page.locator("#order").select_option("name")
    page.locator("#grid").focus()
    names = page.evaluate("fetch('api/list').then((answer) => answer.json())")["photos"]
    places = lambda: [next(i for i, photo in enumerate(names) if photo["name"] == image.get_attribute("alt")) for image in page.locator("#panes img").all()]
    keys(page, "ArrowRight", "c")  # past the broken one
    expect(page.locator("#panes .pane")).to_have_count(2)
    first = places()
    assert first == [first[0], first[0] + 1], first
    until(lambda: page.evaluate("[...document.querySelectorAll('#panes img')].every((image) => image.complete && image.naturalWidth)"))
    shot(page, name + "-two")
    accessible(page, "two photos")
    keys(page, "f", "ArrowRight")  # the first one stays
    assert places() == [first[0], first[0] + 2], places()
    keys(page, "ArrowLeft", "f", "ArrowRight")
    assert places() == [first[0] + 2, first[0] + 3], places()
    keys(page, "c")
    expect(page.locator("#panes .pane")).to_have_count(4)
    seen = places()
    keys(page, "Alt+Digit3", "4")
    until(lambda: state(page)["ratings"][seen[2]] == 4)
    keys(page, "Tab", "x")
    until(lambda: state(page)["ratings"][seen[3]] == 0)
    keys(page, "Alt+Digit3", "0")
    until(lambda: len(rated(page)) == 1)
    until(lambda: page.evaluate("[...document.querySelectorAll('#panes img')].every((image) => image.complete && image.naturalWidth)"))
    shot(page, name + "-four")
    accessible(page, "four photos")
    keys(page, "z")
    expect(page.locator("#compare-zoom")).to_have_attribute("aria-pressed", "true")
    until(lambda: page.evaluate("[...document.querySelectorAll('#panes img')].every((image) => image.src.includes('whole') && image.complete && image.naturalWidth)"))
    tops = lambda: page.evaluate("[...document.querySelectorAll('.view')].map((view) => view.scrollLeft)")
    middle = tops()
    if max(middle) > 0:
        keys(page, "ArrowLeft")
        moved = tops()
        assert all(now < before or before == 0 for now, before in zip(moved, middle)), (middle, moved)
    assert places() == seen
    keys(page, "z", "Escape")
    expect(page.locator("#comparing")).not_to_be_visible()
    keys(page, "Enter", "c")
    expect(page.locator("#comparing")).to_be_visible()
    keys(page, "Escape")
    expect(page.locator("#viewer")).to_be_visible()
    expect(page.locator("#panes .pane")).to_have_count(0)  # its end has been seen to
    here = page.locator("#name").inner_text()
    keys(page, "ArrowRight")
    expect(page.locator("#name")).not_to_have_text(here)
    rated_now = next(i for i, photo in enumerate(names) if photo["name"] == page.locator("#name").inner_text())
    keys(page, "2")
    until(lambda: state(page)["ratings"][rated_now] == 2)


def pairs_are_learned_from(page, name):
    """Before anything is rated."""
    keys(page, "b")
    expect(page.locator("#duel")).to_be_visible()
    until(lambda: page.evaluate("[...document.querySelectorAll('#duel img')].every((image) => image.complete && image.naturalWidth)"))
    shot(page, name + "-pair")
    accessible(page, "a pair")
    shown = lambda: tuple(image.get_attribute("alt") for image in page.locator("#duel img").all())
    seen = [shown()]
    for answer in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "1", "2"):
        keys(page, answer)
        until(lambda: shown() not in seen)
        seen.append(shown())
    until(lambda: (state(page)["learned"] or {}).get("pairs") == 5)  # the one that was skipped is kept, not learned from
    scores = state(page)["scores"]
    keys(page, "Control+z")
    until(lambda: shown() == seen[-2])
    until(lambda: state(page)["learned"]["pairs"] == 4 and state(page)["scores"] != scores)
    keys(page, "1")
    until(lambda: state(page)["learned"]["pairs"] == 5)
    keys(page, "Escape")
    expect(page.locator("#dueling")).not_to_be_visible()
    expect(page.locator("#learned")).to_contain_text("5 compared")
    keys(page, "5", "1", "4")
    until(lambda: (state(page)["learned"] or {}).get("ratings") == 3)
    expect(page.locator("#learned")).to_contain_text("3 rated, 5 compared")


def scores_have_reasons(page, name, program):
    keys(page, *"5342153412")
    until(lambda: (state(page)["learned"] or {}).get("ratings") == 10)
    until(lambda: state(page)["learned"]["ten_more"] is not None)
    expect(page.locator("#learned")).to_contain_text("Ten more")
    keys(page, "Enter", "w")
    expect(page.locator("#why li").first).to_be_visible()
    expect(page.locator("#why tr.rest")).to_be_visible()
    assert page.locator("#why th").all_inner_texts()[-1] == "what these words do not explain"
    numbers = [float(text.replace("−", "-")) for text in page.locator("#why td:last-child").all_inner_texts()]
    whole = float(re.search(r"average is (-?[0-9.]+)", page.locator("#why caption").inner_text())[1]) + sum(numbers)
    said = float(re.search(r"says (-?[0-9.]+)", page.locator("#why").inner_text())[1].rstrip("."))
    assert abs(whole - said) < 0.03, (whole, said)
    until(lambda: page.evaluate("[...document.querySelectorAll('#why img, #photo')].every((image) => image.complete && image.naturalWidth)"))
    shot(page, name + "-why")
    accessible(page, "why")
    before = page.locator("#why-parts").inner_text()
    keys(page, "ArrowRight")
    until(lambda: page.locator("#why-parts").inner_text() != before)
    keys(page, "w")
    expect(page.locator("#why")).not_to_be_visible()


def no_words_are_said_to_be_missing(page, name):
    keys(page, "Enter", "w")
    expect(page.locator("#why")).to_contain_text("Nothing is learned yet")
    keys(page, "5", "1", "3")
    until(lambda: (state(page)["learned"] or {}).get("ratings") == 3)
    expect(page.locator("#why")).to_contain_text("--projection")


def keepers_by_keyboard(page, name):
    until(lambda: state(page)["bursts"])
    expect(page.locator("#bursts-open")).to_be_visible()
    names = [photo["name"] for photo in page.evaluate("fetch('api/list').then((answer) => answer.json())")["photos"]]
    named = lambda which: sorted(names[photo] for photo in state(page)[which])
    page.locator("#order").select_option("name")  # the cursor is on the first burst, else on any photo
    page.locator("#grid").focus()
    keys(page, "g")
    expect(page.locator("#burst-title")).to_have_text("A burst of 3; 2 to decide")
    expect(page.locator("#burst button[aria-checked=true]")).to_contain_text("burst 0-0.jpg")
    shot(page, name + "-burst")
    accessible(page, "a burst")
    keys(page, "ArrowRight", "Enter")
    expect(page.locator("#burst-title")).to_have_text("A burst of 2; 1 to decide")
    keys(page, "s")
    expect(page.locator("#burst-words")).to_have_text("No burst is left to decide.")
    until(lambda: named("kept") == ["burst 0-1.jpg"] and named("passed") == ["burst 0-0.jpg", "burst 0-2.jpg"])
    keys(page, "Control+z")
    until(lambda: named("kept") == [] and named("passed") == [])
    expect(page.locator("#burst-title")).to_have_text("A burst of 3; 1 to decide")
    keys(page, "a")
    until(lambda: len(named("kept")) == 3)
    keys(page, "Escape")
    page.locator("#show").select_option("bursts")
    expect(page.locator(".tile")).to_have_count(5)  # the raw file is behind its picture
    page.locator("#show").select_option("passed")
    expect(page.locator("#nothing")).to_be_visible()
    page.reload()
    until(lambda: len(named("kept")) == 3)


def stars_are_written_and_read(page, name, program):
    keys(page, "5", "x")
    until(lambda: len(rated(page)) == 2)
    page.locator("#stars-open").click()
    expect(page.locator("#plan")).to_contain_text("2 sidecars to write, 2 of them new")
    accessible(page, "stars")
    shot(page, name + "-stars")
    assert not [file for file in os.listdir(program.photos) if file.endswith(".xmp")]
    page.locator("#embed").check()
    expect(page.locator("#plan")).to_contain_text("2 files to write, 2 of them new")
    page.locator("#embed").uncheck()
    expect(page.locator("#plan")).to_contain_text("2 sidecars to write")
    page.locator("#stars-write").focus()
    keys(page, "Enter")
    expect(page.locator("#plan")).to_contain_text("2 sidecars written")
    written = sorted(file for file in os.listdir(program.photos) if file.endswith(".xmp"))
    assert len(written) == 2, written
    said = [open(os.path.join(program.photos, file)).read() for file in written]
    assert sorted(re.search('xmp:Rating="(-?[0-9]+)"', text)[1] for text in said) == ["-1", "5"], said
    keys(page, "Escape")


def people_take_turns(page, name):
    page.locator("#order").select_option("name")
    page.locator("#grid").focus()
    keys(page, *"54321")
    until(lambda: len(rated(page)) == 5)
    page.locator("#people-open").focus()
    keys(page, "Enter")
    expect(page.locator("#people-list tr")).to_have_count(1)
    page.locator("#people-name").focus()
    page.keyboard.type("Ann <i>")
    keys(page, "Enter")
    expect(page.locator("#people-open")).to_have_text("You are Ann <i>…")
    page.locator("#order").select_option("name")
    page.locator("#grid").focus()
    keys(page, *"12345")
    expect(page.locator("#learned")).to_contain_text("5 rated")
    page.locator("#people-open").focus()
    until(lambda: page.evaluate("fetch('api/together').then((answer) => answer.json())")["people"] == 2)
    keys(page, "Enter")
    expect(page.locator("#people-list")).to_contain_text("-1.00 (5)")
    assert page.locator("#people i").count() == 0
    accessible(page, "people")
    shot(page, name + "-people")
    page.locator("#people-list button").focus()
    keys(page, "Enter")
    expect(page.locator("#people-open")).to_have_text("You are me…")
    until(lambda: rated(page) == [5, 4, 3, 2, 1])
    page.locator("#order").select_option("together")
    until(lambda: page.locator(".tile").count() > 1)
    shot(page, name + "-together")


def new_photos_appear(page, name, program):
    """While the page is open, behind the cursor, which stays; and how long the reading of them will take."""
    page.locator("#order").select_option("name")
    page.locator("#grid").focus()
    keys(page, "ArrowRight", "ArrowRight", "4", "ArrowLeft")
    until(lambda: len(rated(page)) == 1)
    here, before = cursor(page), page.locator(".tile.here").get_attribute("aria-setsize")
    for photo in sorted(os.listdir(SAMPLE))[:40]:
        with open(os.path.join(SAMPLE, photo), "rb") as file:
            jpeg = file.read()
        for copy in range(10):
            with open(os.path.join(program.photos, f"new {copy} {photo}"), "wb") as file:
                file.write(jpeg + bytes([copy]))  # copies are read once
    until(lambda: page.locator(".tile.here").get_attribute("aria-setsize") == str(int(before) + 400), 60)
    assert cursor(page) == here
    expect(page.locator("#reading-words")).to_have_text(re.compile(r"^\d+ of 441 photos read, about \d+ s left$"), timeout=60000)
    shot(page, f"reading-{name}")
    accessible(page, "while it reads")
    until(lambda: not state(page)["reading"], 120)
    expect(page.locator("#reading-words")).to_be_hidden()
    assert page.locator(".tile.here").get_attribute("aria-setsize") == str(int(before) + 400)
    keys(page, "Home", "End")
    labels = page.evaluate("[...document.querySelectorAll('.tile')].map((tile) => tile.getAttribute('aria-label').split(',')[0])")
    assert labels == sorted(labels), labels
    half = os.path.join(program.photos, "~ half.jpg")  # a copy that hangs is shown once it is whole
    with open(half, "wb") as file:
        file.write(jpeg[:len(jpeg) // 2])
    page.locator("#find").fill("~ half")
    expect(page.locator(".tile .error")).to_have_count(1, timeout=30000)
    expect(page.locator(".tile")).to_contain_text("not readable", timeout=30000)
    with open(half, "wb") as file:
        file.write(jpeg)
    expect(page.locator(".tile img")).to_have_count(1, timeout=60000)
    page.locator("#find").fill("")
    page.locator("#grid").focus()
    os.remove(os.path.join(program.photos, "new 9 " + sorted(os.listdir(SAMPLE))[39]))
    keys(page, "5")
    until(lambda: len(rated(page)) == 2)


def an_end_is_told(page, name, program):
    """Without a key being pressed; and what did not reach the book is not shown as if it had."""
    keys(page, "4")
    until(lambda: rated(page) == [4])
    program.process.kill()
    program.process.wait()
    expect(page.locator("#trouble")).to_be_visible(timeout=15000)
    here = cursor(page).split(",")[0]
    page.route("**/api/rate*", lambda route: (time.sleep(0.2), route.abort()))
    keys(page, "5", "ArrowLeft", "2")
    expect(page.locator("#trouble")).to_have_text(re.compile("was not rated"))
    expect(page.locator(f'.tile[aria-label^="{here}, not rated"]')).to_have_count(1)
    program.start()
    page.goto(program.address)
    until(lambda: rated(page) == [4])


def many_windows_are_open(page, name, program):
    """More than the six connections that a browser has for a host; a window that is seen again knows what came meanwhile."""
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }"
    others = []
    for _ in range(8):  # headless pages never hide by themselves
        (others[-1] if others else page).evaluate(hide, True)
        others.append(page.context.new_page())
        others[-1].goto(program.address)
        others[-1].wait_for_selector(".tile img")
    keys(others[-1], "4")
    until(lambda: rated(others[-1]) == [4])
    assert page.evaluate("document.querySelector('#learned').textContent").startswith("0 rated")
    page.evaluate(hide, False)
    expect(page.locator("#learned")).to_have_text(re.compile("^1 rated"))
    for other in others:
        other.close()


def changes_come_in_their_order(page, name):
    """Ratings and an undo that follow each other faster than the server answers."""
    page.route("**/api/rate*", lambda route: (time.sleep(0.2), route.continue_()))
    page.locator("#order").select_option("name")
    page.locator("#grid").focus()
    keys(page, "4", "ArrowLeft", "2", "Control+z")
    until(lambda: rated(page) == [4])
    page.unroute("**/api/rate*")


def a_password_lets_in(page, name, program):
    program.end()
    program.words = ["--password-file", os.path.join(program.world, "password")]
    with open(program.words[1], "w") as file:
        file.write("fünf Wörter & mehr\n")
    program.start()
    page.goto(program.address)
    accessible(page, "password")
    shot(page, name + "-password")
    page.keyboard.type("something else")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    time.sleep(1)  # for which nobody is listened to
    page.keyboard.type("fünf Wörter & mehr")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile img")
    keys(page, "4")
    until(lambda: rated(page) == [4])
    page.goto(program.address)  # the cookie is still there
    page.wait_for_selector(".tile img")


def try_flow(page, flow, name, program):
    faults = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("request", lambda asked: asked.url.startswith(tuple(program.addresses)) or faults.append("asked for " + asked.url))
    page.goto(program.address)
    page.wait_for_selector(".tile img")
    until(lambda: not state(page)["reading"])
    flow(page, name, *([program] if "program" in inspect.signature(flow).parameters else []))
    assert not faults, faults
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


def picture(browser):
    """The README's: all sample photos, rated as data/sample has them, best first."""
    program = Program(photos=None, broken=False)
    try:
        page = browser.new_context(viewport={"width": 1200, "height": 760}, color_scheme="light").new_page()
        page.goto(program.address)
        page.wait_for_selector(".tile img")
        until(lambda: not state(page)["reading"], 300)
        places = {photo["name"]: place for place, photo in enumerate(page.evaluate("fetch('api/list').then((answer) => answer.json())")["photos"])}
        with open(os.path.join(SAMPLE, "..", "ratings.csv")) as file:
            own = {places[os.path.basename(row["path"])]: round(float(row["score"])) for row in csv.DictReader(file)}
        for photo, score in own.items():
            page.evaluate("([photo, score]) => fetch('api/rate', {method: 'POST', body: JSON.stringify({photo, score})})", [photo, score])
        until(lambda: (state(page)["learned"] or {}).get("ratings") == len(own))
        until(lambda: state(page)["learned"]["ten_more"] is not None, 60)
        page.locator("#order").select_option("score")
        page.locator("#grid").focus()
        until(lambda: page.evaluate("[...document.querySelectorAll('.tile img')].every((image) => image.complete && image.naturalWidth)"))
        page.screenshot(path=options.picture, type="jpeg", quality=80)
        program.end()
    finally:
        program.process.kill()
        shutil.rmtree(program.world)


def main():
    flows = [rating_moves_the_ranking, what_teaches_most_comes_first, undo_takes_back_one_by_one, a_filter_keeps_the_place, dates_are_an_order, large_by_keyboard, names_are_text, help_by_keyboard, people_take_turns,
             four_are_compared, pairs_are_learned_from, scores_have_reasons, keepers_by_keyboard]
    count = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if options.picture:
            picture(browser)
            return
        for width, height, scheme in ((1440, 900, "light"), (390, 844, "dark")):
            for flow in flows + ([an_end_is_told, many_windows_are_open, changes_come_in_their_order, a_password_lets_in, new_photos_appear, no_words_are_said_to_be_missing] if width > 1000 else [stars_are_written_and_read, new_photos_appear]):
                if options.only not in (None, flow.__name__):
                    continue
                program = Program(photos=40, words=flow is scores_have_reasons, bursts=(3, 2) if flow is keepers_by_keyboard else ())
                try:
                    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
                    try_flow(page, flow, f"{width}-{scheme}", program)
                    page.context.close()
                    program.end()
                finally:
                    program.process.kill()
                    shutil.rmtree(program.world)
                count += 1
                print(f"{flow.__name__}, {width} pixels, {scheme}: passed", flush=True)
        browser.close()
    print(f"{count} flows passed")


main()
