"""A long real capture through a real broker, compared with what was derived from it by other means."""

import csv
import io
import os
import pathlib
import subprocess

import rig
from frame import Skip, check, scenario

CAPTURE = "binance_usdm_btcusdt_ethusdt_20240808"


def shared_data():
    folder = pathlib.Path(os.environ.get("TAPEDECK_SHARED_DIR") or rig.ROOT.parent / "shared") / "data"
    if not (folder / "raw" / f"{CAPTURE}.ndjson.zst").exists():
        raise Skip("the shared data are not here: set TAPEDECK_SHARED_DIR")
    return folder


def derived(path):
    """Rows of a derived file after a stable sort by ts and symbol."""
    text = subprocess.run(["zstdcat", str(path)], check=True, capture_output=True, text=True).stdout
    _, *rows = list(csv.reader(io.StringIO(text)))
    return sorted(rows, key=lambda row: (int(row[0]), row[1]))


def compare(node, table, fields, wanted):
    out = node.command("query", table, "-s", "BTCUSDT", "-s", "ETHUSDT", "--fields", fields, "--ts", "ns", "--numbers", "string",
                       "-o", "csv").stdout
    _, *found = list(csv.reader(io.StringIO(out)))
    check(len(found) == len(wanted), f"{len(found)} {table}, wanted {len(wanted)}")
    for number, (row, expected) in enumerate(zip(found, wanted)):
        check(row == expected, f"{table} row {number}: {row}, wanted {expected}")


@scenario("capture", "done")
def a_binance_capture_is_recorded_and_answered_digit_for_digit(world):
    data = shared_data()
    topic = world.topic(1)
    feedgen = pathlib.Path(world.binary).with_name("feedgen")
    if not feedgen.exists():
        raise Skip("feedgen is not beside the binary")
    node = world.node(topic, mapping="binance").start()
    raw = data / "raw" / CAPTURE
    subprocess.run([str(feedgen), f"{raw}.ndjson.zst", "--bootstrap-servers", world.broker.bootstrap, "--topic", topic,
                    "--recv-ns", f"{raw}.recv_ns.txt.zst", "--timestamp", "recv", "--partitions", "0"], check=True,
                   stdout=subprocess.DEVNULL)
    world.caught_up(node, topic, 120)
    world.stop(node)
    entry = node.coverage()[(topic, 0)]
    check(entry["messages"] == 168_609 and not entry["gaps"], f"coverage: {entry}")
    quotes = derived(data / "quotes" / f"{CAPTURE}_quotes.csv.zst")
    compare(node, "quotes", "ts,symbol,bid_price,bid_size,ask_price,ask_size", quotes)
    trades = derived(data / "trades" / f"{CAPTURE}_trades.csv.zst")
    compare(node, "trades", "ts,symbol,price,size,side,trade_id", trades)
    world.verify(node)
    print(f"  {len(quotes)} quotes and {len(trades)} trades equal", flush=True)
