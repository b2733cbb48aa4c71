"""A whole node under clients that mean no good: it goes on recording and answering the others."""

import json
import socket
import time
import urllib.error
import urllib.request

import rig
from frame import check, scenario, wait_for

ADDRESSES = [f"127.0.0.{n}" for n in range(2, 8)]  # one address may not have all connections


class Slow:
    """A connection that takes its time."""

    def __init__(self, port, address, kind, path):
        self.kind = kind
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind((address, 0))
        self.socket.settimeout(5)
        self.socket.connect(("127.0.0.1", port))
        first = {"header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                 "body": b"POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
                 "reader": f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
                 "idle": b""}[kind]
        self.socket.sendall(first)
        self.socket.setblocking(False)

    def drip(self):
        """One more byte; False once the node has closed the connection."""
        try:
            if self.kind in ("header", "body"):
                self.socket.send(b" ")
            return self.kind == "reader" or self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self):
        self.socket.close()


def timed(url):
    begin = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return time.monotonic() - begin, answer.read()
    except urllib.error.HTTPError as refused:
        raise rig.Failure(f"{url}: {refused.code} {refused.read()[:500]}") from refused


def latencies(urls, count):
    """Seconds of `count` answers for each, sorted."""
    return sorted(timed(url)[0] for _ in range(count) for url in urls)


@scenario("http", "F1 F2 F7")
def nearly_a_thousand_slow_clients_hold_up_nobody(world):
    topic = world.topic(2)
    node = world.node(topic, more='[limits]\nmemory = "512MiB"\n').start(prefix=("prlimit", "--nofile=8192"))
    base = node.wait_event("ready", 10)["url"]
    port = int(base.rsplit(":", 1)[1])
    for _ in range(40):
        world.produce(topic, 1000, partitions=(0, 1))
    world.caught_up(node, topic)
    good = [base + path for path in ("/livez", "/v1/trades/latest?symbols=SYM1", "/v1/trades?symbols=SYM2&limit=100", "/metrics")]
    latencies(good, 5)
    before = latencies(good, 50)
    stream = world.stream(topic, (0, 1))
    slow = []
    refused = 0
    for n in range(960):  # with those that behave, below the thousand that a node takes
        kind = ("header", "body", "reader", "idle")[n % 4]
        try:
            slow.append(Slow(port, ADDRESSES[n % len(ADDRESSES)], kind, "/v1/trades?symbols=*&format=ndjson"))
        except OSError:
            refused += 1
    check(refused == 0, f"{refused} of 960 connections were refused at once")
    begin = time.monotonic()
    during = []
    while time.monotonic() - begin < 15:
        during += latencies(good, 5)
        for client in slow:
            client.drip()
    during.sort()
    p99_before, p99_during = before[int(len(before) * 0.99)], during[int(len(during) * 0.99)]
    check(p99_during <= 2 * p99_before + 0.25, f"p99 {p99_before * 1e3:.1f} ms before, {p99_during * 1e3:.1f} ms among slow clients")
    # Slow heads and bodies have met their deadlines; those who do not read follow within a minute.
    left = [client for client in slow if client.kind in ("header", "body") and client.drip()]
    check(not left, f"{len(left)} of those that send slowly are still connected")
    check(node.memory() < 640 << 20, f"resident {node.memory() >> 20} MiB of 512")
    status = json.loads(timed(base + "/v1/status")[1])
    check(status["recording"]["stall"] is None and status["ready"], f"status: {status['recording']}")
    for client in slow:
        client.close()
    wait_for("what they held is given back", lambda: json.loads(timed(base + "/v1/status")[1])["http"]["reads_open"] == 0, 5)
    stream.stop()
    world.caught_up(node, topic)
    world.stop(node)
    world.whole(node, topic)
    print(f"  p99 {p99_before * 1e3:.1f} ms, among {len(slow)} slow clients {p99_during * 1e3:.1f} ms; {len(during)} answers", flush=True)
