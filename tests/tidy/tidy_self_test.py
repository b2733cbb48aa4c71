#!/usr/bin/env python3
"""Feeds tidy_test.py small trees that each break one rule, and one that breaks none."""

import pathlib
import tempfile
import unittest

import tidy_test

SRC_CMAKE = """
# td_module(ghost): a comment is no declaration
td_module(base FOREIGN zstd)
td_module(model DEPS base FOREIGN nlohmann)
td_module(store   DEPS model base
                  FOREIGN rocksdb)
"""
TOOLS_CMAKE = "function(td_tool folder program)\nendfunction()\ntd_tool(tapedeck tapedeck DEPS store base)\n"
GOOD = """#ifndef G_H_
#define G_H_
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/status.h"
#endif
"""


def long_function(lines, head="int Long(int x) {"):
    return head + "\n" + "  x += 1;\n" * (lines - 2) + "}\n"


class TidyTest(unittest.TestCase):
    def findings(self, files):
        """(rule, path) of each finding in a tree of `files` beside a house without faults."""
        tree = {"src/CMakeLists.txt": SRC_CMAKE, "tools/CMakeLists.txt": TOOLS_CMAKE, "src/base/status.h": "",
                "src/base/README.md": "# base\n", "src/store/good.h": GOOD, "src/store/README.md": "# store\n"} | files
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in tree.items():
                if text is None:
                    continue
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            exempt, tidy_test.EXEMPT = tidy_test.EXEMPT, self.exempt
            try:
                report = tidy_test.check(root)
            finally:
                tidy_test.EXEMPT = exempt
        self.warnings = [(warning.rule, warning.path) for warning in report.warnings]
        return [(finding.rule, finding.path) for finding in sorted(report.findings)]

    def setUp(self):
        self.exempt = {}
        self.warnings = []

    def assert_only(self, rule, path, files):
        self.assertEqual(self.findings(files), [(rule, path)])

    def test_house_in_order_has_no_findings(self):
        self.assertEqual(self.findings({}), [])

    def test_undeclared_edge(self):
        self.assert_only("edge", "src/base/a.cc", {"src/base/a.cc": '#include "store/good.h"\n'})
        self.assert_only("edge", "tools/tapedeck/a.cc", {"tools/tapedeck/a.cc": '#include "model/x.h"\n'})

    def test_undeclared_module(self):
        self.assert_only("edge", "src/query/a.cc", {"src/query/a.cc": "int x;\n"})

    def test_arrow_that_points_up(self):
        self.assert_only("order", "src/CMakeLists.txt", {
            "src/CMakeLists.txt": SRC_CMAKE.replace("td_module(base ", "td_module(base DEPS model ")})

    def test_foreign_header_outside_its_module(self):
        for header in ("rocksdb/db.h", "librdkafka/rdkafka.h", "tape_generated.h", "simdjson.h", "openssl/evp.h"):
            self.assert_only("foreign", "src/model/a.cc", {"src/model/a.cc": f"#include <{header}>\n"})
        self.assert_only("foreign", "src/model/a.cc", {"src/model/a.cc": '#include "codec/tape_generated.h"\n'})
        self.assert_only("foreign", "tools/tapedeck/a.cc", {"tools/tapedeck/a.cc": "#include <rocksdb/db.h>\n"})

    def test_foreign_header_at_home(self):
        self.assertEqual(self.findings({
            "src/store/a.cc": "#include <rocksdb/db.h>\n", "tools/tapedeck/a.cc": "#include <CLI/CLI.hpp>\n",
            "tests/store/a.cc": "#include <rocksdb/db.h>\n"}), [])

    def test_library_that_nobody_knows(self):
        self.assert_only("foreign", "src/model/a.cc", {"src/model/a.cc": "#include <mystery/all.h>\n"})

    def test_include_that_climbs_or_has_no_module(self):
        self.assertIn(("include", "src/store/a.cc"), self.findings({"src/store/a.cc": '#include "../base/status.h"\n'}))
        self.assert_only("include", "src/store/a.cc", {"src/store/a.cc": '#include "good.h"\n'})

    def test_function_far_too_long(self):
        self.assert_only("size", "src/store/a.cc", {"src/store/a.cc": long_function(91)})
        self.assertEqual(self.findings({"src/store/a.cc": long_function(90)}), [])
        self.assertEqual(self.warnings, [("size", "src/store/a.cc")])
        self.assertEqual(self.findings({"src/store/a.cc": long_function(70)}), [])
        self.assertEqual(self.warnings, [])

    def test_long_functions_are_found_wherever_they_hide(self):
        for head in ("namespace a {\nnamespace {\nclass X : public Y {\n public:\n  int F() const {",
                     "struct X {\n  X(int a) : a_{a}, b_{1} {",
                     "X::X(Options options = {}) noexcept : a_(1) {",
                     "template <typename T>\nstd::vector<T> F(const T& x) requires Big<T> {",
                     "template <typename T = int, size_t kN = (1 + 2) * 3>\nauto F(int a = (1)) -> int {",
                     'extern "C" {\nvoid F(void) {',
                     "const auto kF = [](int x) {",
                     "enum class E : uint8_t { kA = 1 };\n#define M(x) \\\n  if (x) {\nbool operator==(const X& a) {"):
            self.assert_only("size", "src/store/a.cc", {"src/store/a.cc": long_function(91, head) + "};\n" * 3})

    def test_long_lists_and_classes_are_no_functions(self):
        rows = "  {1, 2},\n" * 120
        members = "  int F() { return 1; }\n" * 120
        self.assertEqual(self.findings({
            "src/store/a.cc": f"constexpr int kTable[][2] = {{\n{rows}}};\nclass X {{\n{members}}};\n",
            "src/store/b.cc": 'const char* kText = R"x(\n' + "int F() {\n" * 100 + ')x";\n// int F() {\n'}), [])

    def test_file_far_too_long(self):
        self.assert_only("size", "src/store/a.h", {"src/store/a.h": "int a;\n" * 301})
        self.assert_only("size", "src/store/a.cc", {"src/store/a.cc": "int a;\n" * 601})
        self.assertEqual(self.findings({"tests/store/a.cc": "int a;\n" * 601}), [])

    def test_line_too_long(self):
        self.assert_only("columns", "src/store/a.cc", {"src/store/a.cc": "// " + "x" * 98 + "\n"})
        self.assertEqual(self.findings({"src/store/a.cc": 'auto a = "' + "x" * 120 + '";\n'}), [])

    def test_folder_that_says_nothing(self):
        self.assert_only("name", "tests/utils", {"tests/utils/a.txt": ""})

    def test_time_and_chance_outside_base(self):
        for code in ("auto t = std::chrono::system_clock::now();", "std::this_thread::sleep_for(x);", "usleep(5);",
                     "std::random_device d;", "auto t = time(nullptr);", "int r = rand();", "::sleep(1);"):
            self.assert_only("time", "src/store/a.cc", {"src/store/a.cc": code + "\n"})
            self.assertEqual(self.findings({"src/base/a.cc": code + "\n"}), [])
        for code in ("// system_clock\n", "auto t = event.time(0);", "Operand(x); brand();", "clock.Sleep(x);"):
            self.assertEqual(self.findings({"src/store/a.cc": code + "\n"}), [])

    def test_exemption_by_name_and_only_while_needed(self):
        self.exempt = {("src/store/a.cc", "random"): "a reason"}
        self.assertEqual(self.findings({"src/store/a.cc": "std::random_device d;\n"}), [])
        self.assert_only("exempt", "src/store/a.cc", {})

    def test_module_without_readme(self):
        self.assert_only("readme", "src/store", {"src/store/README.md": None})

    def test_readme_that_a_formatter_of_code_has_spoilt(self):
        self.assert_only("readme", "src/store/README.md", {"src/store/README.md": "#store\n\nWhy it exists : rows.\n"})
        self.assert_only("readme", "src/store/README.md", {"src/store/README.md": "# store\n\nWhy :\n" + " " * 16 + "rows.\n" * 2})

    def test_metrics_and_their_page(self):
        page = "| name | type | | | |\n|---|---|---|---|---|\n| `tapedeck_a_total` | counter | | A | |\n"
        source = 'auto a = Add("tapedeck_a_total");  // was called "tapedeck_old"\n'
        self.assertEqual(self.findings({"docs/metrics.md": page, "src/store/a.cc": source}), [])
        self.assert_only("metric", "src/store/a.cc", {"docs/metrics.md": page, "src/store/a.cc": source + 'Add("tapedeck_b");\n'})
        self.assert_only("metric", "docs/metrics.md", {"docs/metrics.md": page + page.replace("_a_", "_b_"), "src/store/a.cc": source})

    def test_example_that_would_not_compile(self):
        head = "//   Reader reader(point, {.a = 1, .b = [&] { return x->y; }});\n//   auto other = Reader::Make(point);\n"
        body = "class Reader {\n public:\n  Reader(Point p, Options o = {});\n  static Result<Reader> Make(Point p, int many = 3, std::map<int, int> m = {});\n};\n"
        self.assertEqual(self.findings({"src/store/a.h": head + body}), [])
        for other in (body.replace("Options o = {}", ""), body.replace("Point p, int many = 3", "Point p, int many")):
            self.assert_only("example", "src/store/a.h", {"src/store/a.h": head + other.replace("Point p, )", "Point p)")})

    def test_table_that_an_empty_line_has_cut(self):
        table = "| a | b |\n|---|:-:|\n| 1 | 2 |\n"
        self.assertEqual(self.findings({"docs/formats.md": table + "\n```\n| ascii |\n```\n"}), [])
        self.assert_only("table", "docs/formats.md", {"docs/formats.md": table + "\n| 3 | 4 |\n"})

    def test_page_that_nobody_is_led_to(self):
        listed = {"README.md": "[one](docs/one.md)\n", "docs/one.md": "# One\n"}
        self.assertEqual(self.findings(listed), [])
        self.assert_only("unlisted", "docs/two.md", listed | {"docs/two.md": "# Two\n"})

    def test_documents_that_are_not_in_the_tree(self):
        page = {"docs/faults.md": "| row | what | proof |\n|---|---|---|\n| A1 | killed | `Store.IsKilled`, `Store.Is…`; `a_node_is_killed_here` |\n| G7 | names | |\n",
                "tests/store/a_test.cc": "TEST_F(Store, IsKilled) {}\n", "tests/scenarios/a.py": "def a_node_is_killed_here(rig):\n"}
        page["docs/formats.md"] = "# Formats\n\n## Keys of tapes\n"
        self.assert_only("document", "src/store/a.cc", page | {"src/store/a.cc": '// docs/formats.md, "Values"\n'})
        well = '// docs/formats.md, "Keys"; docs/faults.md, G7; see faults.md and https://a.host/of/OTHERS.md\n'
        self.assertEqual(self.findings(page | {"src/store/a.cc": well}), [])
        for text in ("// docs/gone.md\n", "// DESIGN.md\n", "// (ROBUSTNESS A1)\n", "// docs/faults.md, A9\n"):
            self.assert_only("document", "src/store/a.cc", page | {"src/store/a.cc": text})
        self.assert_only("document", "tests/store/b_test.cc", page | {"tests/store/b_test.cc": "TEST(Store, B4IsGone) {}\n"})
        self.assert_only("document", "tests/scenarios/b.py", page | {"tests/scenarios/b.py": '@scenario("log", "A1 B4")\n'})
        for gone in ("Store.IsNot", "Other.*", "nobody_wrote_this_one"):
            self.assert_only("proof", "docs/faults.md", page | {"docs/faults.md": page["docs/faults.md"] + f"| A2 | | `{gone}` |\n"})

    def test_decision_without_number(self):
        self.assert_only("decision", "docs/decisions/why.md", {"docs/decisions/why.md": "",
                                                               "docs/decisions/0001-toml-in-config.md": "# 0001: TOML"})
        self.assert_only("decision", "docs/decisions/0002-why.md", {"docs/decisions/0002-why.md": "# 2. why\n"})

    def test_class_that_two_files_of_one_program_define(self):
        here = "namespace tapedeck {\nclass Reader final : public Base<int> {\n  int x = {1};\n};\n}\n"
        for there in ("namespace tapedeck {\nstruct Reader {};\n}\n", "namespace tapedeck {\nenum class Reader : char { kA };\n}\n",
                      "void F() { if (1) { } }\nnamespace tapedeck { template <typename T = std::vector<int>>\nclass Reader {};\n}\n",
                      "namespace tapedeck {\nX::X() : a_{1}, b_(2) { F(); }\nclass [[nodiscard]] Reader { int y; };\n}\n"):
            self.assert_only("twice", "src/store/b.cc", {"src/base/a.cc": here, "src/store/b.cc": there})
        self.assert_only("twice", "src/store/b.cc", {
            "src/base/a.cc": "namespace n { class A { struct State { int x; }; }; }\n",
            "src/store/b.cc": "namespace n { struct A::State { int y; }; }\n"})

    def test_classes_that_only_look_as_if_they_were_defined_twice(self):
        here = "namespace tapedeck {\nclass Reader {\n};\n}\n"
        for there in ("namespace tapedeck {\nnamespace {\nclass Reader {\n};\n}\n}\n", "namespace other {\nclass Reader {\n};\n}\n",
                      "namespace tapedeck {\nclass Reader;\nint F(class Reader* r) { return 1; }\n}\n",
                      "namespace tapedeck {\nvoid F() {\n  struct Reader { int x; };\n}\n}\n",
                      "namespace tapedeck {\nclass Outer {\n  class Reader {};\n};\n}\n",
                      "namespace tapedeck {\ntemplate <>\nclass Reader<int> {\n};\n}\n"):
            self.assertEqual(self.findings({"src/base/a.cc": here, "src/store/b.cc": there}), [], there)

    def test_class_of_a_test_clashes_only_with_what_its_program_holds(self):
        rig, other = "namespace tapedeck::testing {\nclass Rig {\n};\n}\n", "namespace tapedeck::testing {\nstruct Rig { int x; };\n}\n"
        apart = {"tests/one/a_test.cc": rig, "tests/two/b_test.cc": other, "tests/CMakeLists.txt": "td_test(one)\ntd_test(two DEPS base)\n"}
        self.assertEqual(self.findings(apart), [])
        self.assert_only("twice", "tests/two/b_test.cc", apart | {"tests/CMakeLists.txt": "td_test(two DEPS base SOURCES one/a_test.cc)\n"})
        self.assert_only("twice", "tests/two/rig.h", {
            "tests/one/a_test.cc": rig + '#include "two/rig.h"\n', "tests/two/rig.h": other, "tests/CMakeLists.txt": "td_test(one)\n"})


if __name__ == "__main__":
    unittest.main()
