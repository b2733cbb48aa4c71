#!/usr/bin/env python3
"""Replays beside a bare librdkafka producer and kcat, and paced replays beside plain clock_nanosleep.

  bench/replay_bench.py SIDE [MESSAGES] [ROUNDS]      SIDE: the program replay_side; 1,000,000 messages, 3 rounds

Starts a broker of its own. Sides take turns, each on a topic of its own with four partitions; medians of the rounds'
ratios count, best and worst are shown. The bare producer sends the same messages with the same headers, settings and
allocator from memory. kcat -P reads the same keys and values from a file, with headers of the same size. Bars: at-least-once at least 0.9 of
bare and 2 of kcat; exactly-once at least 0.85 of at-least-once; 99th percentile of lateness at 1x at most 0.25 of
clock_nanosleep's, on the busiest 20 s of a recorded capture, with the machine idle and with one core busy.

CPU seconds of the client, for each million messages, stand beside the rates: where broker and client share few cores, rates
compress what costs differ.
"""

import bisect
import contextlib
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
CAPTURE = "binance_spot_btcusdt_ethusdt_20240809"


def side(program, *arguments):
    """What one side printed: messages, wall seconds, CPU seconds, messages a second, and lateness where it has some."""
    out = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in out.split()]


def topic(servers, name):
    subprocess.run([SERVICES / "kafka-admin", "--bootstrap", servers, "create-topic", name, "4", "retention.ms=-1"], check=True,
                   stdout=subprocess.DEVNULL)
    return name


def kcat(servers, name, values):
    """Seconds: the same keys and values from a file, and headers as many and as long as ours, though always the same."""
    headers = {"tapedeck-replay": "tapedeck/bench/01J00000000000000000000000", "tapedeck-seq": "123456",
               "tapedeck-origin": "quotes/0/0/123456", "tapedeck-ts": "1720000000000"}
    options = [word for header in headers.items() for word in ("-H", "=".join(header))]
    begin = time.monotonic()
    with open(values, "rb") as lines:
        subprocess.run(["kcat", "-P", "-b", servers, "-t", name, "-K", "|", *options, "-X", "acks=all", "-X",
                        "enable.idempotence=true", "-X", "linger.ms=5", "-X", "queue.buffering.max.messages=524288"], stdin=lines,
                       check=True)
    return time.monotonic() - begin


def recorded_times(folder):
    """The busiest 20 seconds of a capture: a file of times, and how many. None without the shared data."""
    shared = pathlib.Path(os.environ.get("TAPEDECK_SHARED_DIR", ROOT.parent / "shared"))
    raw = shared / "data" / "raw" / f"{CAPTURE}.recv_ns.txt.zst"
    if not raw.exists():
        print(f"no {raw.name}: made-up bursts instead")
        return None
    times = sorted(map(int, subprocess.run(["zstd", "-dc", raw], check=True, capture_output=True, text=True).stdout.split()))
    first = max(range(len(times)), key=lambda n: bisect.bisect_left(times, times[n] + 20 * 10**9) - n)
    chosen = times[first:bisect.bisect_left(times, times[first] + 20 * 10**9)]
    path = folder / "times"
    path.write_text("".join(f"{ns}\n" for ns in chosen))
    return path, len(chosen)


@contextlib.contextmanager
def one_core_busy():
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def verdict(name, ratios, bar, at_least=True):
    median = statistics.median(ratios)
    met = median >= bar if at_least else median <= bar
    print(f"{name:54} {median:6.3f}  ({min(ratios):.3f} to {max(ratios):.3f})  bar {bar}{'' if met else '  MISSED'}", flush=True)
    return met


def main():
    program = os.path.abspath(sys.argv[1])
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
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
    times = recorded_times(folder)
    subprocess.run([program, "fill", small, *(("20000",) if times is None else (str(times[1]), times[0]))], check=True)
    values = folder / "values"
    values.write_bytes((b"BTCUSDT|" + b"q" * 250 + b"\n") * messages)
    to_bare, to_kcat, to_least, late = [], [], [], {"idle": [], "one core busy": []}
    for turn in range(rounds):
        bare = side(program, "bare", servers, store, topic(servers, f"bare{turn}"))
        least = side(program, "at-least-once", servers, store, topic(servers, f"least{turn}"))
        exactly = side(program, "exactly-once", servers, store, topic(servers, f"exactly{turn}"))
        to_bare.append(least[3] / bare[3])
        to_least.append(exactly[3] / least[3])
        shown = [("bare", bare), ("at least once", least), ("exactly once", exactly)]
        print("  " + ", ".join(f"{name} {one[3]:.0f}/s ({one[2] / messages * 1e6:.2f} CPU s a million)" for name, one in shown),
              flush=True)
        if shutil.which("kcat"):
            of_kcat = messages / kcat(servers, topic(servers, f"kcat{turn}"), values)
            to_kcat.append(least[3] / of_kcat)
            print(f"  kcat {of_kcat:.0f}/s", flush=True)
        for load in late:
            with one_core_busy() if load != "idle" else contextlib.nullcontext():
                sleep = side(program, "sleep", small, 1)
                paced = side(program, "pace", servers, small, topic(servers, f"pace{turn}{load[:3]}"), 1)
            late[load].append(paced[5] / max(sleep[5], 0.1))
            print(f"  {load}: p99 late: sleep {sleep[5]:.1f} us, paced {paced[5]:.1f} us", flush=True)
    met = [verdict("at-least-once / bare producer", to_bare, 0.9),
           verdict("exactly-once / at-least-once", to_least, 0.85)]
    for load, ratios in late.items():
        met.append(verdict(f"p99 lateness paced / clock_nanosleep, {load}", ratios, 0.25, at_least=False))
    if to_kcat:
        met.append(verdict("at-least-once / kcat -P", to_kcat, 2.0))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
