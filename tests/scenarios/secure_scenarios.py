"""Rights that change while a node records: passwords, access to topics (row B17 of docs/faults.md)."""

import contextlib
import re
import time

import rig
from frame import Broker, check, scenario, wait_for

SECURE = ("--secure", "--property=super.users=User:ANONYMOUS",
          "--property=authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer")


def node_of_alice(world, topic):
    secure = world.broker.started["secure"]
    for resource in ({"topic": topic}, {"group": world.name[:60]}):
        world.admin("allow", user=secure["username"], **resource)
    return node_of(world, topic, "PLAIN", secure["username"], secure["password"])


def node_of(world, topic, mechanism, user, password):
    node = world.node(topic, bootstrap=world.broker.started["secure"]["sasl_plaintext"])
    lines = {"security.protocol": "sasl_plaintext", "sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}
    text = node.config.read_text()
    more = "".join(f'"{key}" = "{value}"\n' for key, value in lines.items())
    node.config.write_text(text.replace("[kafka.properties]\n", "[kafka.properties]\n" + more, 1))
    node.config.chmod(0o600)
    return node


def change_password(world, old, new):
    """Where users are in the broker's file, it has to be started again."""
    world.broker.down()
    file = world.broker.data().parent / "server.properties"
    text = file.read_text()
    check(f'user_alice="{old}"' in text, "the broker's file does not have that password")
    file.write_text(text.replace(f'user_alice="{old}"', f'user_alice="{new}"'))
    world.broker.up()


def told(line, *words):
    """What a progress line says about trouble, where it has one of the words."""
    text = " ".join([line.get("stall", ""), line.get("notice", "")] + [r["reason"] for r in line.get("reasons", [])])
    return text if any(word in text.lower() for word in words) else None


def wait_told(node, seconds, *words):
    seen = len(node.events)
    return wait_for(f"a line that says one of {words}",
                    lambda: next((told(e, *words) for e in node.events[seen:] if e["event"] == "progress" and told(e, *words)), None),
                    seconds)


@scenario("secure", "B17", broker=SECURE)
def a_password_that_is_changed_under_it(world):
    topic = world.topic(2)
    node = node_of_alice(world, topic).start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    change_password(world, "alice-secret", "alice-rotated")
    try:
        reason = wait_told(node, 40, "authentication", "sasl")
        print(f"  says: {reason[:160]}", flush=True)
        check("alice-secret" not in reason, "the password is shown")
        world.produce(topic, 100, range(2))
        time.sleep(8)  # longer than the session
        check(node.running(), "it was to wait")
    finally:
        change_password(world, "alice-rotated", "alice-secret")  # mended at the broker
    world.caught_up(node, topic)
    check(node.starts == 1 and node.running(), "it was to go on by itself")
    change_password(world, "alice-secret", "alice-rotated")
    try:
        wait_told(node, 40, "authentication", "sasl")
        world.stop(node)
        world.produce(topic, 100, range(2))
        node.config.write_text(node.config.read_text().replace("alice-secret", "alice-rotated"))  # mended at the node
        world.caught_up(node.start(), topic)
        world.stop(node)
    finally:
        change_password(world, "alice-rotated", "alice-secret")
    log = node.log.read_text()
    check("alice-secret" not in log and "alice-rotated" not in log, "a password is in the log")
    world.whole(node, topic)


@scenario("secure", "B17", broker=SECURE)
def access_to_a_topic_that_is_taken_away_and_given_back(world):
    topic = world.topic(2)
    node = node_of_alice(world, topic).start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    world.admin("revoke", user="alice", topic=topic)
    world.produce(topic, 100, range(2))
    reason = wait_told(node, 60, "authoriz")
    print(f"  says: {reason[:160]}", flush=True)
    check(node.running(), "it was to wait")
    world.admin("allow", user="alice", topic=topic)
    world.caught_up(node, topic, 90)
    check(node.starts == 1 and node.running(), "it was to go on by itself")
    wait_for("well again", lambda: not told(node.now(), "no partition can be assigned") and not node.now().get("unwell"), 30)
    world.stop(node)
    world.whole(node, topic)


@scenario("secure", "B17", broker=SECURE)
def access_to_the_group_that_is_taken_away_and_given_back(world):
    topic = world.topic(2)
    node = node_of_alice(world, topic).start()
    world.produce(topic, 100, range(2))
    world.caught_up(node, topic)
    world.admin("revoke", user="alice", group=world.name[:60])
    reason = wait_told(node, 60, "authoriz")
    print(f"  says: {reason[:160]}", flush=True)
    world.produce(topic, 100, range(2))
    time.sleep(5)
    check(node.running(), "it was to wait")
    world.admin("allow", user="alice", group=world.name[:60])
    world.caught_up(node, topic, 90)
    check(node.starts == 1 and node.running(), "it was to go on by itself")
    world.stop(node)
    world.whole(node, topic)


@scenario("secure", "B17")
def a_password_that_is_rotated_while_connections_live(world):
    """The broker ends connections whose login is old. SCRAM, on Kafka 3: librdkafka before 2.6.1 cannot do it with Kafka 4."""
    version = re.search(r"^KAFKA_SECOND_VERSION=(\S+)", (rig.SERVICES / "versions.env").read_text(), re.MULTILINE)[1]
    with rig.kafka("--quick", "--secure", "--version", version, "--property=connections.max.reauth.ms=3000") as started:
        with contextlib.closing(Broker(started)) as world.broker:
            topic = world.topic(2)
            world.admin("add-scram-user", user="recorder", password="pass-first")
            node = node_of(world, topic, "SCRAM-SHA-256", "recorder", "pass-first").start()
            stream = world.stream(topic, range(2))
            wait_for("messages over several logins", lambda: node.running() and node.now()["messages"] > 300, 40)
            time.sleep(7)
            world.admin("add-scram-user", user="recorder", password="pass-second")
            print(f"  says: {wait_told(node, 40, 'authentication', 'sasl')[:160]}", flush=True)
            time.sleep(8)  # longer than the session
            check(node.running(), "it was to wait")
            stream.stop()
            world.admin("add-scram-user", user="recorder", password="pass-first")
            world.caught_up(node, topic)
            check(node.starts == 1, "it was to go on by itself")
            world.stop(node)
            check("pass-first" not in node.log.read_text(), "a password is in the log")
            world.whole(node, topic)
            world.end()  # before its broker
