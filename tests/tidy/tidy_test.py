#!/usr/bin/env python3
"""Fails where the tree leaves the rules of the house. Run by ctest as `tidy`; `tidy_self_test.py` tests it.

  tests/tidy/tidy_test.py [ROOT]      findings on stdout; exit 1 if there is any. Warnings do not count.

Checked:
  edge        an #include of a module that src/CMakeLists.txt (tools/CMakeLists.txt) does not declare
  order       a module that depends on one declared after it: arrows point down only
  foreign     a foreign library's header in a module without that library in its FOREIGN list
  include     `../`, or a quoted include that is not "module/file.h"
  size        a function, header or source far over the house sizes (a warning from the house size on)
  columns     lines over 100 columns, the insides of string literals not counted (clang-format -i mends most)
  name        a folder called utils, common, misc, helpers: names that say nothing
  time        wall clock, sleep or an unseeded random outside base: time and chance are parameters
  readme      a module without README.md, or one whose first line is not "# <module>", or that looks as if a formatter of code went over it
  twice       a class that two files of one program define under one name: the linker keeps either, and says nothing
  metric      a metric of src that docs/metrics.md lacks, or the other way round
  example     an example at the head of a header that gives its own class other arguments than it takes
  document    a document that is named and is not in the tree, or a row (A1, G7) that docs/faults.md does not have
  table       a table of a page that an empty line has cut in two, or without its heading
  unlisted    a page of docs/ that README.md does not lead to
  proof       a test or scenario that docs/faults.md names and nobody has written
  decision    a file in docs/decisions that is not NNNN-words.md, headed "# NNNN: words"
"""

import collections
import dataclasses
import pathlib
import re
import sys

# (house size, far over it): from the first on a warning, over the second a finding.
FUNCTION_LINES = (70, 90)
HEADER_LINES = (250, 300)
SOURCE_LINES = (500, 600)
TEST_LINES = (800, 1000)
CODE_COLUMNS = 100
FOLDER_FILES = (60, 100)

# Header prefix -> library name as in the FOREIGN lists. The longest prefix counts.
FOREIGN_HEADERS = {
    "librdkafka/": "rdkafka", "rocksdb/": "rocksdb", "simdjson.h": "simdjson", "flatbuffers/": "flatbuffers",
    "xxhash.h": "xxhash", "xxh3.h": "xxhash", "zstd.h": "zstd", "zstd_errors.h": "zstd", "zdict.h": "zstd", "zlib.h": "zlib",
    "spdlog/": "spdlog", "fmt/": "fmt", "prometheus/": "prometheus", "date/": "date", "toml++/": "toml", "CLI/": "cli11",
    "nlohmann/": "nlohmann", "openssl/": "openssl", "arrow/": "arrow", "parquet/": "arrow",
    "curl/": "curl", "boost/": "boost", "mimalloc": "mimalloc", "gperftools/": "gperftools", "gtest/": "gtest",
    "gmock/": "gtest", "benchmark/": "benchmark",
}
# Libraries that every program of tools/ may use.
TOOL_LIBRARIES = {"cli11"}
SYSTEM_FOLDERS = ("sys/", "netinet/", "arpa/", "net/", "linux/", "bits/", "asm/")
SYSTEM_HEADERS = set("""aio.h dirent.h dlfcn.h endian.h errno.h execinfo.h fcntl.h getopt.h immintrin.h inttypes.h limits.h
    malloc.h netdb.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h signal.h spawn.h stdint.h stdio.h stdlib.h string.h
    strings.h syslog.h termios.h time.h ucontext.h unistd.h x86intrin.h""".split())

NAMELESS_FOLDERS = {"util", "utils", "common", "misc", "helper", "helpers"}
TIME_AND_CHANCE = {
    "wall clock": r"\b(?:system_clock|steady_clock|high_resolution_clock|utc_clock)\b|\b(?:gettimeofday|clock_gettime)\s*\("
                  r"|(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)",
    "sleep": r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w.>:])(?:::)?sleep\s*\(",
    "random": r"\brandom_device\b|(?<![\w.>:])(?:std::)?s?rand\s*\(",
}
# (file, rule) -> why it may. Exempt only by name and with a reason.
EXEMPT = {
    ("src/store/rocks_store.cc", "random"): "a store's name must differ from all others; no seed may bring it back",
}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclasses.dataclass
class Module:
    name: str
    dependencies: set
    foreign: set


