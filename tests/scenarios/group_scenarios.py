"""Several nodes in one consumer group: joining, leaving, replaced disks, doubled names (rows C of docs/faults.md)."""

import contextlib
import shutil
import subprocess
import time

import rig
from frame import check, scenario, wait_for


def tapes(node, topic):
    return {(p, o): m for (_, p, o), m in rig.dump_tape(node, topic).items()}


def gaps(node, topic):
    """{(partition, offset): reason} of everything that the node says it lacks."""
    return {(e["partition"], o): gap["reason"] for e in node.entries() if e["topic"] == topic
            for gap in e["gaps"] for o in range(gap["from"], gap["to"])}


def together_at_the_end(world, nodes, topic, seconds=60):
    """Until for every partition some node has stored all there is."""
    ends = {p["partition"]: p["end"] for p in world.admin("describe", topic=topic)["partitions"]}

    def reached():
        stored = {}
        for node in nodes:
            if node.data_dir.exists():
                for (of, partition), entry in node.coverage().items():
                    if of == topic:
                        stored[partition] = max(stored.get(partition, 0), entry["stored"])
        return all(stored.get(p, 0) >= end for p, end in ends.items())
    wait_for("all offsets in some store", reached, seconds, 0.5)


def check_union(world, nodes, topic, once=True):
    """Every message is in at least one store as it was sent; each store is whole but for its gaps; a gap `elsewhere` is elsewhere."""
    wanted = world.dump(topic)
    everywhere = {}
    doubled = set()
    recorded = {node: tapes(node, topic) for node in nodes}
    for node, tape in recorded.items():
        world.equal({key: wanted.get(key) for key in tape}, tape, f"{node.log.stem}: tape")
        doubled |= set(tape) & set(everywhere)
        everywhere |= tape
        lacking = gaps(node, topic)
        check(not set(lacking) & set(tape), f"{node.log.stem}: recorded and a gap: {sorted(set(lacking) & set(tape))[:3]}")
        covered = {(e["partition"], o) for e in node.entries() if e["topic"] == topic for o in range(e["from_offset"], e["stored"])}
        world.equal(dict.fromkeys(covered), dict.fromkeys(set(tape) | set(lacking)), f"{node.log.stem}: coverage and what is there")
        world.verify(node)
    world.equal(everywhere, wanted, "all stores together")
    for node in nodes:
        for key, reason in gaps(node, topic).items():
            check(reason in ("elsewhere", "elsewhere?"), f"{node.log.stem}: {key} is a gap of the kind {reason}")
            check(any(key in tape for other, tape in recorded.items() if other is not node) or reason == "elsewhere?",
                  f"{node.log.stem}: {key} is said to be elsewhere and is not")
    check(not (once and doubled), f"in two stores: {sorted(doubled)[:5]}")
    return len(doubled)


@scenario("group", "C1 C7")
def a_second_node_joins_and_leaves_again_and_again(world):
    topic = world.topic(12)
    one = world.node(topic, name="one").start()
    two = world.node(topic, name="two")
    stream = world.stream(topic, range(12), batch=48)
    for _ in range(4):
        two.start(options=["--leave"])
        check(two.wait_event("recording", 40), "the second node gets no partitions")
        time.sleep(world.random.uniform(0.5, 2.5))
        world.stop(two)
    two.start()
    check(two.wait_event("recording", 40), "the second node gets no partitions")
    time.sleep(1)
    two.kill()  # its partitions wait for the session to run out
    time.sleep(8)
    stream.stop()
    together_at_the_end(world, [one, two], topic)
    world.stop(one)
    # A kill leaves what was stored and not yet told to the group: that is read twice, never lost.
    print(f"  {check_union(world, [one, two], topic, once=False)} messages in both stores", flush=True)


@scenario("group", "C4")
def a_node_restarted_within_its_session_keeps_its_partitions(world):
    topic = world.topic(4)
    nodes = [world.node(topic, name=name).start() for name in ("one", "two")]

    def assignment():
        members = world.admin("describe-group", group=world.name)["members"]
        return {m["instance"]: sorted(map(tuple, m["partitions"])) for m in members}
    wait_for("both have two partitions", lambda: [len(p) for p in assignment().values()] == [2, 2])
    world.produce(topic, 200, range(4))
    before = assignment()
    moves = len(nodes[1].logged("assigned"))
    for way in (nodes[0].kill, lambda: world.stop(nodes[0])):
        way()
        world.produce(topic, 100, range(4))
        nodes[0].start()
        check(nodes[0].wait_event("recording", 30), "no partitions after a restart")
        check(assignment() == before, f"partitions moved: {before}, now {assignment()}")
    check(len(nodes[1].logged("assigned")) == moves, "the other node was disturbed")
    together_at_the_end(world, nodes, topic)
    for node in nodes:
        world.stop(node)
    check_union(world, nodes, topic)
    check(not any(gaps(node, topic) for node in nodes), "there was no hand-over, so there is no gap")


