"""What Kafka does every day: outages, new partitions, compaction, transactions, odd messages (rows B of docs/faults.md)."""

import base64
import json
import time

import rig
from frame import check, scenario, wait_for


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


@scenario("log", "B1")
def a_broker_killed_while_it_is_recorded(world):
    topic = world.topic(3)
    node = world.node(topic).start()
    stream = world.stream(topic, range(3))
    for _ in range(2):
        time.sleep(2)
        world.broker.control("kill")
        time.sleep(1)
        world.broker.up()
    time.sleep(1)
    stream.stop()
    world.caught_up(node, topic)
    world.stop(node)
    check(node.starts == 1, "the node was to outlive the broker")
    world.whole(node, topic)


@scenario("log", "B18")
def a_broker_that_is_away_for_longer_than_the_session(world):
    topic = world.topic(3)
    node = world.node(topic).start()
    world.produce(topic, 300, range(3))
    world.caught_up(node, topic)
    before = rig.query_trades(node)
    world.broker.down()
    end = time.monotonic() + 9
    while time.monotonic() < end:
        check(rig.query_trades(node) == before, "reads are to go on unchanged while the broker is away")
        time.sleep(1)
    world.broker.up()
    world.produce(topic, 3000, range(3))
    world.caught_up(node, topic)
    world.stop(node)
    world.whole(node, topic)


@scenario("log", "B7")
def partitions_added_while_it_runs_are_read_from_their_beginning(world):
    topic = world.topic(1)
    world.produce(topic, 50)
    node = world.node(topic, lines='start = "latest"').start()
    node.wait_event("recording", 30)
    world.produce(topic, 30)
    world.admin("add-partitions", topic=topic, partitions=3)
    world.produce(topic, 200, range(3))
    world.caught_up(node, topic)
    world.stop(node)
    wanted = {key: message for key, message in world.dump(topic).items() if key[0] > 0 or key[1] >= 50}
    world.whole(node, topic, wanted)
    check(node.coverage()[(topic, 0)]["from_offset"] == 50, "the old partition was to start at its end")


@scenario("log", "B8", broker=["--property", "log.cleaner.backoff.ms=200"])
def holes_of_compaction_are_not_gaps(world):
    topic = world.topic(1, config={"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01",
                                   "delete.retention.ms": "0"})

    def keyed(count):
        now = int(time.time() * 1000)  # segments are closed by the times of messages
        lines = world.lines(topic, count, (0,), timestamp=now)
        world.admin("produce", lines=[dict(line, key=f"k{i % 5}") for i, line in enumerate(lines)])

    early = world.node(topic, name="early", group="early").start()
    keyed(200)
    world.caught_up(early, topic)
    world.stop(early)
    recorded = rig.dump_tape(early, topic)

    def compacted():
        keyed(1)  # a segment is closed only by a message that comes later
        return len(world.dump(topic)) < 100
    wait_for("compaction", compacted, 60, 0.5)
    before = world.dump(topic)
    late = world.node(topic, name="late", group="late").start()
    world.caught_up(late, topic)
    world.stop(late)
    world.caught_up(early.start(), topic)
    world.stop(early)
    after = world.dump(topic)
    for node, most in ((late, before), (early, before | {(p, o): m for (_, p, o), m in recorded.items()})):
        tape = {(p, o): m for (lineage, p, o), m in rig.dump_tape(node, topic).items() if lineage == 0}
        world.equal({key: tape.get(key) for key in after}, after, f"{node.log.stem}: what compaction left")
        world.equal(tape, {key: most.get(key) for key in tape}, f"{node.log.stem}: what there was")
        check(node.coverage()[(topic, 0)]["gaps"] == [], "a hole of compaction became a gap")
        world.verify(node)


