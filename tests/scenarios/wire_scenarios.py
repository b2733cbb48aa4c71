"""What comes over the network and is not well: spoiled connections, batches that cannot be decoded, bombs, quotas (rows B of docs/faults.md)."""

import contextlib
import time

import rig
import wire
from changed_scenarios import gaps_of
from frame import Broker, Skip, check, scenario, wait_for


def need_zstd():
    if wire.zstd(b"") is None:
        raise Skip("no libzstd on this machine")


def zstd_batch(values):
    return wire.batch(wire.zstd(b"".join(wire.record(i, value) for i, value in enumerate(values))), len(values), wire.ZSTD)


# --- connections -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def behind_a_proxy(world):
    """A broker of its own, whose clients come through the proxy; the oracle's come directly."""
    proxy = wire.Proxy(world.random.random())
    with contextlib.closing(proxy), rig.kafka("--quick", "--behind", str(proxy.port)) as started:
        proxy.broker = started["behind"]
        with contextlib.closing(Broker(started)) as world.broker:
            yield proxy
            world.end()  # the node and the streams go before their broker


@scenario("wire", "B2")
def bytes_that_flip_on_the_wire_are_read_again(world):
    with behind_a_proxy(world) as proxy:
        topic = world.topic(3)
        node = world.node(topic, bootstrap=f"127.0.0.1:{proxy.port}").start()
        node.wait_event("recording", 30)
        proxy.flips = 0.01
        stream = world.stream(topic, range(3), batch=60)
        deadline = time.monotonic() + 60
        while proxy.flipped < 8 and time.monotonic() < deadline:
            time.sleep(0.5)
            if time.monotonic() > deadline - 40:
                proxy.flips = 0.1  # a slow machine: fewer answers, and a flip in more of them
        stream.stop()
        proxy.flips = 0.0
        world.caught_up(node, topic)
        world.stop(node)
        print(f"  {proxy.flipped} of {proxy.answers} answers were spoiled", flush=True)
        check(proxy.flipped >= 3, "too few flips to show anything")
        check(node.logged("partition-error"), "no flip was noticed")
        world.whole(node, topic)


@scenario("wire", "B2")
def connections_that_are_cut_or_lead_into_a_black_hole(world):
    with behind_a_proxy(world) as proxy:
        topic = world.topic(3)
        node = world.node(topic, bootstrap=f"127.0.0.1:{proxy.port}").start(options=["-X", "socket.timeout.ms=4000"])
        node.wait_event("recording", 30)
        stream = world.stream(topic, range(3))
        for _ in range(8):
            time.sleep(world.random.uniform(0.2, 1.0))
            proxy.cut()
        for seconds in (3, 10):  # shorter and longer than the session of 6 s
            proxy.hole()
            time.sleep(seconds)
            proxy.heal()  # what was open stays half-open: the node has to give it up by itself
            before = proxy.accepted
            stored = node.now()["messages"]
            wait_for("new messages after a black hole", lambda: node.now()["messages"] > stored, 40)
            check(proxy.accepted > before, "it did not connect again")
        stream.stop()
        world.caught_up(node, topic)
        world.stop(node)
        check(node.starts == 1, "it was to go on by itself")
        world.whole(node, topic)


# --- batches -----------------------------------------------------------------------------------------------------------


def told_and_skipped(world, replace, seconds):
    """A batch in the middle of a log becomes what `replace` makes of it, with a checksum that is right."""
    topic = world.topic(2)
    for _ in range(4):
        for partition in range(2):
            wire.produce(world.broker.bootstrap, topic, partition, zstd_batch([world.trade() for _ in range(20)]))
    truth = world.dump(topic)
    world.broker.down()
    segment = world.broker.data() / f"{topic}-0" / f"{0:020d}.log"
    data = segment.read_bytes()
    at, length, offset, count = list(wire.batches(data))[2]
    segment.write_bytes(data[:at] + wire.seal(replace(data[at:at + length])) + data[at + length:])
    world.broker.up()
    node = world.node(topic).start()
    node.wait_event("recording", 30)
    begin = time.monotonic()
    line = node.wait_event("progress", seconds + 10, lambda line: line.get("unwell"))
    took = time.monotonic() - begin
    print(f"  told after {took:.0f} s: {line['reasons'][0]['reason'][:120]}", flush=True)
    check(took < seconds, f"told after {took:.0f} s")
    check([(r["topic"], r["partition"]) for r in line["reasons"]] == [(topic, 0)] and "tapedeck skip" in line["reasons"][0]["reason"],
          f"reasons: {line['reasons']}")
    world.produce(topic, 20, (1,))
    wait_for("the other partition at its end", lambda: node.coverage()[(topic, 1)]["stored"] == 100)
    check(offset <= node.coverage()[(topic, 0)]["stored"] < offset + count, f"{node.coverage()[(topic, 0)]}")
    world.stop(node)
    stored = node.coverage()[(topic, 0)]["stored"]
    node.command("skip", "--topic", topic, "--partition", "0", "--to", str(offset + count), "--yes")
    node.start()
    world.caught_up(node, topic)
    check(not node.now().get("unwell"), "well again after the skip")
    world.stop(node)
    check(gaps_of(node, topic) == [(stored, offset + count, "skipped")], f"gaps: {gaps_of(node, topic)}")
    tape = {(p, o): m for (_, p, o), m in rig.dump_tape(node, topic).items() if p == 0}
    world.equal(tape, {key: m for key, m in truth.items() if key[0] == 0 and not stored <= key[1] < offset + count}, "tape")
    world.verify(node)
    return node


