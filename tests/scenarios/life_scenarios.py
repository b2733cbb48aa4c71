"""The life of shipped data, seen by whoever asks: while days close, ship and leave the store, over kills, without an archive for a while,
and after the disk is gone. What was answered once is answered again byte for byte."""

import base64
import datetime
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

import rig
from archive_scenarios import ask
from done_scenarios import Archive, verify
from frame import Skip, check, scenario, wait_for
from process_scenarios import SmallDisk

FIRST_DAY = datetime.date(2024, 7, 2)
QUICK = 'keep_local = "0s"\ntape_ship = "1s"\n'
# Every step of a day and of a tape, at its first or second time.
STEPS = ("ship.written", "ship.object_put", "ship.uploaded", "ship.verified", "ship.before_manifest", "ship.manifest_put", "ship.shipped",
         "ship.before_prune", "ship.pruned", "ship.prune_batch", "ship.tape_written", "ship.tape_put", "ship.tape_manifest_put",
         "ship.tape_shipped", "ship.tape_before_prune", "ship.tape_pruned")


def trades(world, day, count):
    """Values of messages with a trade each, all over the day."""
    start = int(datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp() * 1000)
    for _ in range(count):
        world.numbers += 1
        trade = {"c": None, "p": world.random.randrange(10**7) / 100, "s": f"SYM{world.random.randrange(20)}",
                 "t": start + world.random.randrange(86_400_000), "v": world.numbers}
        yield trade["t"], json.dumps({"data": [trade], "type": "trade"}).encode()


def produce(world, topic, day, count, partitions):
    world.admin("produce", lines=[
        {"topic": topic, "partition": partitions[i % len(partitions)], "timestamp": t + 5, "value_b64": base64.b64encode(v).decode()}
        for i, (t, v) in enumerate(trades(world, day, count))])


def day_after(days):
    return FIRST_DAY + datetime.timedelta(days=days)


def questions(topic, last_day, offsets):
    """What is asked again and again: the rows of the days up to `last_day`, in several shapes, and the messages."""
    whole = f"start={FIRST_DAY}T00:00:00Z&end={last_day + datetime.timedelta(days=1)}T00:00:00Z"
    noon = f"start={FIRST_DAY}T12:00:00Z&end={FIRST_DAY}T18:00:00Z"
    asked = [f"/v1/trades?symbols=*&{whole}&format=ndjson&origin=true", f"/v1/trades?symbols=SYM3,SYM7&{noon}&format=csv&order=desc",
             f"/v1/trades/count?symbols=*&{whole}"]
    return asked + [f"/v1/messages?topic={topic}&partition={p}&from_offset=0&to_offset={end}&format=ndjson"
                    for p, end in offsets.items()]