@scenario("group", "C5 A11")
def of_two_nodes_with_one_name_the_older_ends_with_a_reason(world):
    topic = world.topic(2)
    one = world.node(topic, name="one", node_id="same").start()
    world.produce(topic, 100, range(2))
    world.caught_up(one, topic)
    two = world.node(topic, name="two", node_id="same").start()
    code = one.wait_exit(40)
    check(code == 1, f"exit {code}")
    check("same" in one.events[-1].get("error", "") or "fenced" in one.events[-1].get("error", "").lower(),
          f"no reason: {one.events[-1]}")
    world.produce(topic, 100, range(2))
    world.caught_up(two, topic)
    world.stop(two)
    world.whole(two, topic)


@scenario("group", "C6 C10")
def a_partition_that_goes_to_an_empty_node_and_back(world):
    topic = world.topic(2)
    one = world.node(topic, name="one")
    two = world.node(topic, name="two")
    for turn, node in enumerate((one, two, one, two)):
        node.start(options=["--leave"])
        check(node.wait_event("recording", 40), "no partitions")
        world.produce(topic, 100, range(2))
        together_at_the_end(world, [one, two], topic)
        world.stop(node)
        wanted = 50 * (turn + 1)
        check({p: e["stored"] for (_, p), e in node.coverage().items()} == {0: wanted, 1: wanted}, f"turn {turn}: {node.coverage()}")
    check_union(world, [one, two], topic)
    for node, ranges in ((one, [(50, 100)]), (two, [(0, 50), (100, 150)])):
        for entry in node.entries():
            found = [(gap["from"], gap["to"], gap["reason"]) for gap in entry["gaps"]]
            check(found == [(a, b, "elsewhere") for a, b in ranges], f"{node.log.stem}: {found}")


@scenario("group", "C10 A18")
def a_node_that_lost_its_disk_reads_again_from_the_start(world):
    topic = world.topic(2)
    node = world.node(topic).start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    world.stop(node)
    shutil.rmtree(node.data_dir)
    node.start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    world.stop(node)
    check(any("disk is gone" in entry["msg"] for entry in node.logged("start")), "no warning that the disk is gone")
    world.whole(node, topic)


@scenario("group", "C2 C7")
def a_node_that_hangs_longer_than_its_session(world):
    topic = world.topic(4)
    one = world.node(topic, name="one").start()
    two = world.node(topic, name="two").start()
    stream = world.stream(topic, range(4))
    for node in (one, two):
        check(node.wait_event("recording", 40), "no partitions")
        time.sleep(1)
        node.process.send_signal(rig.signal.SIGSTOP)
        time.sleep(9)
        node.process.send_signal(rig.signal.SIGCONT)
        time.sleep(4)
    stream.stop()
    together_at_the_end(world, [one, two], topic)
    for node in (one, two):
        world.stop(node)
    print(f"  {check_union(world, [one, two], topic, once=False)} messages in both stores", flush=True)


@contextlib.contextmanager
def cooperative_member(world, topic):
    """A consumer of another program in the node's group, which balances cooperatively; ended by pid."""
    log = open(world.folder / "kcat.log", "ab")
    process = subprocess.Popen(["kcat", "-b", world.broker.bootstrap, "-q", "-u", "-X", "partition.assignment.strategy=cooperative-sticky",
                                "-X", "session.timeout.ms=6000", "-G", world.name[:60], topic], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def owners(world):
    """{instance or client: partitions} of the group."""
    try:
        members = world.admin("describe-group", group=world.name[:60])["members"]
    except rig.Failure:  # not yet there
        return {}
    return {m["instance"] or "kcat": sorted(map(tuple, m["partitions"])) for m in members}


@scenario("group", "C9")
def members_that_balance_in_another_way_are_kept_apart(world):
    topic = world.topic(2)
    node = world.node(topic)
    code = node.start(wait_ready=False, options=["-X", "partition.assignment.strategy=cooperative-sticky"]).wait_exit(20)
    said = node.log.read_text(errors="replace") + str(node.events)
    check(code == 2 and "cooperative" in said, f"exit {code}: {said[-500:]}")
    world.produce(topic, 100, range(2))

    with cooperative_member(world, topic):                  # it was there first: the node may not join, says so and waits
        wait_for("the other has everything", lambda: owners(world) == {"kcat": [(topic, 0), (topic, 1)]}, 40)
        node.start()
        line = node.wait_event("progress", 40, lambda line: "INCONSISTENT_GROUP_PROTOCOL" in line.get("notice", ""))
        print(f"  says: {line['notice'][:140]}", flush=True)
        time.sleep(3)
        check(node.running() and owners(world) == {"kcat": [(topic, 0), (topic, 1)]}, f"owners: {owners(world)}")
    world.caught_up(node, topic)                            # and records when the other has left

    assigned = len(node.logged("assigned"))
    with cooperative_member(world, topic) as other:         # the node was there first: the other stays out
        for _ in range(5):
            world.produce(topic, 100, range(2))
            time.sleep(1)
            check(owners(world) == {"one": [(topic, 0), (topic, 1)]}, f"owners: {owners(world)}")
        check(other.poll() is not None or "INCONSISTENT" in (world.folder / "kcat.log").read_text() or
              "nconsistent" in (world.folder / "kcat.log").read_text(), "the other was not refused")
    world.caught_up(node, topic)
    check(len(node.logged("assigned")) == assigned, "the node was disturbed")
    world.stop(node)
    world.whole(node, topic)
