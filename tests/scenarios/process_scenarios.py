"""What happens to the process and its disk: stops, kills, full disks, changed configuration, readers beside it (rows A of docs/faults.md)."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import rig
from frame import Skip, check, scenario, wait_for


@scenario("process", "A17 G14")
def sigterm_in_every_phase_loses_nothing(world):
    topic = world.topic(3)
    node = world.node(topic)
    world.produce(topic, 6000, range(3))
    for wait in (0, 0.02, 0.1, 0.3, 1):                     # opening, recovering, joining, catching up
        node.start(wait_ready=False)
        time.sleep(wait)
        code = node.stop(15.5)
        # Before its handler is set, a process simply dies of the signal, which is as safe as a crash.
        check(code == 0 or (code == -signal.SIGTERM and not node.events), f"exit {code} after {wait} s")
    stream = world.stream(topic, range(3))
    for wait in (0.7, 1.3):                                 # under load, near a flush
        node.start().wait_event("recording", 30)
        time.sleep(wait)
        world.stop(node)
    world.stop(node.start(failpoint="record.before_flush:1:sleep=1500"))
    stream.stop()
    world.caught_up(node.start(), topic)
    world.stop(node)                                        # idle
    node.start().wait_event("recording", 30)
    world.broker.control("kill")
    world.stop(node)                                        # the broker has just died
    world.stop(node.start())                                # it was never there
    node.start()
    time.sleep(3)
    world.stop(node)
    world.broker.up()
    node.start().wait_event("recording", 30)
    world.broker.control("pause")
    try:
        world.stop(node)                                    # it answers nothing
    finally:
        world.broker.control("resume")
    world.produce(topic, 100, range(3))
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)


@scenario("process", "A1")
def a_mapping_changed_between_a_kill_and_the_restart(world):
    topic = world.topic(2)
    node = world.node(topic)
    node.config.write_text(node.config.read_text().replace('flush_interval = "500ms"', 'flush_interval = "1h"'))
    node.start()
    world.produce(topic, 400, range(2))
    world.caught_up(node, topic)
    node.kill()                                             # every row is on the tape only
    boundary = {p: e["stored"] for (_, p), e in node.coverage().items()}
    world.produce(topic, 300, range(2))
    plain = node.config.read_text()
    node.config.write_text(plain.replace('mapping = "finnhub"', 'mapping = "finnhub"\nsymbol_prefix = "FH:"'))
    world.caught_up(node.start(), topic)
    node.kill()
    world.caught_up(node.start(), topic)
    world.stop(node)
    wanted = []
    for row in rig.decode_finnhub(world.dump(topic), topic):
        symbol = row[0] if row[6] < boundary[row[5]] else "FH:" + row[0]
        wanted.append((symbol, *row[1:]))
    check(boundary == {0: 200, 1: 200}, f"not everything was stored: {boundary}")
    world.equal(rig.query_trades(node), sorted(wanted), "series")
    world.verify(node)


@scenario("process", "A11")
def a_store_that_another_process_holds_is_refused(world):
    topic = world.topic(1)
    node = world.node(topic).start()
    world.produce(topic, 100)
    world.caught_up(node, topic)
    second = world.node(topic, name="second", node_id="one", store=node.data_dir)
    code = second.start(wait_ready=False).wait_exit(30)
    check(code == 1 and second.events[-1].get("error"), f"exit {code}: {second.events}")
    stranger = world.node(topic, name="stranger", node_id="stranger", store=node.data_dir)
    check(stranger.start(wait_ready=False).wait_exit(30) != 0, "a node of another name opened the store")
    skip = node.command("skip", "--topic", topic, "--partition", "0", "--to", "50", "--yes", check=False)
    check(skip.returncode != 0, "skip is to refuse a store in use")
    world.produce(topic, 100)
    world.caught_up(node, topic)
    world.stop(node)
    check(stranger.start(wait_ready=False).wait_exit(30) != 0, "a node of another name opened the idle store")
    check("one" in stranger.events[-1]["error"], f"the owner is not named: {stranger.events[-1]}")
    world.whole(node, topic)


class Poller(threading.Thread):
    """Reads beside the node all the time: what was once served must stay served, unchanged."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.ended, self.rounds, self.failure, self.rows = node, threading.Event(), 0, None, set()
        self.start()

    def run(self):
        try:
            while not self.ended.is_set():
                rows = rig.query_trades(self.node)
                found = set(rows)
                check(len(found) == len(rows), "a row was served twice")
                lost = self.rows - found
                check(not lost, f"{len(lost)} rows were served before and are gone: {sorted(lost)[:2]}")
                self.rows, self.rounds = found, self.rounds + 1
        except Exception as failure:  # told by stop()
            self.failure = failure

    def stop(self):
        self.ended.set()
        self.join(timeout=60)
        if self.failure:
            raise self.failure
        return self.rows


