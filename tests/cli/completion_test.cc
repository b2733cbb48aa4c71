// Completion scripts and the manual page, which are made from the command line's own tree.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/program.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

std::string RunShell(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::array<char, 4096> buffer{};
  for (size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    out.append(buffer.data(), got);
  ::pclose(pipe);
  return out;
}

bool HasProgram(const std::string& name) {
  return std::system(("command -v " + name + " > /dev/null 2>&1").c_str()) == 0;
}

class Completion : public ::testing::Test {
 protected:
  std::string Script(const std::string& shell) {
    const Outcome outcome = RunTapedeck({"completion", shell});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const std::string file = dir_.File(shell);
    std::ofstream(file) << outcome.out;
    return file;
  }
  /// What bash offers for the last word.
  std::string Offered(const std::string& words, int last) {
    return RunShell("bash -c 'compopt() { :; }; source " + Script("bash") + "; COMP_WORDS=(" +
                    words + "); COMP_CWORD=" + std::to_string(last) +
                    "; _tapedeck; echo \"${COMPREPLY[*]}\"' 2>&1");
  }
  TempDir dir_;
};

TEST_F(Completion, BashOffersCommandsOptionsAndValues) {
  struct Case {
    std::string words;
    int last;
    std::string offered;
  };
  for (const Case& one : std::vector<Case>{
           {"tapedeck que", 1, "query\n"},
           {"tapedeck mapping \"\"", 2, "test show list\n"},
           {"tapedeck config s", 2, "show\n"},
           {"tapedeck completion z", 2, "zsh\n"},
           {"tapedeck query --order \"\"", 3, "asc desc\n"},
           {"tapedeck query trades -o p", 4, "parquet\n"},
           {"tapedeck messages -o p", 3, "\n"},
           {"tapedeck query --token", 2, "--token-file\n"},
           {"tapedeck query -s \"\"", 3, "\n"},
           {"tapedeck mapping test --fail", 3, "--fail-empty\n"},
           {"tapedeck completion --h", 2, "--help\n"},
       }) {
    EXPECT_EQ(Offered(one.words, one.last), one.offered) << one.words;
  }
}

TEST_F(Completion, BashOffersFilesAndFolders) {
  std::ofstream(dir_.File("a.toml")) << "";
  std::filesystem::create_directory(dir_.File("folder"));
  EXPECT_EQ(Offered("tapedeck serve --config " + dir_.File("a"), 3), dir_.File("a.toml") + "\n");
  EXPECT_EQ(Offered("tapedeck tables -d " + dir_.File("f"), 3), dir_.File("folder") + "\n");
  EXPECT_EQ(Offered("tapedeck tables -d " + dir_.File("a"), 3), "\n") << "a file is no folder";
}

TEST_F(Completion, EveryShellTakesItsScript) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const std::string file = Script(shell);
    if (!HasProgram(shell)) {
      std::printf("%s is not installed here: its script was not checked\n", shell.c_str());
      continue;
    }
    EXPECT_EQ(RunShell(shell + " -n " + file + " 2>&1; echo $?"), "0\n") << shell;
  }
  EXPECT_EQ(RunTapedeck({"completion", "tcsh"}).exit_code, 2);
}

TEST_F(Completion, FishOffersTheSame) {
  if (!HasProgram("fish")) GTEST_SKIP() << "fish is not installed here";
  const std::string source = "fish --no-config -c 'source " + Script("fish") + "; complete -C \"";
  const std::string orders = RunShell(source + "tapedeck query --order \"' 2>&1");
  EXPECT_TRUE(orders.starts_with("asc\t") && orders.find("\ndesc\t") != std::string::npos)
      << orders;
  EXPECT_NE(RunShell(source + "tapedeck mapping \"' 2>&1").find("test\t"), std::string::npos);
}

TEST(ManualPage, TheCommittedOneIsNotStale) {
  const Outcome made = RunTapedeck({"man"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  std::ifstream in(SourceDir() + "/docs/tapedeck.1");
  std::stringstream committed;
  committed << in.rdbuf();
  EXPECT_TRUE(made.out == committed.str())
      << "run: tapedeck man > docs/tapedeck.1, and look at what changed";
}

TEST(ManualPage, IsRightRoff) {
  if (!HasProgram("man")) GTEST_SKIP() << "man is not installed here";
  const std::string page = SourceDir() + "/docs/tapedeck.1";
  EXPECT_EQ(RunShell("LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -E UTF-8 -l " + page +
                     " 2>&1 >/dev/null"),
            "");
}

}  // namespace
}  // namespace tapedeck::testing
