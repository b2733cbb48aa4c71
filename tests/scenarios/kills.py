#!/usr/bin/env python3
"""Kills a recording node again and again, then compares everything.

A producer writes known messages to 12 partitions of a real broker (null and empty keys and values, repeated and empty headers, 1-byte
and 900-kB values, binary bytes, aborted transactions) while the node is killed with -9 at random moments and at every named failpoint.
At the end an independent client's dump of the topic must equal the tape message for message, and the series must equal a
straightforward decode of that dump, each record once; `tapedeck verify` must pass.

  kills.py --binary build/release/bin/tapedeck [--kills N] [--seed N]      N kills: TAPEDECK_KILLS, or 500

Exit 0: all equal; 77: there is no Kafka on this machine. A failure prints the seed and keeps the folder.
"""

import argparse
import base64
import os
import random
import re
import sys
import threading
import time

import rig

TOPIC = "kills"
PARTITIONS = 12
CONFIG = """
[node]
id = "chaos-1"
data_dir = "@DATA@"
[kafka]
bootstrap_servers = "@BOOTSTRAP@"
group = "chaos"
[kafka.properties]
"session.timeout.ms" = "6000"
[[topics]]
name = "kills"
mapping = "finnhub"
[record]
commit_interval = "30ms"
[series]
flush_interval = "700ms"
"""


def failpoint_names():
    text = (rig.ROOT / "src" / "base" / "failpoint.cc").read_text(encoding="utf-8")
    return [n for n in re.findall(r'"((?:record|store)\.[a-z_]+)"', text)]


def b64(data):
    return base64.b64encode(data).decode()


class Traffic(threading.Thread):
    """Produces odd and ordinary messages until told to stop."""

    def __init__(self, bootstrap, seed):
        super().__init__(daemon=True)
        self.admin = rig.Admin(bootstrap)
        self.random = random.Random(seed)
        self.ended = threading.Event()
        self.sent = 0
        self.failure = None

    def value(self):
        r = self.random
        kind = r.randrange(100)
        if kind < 80:
            trades = [f'{{"c":null,"p":{r.randrange(1, 90000)}.{r.randrange(100):02d},"s":"SYM{r.randrange(40)}",'
                      f'"t":{1719893836000 + r.randrange(200000)},"v":0.{r.randrange(1, 99999):05d}}}'
                      for _ in range(r.randrange(1, 4))]
            return ('{"data":[' + ",".join(trades) + '],"type":"trade"}').encode()
        if kind < 84:
            return None
        if kind < 87:
            return b""
        if kind < 90:
            return b"x"
        if kind < 95:
            return r.randbytes(r.randrange(1, 400))
        if kind < 96:
            return r.randbytes(900_000)
        return b'{"type":"ping"}'

    def message(self):
        r = self.random
        value = self.value()
        key = r.choice([None, None, "", "k%d" % r.randrange(9)])
        headers = r.choice([[], [], [["source", b64(b"ws")]], [["a", b64(b"1")], ["a", None], ["", b64(b"")]]])
        return {"topic": TOPIC, "partition": r.randrange(PARTITIONS), "timestamp": 1719893840000 + r.randrange(10**6),
                "key": key, "value_b64": None if value is None else b64(value), "headers": headers}

    def run(self):
        try:
            number = 0
            while not self.ended.is_set():
                lines = [self.message() for _ in range(self.random.randrange(1, 60))]
                if self.random.randrange(4) == 0:
                    number += 1
                    end = "abort" if self.random.randrange(2) else "commit"
                    lines = [{"txn": "t", "begin": True}, *({"txn": "t", **line} for line in lines), {"txn": "t", end: True}]
                self.admin("produce", lines=lines)
                self.sent += len(lines)
                time.sleep(0.02)
        except Exception as failure:  # reported by the main thread, which decides
            self.failure = failure

    def stop(self):
        self.ended.set()
        self.join(timeout=60)
        self.admin.close()
        if self.failure:
            raise self.failure


def kill_rounds(node, kills, chance):
    """Starts and kills; every failpoint in turn, and as many random moments."""
    names = failpoint_names()
    chance.shuffle(names)
    hit = 0
    for number in range(kills):
        if number % 2 == 0:
            failpoint = f"{names[(number // 2) % len(names)]}:{chance.randrange(1, 4)}:abort"
            node.start(failpoint=failpoint, wait_ready=False)
            try:
                node.process.wait(timeout=chance.uniform(2.0, 4.0))
                hit += 1
            except rig.subprocess.TimeoutExpired:
                pass
        else:
            node.start(wait_ready=chance.randrange(4) != 0)
            time.sleep(chance.uniform(0, 1.6))
        node.kill()
        if number % 50 == 49:
            print(f"{number + 1} kills, {hit} of them at a failpoint", flush=True)
    return hit


def compare(node, admin, folder):
    wanted = rig.dump_kafka(admin, TOPIC, folder / "dump.ndjson")
    tape = {(p, o): m for (lineage, p, o), m in rig.dump_tape(node, TOPIC).items()}
    if tape != wanted:
        raise rig.Failure("tape: " + rig.first_difference(tape, wanted))
    rows = rig.query_trades(node)
    wanted_rows = rig.decode_finnhub(wanted, TOPIC)
    if rows != wanted_rows:
        raise rig.Failure("series: " + rig.first_difference(rows, wanted_rows))
    verified = node.command("verify", check=False)
    if verified.returncode != 0:
        raise rig.Failure(f"verify exits {verified.returncode}: {verified.stdout[-2000:]} {verified.stderr[-2000:]}")
    return len(wanted), len(wanted_rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("TAPEDECK_KILLS", "500")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TAPEDECK_SEED", "0")) or random.randrange(1, 2**32))
    arguments = parser.parse_args()
    if not rig.has_services():
        return rig.missing_services()
    print(f"seed {arguments.seed}: repeat with --seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    try:
        with rig.scratch() as folder, rig.kafka() as broker:
            admin = rig.Admin(broker["bootstrap"])
            admin("create-topic", topic=TOPIC, partitions=PARTITIONS)
            node = rig.Node(arguments.binary, folder, CONFIG.replace("@BOOTSTRAP@", broker["bootstrap"]))
            traffic = Traffic(broker["bootstrap"], arguments.seed + 1)
            traffic.start()
            hit = kill_rounds(node, arguments.kills, chance)
            traffic.stop()
            node.start()
            node.wait_caught_up(admin, TOPIC, 120)
            code = node.stop()
            if code != 0:
                raise rig.Failure(f"serve exits {code} after SIGTERM")
            messages, records = compare(node, admin, folder)
            admin.close()
            slowest = max(node.ready_after, default=0.0)
            print(f"{arguments.kills} kills survived ({hit} at failpoints): {messages} messages and {records} records equal; "
                  f"slowest start {slowest:.1f} s", flush=True)
    except rig.Failure as failure:
        print(f"FAILED with seed {arguments.seed}: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
