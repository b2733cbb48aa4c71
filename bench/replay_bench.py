#!/usr/bin/env python3
"""Replays beside a bare librdkafka producer and kcat, and paced replays beside plain clock_nanosleep.

  bench/replay_bench.py SIDE [MESSAGES] [ROUNDS]      SIDE: the program replay_side; 300,000 messages, 3 rounds

Starts a broker of its own. Sides take turns, each on a topic of its own with four partitions; medians of the rounds'
ratios count, best and worst are shown. The bare producer sends the same messages with the same headers, settings and
allocator from memory. kcat -P reads a file of the values alone: it has less to do. Bars: at-least-once at least 0.9 of
bare and 2 of kcat; exactly-once at least 0.85 of at-least-once; 99th percentile of lateness at 1x at most 0.25 of
clock_nanosleep's.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVICES = ROOT / "tests" / "services"


def side(program, *arguments):
    """What one side printed: messages, wall seconds, CPU seconds, messages a second, and lateness where it has some."""
    out = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in out.split()]


def topic(servers, name):
    subprocess.run([SERVICES / "kafka-admin", "--bootstrap", servers, "create-topic", name, "4", "retention.ms=-1"], check=True,
                   stdout=subprocess.DEVNULL)
    return name


def kcat(servers, name, values):
    begin = time.monotonic()
    with open(values, "rb") as lines:
        subprocess.run(["kcat", "-P", "-b", servers, "-t", name, "-X", "acks=all", "-X", "enable.idempotence=true", "-X",
                        "linger.ms=5"], stdin=lines, check=True)
    return time.monotonic() - begin


def verdict(name, ratios, bar, at_least=True):
    median = statistics.median(ratios)
    met = median >= bar if at_least else median <= bar
    print(f"{name:45} {median:6.3f}  ({min(ratios):.3f} to {max(ratios):.3f})  bar {bar}{'' if met else '  MISSED'}", flush=True)
    return met


def main():
    program = os.path.abspath(sys.argv[1])
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else 300_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {messages} messages of 250 bytes, {rounds} rounds")
    broker = json.loads(subprocess.run([SERVICES / "kafka", "start", "--owner", str(os.getpid())], check=True, capture_output=True,
                                       text=True).stdout)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tapedeck-replay-bench-"))
    try:
        return measure(program, broker["bootstrap"], folder, messages, rounds)
    finally:
        subprocess.run([SERVICES / "kafka", "stop", broker["dir"]], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def measure(program, servers, folder, messages, rounds):
    store, small = folder / "store", folder / "small"
    subprocess.run([program, "fill", store, str(messages)], check=True)
    subprocess.run([program, "fill", small, "20000"], check=True)
    values = folder / "values"
    values.write_bytes((b"q" * 250 + b"\n") * messages)
    to_bare, to_kcat, to_least, late = [], [], [], []
    for turn in range(rounds):
        bare = side(program, "bare", servers, store, topic(servers, f"bare{turn}"))
        least = side(program, "at-least-once", servers, store, topic(servers, f"least{turn}"))
        exactly = side(program, "exactly-once", servers, store, topic(servers, f"exactly{turn}"))
        to_bare.append(least[3] / bare[3])
        to_least.append(exactly[3] / least[3])
        if shutil.which("kcat"):
            to_kcat.append(least[3] / (messages / kcat(servers, topic(servers, f"kcat{turn}"), values)))
        sleep = side(program, "sleep", small, 1)
        paced = side(program, "pace", servers, small, topic(servers, f"pace{turn}"), 1)
        late.append(paced[5] / max(sleep[5], 0.1))
        print(f"  bare {bare[3]:.0f}/s, at least once {least[3]:.0f}/s, exactly once {exactly[3]:.0f}/s; p99 late: "
              f"sleep {sleep[5]:.1f} us, paced {paced[5]:.1f} us", flush=True)
    met = [verdict("at-least-once / bare producer", to_bare, 0.9),
           verdict("exactly-once / at-least-once", to_least, 0.85),
           verdict("p99 lateness paced / clock_nanosleep", late, 0.25, at_least=False)]
    if to_kcat:
        met.append(verdict("at-least-once / kcat -P", to_kcat, 2.0))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
