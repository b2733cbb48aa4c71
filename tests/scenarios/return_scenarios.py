"""What comes back to where it was: loops that must not grow, restores with their consumer groups, ranges that have left the store, and
requests that arrive late."""

import base64
import contextlib
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request

import rig
import wire
from archive_scenarios import ask
from frame import Broker, check, scenario, wait_for
from replay_scenarios import by_partition, command

TARGET = '[replay.targets.{name}]\nbootstrap_servers = "{bootstrap}"\ntopics = ["{topics}"]\n'


def target(world, name="lab", topics="^.*$", properties="", bootstrap=None):
    text = TARGET.format(name=name, bootstrap=bootstrap or world.broker.bootstrap, topics=topics)
    return text + (f"[replay.targets.{name}.properties]\n{properties}\n" if properties else "")


def post(node, request):
    """(status, answer) of a request for a job."""
    url = node.wait_event("ready", 10)["url"] + "/v1/replays"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST", data=json.dumps(request).encode()), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def job_of(world, node, source, to, name="lab", force=True, **more):
    status, job = post(node, {"source": {"topics": [source]}, "target": {"name": name, "topic": to}, "force": force, **more})
    check(status == 202, f"{status}: {job}")
    done = command(node, "show", job["id"], "--wait")
    check(done["state"] == "done", f"job: {done}")
    return done


def on_tape(node, topic):
    """(messages, gaps by reason, next offset) of a topic, all partitions together."""
    entries = [e for e in ask(node, f"/v1/coverage?topic={topic}")["partitions"]]
    reasons = {}
    for entry in entries:
        for gap in entry["gaps"]:
            reasons[gap["reason"]] = reasons.get(gap["reason"], 0) + gap["to"] - gap["from"]
    return sum(e["messages"] for e in entries), reasons, sum(e["stored"] for e in entries)


def settled(world, node, topic):
    world.caught_up(node, topic)
    return on_tape(node, topic)


# --- loops (G12) -------------------------------------------------------------------------------------------------------


@scenario("return", "G12")
def a_recorded_topic_as_its_own_target_does_not_grow(world):
    topic = world.topic(2)
    node = world.node(topic, more=target(world)).start()
    world.produce(topic, 300, (0, 1))
    world.caught_up(node, topic)
    request = {"source": {"topics": [topic]}, "target": {"name": "lab", "topic": topic, "timestamps": "now"}}
    status, problem = post(node, request)
    check(status == 409 and "loop" in problem["detail"], f"{status}: {problem}")
    for turn in range(1, 4):
        job_of(world, node, topic, topic, target={"name": "lab", "topic": topic, "timestamps": "now"})
        messages, reasons, _ = settled(world, node, topic)
        check(messages == 300, f"turn {turn}: {messages} messages on the tape")
        check(reasons.get("own-replay", 0) >= 300 * turn, f"turn {turn}: {reasons}")
    forged = {"tapedeck-replay": "x/y/z", "tapedeck-seq": "1", "tapedeck-origin": f"{topic}/0/0/1", "tapedeck-ts": "1"}
    world.produce(topic, 5, headers=[[name, base64.b64encode(text.encode()).decode()] for name, text in forged.items()])
    messages, _, _ = settled(world, node, topic)
    check(messages == 305, f"forged ones are data: {messages}")
    check(post(node, request)[0] == 409, "still a loop")
    world.stop(node)
    world.verify(node)


@scenario("return", "G12")
def a_target_that_a_pattern_subscribes_later_does_not_grow(world):
    topic = world.topic(1)
    node = world.node(topic, more=target(world)).start(options=["--leave"])  # its next start is given what it then asks for
    world.produce(topic, 200)
    world.caught_up(node, topic)
    later = world.topic(1, "-later")
    job_of(world, node, topic, later, force=False, target={"name": "lab", "topic": later, "timestamps": "now"})
    world.stop(node)
    text = node.config.read_text().replace("[[topics]]", f'[[topics]]\npattern = "^{later}$"\nmapping = "finnhub"\n[[topics]]', 1)
    node.config.write_text(text)
    node.start()
    messages, reasons, _ = settled(world, node, later)
    check(messages == 0 and reasons.get("own-replay", 0) >= 200, f"{messages} messages, {reasons}")
    world.produce(later, 3)
    check(settled(world, node, later)[0] == 3, "what is not ours is recorded")


@scenario("return", "G12")
def two_topics_that_are_replayed_into_each_other_do_not_grow(world):
    one, two = world.topic(1, "-a"), world.topic(1, "-b")
    # The same cluster under another name: known by its id.
    _, port = world.broker.bootstrap.split(",")[0].rsplit(":", 1)
    more = target(world) + target(world, "alias", bootstrap=f"localhost:{port}")
    node = world.node(one, two, more=more).start()
    world.produce(one, 150)
    world.caught_up(node, one)
    status, problem = post(node, {"source": {"topics": [one]}, "target": {"name": "alias", "topic": two}})
    check(status == 409 and "loop" in problem["detail"], f"{status}: {problem}")
    now = {"timestamps": "now"}
    for turn in range(1, 3):
        job_of(world, node, one, two, target={"name": "alias", "topic": two, **now})
        messages, reasons, _ = settled(world, node, two)
        check(messages == 0 and reasons["own-replay"] >= 150 * turn, f"turn {turn}: {messages}, {reasons}")
    world.produce(two, 40)
    settled(world, node, two)
    job_of(world, node, two, one, allow_gaps=True, target={"name": "lab", "topic": one, **now})
    messages, reasons, _ = settled(world, node, one)
    check(messages == 150 and reasons["own-replay"] >= 40, f"{messages}, {reasons}")


