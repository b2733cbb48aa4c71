"""Slow disks, slow steps, little memory, few files, few threads (rows A9, A12, A13, C3 of docs/faults.md)."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import rig
from frame import Skip, check, scenario, wait_for

# Syncs wait while the file that TAPEDECK_HOLD_SYNC names is there.
SLOW_SYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void hold(void) {
  const char* path = getenv("TAPEDECK_HOLD_SYNC");
  while (path && access(path, F_OK) == 0) usleep(20000);
}
int fsync(int fd) { hold(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { hold(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""


def slow_sync(world):
    """The environment of a node whose syncs can be held, and the file that holds them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Skip("no C compiler on this machine")
    source, library = world.folder / "slow_sync.c", world.folder / "slow_sync.so"
    source.write_text(SLOW_SYNC)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    held = world.folder / "held"
    return {"LD_PRELOAD": str(library), "TAPEDECK_HOLD_SYNC": str(held), "ASAN_OPTIONS": "verify_asan_link_order=0"}, held


@scenario("limits", "A9")
def syncs_that_take_half_a_minute(world):
    environment, held = slow_sync(world)
    topic = world.topic(3)
    node = world.node(topic).start(environment=environment)
    node.wait_event("recording", 30)
    stream = world.stream(topic, range(3), batch=100)
    time.sleep(2)
    first = world.member()
    held.touch()
    time.sleep(1)
    before, resident = node.now(), node.memory("VmRSS")
    rows = rig.query_trades(node)
    end = time.monotonic() + 33
    while time.monotonic() < end:
        check(world.member() == first, "it was evicted from the group")
        time.sleep(3)
    after = node.now()
    check(after["commits"] <= before["commits"] + 1, f"commits while nothing can be synced: {before['commits']}, {after['commits']}")
    check(rig.query_trades(node) == rows, "rows are served that were not synced, or lost")
    check(node.memory("VmRSS") < resident + (600 << 20), "what is pulled piles up")
    check(node.logged("record-thread-stuck"), "the watchdog is silent")
    held.unlink()
    wait_for("commits again", lambda: node.now()["commits"] > after["commits"] + 3)
    stream.stop()
    world.caught_up(node, topic)
    check(world.member() == first and len(node.logged("assigned")) == 1, "the group was balanced anew")
    world.stop(node)
    check(node.starts == 1, "it was to go on by itself")
    world.whole(node, topic)


@scenario("limits", "C3")
def steps_that_take_longer_than_the_session(world):
    slow = ("record.on_assign:1", "record.after_poll:60", "record.before_commit:25", "store.after_write:60", "record.before_flush:3",
            "record.before_publish:40")
    topic = world.topic(3)
    node = world.node(topic).start(failpoint=",".join(f"{name}:sleep=8000" for name in slow))  # the session has 6 s
    stream = world.stream(topic, range(3))
    wait_for("a member of the group", lambda: node.events and node.logged("assigned"), 40)
    first = world.member()
    deadline = time.monotonic() + 120
    while not all(f"failpoint {name.split(':')[0]}:" in node.log.read_text() for name in slow):
        check(time.monotonic() < deadline, "not every step was reached")
        check(world.member() == first, "it was evicted from the group")
        time.sleep(1)
    time.sleep(9)
    stream.stop()
    world.caught_up(node, topic)
    check(world.member() == first and len(node.logged("assigned")) == 1, "the group was balanced anew")
    world.stop(node)
    world.whole(node, topic)


# --- memory ------------------------------------------------------------------------------------------------------------


class Cage:
    """A control group for memory below the one that this process is in; none where the machine does not let us."""

    def __init__(self, world, size):
        self.path, self.limit = None, size
        for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "memory":
                self._make(pathlib.Path("/sys/fs/cgroup/memory" + group), "memory.limit_in_bytes")
            elif controllers == "":
                self._make(pathlib.Path("/sys/fs/cgroup" + group), "memory.max")
        if self.path:
            world.closing.callback(self.remove)

    def _make(self, parent, file):
        path = parent / f"tapedeck-{os.getpid()}-{time.monotonic_ns()}"
        if self.path is not None or not (parent / file).exists():
            return
        try:
            path.mkdir()
        except OSError:
            return
        try:
            (path / file).write_text(str(self.limit))
            self.path = path
        except OSError:
            path.rmdir()

    def prefix(self):
        return ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path)) if self.path else ()

    def remove(self):
        for _ in range(50):
            try:
                self.path.rmdir()
                return
            except OSError:  # the last process is still being cleared away
                time.sleep(0.1)
        print(f"left behind: {self.path}", flush=True)


