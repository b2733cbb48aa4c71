#!/usr/bin/env python3
"""ClickHouse in this process (chdb), as the other side of a benchmark: reads commands, answers each with one line.

  load FILE                    the rows of a Parquet file become the table `quotes`, in memory        -> ok ROWS
  run FORMAT [SETTING=VALUE]…  SELECT the six columns FORMAT FORMAT on one thread       -> ok BYTES WALL_S CPU_S
  save FILE FORMAT [SETTING=VALUE]…    the same into a file, for comparing content                    -> ok BYTES

In process means: nothing is sent anywhere. The server's HTTP layer, its session and its network are left out, and the
answer is a buffer in this process, as it is a string on our side.
"""

import resource
import sys
import time

from chdb import session

COLUMNS = "ts, symbol, bid_price, bid_size, ask_price, ask_size"


def cpu_seconds():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


class Side:
    def __init__(self):
        self.session = session.Session()

    def load(self, path):
        self.session.query("DROP TABLE IF EXISTS quotes")
        self.session.query(f"CREATE TABLE quotes ENGINE = Memory AS SELECT {COLUMNS} FROM file('{path}', Parquet)"
                           " SETTINGS max_threads = 1, max_insert_threads = 1, input_format_parquet_preserve_order = 1")
        rows = self.session.query("SELECT count() FROM quotes", "TSV")
        return str(int(str(rows)))

    def select(self, name, settings):
        listed = ", ".join(["max_threads = 1"] + [setting.replace("=", " = ", 1) for setting in settings])
        return f"SELECT {COLUMNS} FROM quotes SETTINGS {listed}", name

    def run(self, name, *settings):
        query = self.select(name, settings)
        cpu, start = cpu_seconds(), time.perf_counter()
        answer = self.session.query(*query)
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        return f"{len(answer)} {wall:.6f} {cpu:.6f}"

    def save(self, path, name, *settings):
        answer = self.session.query(*self.select(name, settings)).bytes()
        with open(path, "wb") as file:
            file.write(answer)
        return str(len(answer))


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