@scenario("process", "A1 O6")
def queries_beside_a_recording_node_never_lose_a_row(world):
    topic = world.topic(4)
    node = world.node(topic).start()
    node.wait_event("recording", 30)
    poller = Poller(node)
    stream = world.stream(topic, range(4), batch=40)
    time.sleep(7)
    node.kill()
    time.sleep(1)
    node.start()
    time.sleep(5)
    stream.stop()
    world.caught_up(node, topic)
    served = poller.stop()
    check(poller.rounds >= 5, f"only {poller.rounds} queries were answered")
    world.stop(node)
    check(served <= set(rig.decode_finnhub(world.dump(topic), topic)), "rows were served that nobody sent")
    world.whole(node, topic)


class SmallDisk:
    """A tmpfs of its own; needs the right to mount."""

    def __init__(self, world, megabytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="tapedeck-disk-"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.path)],
                              capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
        if done is None or done.returncode != 0:
            self.path.rmdir()
            raise Skip("no right to mount a tmpfs")
        world.closing.callback(self.unmount)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=False)
        self.path.rmdir()

    def fill(self):
        with open(self.path / "filler", "ab", buffering=0) as filler:
            size = 1 << 20
            while size >= 512:
                try:
                    filler.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self):
        (self.path / "filler").unlink()


@scenario("process", "A8")
def a_full_disk_then_space_again(world):
    disk = SmallDisk(world, 160)
    topic = world.topic(3)
    node = world.node(topic, store=disk.path / "store").start()
    stream = world.stream(topic, range(3))
    for turn in range(4):
        time.sleep(2)
        disk.fill()
        line = node.wait_event("progress", 40, lambda line: line.get("stall"))
        check("stall" in line, "a full disk does not show")
        rig.query_trades(node)
        time.sleep([0, 3, 1, 5][turn])
        disk.free()
        freed = len(node.events)
        wait_for("recording again", lambda: any("stall" not in e and e["event"] == "progress" for e in node.events[freed:]), 60)
    stream.stop()
    world.caught_up(node, topic)
    check(node.running() and node.starts == 1, "it was to resume by itself")
    world.stop(node)
    world.whole(node, topic)


@scenario("process", "A8 A17")
def a_disk_that_is_full_at_the_stop_and_at_the_start(world):
    disk = SmallDisk(world, 160)
    topic = world.topic(3)
    node = world.node(topic, store=disk.path / "store").start()
    stream = world.stream(topic, range(3))
    time.sleep(2)
    disk.fill()
    check(node.wait_event("progress", 40, lambda line: line.get("stall")), "a full disk does not show")
    check(node.stop(15.5) in (0, 1), "it was to end in time")
    node.start(wait_ready=False)
    time.sleep(3)
    if node.running():
        node.kill()
    disk.free()
    stream.stop()
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)


# --- every failpoint ---------------------------------------------------------------------------------------------------


def failpoints():
    text = (rig.ROOT / "src" / "base" / "failpoint.cc").read_text(encoding="utf-8")
    names = re.findall(r'^    "([a-z]+\.[a-z_]+)",$', text, re.MULTILINE)
    # This node records. What ships, reindexes, replays, drops and repairs is swept where it is tested: tests/ship,
    # tests/reindex, tests/replay, tests/cli.
    return [name for name in names if name.startswith(("record.", "store."))]


def sweep(world, action, hits):
    topic = world.topic(3)
    node = world.node(topic)
    reached = set()
    partitions = 3
    for name in failpoints():
        for hit in hits:
            node.start(failpoint=f"{name}:{hit}:{action}", wait_ready=False)
            if name == "record.on_revoke":  # the group is balanced anew for another partition
                partitions += 1
                node.wait_event("recording", 30)
                world.admin("add-partitions", topic=topic, partitions=partitions)
            for _ in range(60 if "merge" in name else 12):
                world.produce(topic, 60, range(partitions))
                time.sleep(0.15)
                if not node.running():
                    break
            marked = f"failpoint {name}: hit {hit}"
            if node.running():
                node.process.terminate()
            node.wait_exit(16)
            if marked in node.log.read_text(encoding="utf-8", errors="replace"):
                reached.add((name, hit))
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)
    missed = {name for name in failpoints() if not any((name, hit) in reached for hit in hits)} - {"record.new_lineage"}
    check(not missed, f"never reached: {sorted(missed)}")  # record.new_lineage is reached where the log changes
    print(f"  {len(reached)} of {len(failpoints()) * len(hits)} reached", flush=True)


@scenario("sweep", "A2")
def a_kill_at_the_first_and_second_hit_of_every_failpoint(world):
    sweep(world, "abort", (1, 2))


@scenario("sweep", "A2 A6")
def an_input_output_error_at_every_failpoint(world):
    sweep(world, "eio", (1,))
