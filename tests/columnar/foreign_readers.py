#!/usr/bin/env python3
"""Reads what our writers wrote with readers that share no code of ours, and compares cell by cell.

  foreign_readers.py CASE…      CASE.json says what must be seen, CASE.arrow and CASE.parquet are read

CASE.json: {"fields": [[name, "plain" | "decimal" | "time"], …], "rows": [[cell, …], …]}; a cell is the text that came
in or null. A number is put together from its DECIMAL and <name>_scale, or is in <name>_text. Prints the first difference
and exits 1.
"""

import decimal
import json
import pathlib
import sys

import duckdb
import pyarrow
import pyarrow.parquet

decimal.getcontext().prec = 80


def number(value, scale, text):
    """The number as it was written."""
    if value is None:
        assert scale is None, "a scale without its number"
        return text
    assert text is None, "a number twice"
    shown = value.quantize(decimal.Decimal(1).scaleb(-scale))
    assert shown == value, f"{value} has more digits than its scale {scale}"
    return format(shown, "f")


def plain(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def cells(fields, columns):
    """Rows of cells from {column name: list of values}."""
    lists = []
    for name, kind in fields:
        if kind == "decimal":
            lists.append([number(*parts) for parts in
                          zip(columns[name], columns[name + "_scale"], columns[name + "_text"])])
        else:
            lists.append([plain(value) for value in columns[name]])
    return [list(row) for row in zip(*lists)]


def with_pyarrow(table, fields):
    for name, kind in fields:
        if kind == "time":
            at = table.column_names.index(name)
            assert table.schema.field(at).type == pyarrow.timestamp("ns", "UTC"), table.schema.field(at)
            table = table.set_column(at, name, table.column(at).cast(pyarrow.int64()))
    table.validate(full=True)
    return cells(fields, table.to_pydict())


def with_duckdb(connection, relation, fields):
    """`relation`: what stands behind FROM."""
    times = {name for name, kind in fields if kind == "time"}
    names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    listed = ", ".join(f'epoch_ns("{name}") AS "{name}"' if name in times else f'"{name}"' for name in names)
    rows = connection.execute(f"SELECT {listed} FROM {relation}").fetchall()
    return cells(fields, {name: [row[i] for row in rows] for i, name in enumerate(names)})


def with_the_manual(parquet):
    """Prices as the query of docs/columnar.md writes them."""
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "columnar.md").read_text(encoding="utf-8")
    query = page.split("```sql\n")[1].split("```")[0]
    return [row[0] for row in duckdb.connect().execute(query.replace("answer.parquet", parquet)).fetchall()]


def compare(what, seen, expected):
    if len(seen) != len(expected):
        sys.exit(f"{what}: {len(seen)} rows instead of {len(expected)}")
    for at, (a, b) in enumerate(zip(seen, expected)):
        if a != b:
            sys.exit(f"{what}: row {at} is {a} instead of {b}")


def main():
    for case in sys.argv[1:]:
        wanted = json.loads(pathlib.Path(case + ".json").read_text(encoding="utf-8"))
        fields, rows = wanted["fields"], wanted["rows"]
        with pyarrow.OSFile(case + ".arrow") as source:
            arrow = pyarrow.ipc.open_stream(source).read_all()
        parquet = pyarrow.parquet.read_table(case + ".parquet")
        name = pathlib.Path(case).name
        compare(f"{name}: Arrow by pyarrow", with_pyarrow(arrow, fields), rows)
        compare(f"{name}: Parquet by pyarrow", with_pyarrow(parquet, fields), rows)
        connection = duckdb.connect()
        connection.register("answer", arrow)
        compare(f"{name}: Parquet by DuckDB", with_duckdb(connection, f"'{case}.parquet'", fields), rows)
        compare(f"{name}: Arrow by DuckDB", with_duckdb(connection, "answer", fields), rows)
        if parquet.schema.field("price").type == pyarrow.decimal128(18, 8):
            at = [field for field, _ in fields].index("price")
            compare(f"{name}: prices by the manual's query", with_the_manual(case + ".parquet"),
                    [row[at] for row in rows])
        print(f"{name}: {len(rows)} rows are equal for four readers")


if __name__ == "__main__":
    main()