def answer(base, path):
    """(status, body); the status of an answer that broke off, or of a node that is not there, is 0."""
    try:
        with urllib.request.urlopen(base + path, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except (OSError, http.client.HTTPException):
        return 0, b""


class Poller(threading.Thread):
    """Asks without a pause. Answers may fail while the node is down; one that is whole must be the one of the beginning."""

    def __init__(self, world, node, paths):
        super().__init__(daemon=True)
        self.node, self.paths, self.seen, self.wrong = node, paths, 0, []
        self.ended = threading.Event()
        base = self.base()
        self.wanted = {path: answer(base, path) for path in paths}
        for path, (status, body) in self.wanted.items():
            check(status == 200 and len(body) > 10, f"{path}: {status} {body[:300]}")
        world.closing.callback(self.quit)
        self.start()

    def base(self):
        for event in list(self.node.events):
            if event.get("event") == "ready":
                return event["url"]
        return None

    def run(self):
        while not self.ended.is_set():
            for path in self.paths:
                base = self.base()
                status, body = answer(base, path) if base else (0, b"")
                if status == 200 and body != self.wanted[path][1]:
                    self.wrong.append(f"{path}: {len(body)} bytes, wanted {len(self.wanted[path][1])}: "
                                      f"{body[:200]!r} … {body[-200:]!r}")
                elif status == 200:
                    self.seen += 1
                elif status not in (0, 503):
                    self.wrong.append(f"{path}: {status} {body[:300]!r}")
            if not self.base():
                time.sleep(0.05)

    def quit(self):
        self.ended.set()
        self.join(timeout=120)

    def stop(self):
        self.quit()
        check(not self.wrong, f"{len(self.wrong)} wrong answers, such as {self.wrong[:2]}")
        return self.seen

    def same(self):
        """Everything once more, now."""
        for path, (_, wanted) in self.wanted.items():
            status, body = answer(self.base(), path)
            check(status == 200 and body == wanted, f"{path}: {status}, {len(body)} bytes, wanted {len(wanted)}: {body[:300]!r}")


def pruned(node, days):
    states = ask(node, "/v1/days")["data"]
    return [s for s in states if s["state"] == "pruned" and s["day"] <= str(days)]


def lives(world, kind, steps):
    archive = Archive(world, kind)
    topic = world.topic(2)
    node = world.node(topic, more=archive.config(QUICK)).start(environment=archive.environment)
    last = day_after(2)
    for day in range(3):
        produce(world, topic, day_after(day), 400, (0, 1))
    world.caught_up(node, topic)
    offsets = {p["partition"]: p["end"] for p in world.admin("describe", topic=topic)["partitions"]}
    poller = Poller(world, node, questions(topic, last, offsets))
    killed = 0
    for number, step in enumerate(steps):  # a kill on each step, while more comes and closes
        node.kill()
        node.start(environment=archive.environment, failpoint=f"{step}:{1 + number % 2}:abort")
        poller.node = node
        produce(world, topic, day_after(3 + number % 3), 40, (0, 1))
        deadline = time.monotonic() + 12
        while node.running() and time.monotonic() < deadline:
            for day in {str(day_after(number % 3)), str(day_after(3 + number % 3))}:
                status, _ = post(node, f"/v1/days/{day}/close")
            time.sleep(0.3)
            if status == 0:
                break
        killed += not node.running()
    node.kill()
    node.start(environment=archive.environment)
    world.caught_up(node, topic)
    close_pruned(node)
    check(len(pruned(node, last)) >= 3, f"days: {ask(node, '/v1/days')['data']}")
    seen = poller.stop()
    poller.same()
    world.stop(node)
    world.verify(node)
    code, text = verify(node, archive, "--data-dir", str(node.data_dir))
    check(code == 0, f"verify: exit {code}: {text[-2000:]}")
    restored(world, node, archive, poller, topic)
    print(f"  {kind}: {killed} kills in {len(steps)} steps, {seen} answers equal meanwhile, and from the bucket alone", flush=True)


def post(node, path):
    for event in list(node.events):
        if event.get("event") == "ready":
            try:
                with urllib.request.urlopen(urllib.request.Request(event["url"] + path, method="POST"), timeout=30) as done:
                    return done.status, done.read()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read()
            except (OSError, http.client.HTTPException):
                return 0, b""
    return 0, b""


def close_pruned(node, others=(), seconds=180):
    """Every day is closed, shipped, and has left the store, but for what `others` (manifests) have shipped."""
    def gone():
        for day in sorted({d["day"] for d in ask(node, "/v1/days")["data"] if d["state"] == "open"}):
            post(node, f"/v1/days/{day}/close")
        days = [d for d in ask(node, "/v1/days")["data"] if d["manifest"] not in others]
        return days and all(d["state"] == "pruned" for d in days)
    wait_for(f"all days have left the store; log: {node.log}", gone, seconds, 0.5)
    check(ask(node, "/v1/flush", "POST")["ships"], "a flush is taken")
    wait_for("the tape is in the archive", lambda: all(
        p["shipped"] == p["stored"] for p in ask(node, "/v1/coverage")["partitions"]), seconds, 0.5)


def restored(world, node, archive, poller, topic):
    """The disk is gone: a node that is made from the bucket alone says the same, and records on."""
    shutil.rmtree(node.data_dir)
    done = subprocess.run([node.binary, "restore", "--config", str(node.config), "--data-dir", str(node.data_dir), "-o",
                           "ndjson"], capture_output=True, text=True,
                          check=False, env=os.environ | archive.environment)
    check(done.returncode == 0, f"restore: exit {done.returncode}: {done.stderr[-2000:]}")
    node.start(environment=archive.environment)
    poller.node = node
    wait_for("the archive is known", lambda: answer(poller.base(), poller.paths[0])[0] == 200, 60)
    poller.same()
    others = {d["manifest"] for d in ask(node, "/v1/days")["data"] if d["state"] == "shipped"}
    produce(world, topic, day_after(9), 40, (0, 1))
    world.caught_up(node, topic)
    poller.same()
    rows = answer(poller.base(), f"/v1/trades/count?symbols=*&start={day_after(9)}T00:00:00Z")
    check(rows[0] == 200 and json.loads(rows[1])["count"] == 40, f"what came after: {rows}")
    close_pruned(node, others)
    world.stop(node)
    world.verify(node)
    code, text = verify(node, archive, "--data-dir", str(node.data_dir))
    check(code == 0, f"verify after the restore: exit {code}: {text[-2000:]}")


@scenario("done", "D13 A18 O6 O7")
def a_node_on_a_folder_closes_ships_prunes_is_killed_and_lost_and_its_answers_stay(world):
    lives(world, "folder", STEPS[::4])


@scenario("archive", "D1 D13 A18 O6 O7")
def a_node_on_a_folder_is_killed_at_every_step_and_its_answers_stay(world):
    lives(world, "folder", STEPS)


@scenario("archive", "D1 D13 A18 O6 O7")
def a_node_on_s3_is_killed_at_every_step_and_its_answers_stay(world):
    lives(world, "minio", STEPS)


@scenario("archive", "D17")
def half_a_million_symbols_and_one_of_most_rows_take_bounded_memory_and_objects(world):
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    archive = Archive(world, "folder")
    topics = [world.topic(1, suffix) for suffix in ("-many", "-one")]
    node = world.node(*topics, mapping="generic-json", more=archive.config(QUICK)).start(environment=archive.environment)
    many, one = 500_000, 4_500_000
    for topic, symbols, count in zip(topics, (many, 1), (many, one)):
        subprocess.run([str(feedgen), "--bootstrap-servers", world.broker.bootstrap, "--topic", topic, "--generate", "quotes",
                        "--symbols", str(symbols), "--count", str(count), "--partitions", "0"], check=True, stdout=subprocess.DEVNULL)
    for topic in topics:
        world.caught_up(node, topic, 900)
    recorded = node.memory("VmHWM")
    days = ask(node, "/v1/days")["data"]
    pathlib.Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", encoding="ascii")
    close_pruned(node, seconds=1200)
    shipping = node.memory("VmHWM")
    objects = [o for o in ask(node, "/v1/objects")["data"] if "tape/" not in o["name"]]
    check(sum(o["rows"] for o in objects) == many + one, f"objects: {objects}")
    check(len(objects) <= 2 * len(days) and shipping < 2 << 30, f"{len(objects)} objects, {shipping >> 20} MiB while shipping")
    status, body = answer(node.wait_event("ready", 10)["url"], "/v1/quotes/count?symbols=*")
    check(status == 200 and json.loads(body)["count"] == many + one, f"count: {status} {body[:300]}")
    world.stop(node)
    code, text = verify(node, archive, "--data-dir", str(node.data_dir))
    check(code == 0, f"verify: exit {code}: {text[-2000:]}")
    print(f"  {len(objects)} objects; at most {recorded >> 20} MiB while recording, {shipping >> 20} MiB while shipping", flush=True)


def wide(world, count):
    """Trades with 20 KB beside them that do not shrink much."""
    for _, value in trades(world, FIRST_DAY, count):
        yield value[:-1] + b', "note": "' + world.random.randbytes(10_000).hex().encode() + b'"}'


@scenario("archive", "D18")
def a_bucket_that_is_away_until_the_disk_fills_is_caught_up_with_and_recording_goes_on(world):
    disk = SmallDisk(world, 640)
    (disk.path / "of-others").write_bytes(bytes(400 << 20))  # which stays: only what is pruned makes room
    archive = Archive(world, "auto")
    topic = world.topic(1)
    node = world.node(topic, store=disk.path / "store", more=archive.config(QUICK))
    node.start(environment=archive.environment | {
        "TAPEDECK_STORE__DISK_WARN": "60%", "TAPEDECK_STORE__DISK_STOP": "75%", "TAPEDECK_LIMITS__MEMORY": "256MiB"})
    s3 = [str(rig.SERVICES / "s3")]
    subprocess.run(s3 + ["pause", archive.place["dir"]], check=True)
    sent = []

    def send():
        values = list(wide(world, 100))
        world.admin("produce", lines=[{"topic": topic, "partition": 0, "timestamp": 1_719_900_000_000 + len(sent) + i,
                                       "value_b64": base64.b64encode(value).decode()} for i, value in enumerate(values)])
        sent.extend(values)

    def stalled(since=0):
        lines = [e for e in node.events[since:] if e.get("event") == "progress"]
        return bool(lines) and "stall" in lines[-1]

    waiting = 0  # RocksDB gives back some room by itself: until nothing came for a while
    while waiting < 8:
        check(len(sent) < 20_000, f"a disk that is full does not show; log: {node.log}")
        waiting = waiting + 1 if stalled() else 0
        if waiting in (0, 4):  # and more than there is room for
            send()
        time.sleep(0.5)
    usage = shutil.disk_usage(disk.path)
    check(usage.used < 0.95 * usage.total, f"it goes on recording: {usage}")
    check(answer(node.wait_event("ready", 10)["url"], "/v1/trades?symbols=*&limit=10")[0] == 200, "reads go on")
    before = ask(node, "/v1/coverage")["partitions"][0]
    subprocess.run(s3 + ["resume", archive.place["dir"]], check=True)
    wait_for(f"recording goes on by itself; log: {node.log}", lambda: not stalled(), 240, 0.5)
    send()
    world.caught_up(node, topic, 240)
    check(node.running() and node.starts == 1, "it was to go on by itself")
    ask(node, "/v1/flush", "POST")
    wait_for("the tape is in the archive", lambda: all(
        p["shipped"] == p["stored"] == len(sent) for p in ask(node, "/v1/coverage")["partitions"]), 240, 0.5)
    status, body = answer(node.wait_event("ready", 10)["url"], f"/v1/messages?topic={topic}&partition=0&from_offset=0&format=ndjson")
    found = [json.loads(line)["value"].encode() for line in body.splitlines()]
    check(status == 200 and found == sent, f"messages: {status}, {len(found)} of {len(sent)}")
    world.stop(node)
    code, text = verify(node, archive, "--data-dir", str(node.data_dir))
    check(code == 0, f"verify: exit {code}: {text[-2000:]}")
    print(f"  {len(sent)} messages, {before['stored']} of them when the disk was full", flush=True)
