#!/usr/bin/env python3
"""Kills a node again and again within one replay, then walks through what a read_committed consumer finds in the target.

One job replays a recorded topic of 4 partitions (null and empty keys and values, headers, times that go back, equal times in several
partitions) while the node is killed with -9 at random moments, at every failpoint of replay and store, and while it is being told to
pause, go on, seek or change its pace; a request whose answer was lost is repeated with its Idempotency-Key. With three brokers one of
them is killed, or stands still, now and then.

What the target must hold, by tapedeck-seq: the selection in its order, from its first message to its last, cut only by the seeks that
were asked for, each of them once and in turn. Every message equals the recorded one, offsets rise with the numbers in each partition,
and the job's own verification counts the same.

  replay_kills.py --binary build/release/bin/tapedeck [--kills N] [--brokers 1|3] [--seed N]     N: TAPEDECK_REPLAY_KILLS, or 300

Exit 0: all equal; 77: there is no Kafka on this machine. A failure prints the seed and keeps the folder.
"""

import argparse
import base64
import bisect
import collections
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import rig

TOPIC = "fire"
TARGET = "fire-replay"
PARTITIONS = 4
MESSAGES = 40_000
CONFIG = """
[node]
id = "fire-1"
data_dir = "@DATA@"
[kafka]
bootstrap_servers = "@BOOTSTRAP@"
group = "fire"
[kafka.properties]
"session.timeout.ms" = "6000"
[[topics]]
name = "fire"
mapping = "finnhub"
[store]
ballast = "1MiB"
[replay.targets.lab]
bootstrap_servers = "@BOOTSTRAP@"
topics = ["^.*-replay$"]
"""
# So many more messages must be committed before another seek is asked for: what was on its way when a seek was answered is less.
SEEK_AFTER = 1200
LAST_WAIT = 600  # seconds


def b64(data):
    return base64.b64encode(data).decode()


def fill(admin, chance):
    """The topic to be replayed: about 5 ms between two messages."""
    now = int(time.time() * 1000) - 3_600_000
    for begin in range(0, MESSAGES, 1000):
        lines = []
        for number in range(begin, begin + 1000):
            kind = chance.randrange(20)
            value = None if kind == 0 else b"" if kind == 1 else b'{"type":"ping","n":%d}' % number
            stamp = now + number // 2 * 10 - (chance.randrange(3000) if kind == 2 else 0)
            lines.append({"topic": TOPIC, "partition": chance.randrange(PARTITIONS), "timestamp": stamp,
                          "key": chance.choice([None, "", "k%d" % chance.randrange(9)]),
                          "value_b64": None if value is None else b64(value),
                          "headers": chance.choice([[], [["source", b64(b"ws")], ["source", None]]])})
        admin("produce", lines=lines)


class Selection:
    """The whole topic in the order of a replay: (greatest time so far in the partition, partition, offset)."""

    def __init__(self, messages):
        greatest = collections.defaultdict(int)
        order = []
        for (partition, offset), message in sorted(messages.items()):
            greatest[partition] = max(greatest[partition], message[0])
            order.append((greatest[partition], partition, offset))
        order.sort()
        self.times = [time_ms for time_ms, _, _ in order]
        self.origins = [f"{TOPIC}/{partition}/0/{offset}" for _, partition, offset in order]
        self.messages = {f"{TOPIC}/{p}/0/{o}": (p, message) for (p, o), message in messages.items()}

    def first_at(self, time_ms):
        return bisect.bisect_left(self.times, time_ms)


