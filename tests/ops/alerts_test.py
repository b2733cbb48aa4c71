#!/usr/bin/env python3
"""Tries ops/alerts.yml with Prometheus' promtool: each alert fires where it should, and on a node that is well none does.

  tests/ops/alerts_test.py          exit 77 where promtool cannot be had
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMTOOL = ROOT / "tests" / "services" / "promtool"
RULES = ROOT / "ops" / "alerts.yml"
HOURS = 6  # of a test, in steps of a minute
PARTITION = 'instance="here", topic="a", partition="0"'

# Series of a node that is well, and for each alert those that are otherwise when it has to fire.
WELL = {
    'up{job="tapedeck", instance="here"}': "1x{n}",
    f"tapedeck_lag_seconds{{{PARTITION}}}": "5x{n}",
    f"tapedeck_retention_headroom_seconds{{{PARTITION}}}": "600000x{n}",
    'tapedeck_gaps_total{instance="here", topic="a", reason="elsewhere"}': "0+1x{n}",
    'tapedeck_store_stall_seconds_total{instance="here"}': "3x{n}",
    'tapedeck_archive_damaged_objects{instance="here"}': "0x{n}",
    'tapedeck_ship_oldest_open_day_seconds{instance="here", table="trades"}': "90000x{n}",
    'tapedeck_record_hole_messages_total{instance="here"}': "0x{n}",
}
TROUBLE = {
    "TapedeckDown": {'up{job="tapedeck", instance="here"}': "0x{n}"},
    "TapedeckBehind": {f"tapedeck_lag_seconds{{{PARTITION}}}": "61x{n}"},
    "TapedeckRetentionNear": {f"tapedeck_retention_headroom_seconds{{{PARTITION}}}": "21599x{n}",
                              f"tapedeck_lag_seconds{{{PARTITION}}}": "601x{n}"},
    "TapedeckGap": {'tapedeck_gaps_total{instance="here", topic="a", reason="retention"}': "0+1x{n}"},
    "TapedeckStoreStalled": {'tapedeck_store_stall_seconds_total{instance="here"}': "0+10x{n}"},
    "TapedeckArchiveDamaged": {'tapedeck_archive_damaged_objects{instance="here"}': "1x{n}"},
    "TapedeckNotShipping": {'tapedeck_ship_oldest_open_day_seconds{instance="here", table="trades"}': "300000x{n}"},
    "TapedeckClientLeftOut": {'tapedeck_record_hole_messages_total{instance="here"}': "0+1x{n}"},
}
# What fires with another, rightly.
TOGETHER = {"TapedeckRetentionNear": {"TapedeckBehind"}}


def firing(series):
    """Names of the alerts of RULES that fire at the end of HOURS."""
    with tempfile.TemporaryDirectory() as folder:
        test = pathlib.Path(folder) / "test.yml"
        inputs = "".join(f"      - series: '{name}'\n        values: '{values.format(n=HOURS * 60)}'\n"
                         for name, values in series.items())
        # None is expected of each, so promtool names those that there were.
        none = "".join(f"      - eval_time: {HOURS}h\n        alertname: {alert}\n        exp_alerts: []\n" for alert in TROUBLE)
        test.write_text(f"rule_files: [{RULES}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"
                        f"{inputs}    alert_rule_test:\n{none}")
        outcome = subprocess.run([PROMTOOL, "test", "rules", test], capture_output=True, text=True)
        said = outcome.stdout + outcome.stderr
        fired = set(re.findall(r"alertname: (\w+)", said))
        assert (outcome.returncode == 0) == (not fired), said
        return fired


class AlertsTest(unittest.TestCase):
    def test_rules_are_right_and_each_is_tried(self):
        outcome = subprocess.run([PROMTOOL, "check", "rules", RULES], capture_output=True, text=True)
        self.assertEqual(outcome.returncode, 0, outcome.stdout + outcome.stderr)
        self.assertEqual(set(re.findall(r"- alert: (\w+)", RULES.read_text())), set(TROUBLE))

    def test_metrics_that_rules_name_are_in_their_page(self):
        page = (ROOT / "docs" / "metrics.md").read_text()
        for name in re.findall(r"\b(?:tapedeck|process)_\w+", RULES.read_text()):
            self.assertIn(f"| `{name}` | ", page)

    def test_a_node_that_is_well_wakes_nobody(self):
        self.assertEqual(firing(WELL), set())

    def test_each_trouble_is_told(self):
        for alert, series in TROUBLE.items():
            with self.subTest(alert):
                self.assertEqual(firing(WELL | series), {alert} | TOGETHER.get(alert, set()))


if __name__ == "__main__":
    if subprocess.run([PROMTOOL, "install"], capture_output=True).returncode != 0:
        print("promtool cannot be had")
        sys.exit(77)
    unittest.main()
