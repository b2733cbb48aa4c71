#include "writer_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "store_fixture.h"
#include "support/child_test.h"

namespace tapedeck::testing {
namespace {

constexpr char kDir[] = "TAPEDECK_TEST_WRITER_DIR";
constexpr char kBlock[] = "TAPEDECK_TEST_WRITER_BLOCK";
constexpr char kFlush[] = "TAPEDECK_TEST_WRITER_FLUSH";
constexpr char kCompact[] = "TAPEDECK_TEST_WRITER_COMPACT";
constexpr char kAcks[] = "TAPEDECK_TEST_WRITER_ACKS";

uint64_t Number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

// The other process. Runs only when it was started for this.
TEST(StoreWriter, DISABLED_WritesUntilKilled) {
  const char* dir = std::getenv(kDir);
  if (dir == nullptr) GTEST_SKIP() << "started by hand";
  const int acks = static_cast<int>(Number(kAcks));
  const uint64_t flush_every = Number(kFlush), compact_every = Number(kCompact);
  auto store = Store::Open(SmallStore(dir));
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  Result<uint64_t> found = ReadPrefix(**store, Number(kBlock));
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  uint64_t commit = *found;
  for (;;) {
    ASSERT_EQ(::write(acks, &commit, sizeof commit), ssize_t{sizeof commit});
    Status written = WriteCommit(store->get(), ++commit, Number(kBlock));
    ASSERT_TRUE(written.ok()) << written.ToString();
    if (flush_every != 0 && commit % flush_every == 0) {
      ASSERT_TRUE((*store)->FlushMemtables().ok());
    }
    if (compact_every != 0 && commit % compact_every == 0) {
      ASSERT_TRUE((*store)->CompactAll().ok());
    }
  }
}

}  // namespace

WriterProcess::WriterProcess(const Plan& plan) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  EXPECT_EQ(::fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
  pid_ = StartChildTest({.filter = "StoreWriter.*",
                         .variables = {{kDir, plan.dir.string()},
                                       {kBlock, std::to_string(plan.block_bytes)},
                                       {kFlush, std::to_string(plan.flush_every)},
                                       {kCompact, std::to_string(plan.compact_every)},
                                       {kAcks, std::to_string(ends[1])}},
                         .failpoint = plan.failpoint,
                         .log = {}});
  ::close(ends[1]);
  acks_ = ends[0];
}

WriterProcess::~WriterProcess() {
  if (!ended_) Kill();
  ::close(acks_);
}

bool WriterProcess::ReadOne(bool wait) {
  pollfd ready{.fd = acks_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, wait ? -1 : 0) <= 0) return false;
  uint64_t commit = 0;
  const ssize_t got =
      ::read(acks_, &commit, sizeof commit);  // whole: writes of 8 bytes to a pipe are not split
  if (got != ssize_t{sizeof commit}) {
    if (got == 0) ended_ = true;
    return false;
  }
  last_ = commit;
  return true;
}

uint64_t WriterProcess::Acknowledged(uint64_t at_least) {
  while (!ended_ && last_ < at_least) ReadOne(true);
  while (!ended_ && ReadOne(false)) {
  }
  return last_;
}

uint64_t WriterProcess::Kill() {
  ::kill(pid_, SIGKILL);
  while (!ended_) ReadOne(true);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  return last_;
}

}  // namespace tapedeck::testing
