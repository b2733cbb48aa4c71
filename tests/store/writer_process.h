#ifndef TAPEDECK_TESTS_STORE_WRITER_PROCESS_H_
#define TAPEDECK_TESTS_STORE_WRITER_PROCESS_H_

// WriterProcess: another process that opens a store and writes commits, one after the other, until
// it is killed.
//
// It is this test program, started again for the test StoreWriter.DISABLED_WritesUntilKilled
// (store_crash_test.cc), which reads what to do from the environment. It tells each acknowledged
// commit through a pipe.
//
// Owned by one thread.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace tapedeck::testing {

class WriterProcess {
 public:
  struct Plan {
    std::filesystem::path dir;
    size_t block_bytes = 1000;
    std::string failpoint;       // TAPEDECK_FAILPOINT; "" none
    uint64_t flush_every = 0;    // commits between flushes of memtables; 0: RocksDB's own
    uint64_t compact_every = 0;  // commits between full compactions; 0: RocksDB's own
  };

  explicit WriterProcess(const Plan& plan);
  /// Kills it if it lives.
  ~WriterProcess();
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  /// The last commit told so far, 0 for none. Waits for the first `at_least` ones; returns early
  /// when the process has ended.
  uint64_t Acknowledged(uint64_t at_least = 0);
  /// kill -9, and the last commit it ever told.
  uint64_t Kill();
  pid_t pid() const { return pid_; }
  bool ended() const { return ended_; }

 private:
  bool ReadOne(bool wait);

  pid_t pid_ = -1;
  int acks_ = -1;
  uint64_t last_ = 0;
  bool ended_ = false;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_STORE_WRITER_PROCESS_H_
