"""Compares an archive with what was derived from its captures by others, and damages it: by DuckDB and Arrow alone.

  archive_rows.py PLACE FOLDER       run by the python of tests/services/python readers; one JSON object a line in, one out

PLACE is what archive_reader.py takes.
  {"do": "compare", "tables": [{"topic","table","csv","prefix","receipt"}…], "tapes": [{"topic","raw"}…]}
      copies the archive to FOLDER; {"objects": n, "rows": n, "messages": n, "differences": [text…]}. A table's rows are compared one by one,
      digit for digit, in the order of (ts, symbol, arrival), with their count and sums; a tape with its capture's lines in their order.
  {"do": "names"}                    {"names": [every object, manifests too]}
  {"do": "flip", "name", "at"}       one bit of the byte at that share (0 to 1) of the object
  {"do": "cut", "name"}              its last byte is gone
  {"do": "drop-row", "name"}         a Parquet file without its last row, as an engine would write it; its manifest tells the new file
  {"do": "delete", "name"}
  {"do": "swap", "name", "other"}
  {"do": "edit", "name", "key"}      a manifest that counts one more
  {"do": "undo"}                     everything is as it was
"""

import hashlib
import io
import json
import pathlib
import sys

import duckdb
import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq

import archive_reader

CORE = {"trades": (("price", "size"), ("side", "trade_id")),
        "quotes": (("bid_price", "bid_size", "ask_price", "ask_size"), ())}


def text_of(name):
    """SQL: the decimal column as it was written, with all its digits."""
    plain = f"{name}::VARCHAR"
    fraction = f"length(split_part({plain}, '.', 2))"
    return (f"coalesce({name}_text, CASE WHEN {name}_scale = 0 THEN split_part({plain}, '.', 1) "
            f"ELSE left({plain}, (length({plain}) - {fraction} + {name}_scale)::INT) END, '')")


def compare_table(connection, folder, wanted):
    """(rows, differences) of one topic's part of one table."""
    decimals, texts = CORE[wanted["table"]]
    names = [*decimals, *texts]
    values = [text_of(name) for name in decimals] + [f"coalesce({name}, '')" for name in texts]
    derived_ts = "ts_event_ns::BIGINT // 1000000 * 1000000" if wanted["receipt"] else "ts_event_ns::BIGINT"
    files = f"read_parquet('{folder}/{wanted['table']}/dt=*/*.parquet', union_by_name=true)"
    csv = f"read_csv('{wanted['csv']}', compression='zstd', all_varchar=true, header=true, parallel=false)"
    columns = ", ".join(f"{value} AS {name}" for value, name in zip(values, names))
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE found AS SELECT row_number() OVER (ORDER BY ts_ns, symbol, "partition",
        "offset", "index") AS n, ts_ns AS ts, symbol, {columns} FROM {files} WHERE topic = '{wanted["topic"]}'""")
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE derived AS SELECT row_number() OVER (ORDER BY {derived_ts}, symbol, line)
        AS n, {derived_ts} AS ts, symbol, {", ".join(f"coalesce({name}, '') AS {name}" for name in names)} FROM (SELECT *,
        row_number() OVER () AS line FROM {csv}) WHERE starts_with(symbol, '{wanted["prefix"]}')""")
    sums = ", ".join(f"sum(nullif({name}, '')::DECIMAL(38, 10))::VARCHAR" for name in decimals)
    facts = [connection.execute(f"SELECT symbol, count(*), sum(ts::HUGEINT)::VARCHAR, {sums} FROM {which} GROUP BY 1 ORDER BY 1")
             .fetchall() for which in ("found", "derived")]
    where = f"{wanted['table']} of {wanted['topic']}"
    differences = []
    if not facts[1]:
        differences.append(f"{where}: {wanted['csv']} has no such rows")
    if facts[0] != facts[1]:
        differences.append(f"{where}: counts and sums {facts[0][:5]}, derived {facts[1][:5]}")
    for one, other, what in (("found", "derived", "only in the archive"), ("derived", "found", "not in the archive")):
        rows = connection.execute(f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other} ORDER BY n LIMIT 3").fetchall()
        if rows:
            differences.append(f"{where}: {what}: {rows}")
    return sum(fact[1] for fact in facts[0]), differences


