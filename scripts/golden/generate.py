#!/usr/bin/env python3
"""Write golden inputs and outputs for piaa's tests with Hugging Face transformers and scikit-learn.

Tiny, randomly initialised checkpoints in the exact on-disk layout of the real models, small real photographs in the
file formats users have, and what the reference stack computes for them in float32. A C implementation that agrees on
these agrees on the real checkpoints too: only the sizes in config.json differ.

    python scripts/golden/generate.py OUT [--seed N] [--wide] [--tokenizers FOLDER]

Packages: requirements.txt beside this file.  --wide draws other sizes.  FOLDER (default tests/golden/tokenizers) holds the real
vocabularies as NAME.tokenizer.json.xz and NAME.chat_template.jinja; a family whose vocabulary is not there is left out.
"""
import argparse, json, os, shutil
import numpy as np, torch
from PIL import Image
from safetensors.torch import save_file
import transformers as tf

ap = argparse.ArgumentParser()
ap.add_argument("out")
ap.add_argument("--seed", type=int, default=0)
ap.add_argument("--wide", action="store_true")
ap.add_argument("--tokenizers", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "tokenizers"))
A = ap.parse_args()
torch.manual_seed(A.seed)
torch.set_num_threads(1)
rng = np.random.default_rng(A.seed)
os.makedirs(A.out, exist_ok=True)
W = A.wide

def have(n, what=".tokenizer.json.xz"):
    return os.path.exists(os.path.join(A.tokenizers, n + what))

PROMPTS = {
    "base": "Assess the aesthetics of this image.",
    "unrelated": "Describe the weather today in one sentence.",
    "unicode": "Évalue l’esthétique — “lumière”, 构图 和 色彩! (1–5)\n\n  Score:",
}

# ---------------------------------------------------------------- images
def images():
    """Real photographs (public domain / CC0, from scikit-image) in the formats that a photo folder holds."""
    import skimage.data as sd
    d = os.path.join(A.out, "images"); os.makedirs(d, exist_ok=True)
    cat, coffee, astro = (Image.fromarray(f()) for f in (sd.chelsea, sd.coffee, sd.astronaut))
    rocket = Image.fromarray(sd.rocket())
    p = lambda n: os.path.join(d, n)
    cat.save(p("cat.jpg"), quality=90)
    coffee.resize((300, 200), Image.LANCZOS).save(p("coffee_420.jpg"), quality=80, subsampling=2)
    rocket.resize((320, 214), Image.LANCZOS).save(p("rocket_progressive.jpg"), quality=85, progressive=True)
    astro.resize((160, 160), Image.LANCZOS).save(p("astronaut.png"))
    ex = Image.Exif(); ex[0x0112] = 6
    coffee.resize((240, 160), Image.LANCZOS).save(p("coffee_exif6.jpg"), quality=90, exif=ex)
    cat.resize((150, 100), Image.LANCZOS).convert("L").save(p("cat_gray.png"))
    a = astro.resize((96, 128), Image.LANCZOS).convert("RGBA")
    a.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (128, 1)))); a.save(p("astronaut_rgba.png"))
    coffee.resize((128, 96), Image.LANCZOS).quantize(64).save(p("coffee_palette.png"))
    cat.resize((144, 96), Image.LANCZOS).convert("CMYK").save(p("cat_cmyk.jpg"), quality=90)
    rocket.resize((200, 134), Image.LANCZOS).save(p("rocket.webp"), quality=85)
    rocket.resize((400, 41), Image.LANCZOS).save(p("rocket_panorama.jpg"), quality=90)
    coffee.resize((7, 5), Image.LANCZOS).save(p("coffee_tiny.png"))
    return sorted(os.listdir(d))

# ---------------------------------------------------------------- tokenizers
CORPUS = ("Assess the aesthetics of this image. Assess the overall aesthetic quality of the image on a scale from 1 to 5. "
          "Output only the numeric score. composition light color depth of field vivid symmetry repetition rule of thirds "
          "object content harmony balancing elements motion blur. user model assistant This user rated this image out of 5. "
          "Describe the weather today in one sentence. ") * 20