@scenario("return", "G12")
def without_accept_replayed_another_node_leaves_them_out(world):
    topic, to = world.topic(1), world.topic(1, "-to")
    first = world.node(topic, name="one", more=target(world)).start()
    taking = world.node(to, name="two", group=world.name[:50] + "-two").start()
    refusing = world.node(to, name="three", group=world.name[:50] + "-three", lines="accept_replayed = false").start()
    world.produce(topic, 100)
    world.caught_up(first, topic)
    job_of(world, first, topic, to, force=False, target={"name": "lab", "topic": to, "timestamps": "now"})
    check(settled(world, taking, to)[0] == 100, "another node's replay is data")
    messages, reasons, _ = settled(world, refusing, to)
    check(messages == 0 and reasons.get("skipped", 0) >= 100, f"{messages}, {reasons}")


# --- restores ----------------------------------------------------------------------------------------------------------


def first_of_group(world, group, topic):
    """The first message that a consumer of that group reads, by another client."""
    done = subprocess.run(["kcat", "-b", world.broker.bootstrap, "-G", group, topic, "-c", "1", "-e", "-f", "%p %o %s\\n", "-X",
                           "isolation.level=read_committed", "-q"], capture_output=True, text=True, timeout=90, check=False)
    check(done.returncode == 0, f"kcat: {done.stderr}")
    return done.stdout.split(" ", 2)


@scenario("return", "restore")
def a_group_is_moved_to_a_restored_topic_and_reads_on_at_the_right_message(world):
    topic = world.topic(1, config={"retention.ms": "-1"})
    for part in range(6):  # transactions, whose markers take offsets; one of them is aborted
        txn = f"{world.name}-txn"
        world.admin("produce", lines=[{"txn": txn, "begin": True}, *world.lines(topic, 20, [0], txn=txn),
                                      {"txn": txn, "abort" if part == 2 else "commit": True}])
    node = world.node(topic, more=target(world)).start()
    world.caught_up(node, topic)
    was = world.dump(topic)
    places = [sorted(was)[n][1] for n in (0, 37, 60, 99)] + [sorted(was)[40][1] - 1]  # a marker, too
    back = world.topic(1, "-back", config={"retention.ms": "-1"})
    job = command(node, "create", "--topic", topic, "--target", "lab", "--to", back, "--restore", "--rate", "200", "--wait")
    check(job["state"] == "done", f"job: {job}")
    now = world.dump(back)
    check([was[k] for k in sorted(was)] == [now[k] for k in sorted(now)], "the topic is not what it was")
    node.kill()
    node.start()  # the table is kept
    before = world.folder / "groups.csv"
    url = node.wait_event("ready", 10)["url"]
    for place in places:
        before.write_text(f"{topic},0,{place}\n")
        moved = subprocess.run([node.binary, "replay", "offsets", job["id"], "--groups", str(before), "--url", url],
                               capture_output=True, text=True, check=False)
        check(moved.returncode == 0, f"replay offsets: {moved.stderr}")
        name, partition, offset = moved.stdout.strip().split(",")
        check((name, partition) == (back, "0"), moved.stdout)
        group = f"{world.name[:60]}-{place}"
        world.admin("set-group-offset", group=group, topic=back, partition=0, offset=int(offset))
        _, _, value = first_of_group(world, group, back)
        wanted = was[min(k for k in was if k[1] >= place)]
        check(value.strip().encode() == base64.b64decode(wanted[3]), f"from {place}: {value[:80]}")
    with urllib.request.urlopen(f"{url}/v1/replays/{job['id']}/offsets", timeout=30) as answer:
        rows = answer.read().decode().split()
    check(rows[0] == "partition,old,new" and len(rows) == len(was) + 2, f"{len(rows)} rows for {len(was)} messages")
    pairs = [(f"0,{old},{new}") for (_, old), (_, new) in zip(sorted(was), sorted(now))]
    check(rows[1:-1] == pairs, f"{rows[:4]} … but {pairs[:3]}")


# --- what leaves the store meanwhile (E9), what comes late (E5) -----------------------------------------------------------