class Report:
    def __init__(self):
        self.findings = []
        self.warnings = []

    def add(self, path, line, rule, text):
        self.findings.append(Finding(path, line, rule, text))

    def measure(self, path, line, rule, what, value, limits):
        house, far = limits
        if value > far:
            self.add(path, line, rule, f"{what} has {value}; the house says {house}, and {far} is far over")
        elif value > house:
            self.warnings.append(Finding(path, line, rule, f"{what} has {value}; the house says {house}"))


# --- what CMake declares ---------------------------------------------------------------------------------------------


def cmake_calls(text, function):
    """The arguments of each call of `function`, comments left out."""
    text = re.sub(r"#[^\n]*", "", text)
    return [call.group(1).split() for call in re.finditer(rf"(?m)^\s*{function}\s*\(([^)]*)\)", text)]


def keyword_lists(words, keywords):
    lists = {keyword: set() for keyword in keywords}
    current = None
    for word in words:
        if word in lists:
            current = word
        elif current:
            lists[current].add(word)
    return lists


def read_modules(root, report):
    modules = {}
    path = root / "src" / "CMakeLists.txt"
    for words in cmake_calls(path.read_text(), "td_module"):
        lists = keyword_lists(words[1:], ("DEPS", "FOREIGN"))
        for unknown in sorted(lists["DEPS"] - modules.keys()):
            report.add("src/CMakeLists.txt", 1, "order",
                       f"{words[0]} depends on {unknown}, which is not declared above it: arrows point down only")
        modules[words[0]] = Module(words[0], lists["DEPS"] | {words[0]}, lists["FOREIGN"])
    return modules


def read_tools(root):
    path = root / "tools" / "CMakeLists.txt"
    if not path.exists():
        return {}
    return {words[0]: keyword_lists(words[2:], ("DEPS",))["DEPS"]
            for words in cmake_calls(path.read_text(), "td_tool") if len(words) > 1 and "$" not in words[0]}


# --- C++ read just well enough ---------------------------------------------------------------------------------------

LITERALS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.S)


def blank(match):
    lines = "\n" * match.group(0).count("\n")
    return lines if match.group(0)[0] == "/" else '""' + lines


def without_literals(text):
    """The code without comments and the insides of literals; every line keeps its number."""
    return LITERALS.sub(blank, text)


def without_preprocessor(code):
    lines, is_continued = [], False
    for line in code.split("\n"):
        is_directive = is_continued or line.lstrip().startswith("#")
        is_continued = is_directive and line.rstrip().endswith("\\")
        lines.append("" if is_directive else line)
    return "\n".join(lines)


SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|\bextern\s+\"\"")
MEMBER_LIST = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:)[^;]*[\w>]\s*$", re.S)


def functions(code):
    """Yields (name, first line, number of lines) of each function body outside other functions."""
    code = without_preprocessor(code)
    head, head_line, line, position, scopes = "", None, 1, 0, []
    while position < len(code):
        char = code[position]
        if char == "\n":
            line += 1
        if char == "{":
            end, inside = closing_brace(code, position)
            if head.count("(") > head.count(")") or MEMBER_LIST.search(head):
                head += "()"  # a default argument, or a member initialised in braces: part of the head
            elif SCOPE.search(head) and not head.rstrip().endswith(")") and "=" not in head:
                scopes.append(position)
                head, head_line = "", None
                position += 1
                continue
            else:
                if is_function(head):
                    yield function_name(head), head_line or line, line + inside - (head_line or line) + 1
                head, head_line = "", None
            line += inside
            position = end + 1
            continue
        if char == "}" or (char == ";" and head.count("(") <= head.count(")")):
            head, head_line = "", None
        elif not char.isspace() or head:
            if not head:
                head_line = line
            head += char
            if re.fullmatch(r"(?:public|private|protected)\s*:", head):
                head, head_line = "", None
        position += 1