def qwen_tokenizer(d):
    from tokenizers import Tokenizer, models, trainers, normalizers, pre_tokenizers, decoders, processors, Regex
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    t.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    t.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    t.train_from_iterator([CORPUS], trainers.BpeTrainer(vocab_size=480, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    sp = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
    t.add_special_tokens(sp)
    w = tf.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=sp[1:])
    w.save_pretrained(d)
    return w

QWEN_TEMPLATE = ("{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' }}{%- if m.content is string %}{{- m.content }}{%- else %}"
    "{%- for c in m.content %}{%- if c.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- elif 'text' in c %}{{- c.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{{- '<|im_end|>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}")

def gemma_tokenizer(d):
    from tokenizers import Tokenizer, models, trainers, normalizers, pre_tokenizers, decoders, processors
    sp = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    t.train_from_iterator([CORPUS, "\n\n\n"], trainers.BpeTrainer(vocab_size=640, special_tokens=sp + bytes_, show_progress=False))
    j = json.loads(t.to_str())
    j["added_tokens"] = [x for x in j["added_tokens"] if not x["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    t.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)])
    w = tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
                                   extra_special_tokens=dict(boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"))
    w.save_pretrained(d)
    return w

# ---------------------------------------------------------------- models
def randomise(m):
    """Activations of a healthy size everywhere, so that a swapped operand or a missed norm cannot hide."""
    g = torch.Generator().manual_seed(A.seed + 1)
    for n, p in m.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if p.dim() == 1 and ("norm" in n or "ln_q" in n or "layer_scale" in n or "lambda" in n) and not n.endswith("bias"):
            p.data = (1.0 if float(p.data.float().mean()) > .5 else 0.0) + 0.2 * r
        elif p.dim() == 1:
            p.data = 0.1 * r
        elif "embed" in n and p.dim() == 2:
            p.data = 0.8 * r
        else:
            p.data = r * (1.3 / np.sqrt(np.prod(p.shape[1:])))
    return m.float().eval()

def save(m, d, **extra):
    m.save_pretrained(d)
    for k, v in extra.items():
        json.dump(v, open(os.path.join(d, k + ".json"), "w"), indent=1)

def pools(h, text, vis):
    f = lambda t, k: (t * k[None, :, None]).sum(1)[0] / max(1, int(k.sum()))
    last = int(torch.nonzero(text)[-1])
    return dict(lt=torch.stack([f(t, text) for t in h]), lv=torch.stack([f(t, vis) for t in h]), lt_tail=torch.stack([t[0, last] for t in h]))

def hook(mods, run):
    got, hs = {}, []
    for i, b in enumerate(mods):
        hs.append(b.register_forward_hook(lambda _, __, o, i=i: got.__setitem__(i, o[0] if isinstance(o, tuple) else o)))
    r = run()
    [h.remove() for h in hs]
    return r, [got[i] for i in sorted(got)]

def load(n):
    return Image.open(os.path.join(A.out, "images", n)).convert("RGB")

def qwen_golden(m, pr, names, d):
    out = {}
    for n in names:
        for pn, prompt in PROMPTS.items():
            if pn != "base" and n != "cat.jpg": continue
            x = pr.apply_chat_template([{"role": "user", "content": [{"type": "image", "image": load(n)}, {"type": "text", "text": prompt}]}],
                                       tokenize=True, add_generation_prompt=False, return_dict=True, return_tensors="pt")
            with torch.inference_mode():
                r, v = hook(m.model.visual.blocks, lambda: m(**x, output_hidden_states=True, use_cache=False))
            vis = x["input_ids"][0] == m.config.image_token_id
            k = f"{n}|{pn}|"
            o = dict(pools(r.hidden_states, ~vis, vis), v=torch.stack([t.mean(0) for t in v]), input_ids=x["input_ids"][0].int(), grid=x["image_grid_thw"][0].int(), logits=r.logits[0, -1])
            if n == "cat.jpg" and pn == "base":
                o["pixel_values"] = x["pixel_values"]
                o["hidden"] = torch.stack([t[0] for t in r.hidden_states])
                o["vision"] = torch.stack(v)
            out.update({k + a: b.contiguous().clone() for a, b in o.items()})
        if n in ("cat.jpg", "coffee_420.jpg"):
            x = pr.apply_chat_template([{"role": "user", "content": [{"type": "image", "image": load(n)}, {"type": "text", "text": PROMPTS["base"]}]}],
                                       tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt")
            with torch.inference_mode():
                g = m.generate(**x, max_new_tokens=16, do_sample=False)
            out[f"{n}|generate|input_ids"] = x["input_ids"][0].int()
            out[f"{n}|generate|new_ids"] = g[0, x["input_ids"].shape[1]:].int().clone()
    save_file(out, os.path.join(d, "golden.safetensors"))

def qwen(names):
    d = os.path.join(A.out, "qwen3vl"); os.makedirs(d, exist_ok=True)
    tok = qwen_tokenizer(d); i = tok.convert_tokens_to_ids
    H, hd, dv = (96, 24, 72) if W else (64, 16, 48)
    cfg = tf.Qwen3VLConfig(
        text_config=dict(hidden_size=H, num_hidden_layers=5 if W else 4, num_attention_heads=6 if W else 4, num_key_value_heads=3 if W else 2, head_dim=hd,
                         intermediate_size=112, vocab_size=len(tok), rms_norm_eps=1e-6, rope_theta=5e6, max_position_embeddings=4096, tie_word_embeddings=not W,
                         rope_scaling=dict(rope_type="default", mrope_interleaved=True, mrope_section=[4, 4, 4] if W else [4, 2, 2])),
        vision_config=dict(depth=5 if W else 4, hidden_size=dv, num_heads=3, intermediate_size=80, patch_size=16, temporal_patch_size=2, spatial_merge_size=2,
                           num_position_embeddings=49 if W else 64, out_hidden_size=H, deepstack_visual_indexes=[1, 2, 4] if W else [0, 2]),
        image_token_id=i("<|image_pad|>"), video_token_id=i("<|video_pad|>"), vision_start_token_id=i("<|vision_start|>"), vision_end_token_id=i("<|vision_end|>"),
        tie_word_embeddings=not W)
    m = randomise(tf.Qwen3VLForConditionalGeneration(cfg))
    m.generation_config = tf.GenerationConfig(eos_token_id=[i("<|im_end|>"), i("<|endoftext|>")], pad_token_id=i("<|endoftext|>"), do_sample=False)
    save(m, d)
    ip = tf.Qwen2VLImageProcessor(patch_size=16, temporal_patch_size=2, merge_size=2, image_mean=[.5] * 3, image_std=[.5] * 3,
                                      size=dict(shortest_edge=64 * 64, longest_edge=256 * 256))
    vp = tf.Qwen3VLVideoProcessor(patch_size=16, temporal_patch_size=2, merge_size=2)
    pr = tf.Qwen3VLProcessor(image_processor=ip, tokenizer=tok, video_processor=vp, chat_template=QWEN_TEMPLATE)
    pr.save_pretrained(d)
    json.dump(ip.to_dict(), open(os.path.join(d, "preprocessor_config.json"), "w"), indent=1, default=str)
    qwen_golden(m, pr, names, d)

# As Qwen2.5-VL-3B-Instruct, 7B and 72B publish it in chat_template.json.
QWEN25_TEMPLATE = ("{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

def qwen25(names):
    d = os.path.join(A.out, "qwen25vl"); os.makedirs(d, exist_ok=True)
    tok = qwen_tokenizer(d); i = tok.convert_tokens_to_ids
    H = 64 if W else 48
    cfg = tf.Qwen2_5_VLConfig(
        text_config=dict(hidden_size=H, num_hidden_layers=4 if W else 3, num_attention_heads=4 if W else 3, num_key_value_heads=2 if W else 1, intermediate_size=80,
                         vocab_size=len(tok), rms_norm_eps=1e-6, max_position_embeddings=4096, tie_word_embeddings=W,
                         rope_parameters=dict(rope_type="default", rope_theta=1e6, mrope_section=[4, 2, 2] if W else [2, 3, 3])),
        vision_config=dict(depth=4 if W else 3, hidden_size=48 if W else 32, num_heads=3 if W else 2, intermediate_size=76, patch_size=8, temporal_patch_size=2, spatial_merge_size=2,
                           window_size=32 if W else 48, fullatt_block_indexes=[0, 2] if W else [1], out_hidden_size=H),
        image_token_id=i("<|image_pad|>"), video_token_id=i("<|video_pad|>"), vision_start_token_id=i("<|vision_start|>"), vision_end_token_id=i("<|vision_end|>"),
        tie_word_embeddings=W)
    m = randomise(tf.Qwen2_5_VLForConditionalGeneration(cfg))
    m.generation_config = tf.GenerationConfig(eos_token_id=[i("<|im_end|>"), i("<|endoftext|>")], pad_token_id=i("<|endoftext|>"), do_sample=False)
    save(m, d)
    if not W:   # the published checkpoints' spelling; --wide keeps the newer one
        from safetensors.torch import load_file
        f = os.path.join(d, "model.safetensors")
        t = {k.replace("model.visual.", "visual.").replace("model.language_model.", "model."): v for k, v in load_file(f).items()}
        save_file(t, f, metadata={"format": "pt"})
        f = os.path.join(d, "config.json")
        c = json.load(open(f)); text = c.pop("text_config"); v = c["vision_config"]
        rope = text.pop("rope_parameters")
        for k in ("model_type", "layer_types", "dtype", "pad_token_id"): text.pop(k, None)
        v.pop("rope_parameters", None); v["model_type"] = "qwen2_5_vl"
        v["in_chans"] = v.pop("in_channels"); v["spatial_patch_size"] = v["patch_size"]
        c.update(text, rope_theta=rope["rope_theta"], rope_scaling=dict(type="mrope", mrope_section=rope["mrope_section"]), tie_word_embeddings=W, sliding_window=32768)
        json.dump(c, open(f, "w"), indent=2, sort_keys=True)
    ip = tf.Qwen2VLImageProcessor(patch_size=8, temporal_patch_size=2, merge_size=2, size=dict(shortest_edge=32 * 32, longest_edge=8192))
    vp = tf.Qwen2VLVideoProcessor(patch_size=8, temporal_patch_size=2, merge_size=2)
    pr = tf.Qwen2_5_VLProcessor(image_processor=ip, tokenizer=tok, video_processor=vp, chat_template=QWEN25_TEMPLATE)
    pr.save_pretrained(d)
    c = ip.to_dict()
    if not W:
        os.remove(os.path.join(d, "processor_config.json"))
        size = c.pop("size"); c.update(min_pixels=size["shortest_edge"], max_pixels=size["longest_edge"])
    json.dump(c, open(os.path.join(d, "preprocessor_config.json"), "w"), indent=1, default=str)
    qwen_golden(m, pr, names, d)

def gemma(names):
    d = os.path.join(A.out, "gemma3"); os.makedirs(d, exist_ok=True)
    tok = gemma_tokenizer(d); i = tok.convert_tokens_to_ids
    H, hd = (80, 20) if W else (64, 16)
    nt = 9 if W else 4
    cfg = tf.Gemma3Config(
        text_config=dict(hidden_size=H, num_hidden_layers=8 if W else 7, num_attention_heads=4, num_key_value_heads=1 if W else 2, head_dim=hd, intermediate_size=112,
                         vocab_size=len(tok), sliding_window=12 if W else 8, query_pre_attn_scalar=32 if W else 16, rms_norm_eps=1e-6, max_position_embeddings=4096,
                         rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4)),
                         bos_token_id=2, eos_token_id=1, pad_token_id=0),
        vision_config=dict(hidden_size=48, num_hidden_layers=4 if W else 3, num_attention_heads=3, intermediate_size=80, image_size=84 if W else 56, patch_size=14),
        mm_tokens_per_image=nt, boi_token_index=i("<start_of_image>"), eoi_token_index=i("<end_of_image>"), image_token_index=i("<image_soft_token>"))
    cfg.image_token_id = i("<image_soft_token>")
    m = randomise(tf.Gemma3ForConditionalGeneration(cfg))
    m.generation_config = tf.GenerationConfig(eos_token_id=[1, i("<end_of_turn>")], pad_token_id=0, bos_token_id=2, do_sample=False)
    save(m, d)
    if not W:   # the published checkpoints' spelling; --wide keeps the newer one
        from safetensors.torch import load_file
        f = os.path.join(d, "model.safetensors")
        t = {k.replace("vision_tower.", "vision_tower.vision_model."): v for k, v in load_file(f).items()}
        save_file(t, f, metadata={"format": "pt"})
    s = 84 if W else 56
    ip = tf.Gemma3ImageProcessor(size=dict(height=s, width=s), image_mean=[.5] * 3, image_std=[.5] * 3)
    tmpl = open(os.path.join(A.tokenizers, "gemma3.chat_template.jinja")).read()
    pr = tf.Gemma3Processor(image_processor=ip, tokenizer=tok, chat_template=tmpl, image_seq_length=nt)
    pr.save_pretrained(d)
    json.dump(ip.to_dict(), open(os.path.join(d, "preprocessor_config.json"), "w"), indent=1, default=str)
    out = {}
    for n in names:
        for pn, prompt in PROMPTS.items():
            if pn != "base" and n != "cat.jpg": continue
            text = f"<bos><start_of_turn>user\n<start_of_image>{prompt.strip()}<end_of_turn>\n"
            text = text.replace("<start_of_image>", pr.full_image_sequence)
            ids = torch.tensor([tok(text, add_special_tokens=False)["input_ids"]])
            vis = ids[0] == cfg.image_token_id
            x = dict(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=ip(load(n), return_tensors="pt")["pixel_values"], token_type_ids=vis[None].long())
            with torch.inference_mode():
                vt = m.model.vision_tower
                enc = getattr(vt, "vision_model", vt).encoder
                r, v = hook(enc.layers, lambda: m(**x, output_hidden_states=True, use_cache=False))
                # the reference drops token_type_ids, which makes the image tokens causal: both are recorded
                xc = dict(x); xc.pop("token_type_ids")
                rc = m(**xc, output_hidden_states=True, use_cache=False)
            k = f"{n}|{pn}|"
            o = dict(pools(r.hidden_states, ~vis, vis), v=torch.stack([t[0].mean(0) for t in v]), input_ids=ids[0].int(), logits=r.logits[0, -1])
            o.update({"causal_" + a: b for a, b in pools(rc.hidden_states, ~vis, vis).items()})
            if n == "cat.jpg" and pn == "base":
                o["pixel_values"] = x["pixel_values"][0]
                o["hidden"] = torch.stack([t[0] for t in r.hidden_states])
                o["vision"] = torch.stack([t[0] for t in v])
            out.update({k + a: b.contiguous().clone() for a, b in o.items()})
        if n == "cat.jpg":
            text = f"<bos><start_of_turn>user\n{pr.full_image_sequence}{PROMPTS['base']}<end_of_turn>\n<start_of_turn>model\n"
            ids = torch.tensor([tok(text, add_special_tokens=False)["input_ids"]])
            with torch.inference_mode():
                g = m.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=x["pixel_values"], token_type_ids=(ids == cfg.image_token_id).long(), max_new_tokens=16, do_sample=False)
            out[f"{n}|generate|input_ids"] = ids[0].int()
            out[f"{n}|generate|new_ids"] = g[0, ids.shape[1]:].int().clone()
    save_file(out, os.path.join(d, "golden.safetensors"))

def vision_only(names):
    for name, cls, cfg, ip in [
        ("dinov3", tf.DINOv3ViTModel, tf.DINOv3ViTConfig(hidden_size=48, num_hidden_layers=4 if W else 3, num_attention_heads=3, intermediate_size=96, num_register_tokens=4, patch_size=16, image_size=96, use_gated_mlp=False),
         tf.DINOv3ViTImageProcessor(size=dict(height=80 if W else 96, width=80 if W else 96))),
        ("dinov3_gated", tf.DINOv3ViTModel, tf.DINOv3ViTConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=64, num_register_tokens=4, patch_size=16, image_size=96, use_gated_mlp=True, hidden_act="silu"),
         tf.DINOv3ViTImageProcessor(size=dict(height=96, width=96))),
        ("clip", tf.CLIPVisionModelWithProjection, tf.CLIPVisionConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=96, patch_size=16, image_size=96 if W else 64, projection_dim=32),
         tf.CLIPImageProcessor(size=dict(shortest_edge=96 if W else 64), crop_size=dict(height=96 if W else 64, width=96 if W else 64))),
        ("siglip", tf.SiglipVisionModel, tf.SiglipVisionConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=96, patch_size=16, image_size=64),
         tf.SiglipImageProcessor(size=dict(height=64, width=64), image_mean=[.5] * 3, image_std=[.5] * 3)),
    ]:
        d = os.path.join(A.out, name); os.makedirs(d, exist_ok=True)
        m = randomise(cls(cfg)); save(m, d)
        json.dump(ip.to_dict(), open(os.path.join(d, "preprocessor_config.json"), "w"), indent=1, default=str)
        out = {}
        for n in names:
            x = ip(images=load(n), return_tensors="pt")
            with torch.inference_mode():
                r = m(**x, output_hidden_states=True)
            o = dict(v=torch.stack([t[0].mean(0) for t in r.hidden_states]))
            for a in ("pooler_output", "image_embeds"):
                if getattr(r, a, None) is not None: o[a] = getattr(r, a)[0]
            if n == "cat.jpg":
                o["pixel_values"] = x["pixel_values"][0]
                o["hidden"] = torch.stack([t[0] for t in r.hidden_states])
            out.update({f"{n}|{a}": b.contiguous().clone() for a, b in o.items()})
        save_file(out, os.path.join(d, "golden.safetensors"))

