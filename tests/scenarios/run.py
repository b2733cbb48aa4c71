#!/usr/bin/env python3
"""Runs scenarios: situations that a recording node must withstand, each against a real Apache Kafka and with its own oracle.

  run.py --binary build/release/bin/tapedeck [--group log]... [--filter REGEX] [--seed N] [--list]

Exit 0: all passed (some may have been skipped); 1: at least one failed; 77: all were skipped. A service that is missing is a failure where
TAPEDECK_REQUIRE_SERVICES or CI is set. A failure keeps the scenario's folder and prints its name; --filter and --seed repeat it.
"""

import argparse
import os
import random
import re
import sys

sys.dont_write_bytecode = True

import frame
import log_scenarios  # noqa: F401: registers
import changed_scenarios  # noqa: F401
import group_scenarios  # noqa: F401
import process_scenarios  # noqa: F401
import capture_scenarios  # noqa: F401
import wire_scenarios  # noqa: F401
import leader_scenarios  # noqa: F401
import secure_scenarios  # noqa: F401
import limit_scenarios  # noqa: F401
import archive_scenarios  # noqa: F401
import done_scenarios  # noqa: F401
import life_scenarios  # noqa: F401
import http_scenarios  # noqa: F401
import replay_scenarios  # noqa: F401
import fire_scenarios  # noqa: F401
import return_scenarios  # noqa: F401


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--filter", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TAPEDECK_SEED", "0")) or random.randrange(1, 2**32))
    arguments = parser.parse_args()
    entries = [entry for entry in frame.SCENARIOS if (not arguments.group or entry["group"] in arguments.group)
               and re.search(arguments.filter, entry["name"])]
    if arguments.list:
        for entry in entries:
            print(f"{entry['group']:8} {entry['rows']:8} {entry['name']}")
        return 0
    if not arguments.binary:
        parser.error("--binary is needed")
    return frame.main_for(entries, os.path.abspath(arguments.binary), arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
