// store_bench: what a durable commit of the store costs, over the least that the disk allows.
//
// Ours: one batch of a 24 kB tape block, its index entry, a checkpoint and the commit number,
// synced, into a store that flushes and compacts meanwhile. Theirs: the same bytes appended to a
// plain file, fdatasync. Both on the same file system, in turn; medians and 99th percentiles of
// each turn are compared.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

#include "base/random.h"
#include "bench/bench_util.h"
#include "store/store.h"

namespace tapedeck {
namespace {

constexpr size_t kBlockBytes = 24'000;
constexpr int kCommitsPerTurn = 2000;
constexpr int kTurns = 2 * bench::kPairs;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "store_bench: %s\n", what.c_str());
  std::exit(2);
}

struct Latency {
  double p50_s = 0, p99_s = 0, total_s = 0;
};

template <typename F>
Latency Turn(F commit) {
  std::vector<double> seconds;
  Latency latency;
  for (int i = 0; i < kCommitsPerTurn; ++i) {
    auto start = std::chrono::steady_clock::now();
    commit();
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    seconds.push_back(took.count());
    latency.total_s += took.count();
  }
  std::sort(seconds.begin(), seconds.end());
  latency.p50_s = seconds[seconds.size() / 2];
  latency.p99_s = seconds[seconds.size() * 99 / 100];
  return latency;
}

class OurSide {
 public:
  explicit OurSide(const std::filesystem::path& dir) {
    auto opened = Store::Open(
        {.dir = dir, .node_id = "bench", .memory_bytes = size_t{256} << 20, .ballast_bytes = 0});
    if (!opened.ok()) Fail(opened.status().ToString());
    store_ = std::move(*opened);
  }
  void Commit(std::string_view block) {
    const TpId tp{static_cast<uint32_t>(commit_ % 12)};  // as of twelve partitions
    const int64_t base = static_cast<int64_t>(commit_ / 12) * 100;
    ++commit_;
    StoreBatch batch;
    batch.PutTapeBlock(tp, base, block);
    TapeIndexEntry index;
    index.count = 100;
    index.first_offset = base;
    index.last_offset = base + 99;
    index.symbols = {"BTCUSDT", "ETHUSDT"};
    batch.PutTapeIndex(tp, base, index);
    Checkpoint checkpoint;
    checkpoint.next = base + 100;
    batch.PutCheckpoint(tp, checkpoint);
    batch.PutCommitNumber(commit_);
    Status written = store_->Write(batch);
    if (!written.ok()) Fail(written.ToString());
  }
  double ScanMegabytesPerSecond() {
    auto start = std::chrono::steady_clock::now();
    auto view = store_->View();
    auto cursor = view->Scan("t", "u", ScanKind::kLong);
    size_t bytes = 0;
    for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) bytes += cursor->value().size();
    if (!cursor->status().ok()) Fail(cursor->status().ToString());
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return double(bytes) / 1e6 / took.count();
  }

 private:
  std::unique_ptr<Store> store_;
  uint64_t commit_ = 0;
};

class BareFile {
 public:
  explicit BareFile(const std::filesystem::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)) {
    if (fd_ < 0) Fail("cannot make " + file.string());
  }
  ~BareFile() { ::close(fd_); }
  BareFile(const BareFile&) = delete;
  BareFile& operator=(const BareFile&) = delete;
  void Commit(std::string_view block) {
    if (::write(fd_, block.data(), block.size()) != static_cast<ssize_t>(block.size()) ||
        ::fdatasync(fd_) != 0)
      Fail("cannot write");
  }

 private:
  int fd_;
};

void Run(const std::filesystem::path& dir) {
  Random random(7);
  const std::string bytes = random.Bytes(kBlockBytes + 4096);
  auto block = [&] { return std::string_view(bytes).substr(random.Uniform(4096), kBlockBytes); };
  OurSide ours(dir / "store");
  BareFile bare(dir / "bare");
  std::vector<double> p50, p99, total;
  std::vector<double> our_p50, our_p99;
  for (int turn = 0; turn < kTurns; ++turn) {
    Latency a, b;
    if (turn % 2 == 0) a = Turn([&] { ours.Commit(block()); });
    b = Turn([&] { bare.Commit(block()); });
    if (turn % 2 == 1) a = Turn([&] { ours.Commit(block()); });
    if (turn == 0) continue;  // warm-up
    p50.push_back(a.p50_s / b.p50_s);
    p99.push_back(a.p99_s / b.p99_s);
    total.push_back(a.total_s / b.total_s);
    our_p50.push_back(a.p50_s * 1e3);
    our_p99.push_back(a.p99_s * 1e3);
  }
  std::printf("  durable commit of 24 kB: p50 %.2f ms, p99 %.2f ms\n", bench::Median(our_p50),
              bench::Median(our_p99));
  bench::Print("durable commit, p50 over append + fdatasync", bench::SpreadOf(p50),
               bench::Bar::AtMost(1.5));
  bench::Print("durable commit, p99 over append + fdatasync", bench::SpreadOf(p99),
               bench::Bar::AtMost(4));
  bench::Print("durable commits, total time over append + fdatasync", bench::SpreadOf(total));
  std::printf("  scan of all blocks, warm: %.0f MB/s\n", ours.ScanMegabytesPerSecond());
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) {
  using namespace tapedeck;
  bench::Begin("store: durable commits");
  // The folder decides which disk is measured.
  std::string dir =
      (std::filesystem::path(argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string()) /
       "tapedeck-bench-XXXXXX")
          .string();
  if (::mkdtemp(dir.data()) == nullptr) Fail("cannot make " + dir);
  Run(dir);
  std::filesystem::remove_all(dir);
  return bench::End();
}
