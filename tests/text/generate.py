#!/usr/bin/env python3
"""Write tokens.json: ids and decoding of awkward texts (with special tokens, and as an answer without) by the Hugging Face tokenizers library, for three real tokenizers.

    python generate.py        (needs: tokenizers)

Texts are in hexadecimal; those to be encoded need not be UTF-8: the library is given bytes.decode("utf-8", "replace").
"""
import json, lzma, os, random
from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
packed = lambda name: lzma.open(os.path.join(here, "..", "golden", "tokenizers", name)).read().decode()
files = {"qwen3": packed("qwen3.tokenizer.json.xz"), "gemma3": packed("gemma3.tokenizer.json.xz"),
         "demo": open(os.path.join(here, "..", "..", "models", "demo", "tokenizer.json")).read()}
rng = random.Random(1)

spaces = "".join(chr(c) + "x" + chr(c) * 2 + "\n" for c in
                 [9, 11, 12, 13, 28, 31, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x2003, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF])
texts = [spaces, "I'\u017f I'S 'Ll\u212a", "a\u0301\u0316\u0315 q\u0316\u0301 \u1100\u1161\u11a8 \uac00\u11a8 \u0958 \u2126\u212b \ufb1d \u0344 \U0001d15e \ufa2a",
         "e<|im_end|>\u0301", "<|im_start|><|im_end|> <think>\n</think><|im_end", "<|endoftext|><|endoftext|>x <|image_pad|>\x00\n\n",
         "<end_of_turn><bos><unused3>[multimodal]<mask>\n\n\n\n<image_soft_token>\u2581\u2581 \u2581x  <0x0A>", "a" * 2000, " " * 999 + "x" + "\n " * 50, "\u4e2d\u6587" * 40,
         "don't DON'T  we'll\r\n\r\n  x\t\ty \r", "".join(map(chr, range(32, 0x250)))]
rows = [t.encode() for t in texts]
rows += [b"\xff", b"a\xc0\xafb", b"\xe2\x82", b"\xe2\x82x\xf0\x9f\x98", b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf0\x80\x80\xaf\xe0\x80\xe1\x80<|im_end|>\xc3"]
for n in (5, 30, 200):
    for _ in range(6):
        rows.append(bytes(rng.choice([rng.randrange(256), rng.randrange(32, 127), 32, 10, 0xE2, 0x80]) for _ in range(n)))
        rows.append("".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(0xA0, 0xD7FF), rng.randrange(0x300, 0x330), rng.randrange(0x2000, 0x2070),
                                            rng.randrange(0x1F300, 0x1F700)])) for _ in range(n)).encode())
out = {}
for name, text in files.items():
    t = Tokenizer.from_str(text)
    encode = lambda b: t.encode(b.decode("utf-8", "replace"), add_special_tokens=False).ids
    decode = lambda ids: t.decode(ids, skip_special_tokens=False).encode().hex()
    say = lambda ids: t.decode(ids, skip_special_tokens=True).encode().hex()
    lists = [encode(r) for r in rows]
    random_ids = [[rng.randrange(t.get_vocab_size()) for _ in range(n)] for n in (0, 1, 2, 3, 10, 50)] + [list(range(300))] + \
                 [[rng.randrange(min(512, t.get_vocab_size())) for _ in range(40)] for _ in range(5)]
    out[name] = dict(rows=[dict(bytes=r.hex(), ids=i, text=decode(i), said=say(i)) for r, i in zip(rows, lists)], decode=[dict(ids=i, text=decode(i), said=say(i)) for i in random_ids])
lines = json.dumps(out, ensure_ascii=True).replace("}, {", "},\n{")
open(os.path.join(here, "tokens.json"), "w").write(lines + "\n")
