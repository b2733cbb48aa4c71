"""What the scripts of single-process services (s3, azure) share: downloads made once, free ports, one process in a folder of
its own that is known by DIR/service.json, and its end. `kafka` has its own, since a cluster is more than one process."""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
STOP_SECONDS = 10


class Failure(Exception):
    """Something the caller can read and act on."""


# --- installing ------------------------------------------------------------------------------------------------------


def pinned(name):
    for line in (HERE / "versions.env").read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == name:
            return value.strip()
    raise Failure(f"versions.env does not pin {name}")


def cache_folder():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(home) / "tapedeck" / "services"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def made_once(folder, what):
    """Yields an empty folder to fill, or None if `folder` is complete. Filled, it becomes `folder` in one rename."""
    if folder.is_dir():
        yield None
        return
    with open(f"{folder}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            yield None
            return
        print(f"making {what} once, in {folder}", file=sys.stderr, flush=True)
        fresh = pathlib.Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            yield fresh
            fresh.rename(folder)
        finally:
            subprocess.run(["chmod", "-R", "u+w", str(fresh)], check=False, capture_output=True)
            shutil.rmtree(fresh, ignore_errors=True)


def run_tool(command, what, **options):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, **options)
    except FileNotFoundError as error:
        raise Failure(f"{what}: {error.filename} is not installed; see tests/services/README.md") from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{what}: no end after {error.timeout} s") from error
    if done.returncode != 0:
        raise Failure(f"{what}: exit {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


# --- a service: DIR/service.json -------------------------------------------------------------------------------------


def make_folder(name, wanted):
    if wanted is None:
        return pathlib.Path(tempfile.mkdtemp(prefix=f"tapedeck-{name}-"))
    folder = pathlib.Path(wanted).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Failure(f"{folder} is not empty; `restart` starts an existing one again")
    return folder


def free_port():
    """A loopback port below the ephemeral range: inside it a client may be given that very port as its own."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    low, high = (max(1024, first - 12000), first) if first > 4096 else (61000, 65536)
    for port in random.SystemRandom().sample(range(low, high), min(2000, high - low)):
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise Failure("no free loopback ports")


def make_certificates(folder):
    """A certificate authority and a server key for 127.0.0.1 and localhost, good for two days."""
    folder.mkdir()
    openssl = lambda *words: run_tool(["openssl", *words], "openssl " + words[0], cwd=folder, timeout=60)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tapedeck test CA",
            "-keyout", "ca.key", "-out", "ca.crt")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "private.key", "-out", "server.csr")
    openssl("x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "server.ext", "-out", "public.crt")
    return str(folder / "ca.crt")


def load(target):
    try:
        return json.loads((pathlib.Path(target) / "service.json").read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"'{target}' is not the folder of a service started by this script ({error})") from error


def store(service):
    path = pathlib.Path(service["dir"]) / "service.json"
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(service))
    fresh.rename(path)


def is_running(service):
    """True while its process lives; a pid that now belongs to something else does not count."""
    try:
        stat = pathlib.Path(f"/proc/{service['pid']}/stat").read_text()
        folder = os.readlink(f"/proc/{service['pid']}/cwd")
    except (OSError, KeyError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z" and folder == service["dir"]


def launch(service, seconds):
    """Starts service["command"] and waits until the probe URL answers at all."""
    folder = pathlib.Path(service["dir"])
    with open(folder / "service.log", "ab") as log:
        process = subprocess.Popen(service["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                   start_new_session=True, env=os.environ | service["environment"])
    service["pid"] = process.pid
    store(service)
    trusted = ssl.create_default_context(cafile=service["ca"]) if service.get("ca") else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))
    end = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise Failure(f"{service['service']} ended while starting\n" + tail_of_log(service))
        try:
            opener.open(service["probe"], timeout=2).close()
            return
        except urllib.error.HTTPError as answer:
            if answer.code < 500:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise Failure(f"{service['service']} was not ready within {seconds:.0f} s\n" + tail_of_log(service))
        time.sleep(0.05)


def tail_of_log(service):
    path = pathlib.Path(service["dir"]) / "service.log"
    return path.read_text(errors="replace")[-2000:] if path.exists() else ""


def end_process(service, how):
    if not is_running(service):
        return
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(service["pid"])
        os.kill(service["pid"], how)
        os.kill(service["pid"], signal.SIGCONT)
        if not select.select([handle], [], [], STOP_SECONDS)[0]:
            os.kill(service["pid"], signal.SIGKILL)
            if not select.select([handle], [], [], STOP_SECONDS)[0]:
                raise Failure(f"process {service['pid']} does not end")
        os.close(handle)


def public(service):
    return {key: value for key, value in service.items()
            if key not in ("command", "environment", "probe", "watcher", "temporary", "owner")}


# --- commands --------------------------------------------------------------------------------------------------------


def run(name, describe, lay_out, install, named, prepare=None):
    """The command line. `lay_out(service, arguments)` fills command, environment, probe and what clients need; `named()`
    describes a service that the environment names, or None; `install(kind)` downloads; `prepare(service)` comes last."""

    def start(arguments):
        external = named() if arguments.shared else None
        if external:
            return external
        folder = make_folder(name, arguments.dir)
        service = {"service": name, "dir": str(folder), "pid": None, "temporary": arguments.dir is None,
                   "owner": arguments.owner, "environment": {}}
        try:
            if arguments.tls:
                service["ca"] = make_certificates(folder / "tls")
            lay_out(service, arguments)
            launch(service, arguments.timeout)
            if prepare:
                prepare(service)
        except BaseException:
            end_process(service, signal.SIGKILL)
            if service["temporary"]:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        if arguments.owner:
            service["watcher"] = subprocess.Popen(
                [sys.executable, "-B", sys.argv[0], "watch", service["dir"]], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/").pid
            store(service)
        return public(service)

    def stop(arguments):
        service = load(arguments.target)
        # An orderly end takes some servers ten seconds; what is thrown away needs none.
        end_process(service, signal.SIGTERM if arguments.keep or not service["temporary"] else signal.SIGKILL)
        if not arguments.keep:
            if service.get("watcher"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(service["watcher"], signal.SIGTERM)
            if service["temporary"]:
                shutil.rmtree(service["dir"], ignore_errors=True)

    def restart(arguments):
        service = load(arguments.target)
        end_process(service, signal.SIGTERM)
        launch(service, arguments.timeout)
        return public(service)

    def send(how):
        def command(arguments):
            service = load(arguments.target)
            if not is_running(service):
                raise Failure(f"{name} is not running")
            if how == signal.SIGKILL:
                end_process(service, how)
            else:
                os.kill(service["pid"], how)
        return command

    def watch(arguments):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(load(arguments.target)["owner"])], [], [])
        service = load(arguments.target)
        end_process(service, signal.SIGKILL)
        if service["temporary"]:
            shutil.rmtree(service["dir"], ignore_errors=True)

    def status(arguments):
        service = load(arguments.target)
        return public(service) | {"running": is_running(service)}

    commands = {"start": start, "stop": stop, "restart": restart, "kill": send(signal.SIGKILL), "status": status,
                "pause": send(signal.SIGSTOP), "resume": send(signal.SIGCONT), "watch": watch,
                "install": lambda arguments: str(install(arguments.kind))}
    arguments = parse(name, describe, commands)
    try:
        result = commands[arguments.command](arguments)
    except Failure as failure:
        print(f"{name} {arguments.command}: {failure}", file=sys.stderr)
        return 1
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result), flush=True)
    return 0


def parse(name, describe, commands):
    parser = argparse.ArgumentParser(prog=name, description=describe, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for command in commands:
        sub = subparsers.add_parser(command)
        if command in ("start", "install"):
            sub.add_argument("--kind", default="auto")
        if command == "start":
            sub.add_argument("--dir", default=None)
            sub.add_argument("--owner", type=int, default=None)
            sub.add_argument("--shared", action="store_true")
            sub.add_argument("--tls", action="store_true")
        elif command != "install":
            sub.add_argument("target", metavar="DIR")
        if command == "stop":
            sub.add_argument("--keep", action="store_true")
        if command in ("start", "restart"):
            sub.add_argument("--timeout", type=float, default=60)
    return parser.parse_args()
