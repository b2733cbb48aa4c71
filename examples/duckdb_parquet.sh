#!/usr/bin/env bash
# Candles of a minute, by DuckDB, from a Parquet answer that curl has saved. Prices are DECIMAL: sums and bounds are exact.
#
#   examples/duckdb_parquet.sh http://127.0.0.1:8080
#
# Needs DuckDB for Python; PYTHON names the interpreter that has it.
set -euo pipefail
node=${1:?the address of a node, such as http://127.0.0.1:8080}
file=$(mktemp --suffix .parquet)
trap 'rm -f "$file"' EXIT
curl -fsS -o "$file" "$node/v1/trades?symbols=*&format=parquet"
"${PYTHON:-python3}" - "$file" << 'END'
import sys

import duckdb

print(duckdb.sql(f"""
    SELECT symbol, date_trunc('minute', ts::TIMESTAMPTZ) AS minute,
           arg_min(price, ts) AS open, max(price) AS high, min(price) AS low, arg_max(price, ts) AS close,
           sum(size) AS volume, count(*) AS trades
    FROM read_parquet('{sys.argv[1]}') GROUP BY ALL ORDER BY ALL"""))
END
