"""The peer: `concurrent.futures.ProcessPoolExecutor`, driven and timed by Python itself.

The only argument is the job as JSON; the readings go to stdout as JSON, in the words of `job.rs`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor

PAYLOAD = b"\xa5" * 64
WARM_UP = 200


def echo(data: bytes) -> bytes:
    return data


def move_process(pid: int, cpu: int) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


def one_after_the_other(pool: ProcessPoolExecutor, seconds: float) -> dict[str, float]:
    latencies = []
    clock = time.perf_counter_ns
    begin = now = clock()
    end = begin + int(seconds * 1e9)
    while now < end:
        assert pool.submit(echo, PAYLOAD).result() == PAYLOAD
        later = clock()
        latencies.append(later - now)
        now = later
    latencies.sort()
    return {
        "p50_us": latencies[len(latencies) // 2] / 1e3,
        "p99_us": latencies[len(latencies) * 99 // 100] / 1e3,
        "calls_per_s": len(latencies) / ((now - begin) / 1e9),
    }


def many_in_flight(pool: ProcessPoolExecutor, seconds: float, in_flight: int) -> dict[str, float]:
    clock = time.perf_counter_ns
    begin = now = clock()
    end = begin + int(seconds * 1e9)
    answered = 0
    waiting = deque(pool.submit(echo, PAYLOAD) for _ in range(in_flight))
    while now < end:
        assert waiting.popleft().result() == PAYLOAD
        waiting.append(pool.submit(echo, PAYLOAD))
        answered += 1
        now = clock()
    readings = {"calls_per_s": answered / ((now - begin) / 1e9)}
    for future in waiting:
        future.cancel()
    return readings


def main() -> None:
    job = json.loads(sys.argv[1])
    if job["host_cpu"] is not None:
        os.sched_setaffinity(0, {job["host_cpu"]})
    with ProcessPoolExecutor(job["workers"]) as pool:
        for future in [pool.submit(echo, PAYLOAD) for _ in range(WARM_UP)]:
            future.result()
        if job["worker_cpu"] is not None:
            for pid in pool._processes:
                move_process(pid, job["worker_cpu"])
        if job["in_flight"] == 1:
            readings = one_after_the_other(pool, job["seconds"])
        else:
            readings = many_in_flight(pool, job["seconds"], job["in_flight"])
    json.dump(readings, sys.stdout)


if __name__ == "__main__":
    main()
