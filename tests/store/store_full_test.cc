// A disk that is full, and has room again (docs/faults.md, A8): writing stops, reading goes on,
// nothing acknowledged is lost, nothing else is there, the process lives, and TryResume brings
// it back.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/clock.h"
#include "store_fixture.h"
#include "support/fault_fs.h"
#include "support/rounds.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kBlockBytes = 40'000;

/// A file system of its own and of a given size, in memory.
class SmallDisk {
 public:
  explicit SmallDisk(size_t megabytes) {
    const std::string size = "size=" + std::to_string(megabytes) + "m,mode=700";
    mounted_ = ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return dir_.path(); }
  uint64_t Free() const { return std::filesystem::space(dir_.path()).available; }
  /// Takes room until `leave` bytes are free.
  void Fill(uint64_t leave) {
    const uint64_t free = Free();
    if (free <= leave) return;
    const int fd = ::open((dir_.path() / "filler").c_str(), O_WRONLY | O_CREAT, 0600);
    ASSERT_GE(fd, 0);
    // RocksDB takes and gives room meanwhile.
    uint64_t size = free - leave;
    while (size > 0 && ::posix_fallocate(fd, 0, static_cast<off_t>(size)) != 0)
      size -= size / 16 + 1;
    ::close(fd);
  }
  void Drain() { std::filesystem::remove(dir_.path() / "filler"); }

 private:
  TempDir dir_;
  bool mounted_ = false;
};

StoreOptions WithBallast(const std::filesystem::path& dir) {
  StoreOptions options = SmallStore(dir);
  options.ballast_bytes.reset();  // the default: twice the memtables
  return options;
}

bool BallastIsWhole(const std::filesystem::path& dir) {
  std::error_code error;
  return std::filesystem::file_size(dir / "BALLAST", error) >= (size_t{8} << 20) && !error;
}

/// Writes until there is no room, with flushes and compactions in between. The error.
Status WriteUntilFull(Store* store, uint64_t* commit, Random* random) {
  for (int i = 0; i < 20'000; ++i) {
    Status written = WriteCommit(store, *commit + 1, kBlockBytes);
    if (!written.ok()) return written;
    ++*commit;
    if (random->OneIn(40)) {
      Status flushed = store->FlushMemtables();
      if (flushed.code() == StatusCode::kInternal) return flushed;
    }
    if (random->OneIn(150)) {
      Status compacted = store->CompactAll();
      if (compacted.code() == StatusCode::kInternal) return compacted;
    }
  }
  return Status::NotFound("the disk did not fill up");
}

// As the record journey does: resume, write the same batch again.
void ResumeAndRepeat(Store* store, uint64_t* commit) {
  Status resumed = store->TryResume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  Status written = WriteCommit(store, *commit + 1, kBlockBytes);
  ASSERT_TRUE(written.ok()) << written.ToString();
  ++*commit;
}

TEST(StoreA8, AFullDiskIsSurvivedAgainAndAgain) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  SmallDisk disk(600);
  if (!disk.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here (needs root)";
  const std::filesystem::path dir = disk.path() / "s";
  uint64_t commit = 0;
  auto store = Store::Open(WithBallast(dir)).value();
  ASSERT_TRUE(BallastIsWhole(dir));
  int by_ballast = 0, refused = 0, reopened = 0;
  for (int round = 0; round < Rounds(5) && disk.Free() > (uint64_t{60} << 20); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    disk.Fill(random.Uniform(8) << 20);
    for (int stop = 0; stop < 3; ++stop) {
      Status full = WriteUntilFull(store.get(), &commit, &random);
      ASSERT_EQ(full.code(), StatusCode::kResourceExhausted) << full.ToString();
      Result<uint64_t> read = ReadPrefix(*store, kBlockBytes);  // reads go on
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      ASSERT_EQ(*read, commit);
      if (random.OneIn(3)) {  // a restart with the disk still full
        store.reset();
        Result<std::unique_ptr<Store>> again = Store::Open(WithBallast(dir));
        if (!again.ok()) {
          ASSERT_EQ(again.status().code(), StatusCode::kResourceExhausted)
              << again.status().ToString();
          disk.Drain();
          again = Store::Open(WithBallast(dir));
        }
        ASSERT_TRUE(again.ok()) << again.status().ToString();
        store = std::move(*again);
        ++reopened;
        read = ReadPrefix(*store, kBlockBytes);
        ASSERT_TRUE(read.ok()) << read.status().ToString();
        ASSERT_GE(*read, commit);
        ASSERT_LE(*read, commit + 1);
        commit = *read;
        break;
      }
      Status resumed = store->TryResume();
      if (!resumed.ok()) {
        ASSERT_EQ(resumed.code(), StatusCode::kResourceExhausted) << resumed.ToString();
        ++refused;
        break;
      }
      ++by_ballast;
    }
    disk.Drain();
    ResumeAndRepeat(store.get(), &commit);
    EXPECT_TRUE(BallastIsWhole(dir));
  }
  Result<uint64_t> read = ReadPrefix(*store, kBlockBytes);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, commit);
  EXPECT_TRUE(store->VerifyFiles().ok());
  store.reset();
  EXPECT_EQ(ReadPrefix(*Store::Open(WithBallast(dir)).value(), kBlockBytes).value_or(0), commit);
  std::printf(
      "[ full  ] %d resumed by the ballast, %d told to free room, %d restarts while full, %llu "
      "commits compared\n",
      by_ballast, refused, reopened, static_cast<unsigned long long>(commit));
}

