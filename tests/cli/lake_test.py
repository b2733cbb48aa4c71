#!/usr/bin/env python3
"""docs/lake.md, run: a demo ships to a folder, and every block for DuckDB and pyarrow reads it.

  lake_test.py BINARY DOCUMENT             finds the readers by tests/services/python
  lake_test.py --blocks ARCHIVE DOCUMENT   with those readers

Exit codes: 0 all ran and gave rows, 1 not, 77 no readers here (under CI that is 1).
"""

import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sql duckdb|python pyarrow)\n(.*?)^```$", re.S | re.M)


def blocks(archive, document):
    import duckdb

    with open(document, encoding="utf-8") as file:
        text = file.read()
    found = BLOCK.findall(text)
    if len(found) < 8:
        sys.exit(f"{document} has only {len(found)} blocks to run")
    connection = duckdb.connect()
    for kind, code in found:
        code = code.replace("/mnt/archive", archive)
        print(code)
        if kind == "python pyarrow":
            exec(compile(code, document, "exec"), {})
            continue
        relation = connection.sql(code)
        if code.startswith("CREATE"):
            continue
        rows = relation.to_arrow_table()
        print(f"-- {rows.num_rows} rows of {rows.column_names}\n")
        if rows.num_rows == 0 or any(column.null_count == rows.num_rows for column in rows.columns
                                     if column.type != "null" and rows.num_columns < 8):
            sys.exit("the block above gave nothing")
    counted = connection.sql(
        "SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM trades_once)").fetchall()[0]
    if counted[0] != counted[1]:
        sys.exit(f"a glob sees {counted[0]} rows, of which {counted[1]} differ")


def main():
    if sys.argv[1] == "--blocks":
        return blocks(sys.argv[2], sys.argv[3])
    binary, document = sys.argv[1:3]
    services = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "services", "python")
    made = subprocess.run([services, "readers"], capture_output=True, text=True)
    if made.returncode != 0:
        print(made.stderr)
        needed = os.environ.get("CI") or os.environ.get("TAPEDECK_REQUIRE_SERVICES")
        sys.exit(1 if needed else 77)
    python = made.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="tapedeck-lake-") as folder:
        environment = dict(os.environ, TAPEDECK_HTTP__LISTEN="127.0.0.1:0")
        demo = subprocess.run(
            [binary, "demo", "--duration", "3s", "--data-dir", os.path.join(folder, "data")],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        if demo.returncode != 0:
            sys.exit(f"the demo ended with {demo.returncode}:\n{demo.stdout}{demo.stderr}")
        archive = os.path.join(folder, "data", "archive")
        subprocess.run([python, os.path.abspath(__file__), "--blocks", archive, document], check=True,
                       timeout=240)


if __name__ == "__main__":
    main()
