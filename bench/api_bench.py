#!/usr/bin/env python3
"""Small answers of a recording node against nginx with one worker that returns a constant of the same size.

  bench/api_bench.py build/release/bin/tapedeck [ROUNDS]      skips (exit 0) where nginx or wrk are not installed

The node is `tapedeck demo`: broker, feed, recorder and HTTP in one process. It goes on recording while nginx is measured
too, so both answer beside the same load, on the same core; wrk has the other one. Sides take turns; the medians of the
rounds' ratios count. Bar: 0.8; aim: 1.0.
"""

import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

BAR = 0.8
TARGETS = ("/livez", "/v1/quotes/latest?symbols=BTC-USD")
CONNECTIONS = 16
SECONDS = 1


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def pinned(core, *command):
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command]


def start_demo(binary, folder):
    """The demo, and its address as it prints it."""
    printed = folder / "demo.log"
    with open(printed, "wb") as log:
        demo = subprocess.Popen(pinned(0, binary, "demo", "--duration", "1h"), stdout=log, stderr=log)
    for _ in range(300):
        found = re.search(r"http://([0-9.]+:\d+)", printed.read_text(errors="replace"))
        if found or demo.poll() is not None:
            break
        time.sleep(0.1)
    if not found:
        sys.exit(f"api_bench: the demo gave no address:\n{printed.read_text(errors='replace')}")
    return demo, found.group(1)


def start_nginx(folder, bodies):
    locations = "".join(f"location = {path} {{ return 200 '{body}'; }}\n" for path, body in bodies.items())
    port = 20000 + os.getpid() % 20000
    (folder / "nginx.conf").write_text(
        "worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;\n"
        "events { worker_connections 1024; multi_accept on; }\n"
        "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600; default_type application/json;\n"
        "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n"
        f"scgi_temp_path scgi; server {{ listen 127.0.0.1:{port}; {locations} }} }}\n")
    nginx = subprocess.Popen(pinned(0, program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")))
    return nginx, f"127.0.0.1:{port}"


def requests_per_s(url):
    out = subprocess.run(["taskset", "-c", "1", program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", url],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        sys.exit(f"api_bench: {url} was not answered with 200\n{out}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1))


def main(binary, rounds=15):
    if not program("nginx") or not program("wrk") or (os.cpu_count() or 1) < 2:
        print("skipped: needs nginx (nginx-light), wrk and two cores")
        return 0
    print(f"api: {os.uname().sysname} {os.uname().release}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
          f"{CONNECTIONS} connections, {rounds} rounds of {SECONDS} s each")
    missed = 0
    demo = nginx = None
    with tempfile.TemporaryDirectory(prefix="api_bench.") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            demo, ours = start_demo(binary, folder)
            time.sleep(3)  # records of every symbol have come
            bodies = {}
            for target in TARGETS:
                with urllib.request.urlopen(f"http://{ours}{target}") as reply:
                    bodies[target.split("?")[0]] = reply.read().decode().rstrip("\n")
            nginx, theirs = start_nginx(folder, bodies)
            time.sleep(1)
            for target in TARGETS:
                ratios, rates = [], []
                for _ in range(rounds):
                    other = requests_per_s(f"http://{theirs}{target}")
                    rates.append(requests_per_s(f"http://{ours}{target}"))
                    ratios.append(rates[-1] / other)
                ratio = statistics.median(ratios)
                low = ratio < BAR
                missed |= low
                print(f"{target:40} {statistics.median(rates):9.0f} requests/s, {ratio:.2f} x nginx "
                      f"(bar {BAR}, from {min(ratios):.2f} to {max(ratios):.2f}){'  MISSED' if low else ''}", flush=True)
        finally:
            for side in (nginx, demo):
                if side:
                    side.send_signal(signal.SIGTERM)
                    side.wait()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(a) for a in sys.argv[2:])))