// A reader that keeps its view is asked for it, and recording goes on at once.
TEST(StoreA8, AReaderThatLetsGoDoesNotHoldUpTheReopening) {
  TempDir dir;
  auto faults = std::make_shared<FaultFs>(1);
  StoreOptions options = SmallStore(dir.path() / "s");
  options.file_system = faults;
  auto store = Store::Open(options).value();
  std::shared_ptr<const StoreView> view;
  int asked = 0;
  store->OnReopen([&] {
    ++asked;
    view.reset();
  });
  uint64_t commit = 0;
  for (; commit < 40; ++commit) ASSERT_TRUE(WriteCommit(store.get(), commit + 1, kBlockBytes).ok());
  view = store->View();
  faults->Fail({.op = Op::kAppend, .name = ".log", .times = 1, .error = FaultFs::Enospc()});
  ASSERT_EQ(WriteCommit(store.get(), commit + 1, kBlockBytes).code(),
            StatusCode::kResourceExhausted);
  const MonotonicTime begun = SystemClock().Monotonic();
  ResumeAndRepeat(store.get(), &commit);
  EXPECT_LT(SystemClock().Monotonic() - begun, std::chrono::seconds(8)) << "views are awaited 10 s";
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(ReadPrefix(*store, kBlockBytes).value_or(0), commit);
}

// No room at one place only, for some calls, whatever statvfs says.
TEST(StoreA8, NoRoomAtOnePlaceIsResumedFrom) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  struct Place {
    Op op;
    const char* file;
  };
  for (Place place :
       {Place{Op::kAppend, ".log"}, Place{Op::kSync, ".log"}, Place{Op::kMake, ".log"},
        Place{Op::kAppend, ".sst"}, Place{Op::kSync, ".sst"}, Place{Op::kMake, ".sst"},
        Place{Op::kAppend, "MANIFEST"}, Place{Op::kSync, "MANIFEST"}, Place{Op::kMake, "MANIFEST"},
        Place{Op::kAppend, "dbtmp"}, Place{Op::kRename, "dbtmp"}}) {
    for (uint64_t times : {1 + random.Uniform(4)}) {
      SCOPED_TRACE(std::string(place.file) + " op " + std::to_string(int(place.op)) + " times " +
                   std::to_string(times));
      TempDir dir;
      auto faults = std::make_shared<FaultFs>(random.Next());
      StoreOptions options = SmallStore(dir.path() / "s");
      options.file_system = faults;
      auto store = Store::Open(options).value();
      uint64_t commit = 0;
      for (; commit < 40; ++commit)
        ASSERT_TRUE(WriteCommit(store.get(), commit + 1, kBlockBytes).ok());
      faults->Fail({.op = place.op,
                    .name = place.file,
                    .after = random.Uniform(2),
                    .times = times,
                    .error = FaultFs::Enospc()});
      for (int step = 0; step < 40; ++step) {
        Status written = WriteCommit(store.get(), commit + 1, kBlockBytes);
        for (int attempt = 0; !written.ok() && attempt < 20; ++attempt) {
          ASSERT_EQ(written.code(), StatusCode::kResourceExhausted) << written.ToString();
          Status resumed = store->TryResume();
          ASSERT_NE(resumed.code(), StatusCode::kInternal) << resumed.ToString();
          if (resumed.ok()) written = WriteCommit(store.get(), commit + 1, kBlockBytes);
        }
        ASSERT_TRUE(written.ok()) << written.ToString();
        ++commit;
        if (step % 20 == 10) {
          Status flushed = store->FlushMemtables();
          ASSERT_TRUE(flushed.ok() || flushed.code() == StatusCode::kResourceExhausted)
              << flushed.ToString();
        }
        if (step % 20 == 19) {
          Status compacted = store->CompactAll();
          ASSERT_TRUE(compacted.ok() || compacted.code() == StatusCode::kResourceExhausted)
              << compacted.ToString();
        }
      }
      Result<uint64_t> read = ReadPrefix(*store, kBlockBytes);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ(*read, commit);
      store.reset();
      faults->PowerOff();
      faults->LosePower(nullptr);
      auto again = Store::Open(SmallStore(dir.path() / "s"));
      ASSERT_TRUE(again.ok()) << again.status().ToString();
      read = ReadPrefix(**again, kBlockBytes);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ(*read, commit);
    }
  }
}

TEST(StoreA8, TheBallastIsMadeOnlyWhereThereIsRoom) {
  SmallDisk disk(12);
  if (!disk.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here (needs root)";
  auto store = Store::Open(WithBallast(disk.path() / "s")).value();
  EXPECT_FALSE(BallastIsWhole(disk.path() / "s"));
  EXPECT_TRUE(WriteCommit(store.get(), 1, kBlockBytes).ok());
}

}  // namespace
}  // namespace tapedeck::testing