class Job:
    """The one replay job: requests about it, of which each is carried out once, whatever is killed."""

    def __init__(self, chance):
        self.chance = chance
        self.id = None
        self.requests = 0
        self.waiting = None  # (key, body) not answered yet
        self.paused = False
        self.seeks = []      # times, answered
        self.seek_from = 0   # committed messages from which on another seek may be asked for
        self.sent = 0

    def send(self, node, method, path, body=None, key=None, seconds=20):
        """The answer, or None where none came."""
        try:
            url = node.wait_event("ready", 30)["url"]
            request = urllib.request.Request(url + path, method=method, data=None if body is None else json.dumps(body).encode())
            if key:
                request.add_header("Idempotency-Key", key)
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            text = refused.read().decode(errors="replace")
            if refused.code == 503:
                return None
            raise rig.Failure(f"{method} {path} {body}: {refused.code} {text}") from refused
        except (OSError, TypeError, ValueError):  # it was killed: before it was ready, or in the middle of its answer
            return None

    def create(self, node):
        made = self.send(node, "POST", "/v1/replays", {
            "source": {"topics": [TOPIC]}, "target": {"name": "lab", "topic": TARGET},
            "pace": {"mode": "rate", "messages_per_second": 500}}, "the-one-job")
        if made:
            self.id = made["id"]
        return made is not None

    def look(self, node):
        """The job as the node shows it; None where it does not answer."""
        job = self.send(node, "GET", f"/v1/replays/{self.id}")
        if job is None:
            return None
        if job["state"] in ("failed", "cancelled", "done"):
            raise rig.Failure(f"the job is {job['state']} in the middle: {job['error']}")
        self.sent = job["progress"]["messages"]
        return job

    def wait_sending(self, node):
        """Until this life of the node has sent something, or for a while; a paused job sends nothing."""
        first, deadline = None, time.monotonic() + 15
        while not self.paused and time.monotonic() < deadline:
            job = self.look(node)
            if job is None:
                return
            first = self.sent if first is None else first
            if self.sent > first:
                return
            time.sleep(0.05)

    def next_request(self, job, selection):
        """What to ask for now."""
        if self.paused:
            return {"state": "running"}
        position = job["progress"]["position"]
        at = 0 if position is None else selection.first_at(rig._milliseconds(position))
        far = at > 0.6 * len(selection.times)
        if self.sent >= self.seek_from and (far or self.chance.randrange(3) == 0):
            # Mostly back, so that there is always something left to be sent.
            limit = int(0.3 * len(selection.times)) if far else int(0.5 * len(selection.times))
            return {"seek": f"{selection.times[self.chance.randrange(limit)]}ms"}
        if far or self.chance.randrange(3) == 0:
            return {"pace": {"mode": "rate", "messages_per_second": 100 if far else self.chance.randrange(200, 800)}}
        if self.chance.randrange(2) == 0:
            return {"pace": {"mode": "original", "speed": self.chance.uniform(0.5, 3)}}
        return {"state": "paused"}

    def ask(self, node, selection, kill_after):
        """Sends a request and kills the node so many seconds later; one that was not answered is sent again the next time."""
        if self.waiting is None:
            job = self.look(node)
            if job is None:
                node.kill()
                return
            if self.paused and job["state"] != "paused":
                raise rig.Failure(f"a paused job is {job['state']}")
            self.requests += 1
            self.waiting = (f"request-{self.requests}", self.next_request(job, selection))
        key, body = self.waiting
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.ask_once(node, key, body)), daemon=True)
        asking.start()
        time.sleep(kill_after)
        node.kill()
        asking.join(timeout=60)
        if answers and isinstance(answers[0], Exception):
            raise answers[0]
        if answers and answers[0]:
            self.answered(body, answers[0])

    def ask_once(self, node, key, body):
        try:
            return self.send(node, "PATCH", f"/v1/replays/{self.id}", body, key)
        except rig.Failure as failure:
            return failure

    def answered(self, body, job):
        self.waiting = None
        if "seek" in body:
            self.seeks.append(int(body["seek"][:-2]))
            self.seek_from = max(self.sent, job["progress"]["messages"]) + SEEK_AFTER
        if "state" in body:
            self.paused = body["state"] == "paused"


