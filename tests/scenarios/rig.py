"""What scenario tests share: a real broker, its independent client, and a node that can be killed.

Everything runs on loopback in one temporary folder and is ended by pid. Only the standard library is used.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ROOT / "tests" / "services"


class Failure(Exception):
    """The oracle disagrees, or something did not happen in time."""


SKIPPED = 77  # the exit code that ctest takes for "not run"


def has_services():
    return all(shutil.which(tool) for tool in ("java", "mvn", "kcat"))


def missing_services():
    """The exit code where a service is missing: a failure where the environment wants them all."""
    print("no Java, Maven or kcat on this machine: run scripts/bootstrap", flush=True)
    return 1 if os.environ.get("TAPEDECK_REQUIRE_SERVICES") or os.environ.get("CI") else SKIPPED


class Admin:
    """The Java client of tests/services, kept running: one JSON line in, one out."""

    def __init__(self, bootstrap):
        self.process = subprocess.Popen([str(SERVICES / "kafka-admin"), "--bootstrap", bootstrap, "serve"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, cmd, **arguments):
        self.process.stdin.write(json.dumps({"cmd": cmd, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"the admin client ended during {cmd}")
        answer = json.loads(line)
        if not answer.get("ok"):
            raise Failure(f"{cmd}: {answer.get('error')}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


@contextlib.contextmanager
def kafka(*arguments):
    """A broker of its own; yields what `tests/services/kafka start` printed."""
    out = subprocess.run([str(SERVICES / "kafka"), "start", "--owner", str(os.getpid()), *arguments], check=True,
                         capture_output=True, text=True).stdout
    started = json.loads(out)
    try:
        yield started
    finally:
        subprocess.run([str(SERVICES / "kafka"), "stop", started["dir"]], check=False)


@contextlib.contextmanager
def scratch():
    path = pathlib.Path(tempfile.mkdtemp(prefix="tapedeck-scenario-"))
    keep = False
    try:
        yield path
    except BaseException:
        keep = True
        print(f"kept: {path}", flush=True)
        raise
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)


class Node:
    """`tapedeck serve` on one data folder."""

    def __init__(self, binary, folder, config, name="node"):
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)
        self.data_dir = self.folder / f"{name}-store"
        self.config = self.folder / f"{name}.toml"
        self.config.write_text(config.replace("@DATA@", str(self.data_dir)))
        self.log = self.folder / f"{name}.log"
        self.process = None
        self.events = []  # what the running process, or the last one, printed: one object a line
        self.reader = None
        self.ready_after = []  # seconds from start to the ready line, for each start
        self.starts = 0

    def start(self, failpoint=None, wait_ready=True, options=(), environment=None, prefix=()):
        """`prefix`: a command that ends in executing what follows it, such as ("prlimit", "--nofile=64")."""
        environment = os.environ | (environment or {})
        environment.setdefault("TAPEDECK_HTTP__LISTEN", "127.0.0.1:0")  # several nodes at once
        environment.pop("TAPEDECK_FAILPOINT", None)
        if failpoint:
            environment["TAPEDECK_FAILPOINT"] = failpoint
        self.starts += 1
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts} {failpoint or ''}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [*prefix, self.binary, "serve", "--config", str(self.config), "--progress", "500ms", *options],
                stdout=subprocess.PIPE, stderr=log, env=environment)
        self.events = []
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout, self.events), daemon=True)
        self.reader.start()
        # A node that was killed every few seconds has level 0 full, and compacts it before it writes.
        if wait_ready and self.wait_event("ready", 120):
            self.ready_after.append(time.monotonic() - begin)
        return self

    @staticmethod
    def _read(pipe, events):
        for line in pipe:
            if line.endswith(b"\n"):  # the last line of a killed process may be cut
                events.append(json.loads(line))

    def wait_event(self, event, seconds, where=lambda line: True):
        """The first line of that event for which `where` holds; None when the process ended before."""
        deadline = time.monotonic() + seconds
        seen = 0
        while time.monotonic() < deadline:
            ended = not self.reader.is_alive()
            while seen < len(self.events):
                line = self.events[seen]
                seen += 1
                if line.get("event") == event and where(line):
                    return line
            if ended:
                return None
            time.sleep(0.02)
        raise Failure(f"no line event={event} within {seconds} s; log: {self.log}")

    def now(self, seconds=20):
        """The next line `progress`."""
        seen = len(self.events)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.events[seen:]:
                if line.get("event") == "progress":
                    return line
            time.sleep(0.02)
        raise Failure(f"no progress line within {seconds} s; log: {self.log}")

    def memory(self, field="VmHWM"):
        """Bytes: VmHWM is the most that was ever resident, VmRSS what is now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.kill()
        self._ended()

    def _ended(self):
        self.process.wait()
        self.reader.join(timeout=20)
        self.process.stdout.close()

    def stop(self, seconds=20):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(seconds, "after SIGTERM")

    def wait_exit(self, seconds, when="and was to end by itself"):
        """Waits for the end; returns the exit code."""
        try:
            code = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"still running {seconds} s {when}; log: {self.log}") from late
        self._ended()
        return code

    def logged(self, event=None):
        """Log entries of all starts, or those of one event."""
        entries = []
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                if event is None or entry.get("event") == event:
                    entries.append(entry)
        return entries

    def command(self, *arguments, check=True):
        result = subprocess.run([self.binary, *arguments, "--data-dir", str(self.data_dir)], capture_output=True,
                                text=True, check=False)
        if check and result.returncode != 0:
            raise Failure(f"tapedeck {' '.join(arguments)}: exit {result.returncode}: {result.stderr.strip()}")
        return result

    def entries(self):
        """All coverage entries, of every lineage."""
        return [entry for line in self.command("coverage", "-o", "json").stdout.splitlines()
                for entry in json.loads(line)["partitions"]]

    def coverage(self):
        """{(topic, partition): entry} of the newest lineage."""
        entries = {}
        for entry in self.entries():
            key = (entry["topic"], entry["partition"])
            if key not in entries or entries[key]["lineage"] < entry["lineage"]:
                entries[key] = entry
        return entries

    def wait_caught_up(self, admin, topic, seconds=60):
        """Until what is stored reaches the log's end in every partition."""
        ends = {p["partition"]: p["end"] for p in admin("describe", topic=topic)["partitions"]}
        deadline = time.monotonic() + seconds
        while True:
            stored = {p: e["stored"] for (t, p), e in self.coverage().items() if t == topic} if self.data_dir.exists() else {}
            if all(stored.get(p, 0) >= end for p, end in ends.items()):
                return
            if not self.running():
                raise Failure(f"the node ended while it caught up; log: {self.log}")
            if time.monotonic() > deadline:
                raise Failure(f"not caught up after {seconds} s: stored {stored}, ends {ends}; log: {self.log}")
            time.sleep(0.3)