@scenario("limits", "A12")
def bursts_within_the_memory_that_was_given(world):
    limit = 256 << 20
    cage = Cage(world, limit * 5 // 4 * 11 // 10)  # a quarter more for a moment is in the contract; a tenth for the measurement
    topic = world.topic(4)

    def burst(count, trades):
        lines = []
        for line in world.lines(topic, count, range(4)):
            rows = [{"c": None, "p": world.random.randrange(10**7) / 100, "s": f"SYM{world.random.randrange(500)}",
                     "t": 1719893836000 + world.random.randrange(10**6), "v": i + 1} for i in range(trades)]
            line["value_b64"] = base64.b64encode(json.dumps({"data": rows, "type": "trade"}).encode()).decode()
            lines.append(line)
        world.admin("produce", lines=lines)

    for _ in range(4):
        burst(60, 500)   # 30 kB each
        burst(3000, 1)
    node = world.node(topic, more='[limits]\nmemory = "256MiB"\n').start(prefix=cage.prefix())
    for _ in range(6):    # while it catches up
        burst(60, 500)
        burst(3000, 1)
    world.caught_up(node, topic)
    largest = node.memory()
    print(f"  {largest >> 20} MiB at most of {limit >> 20}; " + ("in a control group" if cage.path else "no control group here"), flush=True)
    check(largest <= limit * 5 // 4, f"resident {largest >> 20} MiB of {limit >> 20}")
    check(node.starts == 1 and node.running(), "it was to live")
    world.stop(node)
    world.whole(node, topic)


@scenario("limits", "A9 A12")
def a_backlog_of_five_million_behind_a_stalled_disk(world):
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    messages, limit = 5_000_000, 512 << 20
    topic = world.topic(12)
    subprocess.run([str(feedgen), "--bootstrap-servers", world.broker.bootstrap, "--topic", topic, "--generate", "quotes", "--count",
                    str(messages), "--symbols", "500", "--seed", str(world.random.randrange(1 << 32))], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    environment, held = slow_sync(world)
    node = world.node(topic, mapping="generic-json", more='[limits]\nmemory = "512MiB"\n').start(environment=environment)
    wait_for("some of the backlog", lambda: node.events and node.now()["messages"] > messages // 20, 60)
    held.touch()
    end = time.monotonic() + 20
    stalled = 0
    while time.monotonic() < end:
        stalled = max(stalled, node.memory("VmRSS"))
        time.sleep(0.2)
    before = node.now()["messages"]
    check(before < messages, "the backlog was over before the disk stood still: nothing was shown")
    held.unlink()
    wait_for("the rest of the backlog", lambda: node.now()["messages"] == messages, 120)
    largest = node.memory()
    print(f"  {largest >> 20} MiB at most of {limit >> 20}, {stalled >> 20} while {messages - before} messages waited", flush=True)
    check(largest <= limit * 5 // 4, f"resident {largest >> 20} MiB of {limit >> 20}")
    world.stop(node)
    coverage = node.coverage()
    check(sum(coverage[(topic, p)]["messages"] for p in range(12)) == messages, f"coverage: {coverage}")
    world.verify(node)


# --- files -------------------------------------------------------------------------------------------------------------


@scenario("limits", "A13")
def few_open_files(world):
    """Each limit: it records as ever, or says that files are what it lacks, and ends or waits; with more of them nothing is missing."""
    if shutil.which("prlimit") is None:
        raise Skip("no prlimit on this machine")
    topic = world.topic(6)
    node = world.node(topic)
    outcomes = {"recorded": [], "refused": [], "waited": []}
    for files in (12, 20, 28, 36, 44, 56, 72, 96, 128, 256):
        world.produce(topic, 300, range(6))
        node.start(wait_ready=False, prefix=("prlimit", f"--nofile={files}:{files}", "--"))
        outcome = wait_for("an end, all messages, or a reason", lambda: outcome_of(world, node, topic), 60)
        if outcome == "refused":
            check(node.wait_exit(10) > 0, f"{files} files: it was to end with a failure")
            text = node.log.read_text(errors="replace").split("--- start")[-1]
            check(TOO_FEW.search(text), f"{files} files: no reason: {text[-800:]}")
        elif outcome == "waited":
            node.kill()
        else:
            world.stop(node)
        outcomes[outcome].append(files)
    print(f"  {outcomes}", flush=True)
    check(256 in outcomes["recorded"], "256 files are enough for six partitions")
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)


@scenario("limits", "A13 B1")
def files_that_run_out_while_it_records(world):
    """No socket can be opened when the broker comes back; with files again it goes on by itself."""
    if shutil.which("prlimit") is None:
        raise Skip("no prlimit on this machine")
    topic = world.topic(3)
    node = world.node(topic).start()
    stream = world.stream(topic, range(3))
    wait_for("messages", lambda: node.running() and node.now()["messages"] > 200)

    def files(soft):
        subprocess.run(["prlimit", "--pid", str(node.process.pid), f"--nofile={soft}:"], check=True)

    usual = int(subprocess.run(["prlimit", "--pid", str(node.process.pid), "--nofile", "--output=SOFT", "--noheadings"], check=True,
                               capture_output=True, text=True).stdout)
    files(10)
    world.broker.control("kill")
    world.broker.up()
    seen = len(node.events)
    wait_for("a reason", lambda: any(TOO_FEW.search(json.dumps(e)) for e in node.events[seen:]) or not node.running(), 60)
    time.sleep(5)
    check(node.running(), f"it was to wait; log: {node.log}")
    files(usual)
    stored = node.now()["messages"]
    wait_for("messages again", lambda: node.now()["messages"] > stored, 60)
    stream.stop()
    world.caught_up(node, topic)
    check(node.starts == 1, "it was to go on by itself")
    world.stop(node)
    world.whole(node, topic)


TOO_FEW = re.compile("open files|file descriptor", re.IGNORECASE)


def outcome_of(world, node, topic):
    if not node.running():
        return "refused"
    if reached(world, node, topic):
        return "recorded"
    said = [line for line in node.events if line.get("event") == "progress" and TOO_FEW.search(json.dumps(line))]
    return "waited" if len(said) > 20 else ""


# --- threads -----------------------------------------------------------------------------------------------------------

# Root has no limit of threads: a user of its own, who may read what root may.
OTHER_USER = ("setpriv", "--reuid=61357", "--regid=61357", "--clear-groups", "--inh-caps=+dac_override,+dac_read_search",
              "--ambient-caps=+dac_override,+dac_read_search")
NO_THREAD = re.compile("no more threads|create (broker )?thread|temporarily unavailable", re.IGNORECASE)


def need_other_user(world):
    tools = shutil.which("prlimit") and shutil.which("setpriv")
    if not tools or subprocess.run([*OTHER_USER, "true"], check=False, capture_output=True).returncode != 0:
        raise Skip("no prlimit or setpriv on this machine, or no right to become another user")
    os.chown(world.folder, 61357, 61357)  # access(2) asks without what the user may do besides


@scenario("limits", "A13")
def few_threads(world):
    """Each limit: it records as ever, or says that threads are what it lacks, and ends or waits; with more of them nothing is missing."""
    need_other_user(world)
    topic = world.topic(3)
    node = world.node(topic)
    outcomes = {"recorded": [], "refused": [], "waited": []}
    for threads in (2, 6, 12, 18, 24, 30, 36, 42, 60, 300):
        world.produce(topic, 100, range(3))
        node.start(wait_ready=False, prefix=(*OTHER_USER, "prlimit", f"--nproc={threads}:{threads}", "--"))

        def outcome():
            if not node.running():
                return "refused"
            if reached(world, node, topic):
                return "recorded"
            text = node.log.read_text(errors="replace").split("--- start")[-1]
            return "waited" if NO_THREAD.search(text) and node.wait_event("ready", 1) else ""

        ended = wait_for("an end, all messages, or a reason", outcome, 60)
        if ended == "refused":
            check(node.wait_exit(20) > 0, f"{threads} threads: it was to end with a failure, not by a signal")
            text = node.log.read_text(errors="replace").split("--- start")[-1]
            check(NO_THREAD.search(text), f"{threads} threads: no reason: {text[-800:]}")
        elif ended == "waited":
            node.kill()
        else:
            world.stop(node)
        outcomes[ended].append(threads)
    print(f"  {outcomes}", flush=True)
    check(300 in outcomes["recorded"] and 2 in outcomes["refused"], f"limits that mean nothing: {outcomes}")
    world.caught_up(node.start(), topic)
    world.stop(node)
    world.whole(node, topic)


@scenario("limits", "A13")
def threads_that_run_out_while_it_records(world):
    """A stream, which wants a thread of its own, is refused with 503; recording and other answers go on, and streams come back."""
    need_other_user(world)
    topic = world.topic(3)
    node = world.node(topic).start(prefix=OTHER_USER)
    base = node.wait_event("ready", 30)["url"]
    messages = world.stream(topic, range(3))
    wait_for("messages", lambda: node.running() and node.now()["messages"] > 200)

    def threads(limit):
        subprocess.run([*OTHER_USER, "prlimit", "--pid", str(node.process.pid), f"--nproc={limit}:"], check=True)

    def asked(path):
        try:
            with urllib.request.urlopen(base + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    finite = f"/v1/stream?topics={topic}&pace=max"
    status, text = asked(finite)
    check(status == 200, f"a stream before: {status} {text[:300]}")
    threads(1)
    before = node.now()["messages"]
    status, text = asked(finite)
    check(status == 503 and NO_THREAD.search(text), f"a stream without threads: {status} {text[:300]}")
    status, text = asked("/v1/trades?symbols=SYM1&limit=5")
    check(status == 200, f"rows without threads: {status} {text[:300]}")
    wait_for("more messages", lambda: node.now()["messages"] > before, 60)
    threads(4096)
    status, text = asked(finite)
    check(status == 200, f"a stream afterwards: {status} {text[:300]}")
    messages.stop()
    world.caught_up(node, topic)
    check(node.starts == 1 and node.running(), "it was to go on by itself")
    world.stop(node)
    world.whole(node, topic)


def reached(world, node, topic):
    try:
        stored = {p: e["stored"] for (_, p), e in node.coverage().items()} if node.data_dir.exists() else {}
    except rig.Failure:
        return False
    return all(stored.get(p["partition"], 0) >= p["end"] for p in world.admin("describe", topic=topic)["partitions"])