# ---------------------------------------------------------------- preprocessing and regression
def preprocessing(names):
    """Decoded RGB and antialiased resizes as torchvision computes them on uint8, and Qwen's smart_resize grid for many sizes."""
    from torchvision.transforms.v2 import functional as F
    from torchvision.transforms import InterpolationMode as M
    out = {}
    for n in names:
        im = load(n); t = torch.from_numpy(np.array(im)).permute(2, 0, 1).contiguous()
        out[f"{n}|rgb"] = t.permute(1, 2, 0).contiguous()
        for mode, mm in (("bicubic", M.BICUBIC), ("bilinear", M.BILINEAR)):
            for h, w in ((64, 96), (224, 160)):
                out[f"{n}|{mode}|{h}x{w}"] = F.resize(t, [h, w], interpolation=mm, antialias=True).permute(1, 2, 0).contiguous()
    if W: out = {k: v for k, v in out.items() if not k.endswith("rgb")}
    save_file(out, os.path.join(A.out, "preprocess.safetensors"))
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
    rows = []
    for _ in range(200):
        h, w = (int(x) for x in np.exp(rng.uniform(np.log(5), np.log(9000), 2)))
        for lo, hi in ((65536, 16777216), (4096, 65536)):
            try: rows.append([h, w, lo, hi, *smart_resize(h, w, 32, lo, hi)])
            except ValueError: rows.append([h, w, lo, hi, -1, -1])
    json.dump(rows, open(os.path.join(A.out, "smart_resize.json"), "w"))

