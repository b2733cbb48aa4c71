"""Logs that are not what they were: retention, a cut and rewritten tail, topics made anew, damage, another cluster (rows B)."""

import contextlib
import signal
import time

import rig
import wire
from frame import Broker, check, scenario, wait_for


def gaps_of(node, topic, partition=0):
    return [(gap["from"], gap["to"], gap["reason"]) for gap in node.coverage()[(topic, partition)]["gaps"]]


# --- retention ---------------------------------------------------------------------------------------------------------


def check_retention_gap(world, node, topic, truth, log_start):
    """Tape and one gap `retention` that ends at the log's start make up everything that ever was."""
    tape = {(p, o): m for (_, p, o), m in rig.dump_tape(node, topic).items()}
    missing = sorted(set(truth) - set(tape))
    check(missing, "the test deleted nothing that was not recorded yet")
    world.equal(tape, {key: m for key, m in truth.items() if key not in missing}, "tape")
    wanted = [(missing[0][1], log_start, "retention")]
    check(missing[-1][1] == log_start - 1, f"missing {missing[0]} to {missing[-1]}, the log starts at {log_start}")
    check(gaps_of(node, topic) == wanted, f"gaps {gaps_of(node, topic)}, wanted {wanted}")
    check(all(lineage == 0 for lineage, _, _ in rig.dump_tape(node, topic)), "deleted messages are no changed log")
    world.verify(node)


@scenario("changed", "B4")
def messages_deleted_under_a_position_while_it_is_down(world):
    topic = world.topic(1)
    node = world.node(topic).start()
    world.produce(topic, 100)
    world.caught_up(node, topic)
    world.stop(node)
    world.produce(topic, 200)
    truth = world.dump(topic)
    world.admin("delete-records", topic=topic, partition=0, before=180)
    world.caught_up(node.start(), topic)
    world.produce(topic, 30)
    world.caught_up(node, topic)
    world.stop(node)
    check_retention_gap(world, node, topic, truth | world.dump(topic), 180)


@scenario("changed", "B4 C2")
def messages_deleted_under_a_position_while_it_hangs(world):
    topic = world.topic(1)
    node = world.node(topic).start()
    world.produce(topic, 100)
    world.caught_up(node, topic)
    node.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(1)  # a fetch that was under way is answered empty
        world.produce(topic, 3000)
        truth = world.dump(topic)
        world.admin("delete-records", topic=topic, partition=0, before=3050)
    finally:
        node.process.send_signal(signal.SIGCONT)
    world.produce(topic, 30)
    world.caught_up(node, topic)
    world.stop(node)
    check_retention_gap(world, node, topic, truth | world.dump(topic), 3050)


# --- a log that has changed --------------------------------------------------------------------------------------------


def view(tape, entries, topic, partition, lineage):
    """{offset: message} of the log as one lineage tells it: its own messages, and what it says that older ones hold."""
    seen = {o: m for (number, p, o), m in tape.items() if (number, p) == (lineage, partition)}
    for entry in entries:
        if (entry["topic"], entry["partition"], entry["lineage"]) != (topic, partition, lineage):
            continue
        for gap in entry["gaps"]:
            check(gap["reason"] == "held", f"a gap that should not be: {gap}")
            older = view(tape, entries, topic, partition, int(gap["detail"].split()[1]))
            held = {o: older.get(o) for o in range(gap["from"], gap["to"])}
            check(not set(held) & set(seen), f"recorded and held: {gap}")
            seen |= held
    return seen


def check_both_kept(world, node, topic, old, new, between=()):
    """Lineage 0 holds all of the old log; the newest one tells the new log; nothing else is on the tape; series follow the tape."""
    tape = rig.dump_tape(node, topic)
    entries = node.entries()
    for partition in sorted({p for p, _ in new}):
        newest = max(e["lineage"] for e in entries if (e["topic"], e["partition"]) == (topic, partition))
        check(newest >= 1, f"no new lineage of partition {partition}")
        told = view(tape, entries, topic, partition, newest)
        world.equal(told, {o: m for (p, o), m in new.items() if p == partition}, f"partition {partition}, newest lineage")
    first = {(p, o): m for (lineage, p, o), m in tape.items() if lineage == 0}
    world.equal({key: first.get(key) for key in old}, old, "lineage 0")
    doubled = [key for key, m in tape.items() if tape.get((key[0] - 1, *key[1:])) == m or tape.get((key[0] - 2, *key[1:])) == m]
    check(not doubled, f"{len(doubled)} messages are recorded in two lineages: {doubled[:3]}")
    strange = [key for key, m in tape.items() if not any(log.get(key[1:]) == m for log in (old, *between, new))]
    check(not strange, f"on the tape, but in no log: {strange[:3]}")
    rows = []
    for number in {lineage for lineage, _, _ in tape}:
        rows += rig.decode_finnhub({key[1:]: m for key, m in tape.items() if key[0] == number}, topic)
    world.equal([row for row in rig.query_trades(node) if row[4] == topic], sorted(rows), "series")
    world.verify(node)


