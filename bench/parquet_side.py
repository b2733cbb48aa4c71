#!/usr/bin/env python3
"""pyarrow and DuckDB as the other side of parquet_bench: reads commands, answers each with one line.

  load FILE          the rows of a Parquet file, in memory for both                                -> ok ROWS
  default FILE       pyarrow.parquet.write_table with its defaults, zstd level 1                   -> ok BYTES WALL_S CPU_S
  encoded FILE       the same with the encodings, pages and row groups of our objects              -> ok BYTES WALL_S CPU_S
  duckdb FILE        COPY … TO FILE (FORMAT parquet, COMPRESSION zstd), one thread                 -> ok BYTES WALL_S CPU_S

Each file is synced before the time is taken, and thrown away.
"""

import os
import resource
import sys
import time

import duckdb
import pyarrow
import pyarrow.parquet

ROW_GROUP = 1 << 19


def cpu_seconds():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


class Side:
    def __init__(self):
        pyarrow.set_cpu_count(1)
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1")
        self.table = None
        self.delta = []

    def load(self, path):
        self.table = pyarrow.parquet.read_table(path, use_threads=False)
        meta = pyarrow.parquet.ParquetFile(path).metadata
        group = meta.row_group(0)
        self.delta = [meta.schema.column(i).path for i in range(meta.num_columns)
                      if "DELTA_BINARY_PACKED" in group.column(i).encodings]
        self.connection.execute("DROP TABLE IF EXISTS rows")
        self.connection.execute(f"CREATE TABLE rows AS SELECT * FROM '{path}'")
        return str(self.table.num_rows)

    def measure(self, path, write):
        cpu, start = cpu_seconds(), time.perf_counter()
        write()
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        size = os.path.getsize(path)
        os.unlink(path)
        return f"{size} {wall:.6f} {cpu:.6f}"

    def default(self, path):
        return self.measure(path, lambda: pyarrow.parquet.write_table(
            self.table, path, compression="zstd", compression_level=1))

    def encoded(self, path):
        others = [name for name in self.table.column_names if name not in self.delta]
        return self.measure(path, lambda: pyarrow.parquet.write_table(
            self.table, path, compression="zstd", compression_level=1, row_group_size=ROW_GROUP,
            use_dictionary=others, column_encoding={name: "DELTA_BINARY_PACKED" for name in self.delta},
            store_decimal_as_integer=True, write_page_index=True, write_page_checksum=True))

    def duckdb(self, path):
        return self.measure(path, lambda: self.connection.execute(
            f"COPY rows TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP})"))


def main():
    side = Side()
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            print("ok", getattr(side, command)(*arguments), flush=True)
        except Exception as error:  # whatever it is, the bench prints it and stops
            print("error", str(error).replace("\n", " ")[:500], flush=True)


if __name__ == "__main__":
    main()