def is_function(head):
    """Not a list of values: those have `=` outside parentheses, unless it is a lambda's or an operator's."""
    plain = re.sub(r"operator\s*[^\w\s(]+", "operator", head)
    outside = re.sub(r"<[^<>]*>", "", plain)
    while "(" in outside and ")" in outside:
        shorter = re.sub(r"\([^()]*\)", "", outside)
        if shorter == outside:
            break
        outside = shorter
    if re.search(r"=\s*\[[^\]]*\]", outside):
        return True
    return "(" in head and "=" not in re.sub(r"[=!<>]=", "", outside)


def closing_brace(code, start):
    depth = 0
    for position in range(start, len(code)):
        if code[position] == "{":
            depth += 1
        elif code[position] == "}":
            depth -= 1
            if depth == 0:
                return position, code.count("\n", start, position)
    return len(code) - 1, code.count("\n", start)


def function_name(head):
    found = re.search(r"([~\w:]+|operator[^\w\s(]+)\s*\(", head)
    return found.group(1) if found else head.strip().split("\n")[0][:40]


CLASS_HEAD = re.compile(r"""^(?:\[\[.*?\]\]\s*)?(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+
    (?:\[\[.*?\]\]\s*|alignas\s*\([^)]*\)\s*)*(?P<name>[A-Za-z_][\w:]*(?:\s*<.*?>)?)\s*(?:final\s*)?(?::(?!:).*)?$""", re.S | re.X)
NAMESPACE_HEAD = re.compile(r"^(?:inline\s+)?namespace\b\s*(?P<name>[\w:]*)$")


def without_template(head):
    """The head without template<...> and requires(...) before it."""
    head = head.strip()
    while match := re.match(r"template\s*<", head):
        depth, position = 1, match.end()
        while position < len(head) and depth > 0:
            depth += {"<": 1, ">": -1}.get(head[position], 0)
            position += 1
        head = re.sub(r"^requires\s*\([^()]*\)", "", head[position:].strip()).strip()
    return head


def classes(code):
    """Yields (qualified name, line) of each class, struct, union and enum that other files' definitions of the same name
    would clash with: not those in unnamed namespaces and in functions."""
    code = without_preprocessor(code)
    head, line, head_line, position, scopes = "", 1, 1, 0, []
    while position < len(code):
        char = code[position]
        if char == "{":
            head = without_template(head)
            space = NAMESPACE_HEAD.match(head) or (re.match(r'^extern\s*""$', head) and "")
            named = CLASS_HEAD.match(head)
            if space is not None:
                scopes.append((space.group("name") or "(unnamed)") if space != "" else "")
            elif named:
                scopes.append(re.sub(r"\s+", "", named.group("name")))
                if "(unnamed)" not in scopes:
                    yield "::".join(filter(None, scopes)), head_line
            else:
                position, inside = closing_brace(code, position)
                line += inside
            head = ""
        elif char in ";}":
            if char == "}" and scopes:
                scopes.pop()
            head = ""
        elif not (char.isspace() and not head):
            if not head:
                head_line = line
            head += char
            if re.fullmatch(r"(?:public|private|protected)\s*:", head):
                head = ""
        if char == "\n":
            line += 1
        position += 1


# --- the rules -------------------------------------------------------------------------------------------------------


def library_of(header):
    if header.endswith("_generated.h"):
        return "flatbuffers"
    fitting = [prefix for prefix in FOREIGN_HEADERS if header.startswith(prefix)]
    return FOREIGN_HEADERS[max(fitting, key=len)] if fitting else None


def is_standard(header):
    return "/" not in header and "." not in header or header in SYSTEM_HEADERS or header.startswith(SYSTEM_FOLDERS)