def cut_and_rewrite(world, topic, node, more, is_up, failpoint=None):
    """The log loses its tail and gets another one, shorter or longer than what was recorded."""
    node.start()
    world.produce(topic, 120, range(2))
    world.caught_up(node, topic)
    world.broker.down()
    world.broker.control("save", "cut")
    world.broker.up()
    world.produce(topic, 80, range(2))
    world.caught_up(node, topic)
    time.sleep(6)  # one tail check has moved the anchor into the tail that is lost
    old = world.dump(topic)
    if not is_up:
        world.stop(node)
    world.broker.down()
    world.broker.control("restore", "cut")
    world.broker.up()
    world.produce(topic, more, range(2))
    if failpoint:
        check(node.start(failpoint=failpoint, wait_ready=False).wait_exit(30) == -signal.SIGKILL, f"{failpoint} was not reached")
    if not is_up:
        node.start()
    finish(world, node, topic)
    check_both_kept(world, node, topic, old, world.dump(topic))


def finish(world, node, topic):
    """Until every partition goes on in a new lineage and has reached the end, messages that came afterwards included."""
    wait_for("a new lineage everywhere", lambda: all(e["lineage"] > 0 for (t, _), e in node.coverage().items() if t == topic), 40)
    world.produce(topic, 20, range(2))
    world.caught_up(node, topic)
    world.stop(node)


@scenario("changed", "B5")
def the_tail_cut_and_rewritten_shorter_while_it_is_down(world):
    topic = world.topic(2)
    cut_and_rewrite(world, topic, world.node(topic), 40, is_up=False)


@scenario("changed", "B5 A2")
def killed_while_it_opens_a_lineage_for_a_longer_tail(world):
    topic = world.topic(2)
    cut_and_rewrite(world, topic, world.node(topic), 200, is_up=False, failpoint="record.new_lineage:2:abort")


@scenario("changed", "B5")
def the_tail_cut_and_rewritten_shorter_while_it_runs(world):
    topic = world.topic(2)
    cut_and_rewrite(world, topic, world.node(topic), 40, is_up=True)


@scenario("changed", "B5")
def the_tail_cut_and_rewritten_longer_while_it_runs(world):
    topic = world.topic(2)
    cut_and_rewrite(world, topic, world.node(topic), 400, is_up=True)


@scenario("changed", "B5")
def the_tail_cut_twice_keeps_three_versions(world):
    topic = world.topic(2)
    node = world.node(topic)
    node.start()
    world.produce(topic, 120, range(2))
    world.caught_up(node, topic)
    world.stop(node)
    world.broker.down()
    world.broker.control("save", "twice")
    world.broker.up()
    logs = {}
    for turn in range(3):
        world.produce(topic, [80, 100, 60][turn], range(2))
        node.start()
        wait_for("the lineage", lambda: all(e["lineage"] == turn for e in node.coverage().values()), 40)
        world.caught_up(node, topic)
        world.stop(node)
        logs[turn] = world.dump(topic)
        if turn < 2:
            world.broker.down()
            world.broker.control("restore", "twice")
            world.broker.up()
    tape = rig.dump_tape(node, topic)
    for turn, log in logs.items():
        for partition in range(2):
            world.equal(view(tape, node.entries(), topic, partition, turn), {o: m for (p, o), m in log.items() if p == partition},
                        f"lineage {turn} of partition {partition}")
    check_both_kept(world, node, topic, logs[0], logs[2], [logs[1]])


@scenario("changed", "B6")
def a_changed_log_halts_its_partitions_where_that_is_asked_for(world):
    topic = world.topic(2)
    node = world.node(topic).start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    old = world.dump(topic)
    world.stop(node)
    world.admin("delete-topic", topic=topic)
    world.topic(2)
    world.produce(topic, 60, range(2))
    node.start(options=["--set", "record.on_divergence=halt"])
    line = node.wait_event("progress", 40, lambda line: line.get("unwell") == 2)
    check(all("changed" in reason["reason"] for reason in line["reasons"]), f"reasons: {line['reasons']}")
    time.sleep(1)
    world.stop(node)
    world.equal({key[1:]: m for key, m in rig.dump_tape(node, topic).items()}, old, "tape")
    node.start()
    finish(world, node, topic)
    check_both_kept(world, node, topic, old, world.dump(topic))