class Brokers:
    """With three of them: one at a time is killed, or stands still, for some rounds."""

    def __init__(self, started, chance):
        self.started = started
        self.chance = chance
        self.numbers = [broker["id"] for broker in started["brokers"]]
        self.away = None
        self.rounds = 0
        self.times = 0

    def control(self, command):
        subprocess.run([str(rig.SERVICES / "kafka"), command, self.started["dir"], "--broker", str(self.away[1])], check=True,
                       stdout=subprocess.DEVNULL)

    def torment(self):
        if len(self.numbers) < 2:
            return
        self.rounds -= 1
        if self.rounds > 0:
            return
        if self.away:
            self.back()
        else:
            self.away = (self.chance.choice(["kill", "pause"]), self.chance.choice(self.numbers))
            self.control(self.away[0])
            self.times += 1
            self.rounds = self.chance.randrange(1, 4)

    def back(self):
        if self.away:
            self.control("restart" if self.away[0] == "kill" else "resume")
        self.away = None
        self.rounds = self.chance.randrange(3, 9)


def failpoints():
    text = (rig.ROOT / "src" / "base" / "failpoint.cc").read_text(encoding="utf-8")
    names = re.findall(r'"(replay\.[a-z_]+)"', text)
    return [name for name in names if name != "replay.verifying"] + ["store.before_write", "store.after_write"]


