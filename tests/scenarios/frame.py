"""What a scenario gets, and how scenarios are collected, run and reported. run.py is the program.

  @scenario("log", "B18")
  def a_broker_that_is_away_and_comes_back(world):
      topic = world.topic(3)
      node = world.node(topic).start()
      …
      world.whole(node, topic)          # the oracle: dump of an independent client = tape, its decode = series, verify passes

A scenario raises rig.Failure where the oracle disagrees, Skip where this machine lacks something. Scenarios of a group share one broker and
are run in the order in which they are written; each has topics, groups and stores of its own.
"""

import base64
import contextlib
import json
import random
import subprocess
import sys
import threading
import time
import traceback

import rig

SCENARIOS = []


class Skip(Exception):
    """Something that the scenario needs is not here."""


def scenario(group, rows, broker=()):
    """Registers a scenario. `rows`: of docs/faults.md. `broker`: arguments of `kafka start` for its group."""
    def add(function):
        SCENARIOS.append({"group": group, "rows": rows, "name": function.__name__, "run": function, "broker": tuple(broker)})
        return function
    return add


def check(condition, text):
    if not condition:
        raise rig.Failure(text)


def wait_for(what, condition, seconds=30, pause=0.2):
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise rig.Failure(f"not within {seconds} s: {what}")
        time.sleep(pause)


CONFIG = """
[node]
id = "@ID@"
data_dir = "@DATA@"
[kafka]
bootstrap_servers = "@BOOTSTRAP@"
group = "@GROUP@"
[kafka.properties]
"session.timeout.ms" = "6000"
"heartbeat.interval.ms" = "500"
"topic.metadata.refresh.interval.ms" = "1000"
"reconnect.backoff.max.ms" = "1000"
[record]
commit_interval = "50ms"
[series]
flush_interval = "500ms"
[store]
ballast = "1MiB"
"""


class Broker:
    """The broker of a group, its clients, and what can be done to it."""

    def __init__(self, started):
        self.started = started
        self.bootstrap = started["bootstrap"]
        self.admin = rig.Admin(self.bootstrap)

    def control(self, command, *arguments):
        done = subprocess.run([str(rig.SERVICES / "kafka"), command, self.started["dir"], *arguments], capture_output=True,
                              text=True, check=False)
        check(done.returncode == 0, f"kafka {command}: {done.stderr}")

    def down(self):
        """Stopped cleanly; everything is kept."""
        self.control("stop", "--keep")

    def up(self):
        """Started (again); clients start afresh, for a broker that came back from a copy must not be confused by old sequences."""
        self.control("restart")
        with contextlib.suppress(Exception):
            self.admin.close()
        self.admin = rig.Admin(self.bootstrap)

    def data(self):
        """The folder of the broker's logs."""
        found = [path.parent for path in rig.pathlib.Path(self.started["dir"]).rglob("meta.properties")
                 if "saved-" not in str(path)]
        return found[0]

    def close(self):
        self.admin.close()