def recreate(world, more, is_up):
    topic = world.topic(2)
    node = world.node(topic).start()
    world.produce(topic, 200, range(2))
    world.caught_up(node, topic)
    old = world.dump(topic)
    if not is_up:
        world.stop(node)
    world.admin("delete-topic", topic=topic)
    world.topic(2)
    world.produce(topic, more, range(2))
    if not is_up:
        node.start()
    finish(world, node, topic)
    check_both_kept(world, node, topic, old, world.dump(topic))


@scenario("changed", "B6")
def a_topic_made_anew_with_fewer_messages_while_it_is_down(world):
    recreate(world, 60, is_up=False)


@scenario("changed", "B6")
def a_topic_made_anew_with_more_messages_while_it_is_down(world):
    recreate(world, 500, is_up=False)


@scenario("changed", "B6")
def a_topic_made_anew_with_fewer_messages_while_it_runs(world):
    recreate(world, 60, is_up=True)


@scenario("changed", "B6")
def a_topic_made_anew_with_more_messages_while_it_runs(world):
    recreate(world, 500, is_up=True)


@scenario("changed", "B6")
def a_topic_made_anew_that_the_client_does_not_notice(world):
    """It hangs meanwhile, and then reads on in the new log without any error: only the anchor tells."""
    topic = world.topic(2)
    node = world.node(topic).start(options=["-X", "topic.metadata.refresh.interval.ms=300000"])
    world.produce(topic, 200, range(2))
    world.caught_up(node, topic)
    old = world.dump(topic)
    time.sleep(1)
    node.process.send_signal(signal.SIGSTOP)
    try:
        world.admin("delete-topic", topic=topic)
        world.topic(2)
        world.produce(topic, 500, range(2))
    finally:
        node.process.send_signal(signal.SIGCONT)
    finish(world, node, topic)
    check_both_kept(world, node, topic, old, world.dump(topic))
    check(node.logged("log-changed"), "it was noticed by something else: the scenario does not show what it is for")


# --- damage and strangers ----------------------------------------------------------------------------------------------


@scenario("changed", "B10")
def a_batch_damaged_in_kafka_halts_its_partition_until_it_is_skipped(world):
    topic = world.topic(2)
    for _ in range(5):
        world.produce(topic, 40, range(2))
    truth = world.dump(topic)
    world.broker.down()
    segment = world.broker.data() / f"{topic}-0" / f"{0:020d}.log"
    data = bytearray(segment.read_bytes())
    at, length, offset, count = list(wire.batches(data))[2]
    data[at + length - 20] ^= 1
    segment.write_bytes(data)
    world.broker.up()
    node = world.node(topic).start()
    line = node.wait_event("progress", 40, lambda line: line.get("unwell"))
    check([(r["topic"], r["partition"]) for r in line["reasons"]] == [(topic, 0)] and "skip" in line["reasons"][0]["reason"],
          f"reasons: {line['reasons']}")
    world.produce(topic, 20, (1,))
    wait_for("the other partition at its end", lambda: node.coverage()[(topic, 1)]["stored"] == 120)
    check(node.coverage()[(topic, 0)]["stored"] <= offset, "nothing behind the damage may be recorded before it is skipped")
    world.stop(node)
    node.command("skip", "--topic", topic, "--partition", "0", "--to", str(offset + count), "--yes")
    node.start()
    world.caught_up(node, topic)
    world.stop(node)
    check(gaps_of(node, topic) == [(offset, offset + count, "skipped")], f"gaps: {gaps_of(node, topic)}")
    tape = {(p, o): m for (_, p, o), m in rig.dump_tape(node, topic).items() if p == 0}
    world.equal(tape, {key: m for key, m in truth.items() if key[0] == 0 and not offset <= key[1] < offset + count}, "tape")
    world.verify(node)


@scenario("changed", "B16")
def another_cluster_behind_the_address_is_refused(world):
    topic = world.topic(1)
    node = world.node(topic).start()
    world.produce(topic, 50)
    world.caught_up(node, topic)
    world.stop(node)
    with rig.kafka("--quick") as started:
        other = Broker(started)
        with contextlib.closing(other):
            other.admin("create-topic", topic=topic, partitions=1)
            other.admin("produce", lines=world.lines(topic, 80, (0,)))
            code = node.start(options=["--set", f"kafka.bootstrap_servers={other.bootstrap}"], wait_ready=False).wait_exit(40)
            stopped = node.events[-1]
            check(code == 1 and stopped["event"] == "stopped", f"exit {code}, last line {stopped}")
            for cluster in (started["cluster_id"], world.broker.started["cluster_id"]):
                check(cluster in stopped["error"], f"cluster {cluster} is not named: {stopped}")
    world.produce(topic, 50)
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)