@scenario("return", "E9")
def a_range_that_is_shipped_and_pruned_during_the_job_is_read_from_the_archive(world):
    topic = world.topic(2, config={"retention.ms": "-1"})
    archive = world.folder / "archive"
    more = (target(world) + f'[archive]\nurl = "file://{archive}"\nclose_after = "1s"\nkeep_local = "1s"\ntape_ship = "1s"\n'
            'backup = ""\n')
    node = world.node(topic, more=more).start()
    for _ in range(20):
        world.produce(topic, 100, (0, 1))
    world.caught_up(node, topic)
    back = world.topic(2, "-back", config={"retention.ms": "-1"})
    job = command(node, "create", "--topic", topic, "--target", "lab", "--to", back, "--rate", "20")
    ask(node, "/v1/flush", "POST")

    def pruned():
        world.produce(topic, 2, (0, 1))  # the tape goes on: what lies behind it may leave
        ask(node, "/v1/flush", "POST")
        # A reader of the folder that is not given the archive: it has to say so.
        left = node.command("messages", "--topic", topic, "--partition", "0", "--offsets", "0:100", check=False)
        return left.returncode != 0 and "archive" in left.stderr
    wait_for("the tape leaves the store", pruned, 120, 1.0)
    state = ask(node, f"/v1/replays/{job['id']}")
    check(state["state"] == "running" and state["progress"]["messages"] < 1900, f"it was over already: {state}")
    command(node, "pace", job["id"], "--max")
    done = command(node, "show", job["id"], "--wait")
    check(done["state"] == "done", f"job: {done}")
    found, sequence = by_partition(world.dump(back))
    wanted = {}
    for (partition, _), message in sorted(world.dump(topic).items()):
        wanted.setdefault(partition, []).append((message[0], message[2], message[3], message[4]))
    for partition, messages in found.items():
        check(messages == wanted[partition][:len(messages)], f"partition {partition} is not what was recorded")
    check(len(sequence) == 2000, f"{len(sequence)} messages")


class HoldingProxy(wire.Proxy):
    """Keeps one Produce request back until release(); everything of other connections passes."""

    def __init__(self, seed):
        super().__init__(seed)
        self.armed = False
        self.held = threading.Event()
        self.let_go = threading.Event()


class HoldingLink(wire.Link):
    def _asked(self):
        while (head := wire.receive(self.client, 4)) is not None:
            body = wire.receive(self.client, wire.struct.unpack(">i", head)[0])
            if body is None:
                break
            kind, version, number = wire.struct.unpack_from(">hhi", body)
            self.requests[number] = (kind, version)
            if kind == 0 and self.proxy.armed:
                self.proxy.armed = False
                self.proxy.held.set()
                self.proxy.let_go.wait(180)
            if not self.silent:
                self.server.sendall(head + body)

    def close(self):
        # The client gives the connection up; what it has sent is still under way.
        if self.proxy.held.is_set() and not self.proxy.let_go.is_set():
            return
        super().close()


@scenario("return", "E5")
def a_produce_that_was_given_up_and_lands_later_is_seen_once(world):
    proxy = HoldingProxy(world.random.random())
    link = wire.Link
    wire.Link = HoldingLink
    try:
        with contextlib.closing(proxy), rig.kafka("--quick", "--behind", str(proxy.port)) as started:
            proxy.broker = started["behind"]
            with contextlib.closing(Broker(started)) as world.broker:
                held_produce(world, proxy)
                world.end()
    finally:
        proxy.let_go.set()
        wire.Link = link


def held_produce(world, proxy):
    topic = world.topic(1, config={"retention.ms": "-1"})
    back = world.topic(1, "-back", config={"retention.ms": "-1"})
    impatient = '"request.timeout.ms" = "2000"\n"message.timeout.ms" = "3000"\n"socket.timeout.ms" = "3000"\n'
    node = world.node(topic, more=target(world, bootstrap=f"127.0.0.1:{proxy.port}", properties=impatient)).start()
    for _ in range(30):
        world.produce(topic, 100)
    world.caught_up(node, topic)
    job = command(node, "create", "--topic", topic, "--target", "lab", "--to", back, "--rate", "150")
    wait_for("something is sent", lambda: ask(node, f"/v1/replays/{job['id']}")["progress"]["messages"] > 200)
    proxy.armed = True
    check(proxy.held.wait(30), "no Produce came by")
    sent = ask(node, f"/v1/replays/{job['id']}")["progress"]["messages"]
    wait_for("it goes on without it", lambda: ask(node, f"/v1/replays/{job['id']}")["progress"]["messages"] > sent + 300, 120)
    check(any(job["id"] in line.get("job", "") for line in node.logged("again")), "no other producer took over")
    proxy.let_go.set()  # now it reaches the broker
    time.sleep(1)
    command(node, "pace", job["id"], "--max")
    done = command(node, "show", job["id"], "--wait")
    check(done["state"] == "done", f"job: {done}")
    found, sequence = by_partition(world.dump(back))
    wanted = [(m[0], m[2], m[3], m[4]) for _, m in sorted(world.dump(topic).items())]
    check(found[0] == wanted, f"{len(found[0])} messages for {len(wanted)}")
    check(len(set(sequence)) == len(sequence) == len(wanted), "numbers that are missing or come twice")
    print(f"  held while {sent} were sent", flush=True)
