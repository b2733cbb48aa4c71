// The command line: help, mistakes and their exit codes.

#include <gtest/gtest.h>

#include "program.h"

namespace tapedeck::testing {
namespace {

TEST(Usage, WithoutACommandItSaysWhatIsNeeded) {
  Outcome outcome = RunTapedeck({});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("subcommand is required"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST(Usage, AMisspeltCommandGetsASuggestion) {
  Outcome outcome = RunTapedeck({"serv"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("did you mean 'serve'?"), std::string::npos) << outcome.err;
}

TEST(Usage, MistakesOfFormExitTwo) {
  for (const Arguments& arguments :
       {Arguments{"serve", "--nonsense"}, Arguments{"mapping"},
        Arguments{"mapping", "test", "--mapping"}, Arguments{"mapping", "test", "x.json"},
        Arguments{"skip", "--topic", "t"}, Arguments{"token", "new"},
        Arguments{"token", "new", "--name", "x", "--scopes", "write"},
        Arguments{"token", "new", "--name", "x", "--expires", "soon"},
        Arguments{"skip", "--topic", "t", "--partition", "-1", "--to", "5", "--data-dir", "d"},
        Arguments{"reindex", "--topic", "t", "--show", "01J00000000000000000000001"},
        Arguments{"reindex", "--cancel", "01J00000000000000000000001", "--show", "x"},
        Arguments{"reindex", "--list", "--table", "t"}, Arguments{"demo", "--duration", "20"},
        Arguments{"serve", "--progress", "1ns"},
        Arguments{"serve", "--set", "record.commit_interval"}, Arguments{"serve", "-X", "=x"}}) {
    Outcome outcome = RunTapedeck(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments.back() << "\n" << outcome.err;
    EXPECT_FALSE(outcome.err.empty()) << arguments.back();
    EXPECT_EQ(outcome.out, "") << "mistakes are told on stderr";
  }
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  for (const Arguments& command : {Arguments{"serve"},           Arguments{"demo"},
                                   Arguments{"mapping", "test"}, Arguments{"mapping", "show"},
                                   Arguments{"mapping", "list"}, Arguments{"config", "check"},
                                   Arguments{"config", "show"},  Arguments{"skip"},
                                   Arguments{"token", "new"},    Arguments{"token", "list"},
                                   Arguments{"version"},         Arguments{"query"},
                                   Arguments{"messages"},        Arguments{"tables"},
                                   Arguments{"symbols"},         Arguments{"topics"},
                                   Arguments{"coverage"},        Arguments{"refused"},
                                   Arguments{"status"},          Arguments{"verify"},
                                   Arguments{"completion"}}) {
    Arguments arguments = command;
    arguments.push_back("--help");
    Outcome outcome = RunTapedeck(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << command.back();
    EXPECT_NE(outcome.out.find("Example"), std::string::npos) << command.back() << "\n"
                                                              << outcome.out;
  }
}

TEST(Usage, TheVersionIsTold) {
  Outcome outcome = RunTapedeck({"version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out.rfind("tapedeck ", 0), 0u) << outcome.out;
}

}  // namespace
}  // namespace tapedeck::testing
