// Damaged files: torn tails and flipped bytes (docs/faults.md, A4, A5). Whatever is damaged, no
// answer is wrong: it is right, or it is an error.

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <fstream>
#include <map>

#include "base/bytes.h"
#include "store_fixture.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;
constexpr size_t kBlockBytes = 300;

bool Chaos() { return std::getenv("TAPEDECK_CHAOS") != nullptr; }

/// The files of a folder, to lay them out again as often as needed.
using Files = std::map<std::string, std::string>;

Files Load(const fs::path& dir) {
  Files files;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

void LayOut(const Files& files, const fs::path& dir) {
  fs::remove_all(dir);
  fs::create_directories(dir);
  for (const auto& [name, content] : files) {
    std::ofstream out(dir / name, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
}

std::string Only(const Files& files, const std::string& ending) {
  std::string found;
  for (const auto& [name, content] : files) {
    if (name.ends_with(ending) && !content.empty()) found = name;
  }
  return found;
}

/// A store as a crash leaves it: commits up to `flushed` in SST files (two of them), the rest in
/// the WAL only.
Files Crashed(const fs::path& dir, uint64_t flushed, uint64_t commits, size_t block_bytes) {
  auto store = Store::Open(SmallStore(dir)).value();
  for (uint64_t commit = 1; commit <= commits; ++commit) {
    EXPECT_TRUE(WriteCommit(store.get(), commit, block_bytes).ok());
    if (commit == flushed / 2 || commit == flushed) {
      EXPECT_TRUE(store->FlushMemtables().ok());
    }
  }
  return Load(dir);  // while it is open: nothing was tidied up
}

/// What a start makes of the files. Fails the test on a wrong answer or one below `at_least`.
struct Outcome {
  Status open, verify;
  uint64_t commits = 0;
  std::string wal_damage;
};

Outcome Try(const fs::path& dir, StoreOptions options, uint64_t right = 0) {
  Outcome outcome;
  options.dir = dir;
  auto store = Store::Open(options);
  outcome.open = store.status();
  if (!store.ok()) return outcome;
  outcome.wal_damage = (*store)->wal_damage();
  outcome.verify = (*store)->VerifyFiles();
  Result<uint64_t> found = ReadPrefix(**store, kBlockBytes);
  if (found.ok()) {
    outcome.commits = *found;
    if (outcome.wal_damage.empty() && right != 0) {
      EXPECT_EQ(*found, right) << "WRONG ANSWER";
    }
  } else {
    EXPECT_NE(found.status().code(), StatusCode::kInternal) << found.status().ToString();
    EXPECT_FALSE(outcome.verify.ok())
        << "reads fail, and verification found nothing: " << found.status().ToString();
    if (outcome.verify.ok()) outcome.verify = found.status();
  }
  return outcome;
}

TEST(StoreA4, TornWalTailIsDropped) {
  TempDir dir;
  Files files = Crashed(dir.path() / "made", 0, 6, kBlockBytes);
  const std::string wal = Only(files, ".log");
  std::vector<size_t> ends;  // of the WAL after each commit
  {
    auto store = Store::Open(SmallStore(dir.path() / "again")).value();
    for (uint64_t commit = 0; commit <= 6; ++commit) {
      if (commit > 0) {
        ASSERT_TRUE(WriteCommit(store.get(), commit, kBlockBytes).ok());
      }
      Files now = Load(dir.path() / "again");
      ends.push_back(now[Only(now, ".log")].size());
    }
  }
  ASSERT_EQ(ends[6], files[wal].size());
  const std::string whole = files[wal];
  for (size_t size = ends[4]; size <= ends[6]; size += Chaos() ? 1 : 13) {
    SCOPED_TRACE("log cut to " + std::to_string(size));
    files[wal] = whole.substr(0, size);
    LayOut(files, dir.path() / "cut");
    Outcome outcome = Try(dir.path() / "cut", SmallStore(""));
    ASSERT_TRUE(outcome.open.ok()) << outcome.open.ToString();
    ASSERT_TRUE(outcome.verify.ok()) << outcome.verify.ToString();
    EXPECT_EQ(outcome.wal_damage, "");
    EXPECT_EQ(outcome.commits, size == ends[6] ? 6u : size >= ends[5] ? 5u : 4u);
  }
}

/// Flips of one file: refused by name when verifying, survived with a prefix when serving.
struct Tally {
  int flips = 0, refused = 0, harmless = 0, cut = 0;
};

Tally FlipEach(Files files, const std::string& name, const fs::path& dir, uint64_t commits,
               uint64_t flushed, Random* random) {
  Tally tally;
  const std::string whole = files[name];
  // Every byte on demand; else some, and every byte of a small file.
  const size_t stride = Chaos() ? 1 : std::max<size_t>(1, whole.size() / 25);
  for (size_t at = random->Uniform(stride); at < whole.size(); at += stride) {
    const uint8_t mask = random->OneIn(2) ? static_cast<uint8_t>(1u << random->Uniform(8))
                                          : static_cast<uint8_t>(1 + random->Uniform(255));
    SCOPED_TRACE(name + " byte " + std::to_string(at) + " ^ " + std::to_string(mask));
    files[name] = whole;
    files[name][at] = static_cast<char>(static_cast<uint8_t>(whole[at]) ^ mask);
    ++tally.flips;
    LayOut(files, dir);
    Outcome verifying = Try(dir, SmallStore(""), commits);
    if (verifying.open.ok() && verifying.verify.ok()) {
      ++tally.harmless;
      EXPECT_EQ(verifying.commits, commits);
    } else {
      ++tally.refused;
      const Status& refusal = verifying.open.ok() ? verifying.verify : verifying.open;
      EXPECT_EQ(refusal.code(), StatusCode::kCorruption) << refusal.ToString();
    }
    LayOut(files, dir);
    StoreOptions serving = SmallStore("");
    serving.damaged_wal = StoreOptions::DamagedWal::kPointInTime;
    Outcome served = Try(dir, serving, commits);
    if (served.open.ok() && !served.wal_damage.empty()) {
      ++tally.cut;
      EXPECT_TRUE(served.verify.ok()) << served.verify.ToString();
      EXPECT_GE(served.commits, flushed);
      EXPECT_NE(served.wal_damage.find(name), std::string::npos) << served.wal_damage;
    } else if (served.open.ok() && served.verify.ok()) {
      EXPECT_EQ(served.commits, commits);
    }
    LayOut(files, dir);
    StoreOptions reading = SmallStore("");
    reading.mode = StoreMode::kSecondary;
    Outcome read = Try(dir, reading, commits);
    if (read.open.ok() && read.verify.ok()) {
      EXPECT_EQ(read.commits, commits);
    }
  }
  std::printf("[ flips ] %s: %d flips, %d refused, %d harmless, %d served point-in-time\n",
              name.c_str(), tally.flips, tally.refused, tally.harmless, tally.cut);
  return tally;
}

class StoreA5 : public ::testing::Test {
 protected:
  StoreA5() : seed_(TestSeed()), random_(seed_), trace_(__FILE__, __LINE__, RepeatWith(seed_)) {
    files_ = Crashed(dir_.path() / "made", 8, 14, kBlockBytes);
  }
  Tally Flip(const std::string& name) {
    return FlipEach(files_, name, dir_.path() / "flipped", 14, 8, &random_);
  }

  uint64_t seed_;
  Random random_;
  ::testing::ScopedTrace trace_;
  TempDir dir_;
  Files files_;
};

TEST_F(StoreA5, AFlipInTheWriteAheadLogIsRefusedByNameOrCutThere) {
  Tally tally = Flip(Only(files_, ".log"));
  EXPECT_EQ(tally.harmless, 0);
  EXPECT_EQ(tally.cut, tally.flips);
}

TEST_F(StoreA5, AFlipInASstIsNeverRead) {
  Tally tally = Flip(Only(files_, ".sst"));
  EXPECT_EQ(tally.harmless, 0);
}

TEST_F(StoreA5, AFlipInTheManifestIsRefused) {
  std::string manifest;
  for (const auto& [name, content] : files_) {
    if (name.starts_with("MANIFEST")) manifest = name;
  }
  Tally tally = Flip(manifest);
  EXPECT_EQ(tally.harmless, 0);
}

TEST_F(StoreA5, AFlipInCurrentIsRefused) {
  Tally tally = Flip("CURRENT");
  EXPECT_EQ(tally.harmless, 0);
}

TEST_F(StoreA5, AFlipInOptionsOrIdentityDoesNotMatter) {
  std::string options;
  for (const auto& [name, content] : files_) {
    if (name.starts_with("OPTIONS")) options = name;
  }
  EXPECT_EQ(Flip(options).refused, 0);
  EXPECT_EQ(Flip("IDENTITY").refused, 0);
}

// At a log record of type 5 to 8 a secondary of 7.8.3 spins without end.
TEST_F(StoreA5, ARecordTypeOfARecycledLogIsRefusedByEveryReader) {
  const std::string name = Only(files_, ".log");
  Files flipped = files_;
  for (int type = 0; type < 256; type += type < 16 ? 1 : 16) {
    SCOPED_TRACE(name + ", first record of type " + std::to_string(type));
    if (type == files_[name][6]) continue;
    flipped[name][6] = static_cast<char>(type);
    for (StoreMode mode : {StoreMode::kSecondary, StoreMode::kWrite}) {
      LayOut(flipped, dir_.path() / "flipped");
      StoreOptions options = SmallStore(dir_.path() / "flipped");
      options.mode = mode;
      const Status refusal = Store::Open(options).status();
      EXPECT_EQ(refusal.code(), StatusCode::kCorruption) << refusal.ToString();
      EXPECT_NE(refusal.message().find(name), std::string::npos) << refusal.ToString();
    }
  }
}

// RocksDB parses the properties of a file before it checks them; one bit there, the greatest of the
// last byte, ends the process.
TEST_F(StoreA5, NoBitOfTheTailOfASstEndsTheProcess) {
  const std::string name = Only(files_, ".sst");
  const std::string whole = files_[name];
  const std::string key = "rocksdb.properties";
  ByteReader handle(std::string_view(whole).substr(whole.rfind(key) + key.size()));
  const uint64_t properties = handle.Varint();
  const uint64_t behind = properties + handle.Varint();
  ASSERT_TRUE(handle.ok() && behind < whole.size());
  std::vector<uint64_t> bits = {behind * 8 - 1};
  const uint64_t stride = Chaos() ? 1 : 131;
  for (uint64_t bit = properties * 8 + random_.Uniform(stride); bit < whole.size() * 8;
       bit += stride) {
    bits.push_back(bit);
  }
  Files flipped = files_;
  for (uint64_t bit : bits) {
    SCOPED_TRACE(name + " byte " + std::to_string(bit / 8) + " bit " + std::to_string(bit % 8));
    flipped[name] = whole;
    char& byte = flipped[name][bit / 8];
    byte = static_cast<char>(static_cast<uint8_t>(byte) ^ (1u << bit % 8));
    for (StoreMode mode : {StoreMode::kSecondary, StoreMode::kWrite}) {
      LayOut(flipped, dir_.path() / "flipped");
      StoreOptions options = SmallStore("");
      options.mode = mode;
      Outcome outcome = Try(dir_.path() / "flipped", options, 14);
      const Status& refusal = outcome.open.ok() ? outcome.verify : outcome.open;
      EXPECT_EQ(refusal.code(), StatusCode::kCorruption) << refusal.ToString();
      EXPECT_NE(refusal.message().find(name), std::string::npos) << refusal.ToString();
    }
  }
}

TEST_F(StoreA5, AFileWithoutAChecksumIsNotTakenForSound) {
  LayOut(files_, dir_.path() / "bare");
  {
    rocksdb::DB* raw = nullptr;
    rocksdb::Options options;  // none of ours: no checksums of files
    ASSERT_TRUE(rocksdb::DB::Open(options, (dir_.path() / "bare").string(), &raw).ok());
    std::unique_ptr<rocksdb::DB> db(raw);
  }
  Outcome outcome = Try(dir_.path() / "bare", SmallStore(""), 14);
  ASSERT_TRUE(outcome.open.ok()) << outcome.open.ToString();
  EXPECT_EQ(outcome.commits, 14u);
  EXPECT_EQ(outcome.verify.code(), StatusCode::kCorruption);
  EXPECT_NE(outcome.verify.message().find(".sst has no checksum"), std::string::npos)
      << outcome.verify.ToString();
}

TEST_F(StoreA5, AMissingFileIsRefused) {
  for (const auto& [name, content] : files_) {
    if (name == "LOCK" || name == "IDENTITY" || name.starts_with("OPTIONS") || content.empty())
      continue;
    SCOPED_TRACE(name);
    Files fewer = files_;
    fewer.erase(name);
    LayOut(fewer, dir_.path() / "fewer");
    Outcome outcome = Try(dir_.path() / "fewer", SmallStore(""));
    if (name.ends_with(".log"))
      // A shorter history, as after a power cut that took the name; not to be told from one.
      continue;
    EXPECT_EQ(outcome.open.code(), StatusCode::kCorruption) << outcome.open.ToString();
  }
}

TEST(StoreA5Wal, DamageInTheMiddleOfSeveralLogsKeepsAPrefix) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  // Large batches: several logs at a time while memtables wait to be written.
  auto store = Store::Open(SmallStore(dir.path() / "made")).value();
  Files files;
  uint64_t commits = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(WriteCommit(store.get(), ++commits, 400'000).ok());
    files = Load(dir.path() / "made");
    int logs = 0;
    for (const auto& [name, content] : files) logs += name.ends_with(".log") && !content.empty();
    if (logs >= 2) break;
  }
  for (const auto& [name, content] : files) {
    if (!name.ends_with(".log") || content.empty()) continue;
    for (int round = 0; round < 3; ++round) {
      Files flipped = files;
      const size_t at = random.Uniform(content.size());
      flipped[name][at] = static_cast<char>(flipped[name][at] ^ 4);
      SCOPED_TRACE(name + " byte " + std::to_string(at));
      LayOut(flipped, dir.path() / "flipped");
      StoreOptions serving = SmallStore(dir.path() / "flipped");
      serving.damaged_wal = StoreOptions::DamagedWal::kPointInTime;
      auto opened = Store::Open(serving);
      if (!opened.ok()) continue;  // files were copied while they changed
      Result<uint64_t> found = ReadPrefix(**opened, 400'000);
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      EXPECT_LE(*found, commits);
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
