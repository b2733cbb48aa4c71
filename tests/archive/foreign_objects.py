#!/usr/bin/env python3
"""Reads our objects with readers that share no code of ours, and compares them with what went in.

  foreign_objects.py records OBJECT EXPECTED     EXPECTED.json: {"columns": [[name, type], …], "rows": [[cell, …], …]}
  foreign_objects.py tape OBJECT EXPECTED        EXPECTED.json: {"messages": [[cell, …], …]}

Cells of records: ts in ns, symbol, each column, ts_kafka in ms, topic, partition, lineage, offset, index. Text and bytes
are hexadecimal, numbers as they were written, null is null. Of messages: offset, timestamp, ts_type, received in ns, key,
value, [[name, value], …]. Prints the first difference and exits 1.
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


def exact(text, raw):
    """Hexadecimal of a text column and its _bytes."""
    if raw is not None:
        return bytes(raw).hex()
    return None if text is None else text.encode().hex()


def record_cells(columns, read):
    """Rows of cells; read(name) gives the values of a column of the file, times as integers."""
    named = {name for name, _ in columns}

    def free(name):
        while name in named:
            name += "_"
        return name

    lists = [read(free("ts_ns")), [exact(*pair) for pair in zip(read("symbol"), read(free("symbol_bytes")))]]
    for name, kind in columns:
        if kind == "decimal":
            parts = zip(read(name), read(free(name + "_scale")), read(free(name + "_text")))
            lists.append([number(*part) for part in parts])
        elif kind == "text":
            lists.append([exact(*pair) for pair in zip(read(name), read(free(name + "_bytes")))])
        elif kind == "timestamp":
            lists.append(read(free(name + "_ns")))
        else:
            lists.append(read(name))
    lists += [read("ts_kafka"), [topic.encode().hex() for topic in read("topic")]]
    lists += [read(name) for name in ("partition", "lineage", "offset", "index")]
    assert [ns // 1000 for ns in lists[0]] == read("ts"), "ts and ts_ns differ"
    return [list(row) for row in zip(*lists)]


def compare(what, seen, expected):
    if len(seen) != len(expected):
        sys.exit(f"{what}: {len(seen)} rows instead of {len(expected)}")
    for at, (a, b) in enumerate(zip(seen, expected)):
        if a != b:
            sys.exit(f"{what}: row {at} is {a} instead of {b}")


def with_pyarrow(path):
    table = pyarrow.parquet.read_table(path)
    table.validate(full=True)

    def read(name):
        column = table.column(name)
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.int64())
        return column.to_pylist()

    return table, read


def with_duckdb(path):
    connection = duckdb.connect()
    kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
    unit = {"ts_kafka": "epoch_ms", "timestamp": "epoch_ms"}

    def read(name):
        shown = f'"{name}"'
        if kinds[name].startswith("TIMESTAMP"):
            shown = f"{unit.get(name, 'epoch_us')}({shown})"
        return [row[0] for row in connection.execute(f"SELECT {shown} FROM '{path}'").fetchall()]

    return connection, read


def check_file(path, sorted_by):
    """What engines prune by."""
    meta = pyarrow.parquet.ParquetFile(path).metadata
    names = [meta.schema.column(i).path for i in range(meta.num_columns)]
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        assert [names[column.column_index] for column in group.sorting_columns] == sorted_by, group.sorting_columns
        for i in range(meta.num_columns):
            column = group.column(i)
            assert column.has_offset_index, f"no page index for {names[i]}"
            assert column.has_column_index or names[i] in ("key", "value"), f"no bounds of pages for {names[i]}"
            assert column.compression == "ZSTD", column.compression


def check_sums(path, columns, rows, connection):
    """Counts, sums of decimals and bounds by SQL, over all rows and over those of one symbol."""
    count, first, last = connection.execute(
        f"SELECT count(*), min(epoch_us(ts)), max(epoch_us(ts)) FROM '{path}'").fetchone()
    assert (count, first, last) == (len(rows), min(row[0] for row in rows) // 1000, max(row[0] for row in rows) // 1000)
    for at, (name, kind) in enumerate(columns):
        if kind != "decimal":
            continue
        # Sums of DuckDB have 38 digits, so great numbers are left out; and what more than eight digits keep apart from text.
        summed, count = connection.execute(f"""SELECT coalesce(sum("{name}"), 0), count(*) FROM '{path}'
                                               WHERE abs("{name}") < 1000000 AND round("{name}", 8) = "{name}\"""").fetchone()
        numbers = [decimal.Decimal(row[2 + at]) for row in rows if row[2 + at] is not None]
        short = [n for n in numbers if abs(n) < 1000000 and n == n.quantize(decimal.Decimal("1e-8"))
                 and not (n.is_zero() and n.is_signed())]
        assert (summed, count) == (sum(short), len(short)), f"sum of {name}: {summed} instead of {sum(short)}"
    symbol = rows[len(rows) // 2][1]
    if bytes.fromhex(symbol).isascii():
        seen, = connection.execute(f"SELECT count(*) FROM '{path}' WHERE symbol = ?",
                                   [bytes.fromhex(symbol).decode()]).fetchone()
        assert seen == sum(1 for row in rows if row[1] == symbol)
    bounds = connection.execute(f"""SELECT stats_min_value, stats_max_value FROM parquet_metadata('{path}')
                                    WHERE path_in_schema = 'ts_ns' OR path_in_schema = 'ts_ns_'
                                    ORDER BY row_group_id""").fetchall()
    assert bounds and all(low is not None and high is not None for low, high in bounds), "no bounds of row groups"


def records(path, expected):
    columns, rows = expected["columns"], expected["rows"]
    check_file(path, ["symbol", "ts", "ts_ns_" if "ts_ns" in [name for name, _ in columns] else "ts_ns"])
    table, read = with_pyarrow(path)
    assert str(table.schema.field("ts").type) == "timestamp[us, tz=UTC]", table.schema.field("ts")
    assert str(table.schema.field("ts_kafka").type) == "timestamp[ms, tz=UTC]", table.schema.field("ts_kafka")
    compare("pyarrow", record_cells(columns, read), rows)
    connection, read = with_duckdb(path)
    compare("DuckDB", record_cells(columns, read), rows)
    check_sums(path, columns, rows, connection)


def tape(path, expected):
    check_file(path, ["offset"])
    for what, (_, read) in (("pyarrow", with_pyarrow(path)), ("DuckDB", with_duckdb(path))):
        lists = [read(name) for name in ("offset", "timestamp", "ts_type", "received_ns", "key", "value", "headers")]
        for at in (4, 5):
            lists[at] = [None if value is None else bytes(value).hex() for value in lists[at]]
        lists[6] = [[[bytes(pair["key"]).hex(), None if pair["value"] is None else bytes(pair["value"]).hex()]
                     for pair in headers] for headers in lists[6]]
        compare(what, [list(row) for row in zip(*lists)], expected["messages"])
        assert [ns // 1000 for ns in lists[3]] == read("received"), "received and received_ns differ"


def main():
    kind, path, expected = sys.argv[1:]
    {"records": records, "tape": tape}[kind](path, json.loads(pathlib.Path(expected).read_text(encoding="utf-8")))
    print(f"{path}: equal for pyarrow and DuckDB")


if __name__ == "__main__":
    main()
