"""A node that ships: closed over HTTP, read back by strangers, in a folder and in real object stores."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import rig
from capture_scenarios import CAPTURE, shared_data
from frame import Skip, check, scenario, wait_for

MESSAGES = 168_609
DAYS = ("2024-08-08", "2024-08-09")


def ask(node, path, method="GET"):
    """A JSON document of the node."""
    url = node.wait_event("ready", 10)["url"] + path
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.load(answer)


def service(world, name, *options):
    """What tests/services/<name> printed; it ends with the scenario."""
    script = rig.SERVICES / name
    done = subprocess.run([str(script), "start", "--owner", str(os.getpid()), *options], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Skip(f"no {name} server: {done.stderr.strip()[-300:]}")
    facts = json.loads(done.stdout)
    world.closing.callback(subprocess.run, [str(script), "stop", facts["dir"]], check=False)
    return facts


def readers():
    done = subprocess.run([str(rig.SERVICES / "python"), "readers"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"no python with DuckDB: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def feed(world, topic):
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    raw = shared_data() / "raw" / CAPTURE
    subprocess.run([str(feedgen), f"{raw}.ndjson.zst", "--bootstrap-servers", world.broker.bootstrap, "--topic", topic,
                    "--recv-ns", f"{raw}.recv_ns.txt.zst", "--timestamp", "recv", "--partitions", "0"], check=True,
                   stdout=subprocess.DEVNULL)


def close(node, day, seconds=120):
    """Closes the day and waits until it is shipped."""
    def shipped():
        states = ask(node, f"/v1/days/{day}/close", "POST")["data"]
        return all(s["state"] in ("shipped", "pruned") or (s["state"] == "open" and s["rows"] == 0) for s in states)
    wait_for(f"{day} is shipped; log: {node.log}", shipped, seconds, 0.5)


def ask_command(node, *arguments):
    """What a command says of the running node: objects, one a line."""
    base = node.wait_event("ready", 10)["url"]
    done = subprocess.run([node.binary, *arguments, "--url", base, "-o", "ndjson"], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"tapedeck {' '.join(arguments)}: exit {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ships(world, archive, place, environment):
    """Records the capture, closes its days, and compares the archive with the derived files."""
    python = readers()
    data = shared_data()
    topic = world.topic(1)
    node = world.node(topic, mapping="binance", more=archive).start(environment=environment)
    feed(world, topic)
    world.caught_up(node, topic, 120)
    close(node, DAYS[0])
    states = ask_command(node, "close", DAYS[1], "--wait", "--table", "trades,quotes")
    check(len(states) == 2 and all(s["state"] in ("shipped", "open") for s in states), f"close: {states}")
    ticket, = ask_command(node, "flush", "--wait")
    check(ticket["ships"], f"flush: {ticket}")
    partition = ask(node, "/v1/coverage")["partitions"][0]
    check(partition["shipped"] == partition["stored"] == MESSAGES, f"coverage: {partition}")
    days = ask(node, "/v1/days")["data"]
    check({d["state"] for d in days} == {"shipped"} and all(d["objects"] > 0 for d in days), f"days: {days}")
    objects = ask(node, "/v1/objects")["data"] + ask(node, "/v1/objects?table=tape")["data"]
    check(ask_command(node, "days") == days, "days: the command and the route differ")
    check(ask_command(node, "objects", "--limit", "1") == objects[:1], "objects: the command and the route differ")
    health = ask(node, "/healthz")
    check(health["status"] == "ok", f"health: {health}")
    done = subprocess.run([python, "-B", str(pathlib.Path(__file__).with_name("archive_reader.py")), json.dumps(place),
                           str(world.folder / "copy"), str(data / "trades" / f"{CAPTURE}_trades.csv.zst"),
                           str(data / "quotes" / f"{CAPTURE}_quotes.csv.zst")], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"archive_reader: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    for table in ("trades", "quotes"):
        check(found[table]["archive"] == found[table]["derived"] and found[table]["derived"], f"{table}: {found[table]}")
    check(found["messages"] == MESSAGES, f"the tape has {found['messages']} messages")
    check(found["objects"] == len(objects), f"{found['objects']} objects, listed are {len(objects)}")
    world.stop(node)
    world.verify(node)
    print(f"  {sum(row[1] for t in ('trades', 'quotes') for row in found[t]['archive'])} rows in {len(objects)} objects equal",
          flush=True)


@scenario("archive", "done")
def a_capture_is_shipped_to_a_folder_and_read_by_duckdb(world):
    folder = world.folder / "archive"
    ships(world, f'[archive]\nurl = "file://{folder}"\n', {"kind": "file", "path": str(folder)}, {})


@scenario("archive", "done")
def a_capture_is_shipped_to_s3_and_read_by_duckdb(world):
    facts = service(world, "s3")
    ships(world, f'[archive]\nurl = "s3://{facts["bucket"]}/deck"\n[archive.s3]\nendpoint = "{facts["endpoint"]}"\n'
          f'region = "{facts["region"]}"\n', facts,
          {"AWS_ACCESS_KEY_ID": facts["access_key"], "AWS_SECRET_ACCESS_KEY": facts["secret_key"]})


@scenario("archive", "done")
def a_capture_is_shipped_to_azure_and_read_by_duckdb(world):
    facts = service(world, "azure")
    ships(world, f'[archive]\nurl = "az://{facts["container"]}/deck"\n[archive.azure]\naccount = "{facts["account"]}"\n'
          f'endpoint = "{facts["endpoint"]}"\n', facts, {"AZURE_STORAGE_KEY": facts["key"]})


@scenario("archive", "A17 D18")
def an_archive_that_does_not_answer_keeps_nobody_from_recording_or_stopping(world):
    topic = world.topic(1)
    # A port that swallows connections: nothing is refused, nothing answers.
    import socket
    hole = socket.create_server(("127.0.0.1", 0), backlog=1)
    world.closing.callback(hole.close)
    endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
    node = world.node(topic, more=f'[archive]\nurl = "s3://nowhere/deck"\n[archive.s3]\nendpoint = "{endpoint}"\n')
    node.start(environment={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    world.produce(topic, 500)
    world.caught_up(node, topic)
    ask(node, "/v1/days/2024-07-02/close", "POST")
    check(ask(node, "/v1/flush", "POST")["ships"], "a flush is taken")
    time.sleep(2)  # the shipper is in a call that does not come back
    try:
        ask(node, "/v1/objects")
        raise rig.Failure("an archive that was never listed is not an empty one")
    except urllib.error.HTTPError as refused:
        check(refused.code == 503, f"/v1/objects: {refused.code}")
    check(len(ask(node, "/v1/trades?symbols=*&limit=10")["data"]) == 10, "reads go on")
    world.stop(node)  # within 15 s, exit code 0
    world.whole(node, topic)


@scenario("archive", "A17")
def an_archive_that_cannot_be_opened_at_the_start_keeps_nobody_from_recording(world):
    topic = world.topic(1)
    mount = world.folder / "mount"
    mount.write_text("no folder is here yet")
    node = world.node(topic, more=f'[archive]\nurl = "file://{mount}/archive"\n').start()
    world.produce(topic, 500)
    world.caught_up(node, topic)
    mount.unlink()
    mount.mkdir()

    def flushed():
        try:
            return ask(node, "/v1/flush", "POST")["ships"]
        except urllib.error.HTTPError as refused:
            check(refused.code == 503, f"/v1/flush: {refused.code}")
            return False
    wait_for(f"the archive is open; log: {node.log}", flushed, 60, 0.5)
    wait_for("its tape is shipped", lambda: ask(node, "/v1/coverage")["partitions"][0]["shipped"] == 500, 60, 0.5)
    world.stop(node)
    world.whole(node, topic)
