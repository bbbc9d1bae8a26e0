#!/usr/bin/env python3
"""tests/golden/text/generate/settings.json: greedy answers under settings of generation_config.json, and about several photos, by
transformers, and the probabilities that its samples are drawn by.   answers.py REPOSITORY   (requirements.txt; one thread, float32)"""
import json, os, sys
import torch
import transformers as tf
from PIL import Image
from transformers.generation import logits_process as lp

top = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
golden = os.path.join(top, "tests", "golden")
torch.set_num_threads(1)
prompt = "Assess the aesthetics of this image."
answers = []

for name, kind in (("qwen3vl", tf.Qwen3VLForConditionalGeneration), ("gemma3", tf.Gemma3ForConditionalGeneration)):
    folder = os.path.join(golden, name)
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    processor = tf.AutoProcessor.from_pretrained(folder)
    image = Image.open(os.path.join(golden, "images", "cat.jpg")).convert("RGB")
    turn = [dict(role="user", content=[dict(type="image", image=image), dict(type="text", text=prompt)])]
    x = dict(processor.apply_chat_template(turn, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"))
    if name == "gemma3":
        x["token_type_ids"] = (x["input_ids"] == model.config.image_token_id).long()
        x.pop("mm_token_type_ids", None)

    def greedy(**settings):
        with torch.inference_mode():
            out = model.generate(**x, do_sample=False, max_new_tokens=16, **settings)
        return out[0, x["input_ids"].shape[1]:].tolist()

    plain = greedy()
    said = list(dict.fromkeys(plain))
    for settings in (dict(repetition_penalty=1.3), dict(repetition_penalty=0.7), dict(suppress_tokens=said),
                     dict(begin_suppress_tokens=said), dict(eos_token_id=plain[0]), dict(eos_token_id=[-1, plain[0]], min_new_tokens=5),
                     dict(eos_token_id=plain[0], min_length=x["input_ids"].shape[1] + 3),
                     dict(repetition_penalty=1.5, suppress_tokens=said[:1], eos_token_id=said)):
        answers.append(dict(model=name, settings=settings, new_ids=greedy(**settings)))

several = []
folder = os.path.join(top, "models", "demo")
model = tf.Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
processor = tf.AutoProcessor.from_pretrained(folder)
photos = ["data/para/imgs/session1/iaa_pub1_%04d.jpg" % i for i in (0, 5, 12)]
for n in (2, 3):
    content = [dict(type="image", image=Image.open(os.path.join(top, p)).convert("RGB")) for p in photos[:n]] + [dict(type="text", text=prompt)]
    x = dict(processor.apply_chat_template([dict(role="user", content=content)], tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"))
    with torch.inference_mode():
        r = model.generate(**x, do_sample=False, max_new_tokens=64, return_dict_in_generate=True, output_logits=True)
    new = r.sequences[0, x["input_ids"].shape[1]:].tolist()
    tops = [torch.topk(l[0].float(), 2).values for l in r.logits]
    several.append(dict(photos=photos[:n], prompt_tokens=x["input_ids"].shape[1], new_ids=new, text=processor.tokenizer.decode(new, skip_special_tokens=True).strip(),
                        least_margin=round(min(float(t[0] - t[1]) for t in tops), 5)))

torch.manual_seed(1)
draws = []
scores = (3 * torch.randn(1, 40)).round(decimals=1)                    # some of them are equal
for settings in (dict(), dict(temperature=0.5), dict(temperature=2.0), dict(top_k=3), dict(top_k=1), dict(top_p=0.6), dict(top_p=0.01),
                 dict(min_p=0.2), dict(temperature=1.5, top_k=8, top_p=0.9), dict(temperature=0.7, top_k=20, top_p=0.8, min_p=0.05)):
    z = scores.double()
    if "temperature" in settings: z = lp.TemperatureLogitsWarper(settings["temperature"])(None, z)
    if "top_k" in settings: z = lp.TopKLogitsWarper(settings["top_k"])(None, z)
    if "top_p" in settings: z = lp.TopPLogitsWarper(settings["top_p"])(None, z)
    if "min_p" in settings: z = lp.MinPLogitsWarper(settings["min_p"])(None, z)
    draws.append(dict(settings=settings, probabilities=[round(v, 12) for v in z.softmax(-1)[0].tolist()]))

with open(os.path.join(golden, "text", "generate", "settings.json"), "w") as f:
    json.dump(dict(prompt=prompt, image="cat.jpg", max_new_tokens=16, answers=answers, several=several, scores=[round(v, 1) for v in scores[0].tolist()], draws=draws,
                   transformers=tf.__version__), f, indent=0)
    f.write("\n")
