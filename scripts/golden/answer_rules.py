#!/usr/bin/env python3
"""Answers and the numbers that Python's re reads in them: answer_rules.py > tests/golden/text/answer_rules.json

Each entry: the text, and by the three rules what float() gives, as repr() writes it.
"""
import json
import random
import re

NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
DIGIT = re.compile(r"\b[1-5]\b")
INTEGER = re.compile(r"[-+]?\d+")
OVERALL = re.compile(r"overall\s*[:=]\s*([-+]?\d+(?:\.\d+)?)", re.IGNORECASE)


def number(text):
    found = NUMBER.search(text)
    return float(found.group()) if found else float("nan")


def digit(text):
    found = DIGIT.search(text) or INTEGER.search(text)
    return min(max(float(found.group()), 1.0), 5.0) if found else float("nan")


def overall(text):
    found = OVERALL.search(text)
    if found:
        return float(found.group(1))
    every = [m.group() for m in NUMBER.finditer(text)]
    return float(every[-1]) if every else float("nan")


TEXTS = [
    "", " ", "3", "3.", "3.5", "-3", "+2", "--3", "+-4.5", "- 3", "10", "1/5", ".5", "-.5", "3..5", "3.5.2", "1,5", "1e5", "007", "4.50",
    "3.5 out of 5", "Score: 4", "nan", "NaN", "inf", "five", "I cannot rate this image.", "v2", "a3", "3a", "3_", "_3", "3-4", "6 7 8 2", "67 of 5x",
    "-7", "0", "+9", "5/5", "4½", "½", "x²", "2²", "²2", "3\u0301", "\u03013", "٣", "３.５", "٣.٥", "३", "𝟜.𝟡", "-𝟜", "4٣", "٣4", "Ⅲ", "Ⅲ 2", "三", "三 3", "三3",
    "3\u200b", "3\u00a0", "\u00a03", "3\u2028", "é3", "é 3", "3é", "3 \U0001f600", "\U0001f6003", "\u0e53", "1\u0e53.\u0e53", "3\u066b5", "3\uff0e5",
    "Overall: 3.5", "overall = 4", "OVERALL:2", "Overall : -1.5", "Overall\u00a0:\u20033", "Overall\n=\n4.25", "Overall score: 3", "**Overall**: 3.5", "Overall:", "Overall: x 2",
    "Overall: x\nOverall: 4", "Overall: 3 Overall: 4", "Light: 2\nOverall: 5/5", "Light: 2\nSymmetry: 3.25", "overall 3", "overall:: 3", "Overall:+3.", "oveRAll=٣.٥", "xoverall:3", "Ovérall: 3 9",
    "Overall\x1c:\x1d3", "Overall\x85:3", "Overall\u180e:3 8", "Overall\ufeff:3 8", "9" * 400, "-" + "9" * 400 + ".5", "0." + "0" * 330 + "1", "Overall: " + "1" * 310,
    "179769313486231570814527423731704356798070.0", "3.14159265358979323846264338327950288", "0.1000000000000000055511151231257827021181583404541015625",
]


def main():
    draw = random.Random(42)
    parts = ["3", "4.5", "-", "+", ".", " ", "\n", "12", "0", "a", "_", "é", "٣", "７", "Overall", "overall", ":", "=", "/5", "½", "\u0301", "\u2003", "…", "好"]
    texts = TEXTS + ["".join(draw.choice(parts) for _ in range(draw.randint(1, 9))) for _ in range(400)]
    rows = [dict(text=t, number=repr(number(t)), digit=repr(digit(t)), overall=repr(overall(t))) for t in texts]
    print("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]")


main()