def kill_rounds(node, job, selection, brokers, kills, chance):
    """Returns how many lives ended at a failpoint and how many with a request under way."""
    names = failpoints()
    hit = asked = 0
    for number in range(kills):
        brokers.torment()
        kind = number % 3
        if kind == 0:
            name = names[(number // 3) % len(names)]
            most = {"replay.sent": 600, "replay.before_commit": 8, "replay.after_commit": 8}.get(name, 3 if "store" in name else 1)
            node.start(failpoint=f"{name}:{chance.randrange(1, most + 1)}:abort", wait_ready=False)
            try:
                node.process.wait(timeout=2 if job.paused else chance.uniform(4.0, 10.0))
                hit += 1
            except subprocess.TimeoutExpired:
                pass
            node.kill()
        elif kind == 1:
            node.start(wait_ready=chance.randrange(5) != 0)
            if chance.randrange(3) != 0:
                job.wait_sending(node)
            time.sleep(chance.uniform(0, 1.5))
            node.kill()
        else:
            node.start()
            if chance.randrange(2) == 0:
                job.wait_sending(node)
            time.sleep(chance.choice([0, chance.uniform(0, 1.0)]))
            job.ask(node, selection, chance.choice([chance.uniform(0, 0.03), chance.uniform(0, 0.3)]))
            asked += 1
        if number % 25 == 24:
            print(f"{number + 1} kills, {hit} at a failpoint, {asked} while being asked; {job.sent} messages committed, "
                  f"{len(job.seeks)} seeks, brokers away {brokers.times} times", flush=True)
    return hit, asked


def finish(node, job, brokers, chance):
    """What waits is asked again, the pace is lifted, and the verification is killed, too. Returns the job that is done."""
    brokers.back()
    node.start()
    last = [*([job.waiting] if job.waiting else []), ("last-run", {"state": "running"}), ("last-pace", {"pace": {"mode": "max"}})]
    for key, body in last:
        deadline = time.monotonic() + 60
        while (answer := job.send(node, "PATCH", f"/v1/replays/{job.id}", body, key)) is None:
            if time.monotonic() > deadline:
                raise rig.Failure(f"no answer to {body}")
            time.sleep(0.2)
        job.answered(body, answer)
    for _ in range(2):
        node.kill()
        node.start(failpoint=f"replay.verifying:{chance.randrange(1, 3)}:abort", wait_ready=False)
        try:
            node.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            pass
    node.kill()
    node.start()
    deadline = time.monotonic() + LAST_WAIT
    while True:
        found = job.send(node, "GET", f"/v1/replays/{job.id}")
        if found and found["state"] in ("done", "failed"):
            return found
        if time.monotonic() > deadline:
            raise rig.Failure(f"the job does not end: {found}")
        time.sleep(0.2)


def compare(found, selection, seeks):
    """Walks through the target in the order of tapedeck-seq. Returns the number of messages."""
    by_number, last = {}, {}
    for (partition, offset), (stamp, ts_type, key, value, headers) in sorted(found.items()):
        ours = {name: base64.b64decode(text).decode() for name, text in headers if name.startswith("tapedeck-")}
        rest = tuple(header for header in headers if not header[0].startswith("tapedeck-"))
        number = int(ours["tapedeck-seq"])
        if number in by_number:
            raise rig.Failure(f"message {number} is there twice: at {by_number[number][1]} and {(partition, offset)}")
        if number <= last.get(partition, 0):
            raise rig.Failure(f"{(partition, offset)}: message {number} comes after {last[partition]}")
        last[partition] = number
        by_number[number] = (ours["tapedeck-origin"], (partition, offset), (stamp, ts_type, key, value, rest))
    if sorted(by_number) != list(range(1, len(by_number) + 1)):
        absent = [n for n in range(1, len(by_number) + 1) if n not in by_number]
        raise rig.Failure(f"{len(absent)} numbers are missing: {absent[:5]}")
    at, left = 0, list(seeks)
    for number in range(1, len(by_number) + 1):
        origin, where, message = by_number[number]
        if at >= len(selection.origins) or selection.origins[at] != origin:
            wanted = selection.origins[at] if at < len(selection.origins) else "the end"
            if not left or selection.origins[selection.first_at(left[0])] != origin:
                raise rig.Failure(f"message {number} at {where} is {origin}, wanted {wanted}; {len(left)} seeks are left")
            at = selection.first_at(left.pop(0))
        at += 1
        if (where[0], message) != selection.messages[origin]:
            raise rig.Failure(f"message {number}: {where[0]} {message}, recorded: {selection.messages[origin]}")
    if left or at != len(selection.origins):
        raise rig.Failure(f"the last run ends {len(selection.origins) - at} before the end; seeks not carried out: {left}")
    return len(by_number)


def campaign(arguments, folder, started):
    chance = random.Random(arguments.seed)
    admin = rig.Admin(started["bootstrap"])
    admin("create-topic", topic=TOPIC, partitions=PARTITIONS, config={"retention.ms": "-1"})
    admin("create-topic", topic=TARGET, partitions=PARTITIONS, config={"retention.ms": "-1"})
    fill(admin, chance)
    selection = Selection(rig.dump_kafka(admin, TOPIC, folder / "source.ndjson"))
    node = rig.Node(arguments.binary, folder, CONFIG.replace("@BOOTSTRAP@", started["bootstrap"]))
    node.start().wait_caught_up(admin, TOPIC, 240)
    job, brokers = Job(chance), Brokers(started, chance)
    if not job.create(node):
        raise rig.Failure("the job was not made")
    try:
        node.kill()
        hit, asked = kill_rounds(node, job, selection, brokers, arguments.kills, chance)
        ended = finish(node, job, brokers, chance)
        if ended["state"] != "done":
            raise rig.Failure(f"the job is {ended['state']}: {ended['error']}")
        count = compare(rig.dump_kafka(admin, TARGET, folder / "target.ndjson"), selection, job.seeks)
        if ended["verified"]["messages"] != count or ended["progress"]["messages"] != count:
            raise rig.Failure(f"{count} messages are there; the job says {ended['progress']} and {ended['verified']}")
        code = node.stop()
        if code != 0:
            raise rig.Failure(f"serve exits {code} after SIGTERM")
    finally:
        node.kill()
        admin.close()
    return (f"{arguments.kills} kills in one job survived ({hit} at failpoints, {asked} while it was told something), {brokers.times} times "
            f"a broker of {len(brokers.numbers)} was away: {count} messages, {len(job.seeks)} seeks, all as asked; slowest start "
            f"{max(node.ready_after, default=0.0):.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("TAPEDECK_REPLAY_KILLS", "300")))
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TAPEDECK_SEED", "0")) or random.randrange(1, 2**32))
    arguments = parser.parse_args()
    if not rig.has_services():
        return rig.missing_services()
    print(f"seed {arguments.seed}: repeat with --seed {arguments.seed}", flush=True)
    try:
        with rig.scratch() as folder, rig.kafka("--quick", "--brokers", str(arguments.brokers)) as started:
            print(campaign(arguments, folder, started), flush=True)
    except rig.Failure as failure:
        print(f"FAILED with seed {arguments.seed}: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
