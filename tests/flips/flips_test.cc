// One changed byte in any file of a store (docs/faults.md, A5): `verify` exits with 4 and names the
// file, and no answer is ever wrong: it is as before, or it is an error.
//
// Some bytes of each file are tried, others on every run; all of them with TAPEDECK_FLIPS=all
// (the ctest `flips_all`, label slow).

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"
#include "cli/program.h"
#include "flips/sample_store.h"
#include "query/verify.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSampledFlips = 30;  // of each file
constexpr size_t kProgramFlips = 30;  // of each kind of file, by the real binary; sampled: a tenth

bool TryAll() {
  const char* wanted = std::getenv("TAPEDECK_FLIPS");
  return wanted != nullptr && std::string_view(wanted) == "all";
}

/// Holds LOCK as a running node does.
class LockHolder {
 public:
  explicit LockHolder(const fs::path& dir) {
    fs::create_directories(dir);
    const std::string file = (dir / "LOCK").string();
    int ready[2];
    if (::pipe(ready) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      struct flock whole {};
      whole.l_type = F_WRLCK;
      whole.l_whence = SEEK_SET;
      const char done = ::fcntl(lock, F_SETLK, &whole) == 0 ? 'y' : 'n';
      if (::write(ready[1], &done, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char done = 'n';
    held_ = ::read(ready[0], &done, 1) == 1 && done == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;
  bool held() const { return held_; }

 private:
  pid_t child_ = -1;
  bool held_ = false;
};

std::string TextOf(const VerifyReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.where + ": " + finding.what + "\n";
  return text;
}

struct Tally {
  size_t flips = 0;
  size_t found = 0;           // by verify
  size_t refused = 0;         // answers, of a store that nobody has open
  size_t refused_beside = 0;  // the same beside a node
  size_t found_beside = 0;    // by verify beside a node
};

class Flips : public ::testing::Test {
 protected:
  Flips() : seed_(TestSeed()), random_(seed_), trace_(__FILE__, __LINE__, RepeatWith(seed_)) {
    files_ = RecordSampleStore(seed_);
    LayOut(files_, alone_);
    Result<std::string> answers = AllAnswers(alone_);
    EXPECT_TRUE(answers.ok()) << answers.status().ToString();
    if (answers.ok()) answers_ = *answers;
  }

  std::vector<std::string> NamesOf(const std::string& beginning, const std::string& ending) const {
    std::vector<std::string> names;
    for (const auto& [name, content] : files_) {
      if (name.starts_with(beginning) && name.ends_with(ending) && !content.empty())
        names.push_back(name);
    }
    EXPECT_FALSE(names.empty());
    return names;
  }

  /// A change of the byte that leaves it another one.
  char Flipped(char byte) {
    const auto mask = static_cast<uint8_t>(random_.OneIn(4) ? 1 + random_.Uniform(255)
                                                            : uint64_t{1} << random_.Uniform(8));
    return static_cast<char>(static_cast<uint8_t>(byte) ^ mask);
  }

  void ExpectRight(const std::string& how, const Result<std::string>& answers, size_t* refused) {
    if (answers.ok()) {
      EXPECT_EQ(*answers, answers_) << "WRONG ANSWER " << how;
      return;
    }
    ++*refused;
    EXPECT_EQ(answers.status().code(), StatusCode::kCorruption)
        << how << ": " << answers.status().ToString();
  }

  enum class Byte : bool { kHarmless, kMatters };

  void ExpectVerdict(const fs::path& dir, const std::string& name, Byte byte, size_t* found) {
    Result<VerifyReport> report = VerifyDataDir(dir, {});
    ASSERT_TRUE(report.ok()) << "verify gives up: " << report.status().ToString();
    *found += report->ok() ? 0 : 1;
    if (byte == Byte::kHarmless) {
      EXPECT_TRUE(report->ok()) << TextOf(*report);
      return;
    }
    EXPECT_FALSE(report->ok()) << "verify found nothing";
    EXPECT_NE(TextOf(*report).find(name), std::string::npos) << TextOf(*report);
  }

  void FlipOne(const std::string& name, size_t at, Byte byte, Tally* tally) {
    Files flipped = files_;
    char& changed = flipped[name][at];
    const char before = changed;
    changed = Flipped(changed);
    SCOPED_TRACE(name + " byte " + std::to_string(at) + " of " +
                 std::to_string(flipped[name].size()) + ": " +
                 std::to_string(static_cast<uint8_t>(before)) + " became " +
                 std::to_string(static_cast<uint8_t>(changed)));
    ++tally->flips;
    LayOut(flipped, beside_);
    ExpectRight("beside a node", AllAnswers(beside_), &tally->refused_beside);
    ExpectVerdict(beside_, name, byte, &tally->found_beside);
    LayOut(flipped, alone_);
    ExpectRight("of a stopped store", AllAnswers(alone_), &tally->refused);
    ExpectVerdict(alone_, name, byte, &tally->found);
    if (byte == Byte::kHarmless) return;
    // It opened the store for writing, and has left the damage as it was.
    size_t again = 0;
    ExpectVerdict(alone_, name, byte, &again);
    ExpectRight("after verify", AllAnswers(alone_), &again);
  }

  Tally FlipEach(const std::vector<std::string>& names, Byte byte) {
    LockHolder node(beside_);
    EXPECT_TRUE(node.held());
    Tally all;
    for (const std::string& name : names) {
      Tally tally;
      const size_t size = files_[name].size();
      const size_t stride = TryAll() ? 1 : std::max<size_t>(1, size / kSampledFlips);
      for (size_t at = random_.Uniform(stride); at < size; at += stride)
        FlipOne(name, at, byte, &tally);
      std::printf(
          "[ flips ] %s of %zu bytes: %zu flips; verify found %zu (%zu beside a node); answers "
          "refused for %zu (%zu beside a node), right for the others\n",
          name.c_str(), size, tally.flips, tally.found, tally.found_beside, tally.refused,
          tally.refused_beside);
      std::fflush(stdout);
      all.flips += tally.flips;
      all.found += tally.found;
    }
    return all;
  }

  uint64_t seed_;
  Random random_;
  ::testing::ScopedTrace trace_;
  TempDir dir_;
  const fs::path alone_ = dir_.path() / "alone";
  const fs::path beside_ = dir_.path() / "beside";
  Files files_;
  std::string answers_;
};

TEST_F(Flips, TheSampleHoldsEverythingAndVerifies) {
  Result<VerifyReport> report = VerifyDataDir(alone_, {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->ok()) << TextOf(*report);
  EXPECT_EQ(report->tapes, 2u);
  EXPECT_GT(report->tape_blocks, 2u);
  EXPECT_GT(report->series_blocks, 2u);
  EXPECT_GT(report->refused, 3u);
  EXPECT_GT(report->records, report->rows) << "some are above the watermark";
  EXPECT_NE(answers_.find("\"reason\":\"retention\""), std::string::npos) << answers_;
  for (const auto& [name, content] : files_)
    std::printf("[ files ] %s %zu bytes\n", name.c_str(), content.size());
}

TEST_F(Flips, InASstFileAreFound) { FlipEach(NamesOf("", ".sst"), Byte::kMatters); }

TEST_F(Flips, InTheWriteAheadLogAreFound) { FlipEach(NamesOf("", ".log"), Byte::kMatters); }

TEST_F(Flips, InTheManifestAreFound) { FlipEach(NamesOf("MANIFEST-", ""), Byte::kMatters); }

TEST_F(Flips, InCurrentAreFound) { FlipEach({"CURRENT"}, Byte::kMatters); }

TEST_F(Flips, InAnyOtherFileDoNotMatter) {
  std::vector<std::string> others;
  for (const auto& [name, content] : files_) {
    if (!name.ends_with(".sst") && !name.ends_with(".log") && !name.starts_with("MANIFEST-") &&
        name != "CURRENT" && !content.empty())
      others.push_back(name);
  }
  EXPECT_FALSE(others.empty());
  FlipEach(others, Byte::kHarmless);
}

TEST_F(Flips, TheProgramExitsWithFourAndNamesTheFile) {
  const size_t flips = TryAll() ? kProgramFlips : kProgramFlips / 10;
  for (const auto& names : {NamesOf("", ".sst"), NamesOf("", ".log"), NamesOf("MANIFEST-", ""),
                            NamesOf("CURRENT", "")}) {
    for (size_t i = 0; i < flips; ++i) {
      const std::string& name = names[random_.Uniform(names.size())];
      Files flipped = files_;
      const size_t at = random_.Uniform(flipped[name].size());
      flipped[name][at] = Flipped(flipped[name][at]);
      SCOPED_TRACE(name + " byte " + std::to_string(at));
      LayOut(flipped, alone_);
      const Outcome rows = RunTapedeck({"query", "trades", "--data-dir", alone_.string()});
      EXPECT_TRUE(rows.exit_code == 0 || rows.exit_code == 1) << rows.exit_code << rows.err;
      const Outcome verified = RunTapedeck({"verify", "--data-dir", alone_.string()});
      EXPECT_EQ(verified.exit_code, 4) << verified.out << verified.err;
      EXPECT_NE(verified.out.find(name), std::string::npos) << verified.out;
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
