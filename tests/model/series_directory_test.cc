// SeriesDirectory against a map: names of every size, and names that differ in one byte only.

#include "model/series_directory.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "base/random.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

using testing::RepeatWith;
using testing::TestSeed;

TEST(SeriesDirectory, EveryNameHasItsOwnNumberAndKeepsIt) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(RepeatWith(seed));
  Random random(seed);
  SeriesDirectory directory;
  std::map<std::pair<TableId, std::string>, SeriesId> known;
  for (int round = 0; round < 20'000; ++round) {
    // Few different bytes, NUL among them: many names share all but one of them.
    std::string symbol(random.Uniform(20), '\0');
    for (char& byte : symbol) byte = static_cast<char>(random.Uniform(10) == 0 ? 'A' : 0);
    const TableId table{static_cast<uint16_t>(random.Uniform(3))};
    const auto it = known.find({table, symbol});
    EXPECT_EQ(directory.Find(table, symbol), it == known.end() ? kNoSeries : it->second);
    const SeriesId series = directory.Intern(table, symbol);
    const auto [place, fresh] = known.try_emplace({table, symbol}, series);
    ASSERT_EQ(series, place->second);
    if (fresh) {
      ASSERT_EQ(series, known.size() - 1);
    }
  }
  ASSERT_EQ(directory.size(), known.size());
  EXPECT_GT(known.size(), 1024u) << "the table was never made larger";
  for (const auto& [name, series] : known) {
    EXPECT_EQ(directory.At(series).table, name.first);
    EXPECT_EQ(directory.At(series).symbol, name.second);
  }
}

TEST(SeriesDirectory, OneByteMoreIsAnotherSymbol) {
  SeriesDirectory directory;
  std::string symbol;
  for (SeriesId expected = 0; expected < 100; ++expected) {
    EXPECT_EQ(directory.Intern(TableId{1}, symbol), expected) << symbol.size();
    symbol.push_back('a');
  }
  EXPECT_EQ(directory.Find(TableId{1}, std::string(16, 'a')), 16u);
  EXPECT_EQ(directory.Find(TableId{2}, std::string(16, 'a')), kNoSeries);
  EXPECT_EQ(directory.Find(TableId{1}, std::string(17, 'b')), kNoSeries);
}

}  // namespace
}  // namespace tapedeck