def compare_tape(connection, folder, wanted):
    files = f"read_parquet('{folder}/tape/*/dt=*/*.parquet', filename=true)"
    rows = connection.execute(f"""SELECT "offset", value FROM {files} WHERE contains(filename, '/tape/{wanted["topic"]}/')
        ORDER BY "offset" """).fetchall()
    with pa.CompressedInputStream(pa.OSFile(wanted["raw"]), "zstd") as stream:
        lines = stream.read().splitlines()
    found = [bytes(row[1]) for row in rows]
    differences = []
    if [row[0] for row in rows] != list(range(len(lines))):
        differences.append(f"tape of {wanted['topic']}: {len(rows)} offsets, lines {len(lines)}")
    elif found != lines:
        first = next(i for i, line in enumerate(lines) if found[i] != line)
        differences.append(f"tape of {wanted['topic']}: message {first}: {found[first][:200]}, line {lines[first][:200]}")
    return len(rows), differences


class Damage:
    """Changes objects of a place, and takes the changes back."""

    def __init__(self, place):
        self.system, self.root = archive_reader.open_place(place)
        self.before = {}

    def names(self):
        infos = self.system.get_file_info(fs.FileSelector(self.root, recursive=True))
        return sorted(info.path[len(self.root):].lstrip("/") for info in infos if info.type == fs.FileType.File)

    def read(self, name):
        with self.system.open_input_stream(f"{self.root}/{name}") as source:
            return source.read()

    def write(self, name, content):
        with self.system.open_output_stream(f"{self.root}/{name}", compression=None) as sink:
            sink.write(content)

    def change(self, name, content):
        self.before.setdefault(name, self.read(name))
        if content is None:
            self.system.delete_file(f"{self.root}/{name}")
        else:
            assert content != self.before[name], "nothing was changed"
            self.write(name, content)

    def undo(self):
        for name, content in self.before.items():
            self.write(name, content)
        self.before = {}

    def flip(self, name, at):
        content = bytearray(self.read(name))
        content[min(int(at * len(content)), len(content) - 1)] ^= 1 << (int(at * 8 * len(content)) % 8)
        self.change(name, bytes(content))

    def drop_row(self, name):
        table = pq.read_table(io.BytesIO(self.read(name)))
        sink = io.BytesIO()
        pq.write_table(table.slice(0, table.num_rows - 1), sink, compression="zstd")
        fresh = sink.getvalue()
        for manifest in self.names():
            if manifest.startswith("_tapedeck/") and "/backup/" not in manifest and name.encode() in self.read(manifest):
                text = json.loads(self.read(manifest))
                for listed in text["objects"]:
                    if listed["name"] == name:
                        listed |= {"bytes": len(fresh), "sha256": hashlib.sha256(fresh).hexdigest(), "rows": table.num_rows - 1}
                for count in ("rows", "messages"):
                    if count in text:
                        text[count] -= 1
                self.change(manifest, json.dumps(text, indent=1).encode())
        self.change(name, fresh)

    def edit(self, name, key):
        text = json.loads(self.read(name))
        text[key] += 1
        self.change(name, json.dumps(text, indent=1).encode())

    def do(self, task):
        action = task["do"]
        if action == "names":
            return {"names": self.names()}
        if action == "undo":
            self.undo()
        elif action == "flip":
            self.flip(task["name"], task["at"])
        elif action == "cut":
            self.change(task["name"], self.read(task["name"])[:-1])
        elif action == "drop-row":
            self.drop_row(task["name"])
        elif action == "delete":
            self.change(task["name"], None)
        elif action == "swap":
            one, other = self.read(task["name"]), self.read(task["other"])
            self.change(task["name"], other)
            self.change(task["other"], one)
        elif action == "edit":
            self.edit(task["name"], task["key"])
        else:
            raise ValueError(action)
        return {}


def compare(place, folder, task):
    answer = {"objects": archive_reader.fetch(place, folder), "rows": 0, "messages": 0, "differences": []}
    connection = duckdb.connect()
    for table in task["tables"]:
        rows, differences = compare_table(connection, folder, table)
        answer["rows"] += rows
        answer["differences"] += differences
    for tape in task["tapes"]:
        messages, differences = compare_tape(connection, folder, tape)
        answer["messages"] += messages
        answer["differences"] += differences
    return answer


def main():
    place, folder = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])
    damage = Damage(place)
    for line in sys.stdin:
        task = json.loads(line)
        answer = compare(place, folder, task) if task["do"] == "compare" else damage.do(task)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
