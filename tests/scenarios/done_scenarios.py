"""What "shipped" means, over real captures and real stores: every row is in the archive digit for digit, and any change is found."""

import json
import os
import pathlib
import subprocess

import rig
import venues
from archive_scenarios import ask, readers, service
from capture_scenarios import shared_data
from frame import Skip, check, scenario, wait_for


class Archive:
    """A place for an archive: its table of the configuration, what strangers need to open it, and its credentials."""

    def __init__(self, world, kind):
        self.url, self.lines, self.environment = "", "", {}
        if kind == "folder":
            folder = world.folder / "archive"
            self.url, self.place = f"file://{folder}", {"kind": "file", "path": str(folder)}
        elif kind == "azure":
            self.place = service(world, "azure")
            self.url = f"az://{self.place['container']}/deck"
            self.lines = f'[archive.azure]\naccount = "{self.place["account"]}"\nendpoint = "{self.place["endpoint"]}"\n'
            self.environment = {"AZURE_STORAGE_KEY": self.place["key"]}
        else:
            self.place = service(world, "s3", "--kind", kind)
            self.url = f"s3://{self.place['bucket']}/deck"
            self.lines = f'[archive.s3]\nendpoint = "{self.place["endpoint"]}"\nregion = "{self.place["region"]}"\n'
            self.environment = {"AWS_ACCESS_KEY_ID": self.place["access_key"], "AWS_SECRET_ACCESS_KEY": self.place["secret_key"]}

    def config(self, more=""):
        return f'[archive]\nurl = "{self.url}"\n{more}{self.lines}'