def check_includes(report, path, text, allowed_modules, allowed_libraries, modules, own_folders):
    """`allowed_libraries` None: any (tests and benches compare us with others). `own_folders`: prefixes beside modules."""
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not found:
            continue
        is_quoted, header = found.group(1) == '"', found.group(2)
        first, slash, _ = header.partition("/")
        if ".." in header.split("/"):
            report.add(path, number, "include", f'"{header}" climbs; write "module/file.h"')
        library = library_of(header)
        if library is not None:
            if allowed_libraries is not None and library not in allowed_libraries:
                report.add(path, number, "foreign", f"<{header}> belongs to {library}, which is not this module's to use")
        elif slash and first in modules:
            if first not in allowed_modules:
                report.add(path, number, "edge", f'"{header}": the arrow to {first} is not declared')
        elif is_quoted and not (slash and first in own_folders) and not (not slash and "" in own_folders):
            report.add(path, number, "include", f'"{header}" is not of the form "module/file.h"')
        elif not is_quoted and not is_standard(header) and allowed_libraries is not None:
            report.add(path, number, "foreign", f"<{header}> is of no library known here; name it in FOREIGN_HEADERS")


def check_sizes(report, path, text, code, is_test):
    kind = TEST_LINES if is_test else HEADER_LINES if path.endswith(".h") else SOURCE_LINES
    report.measure(path, 1, "size", "the file's number of lines", text.count("\n"), kind)
    for name, first, count in functions(code):
        report.measure(path, first, "size", f"the function {name}'s number of lines", count, FUNCTION_LINES)
    visible = LITERALS.sub(lambda match: blank(match) if match.group(0)[0] != "/" else match.group(0), text)
    long = [number for number, line in enumerate(visible.split("\n"), 1) if len(line) > CODE_COLUMNS]
    if long:
        report.add(path, long[0], "columns", f"{len(long)} lines over {CODE_COLUMNS} columns; clang-format -i mends most")


def check_time(report, path, code):
    for number, line in enumerate(code.split("\n"), 1):
        for rule, pattern in TIME_AND_CHANCE.items():
            if re.search(pattern, line) and (path, rule) not in EXEMPT:
                report.add(path, number, "time", f"{rule} outside base: {line.strip()}")


def check_source(report, root, file, modules, tools):
    path = file.relative_to(root).as_posix()
    text = file.read_text(errors="replace")
    code = without_literals(text)
    top, _, rest = path.partition("/")
    folder = rest.partition("/")[0]
    if top == "src" and folder in modules:
        module = modules[folder]
        check_includes(report, path, text, module.dependencies, module.foreign, modules, ())
    elif top == "src":
        report.add(path, 1, "edge", f"src/{folder} is not declared by td_module in src/CMakeLists.txt")
    elif top == "tools":
        check_includes(report, path, text, tools.get(folder, set()), TOOL_LIBRARIES, modules, ("", *tools))
    elif top == "include":
        check_includes(report, path, text, set(), set(), modules, ("tapedeck",))
    else:
        tests = {entry.name for entry in (root / "tests").iterdir()} if (root / "tests").is_dir() else set()
        check_includes(report, path, text, set(modules), None, modules, {"", "bench", "tests", *tests, *tools})
    check_sizes(report, path, text, code, is_test=top in ("tests", "bench"))
    if top == "src" and path.endswith(".h"):
        check_examples(report, path, text)
    if top in ("src", "tools") and folder != "base":
        check_time(report, path, code)


def check_folders(report, root, modules):
    counts = collections.Counter()
    for top in ("src", "tools", "tests", "bench", "include", "schemas", "ops", "scripts", "docs"):
        for entry in (root / top).rglob("*"):
            path = entry.relative_to(root).as_posix()
            if entry.is_dir() and entry.name in NAMELESS_FOLDERS:
                report.add(path, 1, "name", f"a folder called '{entry.name}' says nothing about what belongs in it")
            if entry.is_file() and entry.suffix in (".h", ".cc"):
                counts[entry.parent.relative_to(root).as_posix()] += 1
    for folder, count in sorted(counts.items()):
        report.measure(folder, 1, "size", "the folder's number of files", count, FOLDER_FILES)
    for name in modules:
        folder = root / "src" / name
        if folder.is_dir() and any(folder.glob("*.h")) and not (folder / "README.md").exists():
            report.add(f"src/{name}", 1, "readme", "no README.md: why it exists, what belongs here, what does not")
        elif (folder / "README.md").exists():
            check_readme(report, f"src/{name}/README.md", name, (folder / "README.md").read_text())
    for entry in (root / "docs" / "decisions").glob("*"):
        if not re.fullmatch(r"\d{4}-[a-z0-9][a-z0-9-]*\.md", entry.name):
            report.add(entry.relative_to(root).as_posix(), 1, "decision", "decisions are called NNNN-words-of-it.md")
        elif not entry.read_text().startswith(f"# {entry.name[:4]}: "):
            report.add(entry.relative_to(root).as_posix(), 1, "decision", f"its first line is not '# {entry.name[:4]}: what it is'")


