#!/usr/bin/env python3
"""PIAA-ICI's attribute graph (phases 2 and 3) against PyTorch, factored as there, on the same numbers in the same run.

    python bench/graph.py BUILD/bench/bench_graph [--seconds 5] [--rounds 3] [--people 200]

Prints CSV.  A step of Adam on 256 ratings of 238 people (phase 2) and on 100 of one (phase 3), full and reduced: milliseconds of piaa on one and
two threads and of PyTorch on one (cpu: processor time, which other programs disturb less; the least of the rounds' medians; rounds take turns), what
PyTorch's are as a multiple of ours, and both sides' loss at step 20, to see that they did the same.  Then phase 3 of --people people with 100 ratings,
50 steps each, two people at a time: seconds, and those of PyTorch on one thread, of which it is given three people and its time is multiplied.
Needs torch and safetensors.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts", "golden"))

CASES = [("phase 2", True, 256, 238), ("phase 2", False, 256, 238), ("phase 3", True, 100, 1), ("phase 3", False, 100, 1)]
SIZES = (5, 2, 4, 4, 4)
TOLD = 20


def make(torch, golden, full, rows, people):
    torch.manual_seed(rows + full)
    gen = torch.Generator().manual_seed(rows)
    sizes = dict(zip(golden.CATEGORIES, SIZES))
    model = golden.Graph(238, sizes=sizes if full else None)
    b = golden.batch(gen, rows, people, 7, 9, sizes)
    cat = torch.stack([torch.randint(n, (238,), generator=gen) for n in SIZES], 1)
    num = torch.randint(1, 11, (238, 5), generator=gen).float()
    t = {"in." + k: b[k].float() for k in ("user", "attr", "dis", "y")}
    if full:
        t.update({"in.cat": cat.float(), "in.num": num})
    t.update({"w." + k: v for k, v in model.state_dict().items()})
    inputs = dict(user=b["user"], attr=b["attr"], dis=b["dis"], **(dict(cat=cat[b["user"]], num=num[b["user"]]) if full else {}))
    return model, inputs, b["y"], t


def steps(torch, model, inputs, y, rate, seconds=0.0, count=0):
    """Median milliseconds, those of processor time, and losses of `count` steps, or of as many as there is time for."""
    optimiser, times, cpu, losses, begin = torch.optim.Adam(model.parameters(), lr=rate), [], [], [], time.perf_counter()
    while len(times) < (count or TOLD) or (not count and time.perf_counter() - begin < seconds):
        start, used = time.perf_counter(), time.process_time()
        loss = torch.nn.functional.mse_loss(model(**inputs), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        times.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - used) * 1e3)
    return sorted(times)[len(times) // 2], sorted(cpu)[len(cpu) // 2], losses


def call(*words):
    out = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout
    return [float(v) for v in out.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=200)
    a = parser.parse_args()
    import torch
    from safetensors.torch import save_file

    import ici_graph as golden

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph.safetensors")
        print("what,graph,ratings,people,piaa_ms,piaa_cpu_ms,piaa_2_threads_ms,pytorch_ms,pytorch_cpu_ms,ratio,ratio_cpu,ratio_2_threads,piaa_loss,pytorch_loss",
              flush=True)
        for what, full, rows, people in CASES:
            model, inputs, y, t = make(torch, golden, full, rows, people)
            save_file({k: v.contiguous() for k, v in t.items()}, path)
            start = {k: v.clone() for k, v in model.state_dict().items()}
            one, two, theirs = [], [], []
            for _ in range(a.rounds):
                one.append(call(a.program, path, "step", 1, a.seconds / a.rounds))
                two.append(call(a.program, path, "step", 2, a.seconds / a.rounds))
                model.load_state_dict(start)
                theirs.append(steps(torch, model, inputs, y, 1e-4, a.seconds / a.rounds))
            wall, cpu, both = min(r[1] for r in one), min(r[3] for r in one), min(r[1] for r in two)
            their_wall, their_cpu = min(r[0] for r in theirs), min(r[1] for r in theirs)
            print(f"{what},{'full' if full else 'reduced'},{rows},{len(set(inputs['user'].tolist()))},{wall:.2f},{cpu:.2f},{both:.2f},{their_wall:.2f},"
                  f"{their_cpu:.2f},{their_wall / wall:.2f},{their_cpu / cpu:.2f},{their_wall / both:.2f},{one[0][4]:.6f},{theirs[0][2][TOLD - 1]:.6f}",
                  flush=True)
        print("what,graph,ratings,people,piaa_2_threads_s,piaa_cpu_s,pytorch_1_thread_s,pytorch_cpu_s,piaa_loss,pytorch_loss", flush=True)
        for what, full, rows, people in CASES[2:]:
            model, inputs, y, t = make(torch, golden, full, rows, people)
            save_file({k: v.contiguous() for k, v in t.items()}, path)
            start = {k: v.clone() for k, v in model.state_dict().items()}
            seconds, cpu, loss = call(a.program, path, "people", 2, a.people)
            begin, used = time.perf_counter(), time.process_time()
            for _ in range(3):
                model.load_state_dict(start)
                losses = steps(torch, model, inputs, y, 1e-5, count=50)[2]
            theirs, their_cpu = ((clock() - since) * a.people / 3 for clock, since in ((time.perf_counter, begin), (time.process_time, used)))
            print(f"fine-tuning,{'full' if full else 'reduced'},{rows},{a.people},{seconds:.1f},{cpu:.1f},{theirs:.1f},{their_cpu:.1f},{loss:.6f},{losses[-1]:.6f}", flush=True)


if __name__ == "__main__":
    main()
