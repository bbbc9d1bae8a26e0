#!/usr/bin/env python3
"""Reads photos into a store on a Ray cluster: parts by ray.data's actors, then put together.

    python ray_embed.py PHOTOS STORE [--model NAME] [--shards N] [--readers N] [--threads N] [--layer …]

PHOTOS is a folder, or a pattern of URLs (s3://bucket/folder/*.jpg); STORE a folder that all nodes share.
Each part has a store of its own, STORE.parts/I.store, which is the checkpoint: a reader that dies is
started anew on another node and goes on with the part where it ended, and so does the whole when the
same command is run again.  A reader holds the model and gets a part when it is done with the one before,
so that a slow node gets fewer; use several times as many parts as readers.
"""
import argparse
import os
import time

import piaa
import ray
import ray.data


class Reader:
    """An actor: one model, and the parts that it is given."""

    def __init__(self, photos, store, shards, model, request):
        self.model = piaa.Model(model)
        self.photos, self.store, self.shards, self.request = photos, store, shards, request

    def read(self, shard):
        while True:
            try:
                return self.model.embed(self.photos, f"{self.store}.parts/{shard}.store", shard=(shard, self.shards),
                                        copies=self.store + ".photos", keep=False, **self.request)
            except piaa.BusyError:  # the reader that had this part before is not quite dead yet
                time.sleep(1)

    def __call__(self, batch):
        return {"shard": batch["shard"], "photos": [len(self.read(int(shard))) for shard in batch["shard"]]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("store")
    parser.add_argument("--model")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="processors that a reader takes")
    parser.add_argument("--gpus", type=float, default=0, help="and GPUs")
    parser.add_argument("--pool")
    parser.add_argument("--layer")
    asked = parser.parse_args()

    photos = asked.photos if "://" in asked.photos else os.path.abspath(asked.photos)
    store = os.path.abspath(asked.store)
    os.makedirs(store + ".parts", exist_ok=True)
    request = {"pools": asked.pool, "layers": asked.layer, "threads": asked.threads}
    ray.init()
    parts = ray.data.from_items([{"shard": i + 1} for i in range(asked.shards)], override_num_blocks=asked.shards)
    done = parts.map_batches(
        Reader, fn_constructor_args=(photos, store, asked.shards, asked.model, request), batch_size=1,
        num_cpus=asked.threads, num_gpus=asked.gpus,
        compute=ray.data.ActorPoolStrategy(size=asked.readers, max_tasks_in_flight_per_actor=1))
    for row in done.iter_rows():
        print(f"part {row['shard']}: {row['photos']} photos", flush=True)
    merged = piaa.merge([f"{store}.parts/{i + 1}.store" for i in range(asked.shards)], store)
    print(f"{len(merged)} photos in {store}")


if __name__ == "__main__":
    main()
