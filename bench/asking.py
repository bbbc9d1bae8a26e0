#!/usr/bin/env python3
"""Asking for ratings against transformers, on the same photos in the same run: raw text, and few-shot with ten examples a person.

    python bench/asking.py BUILD/src/cli/piaa [--photos 40] [--people 1]

Both on one thread, float32, the demonstration model, the photos and people of data/para.  Prints CSV: seconds of processor time a question of
each, the ratio, and how many answers are the same.  piaa's times hold its start and the opening of the model, transformers' do not.  piaa reads a person's examples once, transformers at
every question, as the published code does.  Needs torch and transformers (bench/venv.sh).
"""
import argparse
import csv
import os
import resource
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.path.join(ROOT, "data", "para")
MODEL = os.path.join(ROOT, "models", "demo")
RATING = ("Assess the overall aesthetic quality of this image. Please rate it on a scale from 1 to 5. Output only the numeric score, and do "
          "not output any other text.")
BEFORE = ("You are an expert judge of image aesthetics.\nI will show you some example images with this user's ratings on a 1 to 5 scale.\n"
          "From these examples, infer the user's personal preferences.\nThen I will show you a new image; please predict this user's rating for "
          "it.\n\nFor the examples, each rating is this user's own rating, already mapped to a 1 to 5 scale.\nWhen you answer for the final "
          "image, respond with a single number from 1 to 5, and nothing else.\n")
AFTER = ("Now, based on the user's previous ratings, what is this user's rating for THIS image? Answer with a single number from 1 to 5, and do "
         "not output any other text.")


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def evaluate(piaa, method, folder, people):
    """The run's rows, and the seconds of processor time that it took."""
    before = children()
    subprocess.run([piaa, "eval", "--data", "para:" + DATA, "--method", method, "--support", "10", "--first", str(people), "--exif", "ignore",
                    "--threads", "1", "--layer", "0", "--store", os.path.join(folder, "store"), "--out", os.path.join(folder, method)],
                   check=True, capture_output=True)
    used = children() - before
    with open(os.path.join(folder, method, "predictions.csv")) as file:
        rows = list(csv.DictReader(file))
    with open(os.path.join(folder, method, "scores.csv")) as file:
        support = [row for row in csv.DictReader(file) if row["set"] == "small"]
    return rows, support, used


class Reference:
    def __init__(self):
        import torch
        import transformers
        torch.set_num_threads(1)
        self.torch = torch
        self.model = transformers.Qwen3VLForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float32).eval()
        self.processor = transformers.AutoProcessor.from_pretrained(MODEL)

    def ask(self, content):
        x = self.processor.apply_chat_template([dict(role="user", content=content)], tokenize=True, add_generation_prompt=True, return_dict=True,
                                               return_tensors="pt")
        with self.torch.inference_mode():
            ids = self.model.generate(**x, max_new_tokens=16, do_sample=False)
        return self.processor.tokenizer.decode(ids[0, x["input_ids"].shape[1]:], skip_special_tokens=True).strip()


def photo(path):
    from PIL import Image
    return dict(type="image", image=Image.open(os.path.join(DATA, path.removeprefix("para/"))).convert("RGB"))


def compare(name, ours, rows, questions, reference):
    begin, same = time.process_time(), 0
    for row, content in questions:
        same += float(reference.ask(content())) == float(row["piaa_pred"])
    theirs = (time.process_time() - begin) / len(questions)
    print(f"{name},{len(rows)},{ours / len(rows):.5f},{theirs:.5f},{theirs * len(rows) / ours:.1f},{same} of {len(questions)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("piaa")
    parser.add_argument("--photos", type=int, default=40, help="questions that transformers is asked")
    parser.add_argument("--people", type=int, default=4)
    options = parser.parse_args()
    reference = Reference()
    print("method,questions,piaa_seconds,transformers_seconds,ratio,same_answers")
    with tempfile.TemporaryDirectory() as folder:
        evaluate(options.piaa, "linear-hidden", folder, options.people)  # the store: features are in no question's time
        rows, _, used = evaluate(options.piaa, "raw-text", folder, options.people)
        once = {row["image_path"]: row for row in rows}
        some = list(once.values())[: options.photos]
        compare("raw-text", used, list(once.values()), [(r, lambda r=r: [photo(r["image_path"]), dict(type="text", text=RATING)]) for r in some],
                reference)
        rows, support, used = evaluate(options.piaa, "few-shot", folder, options.people)

        def shots(row):
            content = [dict(type="text", text=BEFORE)]
            for i, s in enumerate(s for s in support if s["user_id"] == row["user_id"]):
                content += [photo(s["image_path"]),
                            dict(type="text", text="Example %d: This user rated this image %.2f out of 5." % (i + 1, float(s["score"])))]
            return content + [photo(row["image_path"]), dict(type="text", text=AFTER)]

        compare("few-shot", used, rows, [(r, lambda r=r: shots(r)) for r in rows[: options.photos]], reference)


if __name__ == "__main__":
    main()
