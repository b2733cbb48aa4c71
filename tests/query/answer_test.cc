// Whole answers, byte for byte: against text made from the brute-force look, while rows are
// committed, flushed, closed and merged, page by page, and across a restart.

#include <gtest/gtest.h>

#include <algorithm>

#include "query/answers.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

class AnswerTest : public ::testing::Test {
 protected:
  Question RandomQuestion(RandomWorld* world, const StoreFiller& filler) {
    return testing::RandomQuestion(world, filler, &random_);
  }

  // Something that changes where rows lie and nothing else.
  void Rearrange(StoreFiller* filler) {
    if (random_.OneIn(2)) filler->Flush();
    if (random_.OneIn(4)) filler->CloseDays();
    if (random_.OneIn(3)) filler->MergeSeries();
  }

  uint64_t seed_ = TestSeed();
  Random random_{seed_};
  TempDir dir_;
};

TEST_F(AnswerTest, BytesAreThoseOfTheBruteForceAnswerWhileRowsComeAndMove) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t bytes = 0;
  for (int round = 0; round < 5; ++round) {
    StoreFiller filler(dir_.File("w" + std::to_string(round)), 1 + random_.Uniform(60));
    RandomWorld world(&filler, &random_);
    world.Run(60);
    for (int step = 0; step < 12; ++step) {
      std::vector<std::pair<Question, std::string>> asked;
      const auto before = filler.Point();
      for (int i = 0; i < 20; ++i) {
        const Question question = RandomQuestion(&world, filler);
        asked.emplace_back(question, TextOracle(&filler, &question).Text());
        bytes += asked.back().second.size();
      }
      auto same = [&](const std::shared_ptr<const ReadPoint>& point, const char* when) {
        for (const auto& [question, expected] : asked) {
          ASSERT_EQ(Difference(Answered(point, question).text, expected), "")
              << when << ", round " << round << "." << step << " on " << question.query.table;
        }
      };
      same(before, "at first");
      Rearrange(&filler);
      same(filler.Point(), "rearranged");
      world.Run(random_.Uniform(40));
      same(before, "at the old point, while more was recorded");
    }
  }
  EXPECT_GT(bytes, 1'000'000u) << "the worlds are too empty to prove anything";
}

TEST_F(AnswerTest, ARowOfAnAppendTableOnceServedIsAlwaysServed) {
  SCOPED_TRACE(RepeatWith(seed_));
  StoreFiller filler(dir_.File("w"), 20);
  RandomWorld world(&filler, &random_);
  Question question;
  question.query.table = "trades";
  question.wanted = {"ts", "symbol", "offset", "price"};
  std::vector<std::string> served;
  for (int i = 0; i < 60; ++i) {
    world.Run(10);
    Rearrange(&filler);
    std::vector<std::string> lines;
    std::istringstream text(Answered(filler.Point(), question).text);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    // Some rows are the same in what is shown, and each of them counts.
    std::sort(lines.begin(), lines.end());
    ASSERT_TRUE(std::includes(lines.begin(), lines.end(), served.begin(), served.end()))
        << "after " << i << " steps";
    served = std::move(lines);
  }
  EXPECT_GT(served.size(), 100u);
}

TEST_F(AnswerTest, PagesOfAnySizeAreOneStreamAlsoAcrossARestart) {
  SCOPED_TRACE(RepeatWith(seed_));
  size_t pages = 0;
  for (int round = 0; round < 4; ++round) {
    const std::string dir = dir_.File("p" + std::to_string(round));
    StoreFiller filler(dir, 1 + random_.Uniform(40));
    RandomWorld world(&filler, &random_);
    world.Run(250);
    struct Reading {
      Question question;
      std::string whole, text;
      bool ended = false;
    };
    std::vector<Reading> readings;
    for (int i = 0; i < 50; ++i) {
      Reading reading{RandomQuestion(&world, filler), {}, {}};
      reading.question.format = TextFormat::kNdjson;
      reading.question.query.limit = UINT64_MAX;
      reading.whole = TextOracle(&filler, &reading.question).Text();
      reading.question.query.limit = 1 + random_.Uniform(random_.OneIn(2) ? 5 : 300);
      readings.push_back(std::move(reading));
    }
    auto read_page = [&](const std::shared_ptr<const ReadPoint>& point, Reading* reading) {
      const Bytes page = Answered(point, reading->question);
      reading->text += page.text;
      reading->ended = page.rows < reading->question.query.limit;
      if (page.last) {
        reading->question.query.after = *RecordPosition::Decode(page.last->Encode());
      }
      ++pages;
    };
    for (int step = 0; step < 4; ++step) {
      for (Reading& reading : readings) {
        if (!reading.ended && !random_.OneIn(4)) read_page(filler.Point(), &reading);
      }
      Rearrange(&filler);
    }
    filler.Flush();  // open rows would be decoded again from a tape, which a filler does not have
    filler.Close();
    Result<std::unique_ptr<Store>> store = Store::Open({.dir = dir, .create = false});
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    SeriesDirectory directory;
    const auto point = *ReadPoint::Take(OpenRows(), &directory, **store);
    for (size_t i = 0; i < readings.size(); ++i) {
      while (!readings[i].ended) read_page(point, &readings[i]);
      ASSERT_EQ(Difference(readings[i].text, readings[i].whole), "")
          << "round " << round << " query " << i << " on " << readings[i].question.query.table;
    }
  }
  EXPECT_GT(pages, 500u);
}

}  // namespace
}  // namespace tapedeck::testing
