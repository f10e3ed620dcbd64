"""``python -m benchmarks.throughput [--batches N ...] [--threads N]``.

Shapes a second of one StructureNet training step (batch, all losses, backward, Adam; the authors'
setting) by the size of the batch, and what an epoch of all chairs would take. One line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from benchmarks.sources import data_file
from benchmarks.structurenet import adam, official_model
from shapegen.structures.files import read_part_trees

STEPS, WARMUP = 12, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chairs = read_part_trees(data_file("partnet_boxes/chair_train.jsonl.gz"))
    model = official_model(torch.device("cpu")).train()
    data = model.prepare(chairs)
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    optimizers = adam(model)
    order = torch.randperm(len(chairs), generator=torch.Generator().manual_seed(0))

    def step(rows: torch.Tensor) -> float:
        start = time.perf_counter()
        loss, _ = objective.loss(data[rows], 0)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return time.perf_counter() - start

    rates = {}
    for size in options.batches:
        parts = order.split(size)[: WARMUP + STEPS]
        times = [step(rows) for rows in parts if len(rows) == size][WARMUP:]
        rates[size] = size / statistics.median(times)
    epochs = {size: len(chairs) / rate for size, rate in rates.items()}
    print(json.dumps({"shapes_a_second": rates, "seconds_an_epoch": epochs, **vars(options)}))


if __name__ == "__main__":
    main()
