// What is read of a file between damage and damage.

#include "store/salvage.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/random.h"
#include "model/keys.h"
#include "store/store.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

namespace fs = std::filesystem;

// Steps that double go from 16 over 32 to 64: what lies between two damaged blocks is found by the
// index entries.
TEST(SalvageTest, A5ABlockBetweenTwoDamagedOnesIsFound) {
  const uint64_t seed = TestSeed();
  const TempDir dir;
  const std::string store_dir = dir.File("store");
  const std::vector<int64_t> bases = {0, 16, 20, 40, 64};
  std::map<int64_t, std::string> values;
  {
    auto store = Store::Open({.dir = store_dir, .node_id = "n", .ballast_bytes = 0}).value();
    Random random(seed);
    StoreBatch batch;
    for (const int64_t base : bases) {
      std::string value(30'000, ' ');
      for (char& c : value) c = static_cast<char>(random.Uniform(256));
      batch.PutTapeBlock(TpId{1}, base, value);
      batch.PutTapeIndex(TpId{1}, base,
                         TapeIndexEntry{.first_offset = base, .last_offset = base, .symbols = {}});
      values[base] = value;
    }
    ASSERT_TRUE(store->Write(batch).ok());
    ASSERT_TRUE(store->FlushMemtables().ok());
    ASSERT_TRUE(store->Close().ok());
  }
  int damaged = 0;
  for (const auto& entry : fs::directory_iterator(store_dir)) {
    if (!entry.path().string().ends_with(".sst")) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    for (const int64_t base : {16, 40}) {
      const size_t at = bytes.find(values.at(base));
      if (at == std::string::npos) continue;
      bytes[at + 15'000] ^= 1;
      ++damaged;
    }
    std::ofstream(entry.path(), std::ios::binary) << bytes;
  }
  ASSERT_EQ(damaged, 2);
  auto salvage = Salvage::Open(store_dir).value();
  std::set<int64_t> found;
  ASSERT_TRUE(salvage
                  ->Read([&](const Salvage::Entry& entry) {
                    if (entry.key[0] != 't') return Status::Ok();
                    const auto key = keys::ParseTpOffset(entry.key).value();
                    EXPECT_EQ(entry.value, values.at(key.offset));
                    found.insert(key.offset);
                    return Status::Ok();
                  })
                  .ok());
  EXPECT_EQ(found, (std::set<int64_t>{0, 20, 64})) << RepeatWith(seed);
  auto may_lack = [&](int64_t base) {
    const std::string key = keys::TapeBlock(TpId{1}, base);
    return salvage->MayLack(key, key + std::string(1, '\0'));
  };
  for (const int64_t base : bases) EXPECT_EQ(may_lack(base), base == 16 || base == 40) << base;
}

}  // namespace
}  // namespace tapedeck::testing
