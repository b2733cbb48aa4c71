"""Replays of a whole node: what was recorded from one topic appears on another, as an independent client sees it."""

import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import rig
from archive_scenarios import ask
from capture_scenarios import shared_data
from frame import Skip, check, scenario, wait_for

CAPTURE = "binance_spot_btcusdt_ethusdt_20240809"
TARGETS = '[replay.targets.lab]\nbootstrap_servers = "@BOOTSTRAP@"\ntopics = ["^.*-replay$"]\n'
OURS = "tapedeck-"


def record(world):
    """A node that has recorded the capture, its topic, and what an independent client finds there."""
    raw = shared_data() / "raw" / CAPTURE
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    topic = world.topic(2, config={"retention.ms": "-1"})
    node = world.node(topic, mapping="binance", more=TARGETS.replace("@BOOTSTRAP@", world.broker.bootstrap)).start()
    subprocess.run([str(feedgen), f"{raw}.ndjson.zst", "--bootstrap-servers", world.broker.bootstrap, "--topic", topic,
                    "--recv-ns", f"{raw}.recv_ns.txt.zst", "--timestamp", "recv", "--partitions", "round-robin"], check=True,
                   stdout=subprocess.DEVNULL)
    world.caught_up(node, topic, 120)
    return node, topic, rig.dump_kafka(world.admin, topic, world.folder / "source.ndjson")


def command(node, *arguments):
    """`tapedeck replay …` against the node: the job it prints."""
    url = node.wait_event("ready", 10)["url"]
    done = subprocess.run([node.binary, "replay", *arguments, "--url", url, "-o", "ndjson"], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, f"replay {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def by_partition(messages):
    """{partition: [(timestamp, key, value, headers without ours)]} in order of offsets, and the sequence numbers."""
    found, sequence = {}, []
    for (partition, _), (timestamp, _, key, value, headers) in sorted(messages.items()):
        names = [name for name, _ in headers]
        rest = tuple(h for h in headers if not h[0].startswith(OURS))
        found.setdefault(partition, []).append((timestamp, key, value, rest))
        if "tapedeck-seq" in names:
            sequence.append(dict(headers)["tapedeck-seq"])
    return found, sequence


def a_minute(messages):
    """A full minute of the recording: [start, end) in milliseconds, and what lies in it."""
    times = sorted(m[0] for m in messages.values())
    start = times[len(times) // 3]
    end = start + 60_000
    return start, end, {at: m for at, m in messages.items() if start <= m[0] < end}


@scenario("replay", "done", broker=())
def one_minute_at_ten_times_the_speed_is_byte_for_byte_on_another_topic(world):
    node, topic, source = record(world)
    target = topic + "-replay"
    world.admin("create-topic", topic=target, partitions=2, config={"retention.ms": "-1"})
    start, end, wanted = a_minute(source)
    begin = time.monotonic()
    job = command(node, "create", "--topic", topic, "--start", f"{start}ms", "--end", f"{end}ms", "--target", "lab", "--to",
                  target, "--speed", "10", "--delivery", "at-least-once", "--wait")
    took = time.monotonic() - begin
    check(job["state"] == "done", f"job: {job}")
    found = rig.dump_kafka(world.admin, target, world.folder / "target.ndjson")
    check(by_partition(found)[0] == by_partition(wanted)[0], f"{len(found)} messages, wanted {len(wanted)}, or other ones")
    check(job["verified"]["messages"] == len(wanted), f"verified: {job['verified']}")
    check(5.5 < took < 30, f"a minute at 10x took {took:.1f} s")
    print(f"  {len(wanted)} messages equal; {took:.1f} s; lateness p50 {job['pacing']['p50_us']} us, p99 "
          f"{job['pacing']['p99_us']} us", flush=True)


@scenario("replay", "E1")
def a_node_killed_in_a_replay_goes_on_where_it_was(world):
    node, topic, source = record(world)
    target = topic + "-replay"
    world.admin("create-topic", topic=target, partitions=2, config={"retention.ms": "-1"})
    job = command(node, "create", "--topic", topic, "--target", "lab", "--to", target, "--rate", "8000")
    for _ in range(3):
        sent = ask(node, f"/v1/replays/{job['id']}")["progress"]["messages"]
        wait_for("some more is sent",
                 lambda: ask(node, f"/v1/replays/{job['id']}")["progress"]["messages"] > sent + 4000)
        node.kill()
        node.start()
    done = command(node, "show", job["id"], "--wait")
    check(done["state"] == "done", f"job: {done}")
    found, sequence = by_partition(rig.dump_kafka(world.admin, target, world.folder / "target.ndjson"))
    check(found == by_partition(source)[0], "the target is not what was recorded")
    check(len(set(sequence)) == len(sequence) == len(source), f"{len(sequence)} numbers for {len(source)} messages")


@scenario("replay", "E6")
def a_target_that_the_node_records_is_refused(world):
    topic = world.topic(1, suffix="-replay")
    node = world.node(topic, more=TARGETS.replace("@BOOTSTRAP@", world.broker.bootstrap)).start()
    world.produce(topic, 20)
    world.caught_up(node, topic)
    url = node.wait_event("ready", 10)["url"]
    request = {"source": {"topics": [topic]}, "target": {"name": "lab", "topic": topic}}
    post = urllib.request.Request(url + "/v1/replays", method="POST", data=json.dumps(request).encode())
    try:
        with urllib.request.urlopen(post, timeout=30):
            raise rig.Failure("a loop was made")
    except urllib.error.HTTPError as refused:
        problem = json.load(refused)
        check(refused.code == 409 and "loop" in problem["detail"], f"{refused.code}: {problem}")
    check(len(world.dump(topic)) == 20, "something was sent")
