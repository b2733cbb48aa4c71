#!/usr/bin/env bash
# All trades, a page at a time: each page names the next one in its Link header, and the last one names none.
#
#   examples/paging.sh http://127.0.0.1:8080 [rows of a page]
set -euo pipefail
node=${1:?the address of a node, such as http://127.0.0.1:8080}
next="/v1/trades?symbols=*&format=ndjson&limit=${2:-1000}"
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
while [[ -n $next ]]; do
  curl -fsS -D "$headers" "$node$next"
  next=$(sed -n 's/^[Ll]ink: <\(.*\)>; rel="next".*/\1/p' "$headers" | tr -d '\r')
done
