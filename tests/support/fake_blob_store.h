#ifndef TAPEDECK_TESTS_SUPPORT_FAKE_BLOB_STORE_H_
#define TAPEDECK_TESTS_SUPPORT_FAKE_BLOB_STORE_H_

// FakeBlobStore: objects in memory, and every misery of a real store on demand.
//
//   FakeBlobStore store(&clock);
//   store.Inject({.op = BlobOp::kPut, .kind = BlobFault::kLostAnswer});       // the next Put
//   store.Inject({.op = BlobOp::kRead, .kind = BlobFault::kAltered, .skip = 3, .times = 2});
//   store.SetChaos(seed, 3);   // one call in three fails: before, after or half way
//
// It keeps the promises of BlobStore where no fault is injected, and tests/blob runs the
// conformance suite on it. A program of tests adds blob/fake_blob_store.cc to its SOURCES.
//
// Thread-safe.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "blob/blob_store.h"

namespace tapedeck::testing {

enum class BlobOp : int { kPut = 0, kOpen = 1, kRead = 2, kStat = 3, kList = 4, kDelete = 5 };
inline constexpr size_t kBlobOps = 6;

enum class BlobFault : int {
  kFailBefore = 0,  // nothing is done; `status` is returned
  kLostAnswer = 1,  // it is done, and `status` is returned all the same
  kHalf = 2,        // Put: half of the bytes are stored, and OK is said (a store that lies);
                    // Read: half of them arrive, then `status`
  kAltered = 3,     // one byte in the middle differs: in what Put stores, in what Read gives
  kSlow = 4,        // `delay` passes on the clock first; then as always
  kStaleList = 5,   // List lacks the object that was put last
};

struct InjectedFault {
  BlobOp op = BlobOp::kPut;
  BlobFault kind = BlobFault::kFailBefore;
  int skip = 0;   // calls of this kind that pass before
  int times = 1;  // calls that it concerns then; -1: all
  Status status = Status::Unavailable("injected");
  std::chrono::nanoseconds delay = std::chrono::seconds(10);
};

class FakeBlobStore final : public BlobStore {
 public:
  /// The clock must outlive the store.
  explicit FakeBlobStore(Clock* clock) : clock_(clock) {}

  void Inject(InjectedFault fault);
  void ClearFaults();
  /// From now on one call in `one_in` fails, by dice with this seed: kFailBefore, kLostAnswer, or
  /// (reads) kHalf. 0 ends it.
  void SetChaos(uint64_t seed, uint64_t one_in);
  /// Called at the beginning of each call, without the lock: a place to kill, count or wait.
  void SetHook(std::function<void(BlobOp, const std::string& name)> hook);

  /// What is there, for oracles; and changes that no Put made.
  std::map<std::string, std::string> Contents() const;
  void SetContent(const std::string& name, std::string bytes);
  uint64_t calls(BlobOp op) const;

  Result<PutReport> Put(const std::string& name, const BlobContent& content, PutMode mode) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& name) override;
  Result<BlobStat> Stat(const std::string& name) override;
  Result<BlobPage> List(const std::string& prefix, const std::string& after) override;
  Status Delete(const std::string& name) override;
  Result<uint64_t> RemoveUnfinished(const std::string& prefix, std::chrono::seconds) override;
  std::string Describe() const override { return "fake://"; }

 private:
  friend class FakeBlob;
  struct Object {
    std::shared_ptr<const std::string> bytes;
    uint64_t version = 0;
    Timestamp modified;
  };

  /// The fault that concerns this call, if any; counts it. kSlow has been waited for already.
  std::optional<InjectedFault> Meet(BlobOp op, const std::string& name);
  void Store(const std::string& name, std::string bytes);  // under mutex_
  BlobStat StatOf(const std::string& name, const Object& object) const;

  Clock* const clock_;
  mutable std::mutex mutex_;  // protects all below
  std::map<std::string, Object> objects_;
  std::vector<InjectedFault> faults_;
  std::optional<Random> dice_;
  uint64_t chaos_one_in_ = 0;
  std::function<void(BlobOp, const std::string&)> hook_;
  uint64_t calls_[kBlobOps] = {};
  uint64_t next_version_ = 1;
  std::string last_put_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_FAKE_BLOB_STORE_H_
