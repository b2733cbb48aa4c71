"""Replays and streams of a whole node under fire: spacing as an independent client sees it, two nodes with copies of one store, a
stream that follows at full traffic while its connection breaks again and again."""

import http.client
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import threading
import time
import urllib.parse

import rig
from archive_scenarios import ask
from frame import Skip, check, scenario, wait_for
from replay_scenarios import TARGETS, a_minute, by_partition, command, record

RATE = 20_000  # messages a second
FOLLOWED = 400_000
BROKEN = 100


class Arrivals(threading.Thread):
    """When each message of a topic came to an independent consumer: [(monotonic seconds, partition, timestamp in ms)]."""

    def __init__(self, world, topic):
        super().__init__(daemon=True)
        self.seen = []
        self.process = subprocess.Popen(
            ["kcat", "-C", "-u", "-b", world.broker.bootstrap, "-t", topic, "-o", "beginning", "-X", "fetch.wait.max.ms=5",
             "-f", "%p %T\n"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        world.closing.callback(self.end)
        self.start()

    def run(self):
        for line in self.process.stdout:
            now = time.monotonic()
            partition, stamp = line.split()
            self.seen.append((now, int(partition), int(stamp)))

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.join(timeout=10)


def post(node, path, body):
    """One request, as any client makes it: the JSON that it answers."""
    url = urllib.parse.urlsplit(node.wait_event("ready", 10)["url"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    check(answer.status == 202, f"POST {path}: {answer.status} {text}")
    return json.loads(text)


def wait_ended(node, job_id, seconds):
    """The job once it is done or has failed."""
    def ended():
        job = ask(node, f"/v1/replays/{job_id}")
        return job if job["state"] in ("done", "failed", "cancelled") else None
    return wait_for(f"job {job_id} ends", ended, seconds)


def check_spacing(seen, speed):
    """Nothing comes before its time, and half of it in a moment. Its time: as recorded, divided by the speed, behind the message
    that came soonest of all."""
    times = sorted((at, stamp / 1000 / speed) for at, _, stamp in seen)
    soonest = min(at - due for at, due in times)
    late = sorted(at - due - soonest for at, due in times)
    p50, p99 = statistics.median(late), late[int(len(late) * 0.99)]
    took, wanted = times[-1][0] - times[0][0], max(due for _, due in times) - min(due for _, due in times)
    print(f"  spacing: {len(late)} messages in {took:.2f} s, recorded {wanted:.2f} s; behind their time: half {p50 * 1000:.1f} ms, "
          f"99 of 100 {p99 * 1000:.1f} ms", flush=True)
    check(took > wanted - late[-1] - 0.05, f"a part of {wanted:.2f} s came within {took:.2f} s")
    check(p50 < 0.5, f"half of the messages came {p50:.3f} s or more behind their time")


@scenario("fire", "done", broker=())
def one_request_puts_a_minute_of_a_capture_on_a_new_topic_ten_times_as_fast(world):
    node, topic, source = record(world)
    target = topic[:100] + "-replay"
    world.admin("create-topic", topic=target, partitions=2, config={"retention.ms": "-1"})
    start, end, wanted = a_minute(source)
    arrivals = Arrivals(world, target)
    job = post(node, "/v1/replays", {
        "source": {"topics": [topic], "start": f"{start}ms", "end": f"{end}ms"}, "target": {"name": "lab", "topic": target},
        "pace": {"mode": "original", "speed": 10}, "delivery": "at-least-once"})
    done = wait_ended(node, job["id"], 120)
    check(done["state"] == "done" and done["verified"]["messages"] == len(wanted), f"job: {done}")
    wait_for("the independent client has all of them", lambda: len(arrivals.seen) >= len(wanted))
    arrivals.end()
    found = rig.dump_kafka(world.admin, target, world.folder / "target.ndjson")
    check(by_partition(found)[0] == by_partition(wanted)[0], f"{len(found)} messages, wanted {len(wanted)}, or other ones")
    check_spacing(arrivals.seen, 10)
    print(f"  lateness at the send: p50 {done['pacing']['p50_us']} us, p99 {done['pacing']['p99_us']} us", flush=True)


@scenario("fire", "E2")
def of_two_nodes_with_copies_of_one_store_one_ends_the_job(world):
    node, topic, source = record(world)
    target = topic[:100] + "-replay"
    world.admin("create-topic", topic=target, partitions=2, config={"retention.ms": "-1"})
    job = command(node, "create", "--topic", topic, "--target", "lab", "--to", target, "--rate", "1500")["id"]

    def sent(of):
        return ask(of, f"/v1/replays/{job}")["progress"]["messages"]
    wait_for("it has begun", lambda: sent(node) > 1000)
    world.stop(node)
    copy = world.folder / "copy-store"
    shutil.copytree(node.data_dir, copy)
    node.start()
    wait_for("the first goes on", lambda: sent(node) > 3000)
    other = world.node(topic, name="two", node_id="one", store=copy, mapping="binance",
                       more=TARGETS.replace("@BOOTSTRAP@", world.broker.bootstrap)).start()
    ended = wait_ended(other, job, 240)
    check(ended["state"] == "done", f"the newer node's job: {ended}")
    # The older one lives, and says so, or it has left because another is the same member of the group.
    if node.running():
        first = ask(node, f"/v1/replays/{job}")
        check(first["state"] == "failed" and "another worker" in first["error"], f"the older node's job: {first}")
    found, sequence = by_partition(rig.dump_kafka(world.admin, target, world.folder / "target.ndjson"))
    check(found == by_partition(source)[0], "the target is not what was recorded")
    check(len(set(sequence)) == len(sequence) == len(source), f"{len(sequence)} numbers for {len(source)} messages")


class Follower:
    """A client of /v1/stream whose connections break; what it was given, in the order in which it came."""

    def __init__(self, node, topic, chance):
        self.url = urllib.parse.urlsplit(node.wait_event("ready", 10)["url"])
        self.topic = topic
        self.chance = chance
        self.cursor = None
        self.given = []  # (partition, offset, value)
        self.caught_up = 0
        self.connections = 0

    def read(self, lines):
        """Reads so many messages at most and drops the connection in the middle of whatever comes next."""
        query = {"topics": self.topic, "follow": "true", "encoding": "base64"}
        if self.cursor:
            query["cursor"] = self.cursor
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        connection.request("GET", "/v1/stream?" + urllib.parse.urlencode(query), headers={"Accept": "application/x-ndjson"})
        answer = connection.getresponse()
        if answer.status == 503:  # the places of the connections before are given back in a moment
            connection.close()
            time.sleep(0.1)
            return
        check(answer.status == 200, f"{answer.status} {answer.read(2000) if answer.status != 200 else ''}")
        self.connections += 1
        check(answer.getheader("Tapedeck-Coverage") == "whole", "the stream says that something is missing")
        left = lines
        while left > 0:
            line = json.loads(answer.readline())
            self.cursor = line["cursor"]
            if "_caught_up" in line:
                self.caught_up += 1
                continue
            self.given.append((line["partition"], line["offset"], line["value"]))
            left -= 1
        if len(self.given) < FOLLOWED and self.chance.randrange(2):
            answer.read1(self.chance.randrange(1, 3000))  # half a line, which nobody has seen
        connection.sock.close() if connection.sock else answer.close()


@scenario("fire", "follow")
def a_stream_that_follows_full_traffic_gives_the_topic_over_a_hundred_broken_connections(world):
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    topic = world.topic(4, config={"retention.ms": "-1"})
    node = world.node(topic, mapping="generic-json").start()
    chance = random.Random(world.random.randrange(2**32))
    feed = subprocess.Popen([str(feedgen), "--bootstrap-servers", world.broker.bootstrap, "--topic", topic, "--generate", "quotes",
                             "--count", str(FOLLOWED), "--rate", str(RATE), "--partitions", "round-robin"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.closing.callback(lambda: (feed.kill(), feed.wait()))
    wait_for("something is recorded", lambda: any(e["stored"] > 100 for e in ask(node, "/v1/coverage")["partitions"]), 60)
    follower = Follower(node, topic, chance)
    begin = time.monotonic()
    while follower.connections < BROKEN:
        left = FOLLOWED - len(follower.given)
        each = max(1, 2 * left // max(1, BROKEN - follower.connections))
        follower.read(min(left, chance.randrange(1, each + 1)))
        check(time.monotonic() - begin < 600, f"{len(follower.given)} messages after 600 s")
    while len(follower.given) < FOLLOWED:
        follower.read(FOLLOWED - len(follower.given))
    check(feed.wait(timeout=300) == 0, "feedgen failed")
    took = time.monotonic() - begin
    wanted = world.dump(topic)
    check(len(wanted) == FOLLOWED, f"the topic holds {len(wanted)} messages")
    following = {}
    for partition, offset, value in follower.given:
        due = following.get(partition, 0)
        check(offset == due, f"partition {partition}: {offset} came where {due} was due")
        following[partition] = offset + 1
        check(wanted[(partition, offset)][3] == value, f"{(partition, offset)} has another value")
    check(follower.caught_up > 0, "it never was at live data")
    print(f"  {len(follower.given)} messages over {follower.connections} connections in {took:.1f} s, {follower.caught_up} times caught "
          f"up", flush=True)
