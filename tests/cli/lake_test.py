#!/usr/bin/env python3
"""docs/lake.md, run: a demo ships to a folder, and every block for an engine that can be had reads it.

  lake_test.py BINARY DOCUMENT             DuckDB, pyarrow and Iceberg, by the pythons of tests/services/python
  lake_test.py --spark BINARY DOCUMENT     Spark
  lake_test.py --blocks ARCHIVE DOCUMENT ENGINE…      with this python

Exit codes: 0 all ran and gave rows, 1 not, 77 no readers here (under CI that is 1, but for Spark).
"""

import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(?:sql|python) (\w+)\n(.*?)^```$", re.S | re.M)


def duckdb_blocks(codes):
    import duckdb

    connection = duckdb.connect()
    for code in codes:
        print(code)
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


def spark_session():
    from pyspark.sql import SparkSession

    return (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())


def blocks(archive, document, engines):
    with open(document, encoding="utf-8") as file:
        found = BLOCK.findall(file.read())
    for engine in engines:
        codes = [code.replace("/mnt/archive", archive) for kind, code in found if kind == engine]
        if len(codes) < (7 if engine == "duckdb" else 1):
            sys.exit(f"{document} has only {len(codes)} blocks for {engine}")
        if engine == "duckdb":
            duckdb_blocks(codes)
            continue
        names = {"spark": spark_session()} if engine == "spark" else {}
        for code in codes:
            print(code)
            exec(compile(code, document, "exec"), names)


def python_of(name, needed):
    """The python of a set; ends the test where it cannot be made."""
    services = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "services", "python")
    made = subprocess.run([services, name], capture_output=True, text=True)
    if made.returncode != 0:
        print(f"no python with {name} here: {made.stderr}")
        sys.exit(1 if needed else 77)
    return made.stdout.strip()


def main():
    if sys.argv[1] == "--blocks":
        return blocks(sys.argv[2], sys.argv[3], sys.argv[4:])
    spark = sys.argv[1] == "--spark"
    binary, document = sys.argv[-2:]
    needed = os.environ.get("CI") or os.environ.get("TAPEDECK_REQUIRE_SERVICES")
    if spark:
        runs = [(python_of("spark", False), ["spark"])]
    else:
        runs = [(python_of("readers", needed), ["duckdb", "pyarrow"]), (python_of("iceberg", needed), ["iceberg"])]
    with tempfile.TemporaryDirectory(prefix="tapedeck-lake-") as folder:
        environment = dict(os.environ, TAPEDECK_HTTP__LISTEN="127.0.0.1:0")
        demo = subprocess.run(
            [binary, "demo", "--duration", "3s", "--data-dir", os.path.join(folder, "data")],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        if demo.returncode != 0:
            sys.exit(f"the demo ended with {demo.returncode}:\n{demo.stdout}{demo.stderr}")
        archive = os.path.join(folder, "data", "archive")
        for python, engines in runs:
            subprocess.run([python, os.path.abspath(__file__), "--blocks", archive, document, *engines], check=True,
                           timeout=600)


if __name__ == "__main__":
    main()