def check_readme(report, path, name, text):
    lines = text.split("\n")
    if lines[0] != f"# {name}":
        report.add(path, 1, "readme", f"the first line is not '# {name}'")
    for number, line in enumerate(lines, 1):
        if line.startswith(" " * 12):
            report.add(path, number, "readme", "text that begins with twelve blanks: was it formatted as code?")
            break


# What may name documents; tests/tidy is about names that do not exist.
WRITTEN = {".h", ".cc", ".py", ".md", ".sh", ".cmake", ".txt", ".yaml", ".toml", ".fbs", ".service", ""}
TOPS = ("src", "tools", "tests", "bench", "include", "schemas", "mappings", "ops", "scripts", "docs", "examples", "cmake")
ROW = r"[A-HOS]\d{1,2}"


def written_files(root):
    for file in sorted([*root.glob("*"), *(file for top in TOPS for file in (root / top).rglob("*"))]):
        path = file.relative_to(root).as_posix()
        if file.is_file() and file.suffix in WRITTEN and not path.startswith("tests/tidy/"):
            yield path, file


def is_document(root, file, name):
    return any((place / name).exists() for place in (root, file.parent, root / "docs"))


def arguments(text, start):
    """How many there are in the parentheses that open at `start`, and how many of them have defaults; None where they do not close."""
    depth, count, last = 0, 0, start + 1
    for position in range(start, len(text)):
        if text[position] in "([{<":
            depth += 1
        elif text[position] in ")]}" or (text[position] == ">" and text[position - 1] != "-"):
            depth -= 1
            if depth == 0:
                inside = text[start + 1:position]
                return (count + 1 if inside.strip() else 0), len(re.findall(r"(?<![=!<>])=(?!=)", re.sub(r"\{[^{}]*\}", "", inside)))
        elif text[position] == "," and depth == 1:
            count += 1
    return None


def check_examples(report, path, text):
    """`Type name(…)` and `Type::Make(…)` in the indented lines of the first comments, against the declarations below."""
    example = "\n".join(re.sub(r"//.*", "", line[2:]) if line.startswith("//   ") else "" for line in text.split("\n"))
    code = without_literals(text)
    for found in re.finditer(r"\b([A-Z]\w+)(?: \w+|::(Make|Open|Take|Start|Create|Read|Load))\(", example):
        name = found.group(1)
        body = re.search(rf"\b(?:class|struct) {name}\b[^;{{]*{{", code)
        given = arguments(example, found.end() - 1)
        if body is None or given is None:
            continue
        called = found.group(2) or name
        declared = [arguments(code, place.end() - 1) for place in re.finditer(rf"(?<![\w~:.>]){called}\(", code) if place.start() > body.start()]
        if declared and not any(taken is None or taken[0] - taken[1] <= given[0] <= taken[0] for taken in declared):
            report.add(path, example.count("\n", 0, found.start()) + 1, "example",
                       f"{name} is given {given[0]} arguments; it takes {' or '.join(str(taken[0]) for taken in declared)}")


def check_tables(report, root):
    for page in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "src").glob("*/README.md")]):
        lines, is_code = page.read_text().split("\n"), False
        for number, line in enumerate(lines, 1):
            is_code ^= line.startswith("```")
            begins = line.startswith("|") and (number == 1 or not lines[number - 2].startswith("|"))
            if begins and not is_code and not re.fullmatch(r"\|[-:| ]+", lines[number] if number < len(lines) else ""):
                report.add(page.relative_to(root).as_posix(), number, "table", "no heading: is it the rest of the table above?")