def dump_kafka(admin, topic, path, **arguments):
    """The topic as an independent read_committed consumer sees it: {(partition, offset): comparable tuple}."""
    admin("dump", topic=topic, file=str(path), **arguments)
    messages = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            m = json.loads(line)
            messages[(m["partition"], m["offset"])] = (m["timestamp"], m["ts_type"], m["key_b64"], m["value_b64"],
                                                       tuple(map(tuple, m["headers"])))
    return messages


def _milliseconds(text):
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z", text)
    if not match:
        raise Failure(f"not a time of the contract: {text}")
    import calendar
    seconds = calendar.timegm(tuple(int(match[i]) for i in range(1, 7)) + (0, 0, 0))
    return seconds * 1000 + int(match[7]) // 1_000_000


def dump_tape(node, topic):
    """The same from the store, of all lineages: {(lineage, partition, offset): tuple}; each only once."""
    out = node.command("messages", "--topic", topic, "--encoding", "base64", "-o", "ndjson").stdout
    messages = {}
    for line in out.splitlines():
        m = json.loads(line)
        key = (m.get("lineage", 0), m["partition"], m["offset"])
        if key in messages:
            raise Failure(f"twice on the tape: {key}")
        headers = tuple((h["key"], h["value"]) for h in m["headers"])
        messages[key] = (_milliseconds(m["ts"]), m["ts_type"], m["key"], m["value"], headers)
    return messages


def decode_finnhub(messages, topic):
    """A straightforward decode of trade frames, independent of tapedeck's: a sorted list of rows."""
    rows = []
    for (partition, offset), (_, _, _, value_b64, _) in messages.items():
        if value_b64 is None:
            continue
        try:
            frame = json.loads(base64.b64decode(value_b64), parse_float=str, parse_int=str)
        except ValueError:
            continue
        if not isinstance(frame, dict) or frame.get("type") != "trade":
            continue
        for index, trade in enumerate(frame["data"]):
            rows.append((trade["s"], int(trade["t"]), trade["p"], trade["v"], topic, partition, offset, index))
    return sorted(rows)


def query_trades(node):
    out = node.command("query", "trades", "-s", "*", "--origin", "--numbers", "string", "-o", "ndjson").stdout
    rows = []
    for line in out.splitlines():
        r = json.loads(line)
        rows.append((r["symbol"], _milliseconds(r["ts"]), r["price"], r["size"], r["topic"], r["partition"], r["offset"],
                     r["index"]))
    return sorted(rows)


def first_difference(found, wanted):
    """A short text on how two dictionaries or sorted lists differ."""
    if isinstance(found, dict):
        missing = [k for k in wanted if k not in found]
        extra = [k for k in found if k not in wanted]
        changed = [k for k in wanted if k in found and found[k] != wanted[k]]
        parts = [f"{len(missing)} missing {missing[:3]}", f"{len(extra)} too many {extra[:3]}",
                 f"{len(changed)} different {[(k, found[k], wanted[k]) for k in changed[:2]]}"]
        return "; ".join(parts)[:2000]
    missing = list(set(wanted) - set(found))
    extra = list(set(found) - set(wanted))
    return f"{len(found)} rows, wanted {len(wanted)}; missing {sorted(missing)[:3]}; too many {sorted(extra)[:3]}"[:2000]
