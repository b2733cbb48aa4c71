#!/usr/bin/env python3
"""Trades as pandas frames: from an Arrow stream (exact decimals, nanoseconds), and from CSV.

  examples/pandas_reader.py http://127.0.0.1:8080

Needs pandas and pyarrow.
"""

import decimal
import sys
import urllib.request

import pandas
import pyarrow.ipc


def trades_by_arrow(node):
    """Batch by batch as they come. A stream that breaks off raises: HTTP says that bytes are missing."""
    with urllib.request.urlopen(f"{node}/v1/trades?symbols=*&format=arrow") as answer:
        return pyarrow.ipc.open_stream(answer).read_pandas()


def trades_by_csv(node):
    """Numbers as Decimal: a float would round them."""
    return pandas.read_csv(
        f"{node}/v1/trades?symbols=*&format=csv",
        parse_dates=["ts"],
        converters={name: lambda text: decimal.Decimal(text) if text else None for name in ("price", "size")},
    )


def main():
    node = sys.argv[1]
    by_arrow, by_csv = trades_by_arrow(node), trades_by_csv(node)
    print(by_arrow[["ts", "symbol", "price", "size"]].to_string(max_rows=10))
    same = len(by_arrow) == len(by_csv) and all((by_arrow[name] == by_csv[name]).all() for name in ("ts", "symbol", "price", "size"))
    print(f"{len(by_arrow)} trades, the same by Arrow and by CSV: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