def check_readme_of_the_project(report, root):
    readme = root / "README.md"
    if not readme.exists():
        return
    text = readme.read_text()
    for page in sorted((root / "docs").glob("*.*")):
        name = page.relative_to(root).as_posix()
        if f"]({name})" not in text:
            report.add(name, 1, "unlisted", "README.md does not lead to it")


def check_documents(report, root):
    page = root / "docs" / "faults.md"
    rows = set(re.findall(rf"\b{ROW}\b", page.read_text())) if page.exists() else set()
    looked_at = re.compile(rf"\.md\b|@scenario\(|^TEST|[A-Z]{{5}},? {ROW}\b")
    for path, file in written_files(root):
        for number, line in enumerate(file.read_text(errors="replace").split("\n"), 1):
            if not looked_at.search(line):
                continue
            for name in re.findall(r"(?<![\w:/.-])(?!\w+://)[\w./-]*\w\.md\b", line):
                if "NNNN" not in name and not is_document(root, file, name.lstrip("/")):
                    report.add(path, number, "document", f"{name} is not in the tree")
            for name, title in re.findall(r'(?:docs/)?\b(\w+\.md)\)?, "([^"]+)"', line):
                titles = re.findall(r"(?m)^#+ (.*)$", (root / "docs" / name).read_text()) if (root / "docs" / name).exists() else [title]
                if title not in titles and not any(title in other for other in titles):
                    report.add(path, number, "document", f"docs/{name} has no section '{title}'")
            cited = re.findall(rf"\b[A-Z]{{5,}}(?:\.md)?,? ({ROW})\b", line)
            if cited:
                report.add(path, number, "document", f"rows such as {cited[0]} are those of docs/faults.md")
            if found := re.search(rf"faults\.md\W+(?:row )?({ROW}(?:(?:, | and ){ROW})*)|"
                                  rf"@scenario\(\"\w+\", \"((?:{ROW} ?)+)\"|^TEST\w*\(\w+, ({ROW})(?=[A-Z_])", line):
                for row in sorted(set(re.findall(ROW, " ".join(filter(None, found.groups())))) - rows):
                    report.add(path, number, "document", f"docs/faults.md has no row {row}")


def check_proofs(report, root):
    """`Suite.Test`, `Suite.Begins…`, `Suite.*`, and functions of scenarios, all in backticks."""
    page = root / "docs" / "faults.md"
    if not page.exists():
        return
    tests, functions = set(), set()
    for file in (root / "tests").rglob("*.cc"):
        tests |= {".".join(found) for found in re.findall(r"(?m)^TEST\w*\(\s*(\w+),\s*(\w+)\)", file.read_text(errors="replace"))}
    for file in (root / "tests" / "scenarios").glob("*.py"):
        functions |= set(re.findall(r"(?m)^def (\w+)\(", file.read_text()))
    for number, line in enumerate(page.read_text().split("\n"), 1):
        for name in re.findall(r"`([^`]+)`", line) if line.startswith("|") else ():
            begin = name.rstrip("…*")
            if re.fullmatch(r"[A-Z]\w+\.\w*[…*]?", name):
                is_there = any(test.startswith(begin) for test in tests) if begin != name else name in tests
            elif re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+){3,}", name) and not name.startswith("tapedeck_"):
                is_there = name in functions
            else:
                continue
            if not is_there:
                report.add("docs/faults.md", number, "proof", f"there is no {name}")


METRIC = r"(?:tapedeck|process)_[a-z0-9_]+"


def check_metrics(report, root):
    """Names of metrics are literals of the program, so the sources have them all. Rows of the page begin with the name."""
    page = root / "docs" / "metrics.md"
    if not page.exists():
        return
    counted = {}
    for source in sorted((root / "src").rglob("*.cc")):
        text = LITERALS.sub(lambda match: blank(match) if match.group(0)[0] == "/" else match.group(0),
                            source.read_text(errors="replace"))
        for found in re.finditer(f'"({METRIC})"', text):
            counted.setdefault(found.group(1), (source.relative_to(root).as_posix(), text.count("\n", 0, found.start()) + 1))
    told = {found.group(1): number for number, line in enumerate(page.read_text().split("\n"), 1)
            if (found := re.match(rf"\| `({METRIC})` \| (?:counter|gauge|histogram) \| ", line))}
    for name in sorted(counted.keys() - told.keys()):
        report.add(*counted[name], "metric", f"docs/metrics.md has no row for {name}")
    for name in sorted(told.keys() - counted.keys()):
        report.add("docs/metrics.md", told[name], "metric", f"nothing in src counts {name}")


