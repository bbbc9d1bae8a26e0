#!/usr/bin/env python3
"""A ResNet-50's forward pass and step of training against PyTorch's, in the same run.

    python bench/resnet.py BUILD/bench/bench_resnet [--threads 1,2] [--batch 8] [--side 224] [--turns 3]

Prints CSV: processor and wall-clock seconds for the whole batch, the least of all turns (piaa and PyTorch take turns, each with a few rounds that count), and how many times
piaa's PyTorch's are. A step is forward in training mode, back, and Adam, without the loss, which is the heads' and small. `last`: PyTorch with its channels last, which suits it better.
Needs torch and torchvision.
"""
import argparse
import os
import subprocess
import sys
import time

ROUNDS = 3


def theirs(what, batch, side, threads, last):
    import torch
    import torchvision

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    form = torch.channels_last if last else torch.contiguous_format
    model = torchvision.models.resnet50(weights=None)
    model.fc = torch.nn.Identity()
    model = model.to(memory_format=form)
    x = torch.randn(batch, 3, side, side).to(memory_format=form)
    g = torch.randn(batch, 2048) * 1e-4
    adam = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step():
        y = model.train()(x)
        adam.zero_grad()
        y.backward(g)
        adam.step()

    def forward():
        with torch.no_grad():
            model.eval()(x)

    times = []
    for _ in range(ROUNDS + 1):
        cpu, wall = time.process_time(), time.perf_counter()
        (step if what == "train" else forward)()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    print(*(min(t) for t in zip(*times[1:])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        return theirs(a.child[0], a.batch, a.side, int(a.threads), a.child[1] == "last")
    print("what,threads,batch,side,piaa_cpu,piaa_wall,torch_cpu,torch_wall,last_cpu,last_wall,ratio_cpu,ratio_wall", flush=True)
    for threads in a.threads.split(","):
        env = {**os.environ, "OMP_NUM_THREADS": threads}
        for what in ("forward", "train"):
            size = ["--batch", str(a.batch), "--side", str(a.side), "--threads", threads]
            commands = [[a.program, what, "64", str(a.batch), str(a.side), threads, str(ROUNDS)]]
            commands += [[sys.executable, __file__, a.program, *size, "--child", what, form] for form in ("contiguous", "last")]
            best = [(float("inf"),) * 2] * 3
            for _ in range(a.turns):
                for i, command in enumerate(commands):
                    out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
                    best[i] = tuple(map(min, best[i], map(float, out.replace(",", " ").split()[-2:])))
            ratios = [min(best[1][k], best[2][k]) / best[0][k] for k in (0, 1)]
            print(what, threads, a.batch, a.side, *(f"{v:.3f}" for pair in best for v in pair), *(f"{r:.2f}" for r in ratios), sep=",", flush=True)


if __name__ == "__main__":
    main()