class Rows:
    """archive_rows.py, kept running."""

    def __init__(self, world, place):
        script = pathlib.Path(__file__).with_name("archive_rows.py")
        self.process = subprocess.Popen([readers(), "-B", str(script), json.dumps(place), str(world.folder / "copy")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        world.closing.callback(self.close)

    def __call__(self, do, **task):
        self.process.stdin.write(json.dumps({"do": do, **task}) + "\n")
        line = self.process.stdout.readline()
        check(line, f"archive_rows.py ended during {do}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def record(world, node, captures, topics):
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    for capture, topic in zip(captures, topics):
        raw = shared_data() / "raw" / capture["file"]
        subprocess.run([str(feedgen), f"{raw}.ndjson.zst", "--bootstrap-servers", world.broker.bootstrap, "--topic", topic,
                        "--recv-ns", f"{raw}.recv_ns.txt.zst", "--timestamp", "recv", "--partitions", "0"], check=True,
                       stdout=subprocess.DEVNULL)
    for topic in topics:
        world.caught_up(node, topic, 240)


def close_all_days(node, seconds=240):
    """Closes every day by HTTP and waits until it and every tape is in the archive."""
    check(ask(node, "/v1/flush", "POST")["ships"], "a flush is taken")

    def shipped():
        days = ask(node, "/v1/days")["data"]
        for day in sorted({d["day"] for d in days if d["state"] == "open"}):
            ask(node, f"/v1/days/{day}/close", "POST")
        partitions = ask(node, "/v1/coverage")["partitions"]
        return (days and all(d["state"] == "shipped" for d in days)
                and all(p["shipped"] == p["stored"] for p in partitions))
    wait_for(f"all days are shipped; log: {node.log}", shipped, seconds, 0.5)
    return ask(node, "/v1/days")["data"]


def compare(rows, captures, topics):
    data = shared_data()
    tables = [{"topic": topic, "table": table, "csv": str(data / table / f"{name}.csv.zst"), "prefix": capture["prefix"],
               "receipt": table in capture["receipt"]}
              for capture, topic in zip(captures, topics) for table, name in capture["derived"]]
    tapes = [{"topic": topic, "raw": str(data / "raw" / f"{capture['file']}.ndjson.zst")}
             for capture, topic in zip(captures, topics)]
    found = rows("compare", tables=tables, tapes=tapes)
    check(not found["differences"], "; ".join(found["differences"])[:3000])
    return found


def verify(node, archive, *more):
    """(exit code, what it said)"""
    done = subprocess.run([node.binary, "verify", "--archive", archive.url, "--config", str(node.config), "-o", "ndjson", *more],
                          capture_output=True, text=True, check=False, env=os.environ | archive.environment)
    return done.returncode, done.stdout + done.stderr


def damages(world, names):
    """Each kind of change, of objects and manifests chosen by the seed."""
    pick = world.random.choice
    manifests = [name for name in names if name.startswith("_tapedeck/") and "/backup/" not in name]
    of_tape = [name for name in manifests if "/tape-" in name]
    of_rows = [name for name in manifests if "/tape-" not in name]
    records = [name for name in names if name.startswith(("trades/", "quotes/"))]
    tapes = [name for name in names if name.startswith("tape/")]
    check(of_tape and of_rows and len(records) > 1 and tapes, f"what is in the archive: {names}")
    for kind in (records, tapes, manifests):
        for at in (0.0, world.random.random(), world.random.random(), 1.0):
            yield "flip", {"name": pick(kind), "at": at}
        yield "cut", {"name": pick(kind)}
        yield "delete", {"name": pick(kind)}
    yield "drop-row", {"name": pick(records)}
    yield "drop-row", {"name": pick(tapes)}
    one, other = world.random.sample(records, 2)
    yield "swap", {"name": one, "other": other}
    if len(tapes) > 1:
        one, other = world.random.sample(tapes, 2)
        yield "swap", {"name": one, "other": other}
    yield "edit", {"name": pick(of_rows), "key": "rows"}
    yield "edit", {"name": pick(of_tape), "key": "messages"}


def changes_are_found(world, node, archive, rows):
    """`verify --archive` beside the stopped node's store says 4 after each change, and 0 when it is taken back."""
    local = ("--data-dir", str(node.data_dir))
    code, text = verify(node, archive, *local)
    check(code == 0, f"verify of a whole archive: exit {code}: {text[-2000:]}")
    names = rows("names")["names"]
    seen = 0
    for action, what in damages(world, names):
        rows(action, **what)
        # Some by the archive alone: nothing else may be left of a lost node. A manifest that is gone leaves no trace but in the store.
        alone = action != "delete" and seen % 2 == 0
        code, text = verify(node, archive, *(() if alone else local))
        check(code == 4, f"{action} {what}: verify exits {code}: {text[-1500:]}")
        rows("undo")
        seen += 1
    code, text = verify(node, archive, *local)
    check(code == 0, f"verify after all was put back: exit {code}: {text[-2000:]}")
    return seen


def shipped_as_derived(world, kind, captures):
    archive = Archive(world, kind)
    rows = Rows(world, archive.place)
    topics = [world.topic(1, "-" + capture["file"]) for capture in captures]
    node = world.node(more=archive.config() + "".join(
        f'[[topics]]\nname = "{topic}"\nmapping = "{capture["mapping"]}"\nsymbol_prefix = "{capture["prefix"]}"\n'
        for capture, topic in zip(captures, topics)) + venues.MAPPINGS)
    node.start(environment=archive.environment)
    record(world, node, captures, topics)
    days = close_all_days(node)
    found = compare(rows, captures, topics)
    check(sum(day["rows"] for day in days) >= found["rows"], f"days: {days}, compared {found}")
    refused = ask(node, "/v1/coverage")["partitions"]
    check(all(p["gaps"] == [] for p in refused), f"coverage: {refused}")
    world.stop(node)
    world.verify(node)
    seen = changes_are_found(world, node, archive, rows)
    print(f"  {kind}: {found['rows']} rows and {found['messages']} messages in {found['objects']} objects equal; {seen} changes found",
          flush=True)


FAST = [capture for capture in venues.SMALL if capture["file"] in ("binance_usdm_20210722", "bitmex_20210722")]


@scenario("done", "D14")
def captures_are_shipped_to_a_folder_row_for_row_and_changes_are_found(world):
    shipped_as_derived(world, "folder", FAST)


@scenario("done", "D14")
def captures_are_shipped_to_moto_row_for_row_and_changes_are_found(world):
    shipped_as_derived(world, "moto", FAST)


@scenario("archive", "D14")
def all_captures_are_shipped_to_a_folder_row_for_row_and_changes_are_found(world):
    shipped_as_derived(world, "folder", venues.ALL)


@scenario("archive", "D14")
def all_captures_are_shipped_to_azure_row_for_row_and_changes_are_found(world):
    shipped_as_derived(world, "azure", venues.ALL)


@scenario("archive", "D14")
def all_captures_are_shipped_to_minio_row_for_row_and_changes_are_found(world):
    shipped_as_derived(world, "minio", venues.ALL)