def programs(root):
    """Yields (name, its .cc files beside those of src) of each program; "" is the modules alone."""
    yield "", []
    for folder in sorted(entry for entry in (root / "tools").glob("*") if entry.is_dir()):
        yield f"tools/{folder.name}", sorted(folder.glob("*.cc"))
    for source in sorted((root / "bench").glob("*.cc")):
        yield f"bench/{source.stem}", [source]
    declared = root / "tests" / "CMakeLists.txt"
    for words in cmake_calls(declared.read_text(), "td_test") if declared.exists() else []:
        more = keyword_lists(words[1:], ("DEPS", "LABELS", "TIMEOUT", "SOURCES"))["SOURCES"]
        yield f"tests/{words[0]}", [*sorted((root / "tests" / words[0]).glob("*.cc")),
                                    *sorted((root / "tests" / "support").glob("*.cc")),
                                    *(root / "tests" / source for source in sorted(more))]


class Definitions:
    """What each file defines and includes, read once."""

    def __init__(self, root):
        self.root = root
        self.places = [root, root / "src", root / "tests", root / "tools", root / "include"]
        self.of_file = {}

    def read(self, file):
        if file not in self.of_file:
            text = file.read_text(errors="replace")
            included = re.findall(r'(?m)^\s*#\s*include\s*"([^"]+)"', text)
            headers = [next((place / name for place in self.places if (place / name).is_file()), None) for name in included]
            self.of_file[file] = ([header for header in headers if header], list(classes(without_literals(text))))
        return self.of_file[file]

    def of_program(self, sources):
        """name -> {file: line} of all that is compiled into it."""
        files, waiting, found = set(), [file for file in sources if file.is_file()], collections.defaultdict(dict)
        while waiting:
            file = waiting.pop()
            if file in files:
                continue
            files.add(file)
            headers, defined = self.read(file)
            waiting.extend(headers)
            for name, line in defined:
                found[name].setdefault(file, line)
        return found


def check_twice(report, root):
    definitions = Definitions(root)
    modules = sorted((root / "src").rglob("*.cc")) + sorted((root / "src").rglob("*.h"))
    told = set()
    for program, sources in programs(root):
        for name, files in sorted(definitions.of_program([*modules, *sources]).items()):
            first, *others = sorted(files)
            for other in others:
                if (name, first, other) in told:
                    continue
                told.add((name, first, other))
                report.add(other.relative_to(root).as_posix(), files[other], "twice",
                           f"{name} is also defined in {first.relative_to(root).as_posix()}:{files[first]}"
                           f"{', and ' + program + ' has both' if program else ''}: rename one, or put it into an unnamed namespace")


def check(root):
    report = Report()
    modules = read_modules(root, report)
    tools = read_tools(root)
    for top in ("src", "tools", "include", "tests", "bench"):
        for file in sorted((root / top).rglob("*")):
            if file.is_file() and file.suffix in (".h", ".cc"):
                check_source(report, root, file, modules, tools)
    check_folders(report, root, modules)
    check_twice(report, root)
    check_metrics(report, root)
    check_documents(report, root)
    check_readme_of_the_project(report, root)
    check_tables(report, root)
    check_proofs(report, root)
    for path, rule in EXEMPT:
        if not (root / path).exists():
            report.add(path, 1, "exempt", f"exempt from '{rule}', and gone: remove the exemption")
    return report


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    report = check(root)
    for warning in sorted(report.warnings):
        print(f"warning: {warning}")
    for finding in sorted(report.findings):
        print(finding)
    print(f"tidy: {len(report.findings)} findings, {len(report.warnings)} warnings")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
