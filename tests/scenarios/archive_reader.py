"""Reads an archive with strangers' tools: objects by Arrow's file systems, rows by DuckDB. Run by the python of tests/services/python readers.

  archive_reader.py PLACE FOLDER CSV_TRADES CSV_QUOTES

PLACE is a JSON object: {"kind":"file","path":…}, or what tests/services/s3 or azure printed. Objects are copied to FOLDER as they are; those
whose names begin with '_' are left out, as every engine does. Prints a JSON object: for trades and quotes the facts of the archive and those
of the derived file, by symbol: rows, and the sum of each number, exactly.
"""

import json
import pathlib
import sys
import urllib.parse

import duckdb
import pyarrow.fs as fs


def open_place(place):
    """(file system, root)."""
    if place["kind"] == "file":
        return fs.LocalFileSystem(), place["path"]
    endpoint = urllib.parse.urlsplit(place["endpoint"])
    if "account" in place:
        return fs.AzureFileSystem(place["account"], account_key=place["key"], blob_storage_authority=endpoint.netloc,
                                  blob_storage_scheme=endpoint.scheme, dfs_storage_authority=endpoint.netloc,
                                  dfs_storage_scheme=endpoint.scheme), place["container"] + "/deck"
    return fs.S3FileSystem(access_key=place["access_key"], secret_key=place["secret_key"], region=place["region"],
                           endpoint_override=endpoint.netloc, scheme=endpoint.scheme), place["bucket"] + "/deck"


def fetch(place, folder):
    """Copies all objects; how many there are, beside those that engines do not see."""
    system, root = open_place(place)
    seen = 0
    for info in system.get_file_info(fs.FileSelector(root, recursive=True)):
        relative = info.path[len(root):].lstrip("/")
        if info.type != fs.FileType.File or relative.startswith("_"):
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with system.open_input_stream(info.path) as source:
            target.write_bytes(source.read())
        seen += 1
    return seen


def facts(connection, relation, ts, numbers):
    sums = ", ".join(f"sum({number}::DECIMAL(38, 8))::VARCHAR" for number in numbers)
    query = f"SELECT symbol::VARCHAR, count(*), sum({ts}::HUGEINT)::VARCHAR, {sums} FROM {relation} GROUP BY 1 ORDER BY 1"
    return [list(row) for row in connection.execute(query).fetchall()]


def main():
    place, folder, trades, quotes = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    found = {"objects": fetch(place, folder)}
    connection = duckdb.connect()
    for table, derived, numbers in (("trades", trades, ("price", "size")),
                                    ("quotes", quotes, ("bid_price", "bid_size", "ask_price", "ask_size"))):
        found[table] = {
            "archive": facts(connection, f"read_parquet('{folder}/{table}/dt=*/*.parquet')", "ts_ns", numbers),
            "derived": facts(connection, f"read_csv('{derived}', compression='zstd', all_varchar=true)", "ts_event_ns",
                             numbers)}
    tape = connection.execute(f"SELECT count(*) FROM read_parquet('{folder}/tape/**/*.parquet')").fetchone()
    found["messages"] = tape[0]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
