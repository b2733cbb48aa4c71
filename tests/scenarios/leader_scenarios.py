"""Three brokers: leaders and the group's coordinator move while a node records (rows B3, C8 of docs/faults.md)."""

import time

from frame import check, scenario, wait_for

THREE = ("--brokers=3",)


def leaders(world, topic):
    return {p["partition"]: p["leader"] for p in world.admin("describe", topic=topic)["partitions"]}


@scenario("leaders", "B3", broker=THREE)
def leaders_that_change_every_few_seconds(world):
    topic = world.topic(6)
    node = world.node(topic).start()
    node.wait_event("recording", 40)
    stream = world.stream(topic, range(6), batch=30)
    changes = 0
    end = time.monotonic() + 60
    while time.monotonic() < end:
        before = leaders(world, topic)
        for partition in world.random.sample(range(6), 3):
            broker = world.random.choice([b for b in (1, 2, 3) if b != before[partition]])
            world.admin("lead", topic=topic, partition=partition, broker=broker)
        changes += sum(leader != before[p] for p, leader in leaders(world, topic).items())
        time.sleep(4)
    stream.stop()
    print(f"  {changes} leaders changed", flush=True)
    check(changes >= 15, f"only {changes} leaders changed")
    world.caught_up(node, topic)
    world.stop(node)
    check(node.starts == 1, "it was to go on by itself")
    world.whole(node, topic)


@scenario("leaders", "B3 C8 B1", broker=THREE)
def brokers_killed_in_turn_take_leaders_and_coordinator_with_them(world):
    """Killed, not stopped: clients learn it from broken connections; each broker leads, and one of them coordinates the group."""
    topic = world.topic(6)
    node = world.node(topic).start()
    node.wait_event("recording", 40)
    stream = world.stream(topic, range(6), batch=30)
    for broker in (1, 2, 3):
        time.sleep(2)
        world.broker.control("kill", "--broker", str(broker))
        stored = node.now()["messages"]
        wait_for("recording without one broker", lambda: node.now()["messages"] > stored, 60)
        world.broker.up()
        wait_for("all replicas in sync",
                 lambda: all(len(p["isr"]) == 3 for p in world.admin("describe", topic=topic)["partitions"]), 60)
    stream.stop()
    world.caught_up(node, topic)
    commits = {(o["topic"], o["partition"]): o["offset"] for o in world.admin("group-offsets", group=world.name[:60])["offsets"]}
    world.stop(node)
    check(node.starts == 1, "it was to outlive its brokers")
    last = {(o["topic"], o["partition"]): o["offset"] for o in world.admin("group-offsets", group=world.name[:60])["offsets"]}
    stored = {key: entry["stored"] for key, entry in node.coverage().items()}
    check(last == stored, f"told to the group {last}, stored {stored}; before the stop {commits}")
    world.whole(node, topic)