class World:
    """One scenario's view: its random numbers, folder, topics, nodes."""

    def __init__(self, binary, broker, folder, name, seed):
        self.binary = binary
        self.broker = broker
        self.folder = folder
        self.name = name
        self.random = random.Random(f"{seed} {name}")
        self.nodes = []
        self.numbers = 0
        self.closing = contextlib.ExitStack()

    @property
    def admin(self):
        return self.broker.admin

    def topic(self, partitions, suffix="", config=None):
        name = (self.name + suffix)[:120]
        self.admin("create-topic", topic=name, partitions=partitions, config=config or {})
        return name

    def node(self, *topics, name="one", node_id=None, store=None, mapping="finnhub", lines="", bootstrap=None, group=None,
             more=""):
        """A node for these topics; `lines` go into each [[topics]], `more` to the end. Nodes of one scenario share a group unless told."""
        config = CONFIG.replace("@ID@", node_id or name).replace("@BOOTSTRAP@", bootstrap or self.broker.bootstrap)
        config = config.replace("@GROUP@", group or self.name[:60])
        if store:
            config = config.replace("@DATA@", str(store))
        for topic in topics:
            config += f'[[topics]]\nname = "{topic}"\nmapping = "{mapping}"\n{lines}\n'
        node = rig.Node(self.binary, self.folder, config + more, name)
        if store:
            node.data_dir = rig.pathlib.Path(store)
        self.nodes.append(node)
        return node

    def trade(self):
        """The value of one message: up to three trades, no two messages alike."""
        self.numbers += 1
        trades = [{"c": None, "p": self.random.randrange(10**7) / 100, "s": f"SYM{self.random.randrange(20)}",
                   "t": 1719893836000 + self.numbers, "v": self.numbers} for _ in range(self.random.randrange(1, 4))]
        return json.dumps({"data": trades, "type": "trade"}).encode()

    def lines(self, topic, count, partitions, **more):
        return [{"topic": topic, "partition": partitions[i % len(partitions)], "timestamp": 1719893840000 + self.numbers,
                 "value_b64": base64.b64encode(self.trade()).decode(), **more} for i in range(count)]

    def produce(self, topic, count, partitions=(0,), **more):
        self.admin("produce", lines=self.lines(topic, count, partitions, **more))

    def stream(self, topic, partitions, batch=20, pause=0.02):
        """A thread that produces until stop()."""
        return Stream(self, topic, list(partitions), batch, pause)

    def caught_up(self, node, topic, seconds=60):
        node.wait_caught_up(self.admin, topic, seconds)

    def dump(self, topic, **arguments):
        """{(partition, offset): message} as an independent read_committed consumer sees the topic now."""
        self.numbers += 1
        return rig.dump_kafka(self.admin, topic, self.folder / f"dump-{self.numbers}.ndjson", **arguments)

    def verify(self, node):
        done = node.command("verify", check=False)
        check(done.returncode == 0, f"verify exits {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")

    def member(self):
        """(member id, partitions) of the only member of the group: a group that was balanced anew has another one, or none."""
        group = self.admin("describe-group", group=self.name[:60])
        check(group["state"].lower() == "stable" and len(group["members"]) == 1, f"the group: {group}")
        return group["members"][0]["id"], sorted(map(tuple, group["members"][0]["partitions"]))

    def stop(self, node):
        begin = time.monotonic()
        code = node.stop()
        check(code == 0, f"exit {code} after SIGTERM; log: {node.log}")
        check(time.monotonic() - begin < 15.5, "SIGTERM took longer than 15 s")

    def whole(self, node, topic, wanted=None):
        """Tape and series of the stopped node equal what the topic holds, in one lineage and without gaps."""
        wanted = self.dump(topic) if wanted is None else wanted
        gaps = {key: entry["gaps"] for key, entry in node.coverage().items() if entry["topic"] == topic and entry["gaps"]}
        check(not gaps, f"gaps that should not be: {gaps}")
        tape = rig.dump_tape(node, topic)
        check(all(lineage == 0 for lineage, _, _ in tape), "a lineage was opened that should not be")
        self.equal({(p, o): m for (_, p, o), m in tape.items()}, wanted, "tape")
        self.equal([row for row in rig.query_trades(node) if row[4] == topic], rig.decode_finnhub(wanted, topic), "series")
        self.verify(node)

    @staticmethod
    def equal(found, wanted, what):
        check(found == wanted, f"{what}: {rig.first_difference(found, wanted)}")

    def end(self):
        for node in self.nodes:
            if node.process is not None and node.running():
                node.kill()
        self.closing.close()


class Stream(threading.Thread):
    """Produces trades to given partitions with a client of its own."""

    def __init__(self, world, topic, partitions, batch, pause):
        super().__init__(daemon=True)
        self.lines = lambda: world.lines(topic, batch, partitions)
        self.admin = rig.Admin(world.broker.bootstrap)
        self.pause = pause
        self.ended = threading.Event()
        self.failure = None
        world.closing.callback(self.quit)
        self.start()

    def run(self):
        try:
            while not self.ended.is_set():
                self.admin("produce", lines=self.lines())
                time.sleep(self.pause)
        except Exception as failure:  # told by stop()
            self.failure = failure

    def quit(self):
        self.ended.set()
        self.join(timeout=130)
        with contextlib.suppress(Exception):
            self.admin.close()

    def stop(self):
        self.quit()
        if self.failure:
            raise self.failure


def run_one(entry, binary, broker, seed):
    """'ok', 'skipped' or 'failed'."""
    begin = time.monotonic()
    title = f"{entry['name']} ({entry['rows']})"
    try:
        with rig.scratch() as folder:
            world = World(binary, broker, folder, entry["name"].replace("_", "-"), seed)
            try:
                entry["run"](world)
            except Skip as reason:  # inside, so that the folder goes
                print(f"SKIP {title}: {reason}", flush=True)
                return "skipped"
            finally:
                world.end()
    except Exception as failure:
        print(f"FAILED {title} after {time.monotonic() - begin:.1f} s: {failure}", flush=True)
        if not isinstance(failure, rig.Failure):
            traceback.print_exc()
        return "failed"
    print(f"ok {title} {time.monotonic() - begin:.1f} s", flush=True)
    return "ok"


def run_group(entries, binary, seed):
    arguments = sorted({argument for entry in entries for argument in entry["broker"]})
    with rig.kafka("--quick", *arguments) as started, contextlib.closing(Broker(started)) as broker:
        return [run_one(entry, binary, broker, seed) for entry in entries]


def exit_code(results):
    if "failed" in results:
        return 1
    return rig.SKIPPED if all(result == "skipped" for result in results) else 0


def main_for(entries, binary, seed):
    if not rig.has_services():
        return rig.missing_services()
    print(f"seed {seed}: repeat with --seed {seed}", flush=True)
    results = []
    for group in dict.fromkeys(entry["group"] for entry in entries):
        results += run_group([entry for entry in entries if entry["group"] == group], binary, seed)
    print(", ".join(f"{results.count(kind)} {kind}" for kind in ("ok", "skipped", "failed")), flush=True)
    return exit_code(results) if results else sys.exit("no scenario of that name")