def ridge():
    """StandardScaler + RidgeCV(alphas=logspace(-3,3,13)), the reference's regressor, on wide, tall, degenerate and multi-target data."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.linear_model import RidgeCV, Ridge
    from scipy.stats import spearmanr
    from sklearn.metrics import r2_score
    out = {}
    for name, n, d, k, opt in [("wide", 100, 640, 1, ""), ("tall", 700, 96, 12, ""), ("square", 64, 64, 2, ""), ("tiny", 10, 256, 1, ""), ("constant_column", 80, 40, 1, "const"),
                               ("constant_target", 60, 30, 1, "y"), ("ties", 120, 200, 1, "ties"), ("collinear", 90, 50, 3, "rank")]:
        X = rng.standard_normal((n + 50, d)).astype(np.float32) * rng.uniform(.1, 30, d).astype(np.float32) + rng.uniform(-50, 50, d).astype(np.float32)
        B = rng.standard_normal((d, k)) / np.sqrt(d) / X.std(0)[:, None]
        if opt == "rank": X = (X[:, :10] @ rng.standard_normal((10, d))).astype(np.float32)
        if opt == "const": X[:, ::5] = 3.25
        Y = (X - X.mean(0)) @ B + .5 * rng.standard_normal((n + 50, k)) + 3
        if opt == "ties": Y = np.clip(np.round(Y * 2) / 2, 1, 5)
        if opt == "y": Y[:] = 2.5
        X = X.astype(np.float64)   # float32 values, float64 arithmetic: scikit-learn keeps the input's precision
        Xa, Xt, Ya, Yt = X[:n], X[n:], Y[:n], Y[n:]
        s = StandardScaler().fit(Xa)
        o = dict(x=Xa.astype(np.float32), y=Ya, x_test=Xt.astype(np.float32), y_test=Yt, mean=s.mean_, scale=s.scale_)
        al, co, ic, pr, rho, r2 = [], [], [], [], [], []
        for j in range(k):
            m = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(s.transform(Xa), Ya[:, j])
            p = m.predict(s.transform(Xt))
            al.append(m.alpha_); co.append(m.coef_); ic.append(m.intercept_); pr.append(p)
            rho.append(np.nan_to_num(spearmanr(Yt[:, j], p).statistic)); r2.append(r2_score(Yt[:, j], p))
        mt = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(s.transform(Xa), Ya)
        o.update(alpha=al, coef=co, intercept=ic, prediction=np.array(pr).T, spearman=rho, r2=r2, joint_alpha=np.atleast_1d(mt.alpha_), joint_prediction=mt.predict(s.transform(Xt)).reshape(50, k))
        r1 = Ridge(alpha=10.0).fit(s.transform(Xa), Ya)
        o.update(ridge10_prediction=r1.predict(s.transform(Xt)).reshape(50, k))
        out.update({f"{name}|{a}": torch.from_numpy(np.ascontiguousarray(np.asarray(b))) for a, b in o.items()})
    save_file(out, os.path.join(A.out, "ridge.safetensors"))

def tokens():
    """Token ids of the real vocabularies for awkward text, and the paper's prompts in each chat template."""
    import lzma
    from tokenizers import Tokenizer
    texts = list(PROMPTS.values()) + ["", " ", "  two  spaces ", "I'm you'RE they'll", "naïve café résumé Å Å e\u0301", "１２３ 42 3.14159 1e-9", "日本語のテキスト と 한국어", "👩‍🚀🚀🏳️‍🌈", "\ttab\r\nline\n\n\nend",
        "mixed ÀÉÎ ΑΒΓ абв שלום مرحبا हिन्दी", "a" * 300, "<|im_start|>user\nhi<|im_end|>", "<start_of_turn>user\nhi<end_of_turn>", "code: for(int i=0;i<n;++i){x[i]+=1;}", "\u00a0nbsp\u2003em\u200bzero", "Ⅷ ½ ² ﬁ ﬀ", "Z̶͎a̸l̷g̶o̴", "\x00\x01\x7f", "…—–“”‘’"]
    if W:
        texts = []
        pool = [*range(32, 0x24F), *range(0x300, 0x36F), *range(0x370, 0x530), *range(0x5d0, 0x5ea), *range(0x627, 0x64a), *range(0x905, 0x939), *range(0x3040, 0x30ff), *range(0x4e00, 0x4eff), *range(0xac00, 0xacff), *range(0x1F600, 0x1F64F), 10, 13, 9, 0xA0, 0x2003]
        for _ in range(300):
            s = ""
            for _ in range(int(rng.integers(1, 40))):
                s += chr(int(rng.integers(32, 127))) if rng.random() < .6 else chr(int(rng.choice(pool)))
            texts.append(s)
    out = {}
    for n in filter(have, ("qwen3", "gemma3")):
        t = Tokenizer.from_str(lzma.open(os.path.join(A.tokenizers, n + ".tokenizer.json.xz")).read().decode())
        out[n] = [dict(text=s, ids=t.encode(s, add_special_tokens=False).ids, decoded=t.decode(t.encode(s, add_special_tokens=False).ids, skip_special_tokens=False)) for s in texts]
    json.dump(out, open(os.path.join(A.out, "tokens.json"), "w"), ensure_ascii=False, indent=0)

names = images()
ridge(); preprocessing(names); tokens()
qwen(names); qwen25(names)
if have("gemma3", ".chat_template.jinja"): gemma(names)
vision_only(names)
shutil.rmtree(os.path.join(A.out, "__pycache__"), ignore_errors=True)