@scenario("wire", "B11")
def a_batch_that_does_not_decompress_halts_its_partition_until_it_is_skipped(world):
    need_zstd()

    def spoiled(batch):  # behind the frame's head, which still tells a size
        return batch[:wire.HEAD + 12] + bytes(byte ^ 0x5A for byte in batch[wire.HEAD + 12:-8]) + batch[-8:]
    check(told_and_skipped(world, spoiled, 30).logged("partition-error"), "no line in the log")


@scenario("wire", "B11")
def a_batch_whose_records_end_too_early_is_told_within_a_minute(world):
    """Checksum and compression are right; librdkafka 2.0.2 asks for the batch again and again and says nothing."""
    need_zstd()

    def cut(batch):
        return wire.batch(wire.zstd(b"".join(wire.record(i, b"x" * 50) for i in range(20))[:30]), 20, wire.ZSTD, base=40)
    check(told_and_skipped(world, cut, 60).logged("stuck"), "it was told by something else than the watch")


LITTLE = 'memory = "256MiB"'


@scenario("wire", "B12")
def a_batch_of_three_kilobytes_that_is_a_hundred_megabytes(world):
    need_zstd()
    topic = world.topic(2)
    node = world.node(topic, more=f"[limits]\n{LITTLE}\n").start()
    world.produce(topic, 200, range(2))
    world.caught_up(node, topic)
    before = node.memory()
    bomb = wire.batch(wire.zstd(wire.record(0, b"\0" * (100 << 20))), 1, wire.ZSTD)
    check(len(bomb) < 4096, f"the bomb has {len(bomb)} bytes")
    offset = wire.produce(world.broker.bootstrap, topic, 0, bomb)
    for _ in range(30):
        world.produce(topic, 50, range(2))
        time.sleep(0.1)
    wait_for("the other partition at its end", lambda: node.coverage()[(topic, 1)]["stored"] == 100 + 750)
    line = node.wait_event("progress", 75, lambda line: line.get("unwell"))
    print(f"  resident {before >> 20} MiB before, {node.memory() >> 20} MiB at most; {line['reasons'][0]['reason'][:100]}", flush=True)
    check(node.memory() < (256 + 64) << 20, f"{node.memory() >> 20} MiB")
    check([r["partition"] for r in line["reasons"]] == [0] and "tapedeck skip" in line["reasons"][0]["reason"], f"{line['reasons']}")
    world.stop(node)
    node.command("skip", "--topic", topic, "--partition", "0", "--to", str(offset + 1), "--yes")
    node.start()
    world.caught_up(node, topic)
    world.stop(node)
    check(gaps_of(node, topic) == [(offset, offset + 1, "skipped")], f"gaps: {gaps_of(node, topic)}")
    check(set(p for _, p, _ in rig.dump_tape(node, topic)) == {0, 1}, "both partitions are on the tape")
    world.verify(node)


@scenario("wire", "B12")
def a_message_too_large_for_the_memory_of_the_node(world):
    topic = world.topic(3, config={"max.message.bytes": str(64 << 20)})
    node = world.node(topic, more=f"[limits]\n{LITTLE}\n").start()
    world.produce(topic, 300, range(3))
    world.caught_up(node, topic)
    large = wire.batch(wire.record(0, b" " * 20_000_000), 1)  # the node takes answers of 17 MiB
    check(wire.produce(world.broker.bootstrap, topic, 0, large) == 100, "the offset of the large message")
    for _ in range(10):
        world.produce(topic, 150, range(3))
        time.sleep(0.2)
    wait_for("the other partitions at their ends", lambda: [node.coverage()[(topic, p)]["stored"] for p in (1, 2)] == [600, 600], 60)
    line = node.wait_event("progress", 90, lambda line: line.get("unwell") or "notice" in line)
    print(f"  {node.memory() >> 20} MiB at most; {line.get('reasons')} {line.get('notice')}", flush=True)
    line = node.wait_event("progress", 90, lambda line: line.get("unwell"))
    check([r["partition"] for r in line["reasons"]] == [0] and "tapedeck skip" in line["reasons"][0]["reason"], f"{line['reasons']}")
    check(node.memory() < (256 + 64) << 20, f"{node.memory() >> 20} MiB")
    world.stop(node)
    node.command("skip", "--topic", topic, "--partition", "0", "--to", "101", "--yes")
    node.start()
    world.caught_up(node, topic)
    world.stop(node)
    check(gaps_of(node, topic) == [(100, 101, "skipped")], f"gaps: {gaps_of(node, topic)}")
    world.verify(node)


@scenario("wire", "B19")
def a_quota_slows_it_down_and_moves_nobody(world):
    topic = world.topic(3)
    node = world.node(topic).start()
    node.wait_event("recording", 30)
    world.produce(topic, 300, range(3))
    world.caught_up(node, topic)
    first = world.member()
    world.admin("set-quota", client="one", rate=30_000)
    try:
        begin = time.monotonic()
        for _ in range(4):
            world.produce(topic, 900, range(3))
        world.caught_up(node, topic, 90)
        took = time.monotonic() - begin
        check(took > 5, f"caught up in {took:.1f} s: the quota did nothing")
        check(not node.now().get("unwell"), "a slow partition is no sick one")
    finally:
        world.admin("set-quota", client="one")
    check(world.member() == first, "the group was balanced anew")
    check(len(node.logged("assigned")) == 1, "assigned more than once")
    world.stop(node)
    print(f"  {took:.0f} s under the quota", flush=True)
    world.whole(node, topic)