@scenario("log", "B9")
def aborted_transactions_are_never_seen_and_a_hanging_one_only_waits(world):
    topic = world.topic(2)
    node = world.node(topic).start()
    seen = set()

    def transaction(number, end):
        lines = world.lines(topic, 20, range(2), txn=f"t{number % 3}")
        last = [{"txn": f"t{number % 3}", end: True}] if end else []
        world.admin("produce", lines=[{"txn": f"t{number % 3}", "begin": True}, *lines, *last])

    def look():
        if node.data_dir.exists():
            seen.update(key[1:] for key in rig.dump_tape(node, topic))
    for number in range(12):
        transaction(number, "abort" if number % 3 == 1 else "commit")
        if number % 4 == 3:
            look()
    world.caught_up(node, topic)
    transaction(0, None)  # hangs
    world.produce(topic, 20, range(2))
    time.sleep(3)
    look()
    hanging = {row[5:7] for row in rig.query_trades(node)}
    world.admin("produce", lines=[{"txn": "t0", "abort": True}])
    world.caught_up(node, topic)
    node.wait_event("progress", 20, lambda line: line["lag"] == 0)
    look()
    world.stop(node)
    wanted = world.dump(topic)
    check(seen <= set(wanted), f"messages of aborted transactions were visible: {sorted(seen - set(wanted))[:5]}")
    check(hanging <= set(wanted), "records of the hanging transaction were visible")
    world.whole(node, topic, wanted)


ODD = [  # value, records, refused: by the mapping finnhub
    (None, 0, 0), (b"", 0, 1), (b"x", 0, 1), (b"\xff\xfe\x00binary", 0, 1),
    (b'{"data":[{"c":null,"p":1.5,"s":"A","t":1719893836000,"v":1}],"type":"trade"', 0, 1),           # cut
    (b'{"data":[{"c":null,"p":NaN,"s":"A","t":1719893836000,"v":1}],"type":"trade"}', 0, 1),
    (b'{"data":[{"c":null,"p":1e308,"s":"A","t":1719893836000,"v":1}],"type":"trade"}', 0, 1),
    (b'{"data":[{"c":null,"p":1.5,"t":1719893836000,"v":1}],"type":"trade"}', 0, 1),                  # no symbol
    (b'{"data":[{"c":null,"p":1.5,"s":"A","v":1}],"type":"trade"}', 0, 1),                            # no time
    (b'{"data":[{"c":null,"p":-37.63,"s":"OIL","t":1719893836000,"v":1}],"type":"trade"}', 1, 0),     # negative is data
    (b'{"data":[{"c":null,"p":1.5,"s":"\xf0\x9f\x98\x80","t":1719893836000,"v":7}],"type":"trade"}', 1, 0),
    (b'{"type":"ping"}', 0, 0),
    (b'{"data":[{"c":null,"p":2.5,"s":"A","t":1719893836000,"v":1},{"p":1,"s":"A","t":"soon","v":1}],"type":"trade"}', 1, 1),
    (b'{"data":[{"c":null,"p":1.5,"s":"' + b"L" * 900_000 + b'","t":1719893836000,"v":1}],"type":"trade"}', 0, 1),
    (b"[" * 100_000, 0, 1),
]


@scenario("log", "B13 B14")
def odd_messages_are_on_the_tape_and_refused_once_with_a_reason(world):
    topic = world.topic(1)
    huge = [[f"h{i}", encoded(bytes([i % 256]) * 1000)] for i in range(400)]
    lines = []
    for number, (value, _, _) in enumerate(ODD):
        lines.append({"topic": topic, "partition": 0, "timestamp": 1719893840000 + number, "value_b64": encoded(value),
                      "key": [None, "", "k"][number % 3], "headers": [[], [["a", None], ["a", ""], ["", encoded(b"\x00")]], huge][number % 3]})
    world.admin("produce", lines=lines)
    node = world.node(topic).start()
    world.caught_up(node, topic)
    world.stop(node)
    world.equal({key[1:]: m for key, m in rig.dump_tape(node, topic).items()}, world.dump(topic), "tape")
    records = [0] * len(ODD)
    for row in rig.query_trades(node):
        records[row[6]] += 1
    world.equal(dict(enumerate(records)), {n: made for n, (_, made, _) in enumerate(ODD)}, "records of each message")
    refused = {}
    for line in node.command("refused", "-o", "ndjson").stdout.splitlines():
        entry = json.loads(line)
        check(entry["offset"] not in refused and entry["reason"], f"twice or without a reason: {entry}")
        refused[entry["offset"]] = entry["reason"]
    world.equal(dict.fromkeys(refused), dict.fromkeys(offset for offset, (_, _, bad) in enumerate(ODD) if bad), "refused offsets")
    check("bad-number" in refused[6], f"1e308 is refused as {refused[6]}")
    world.verify(node)
