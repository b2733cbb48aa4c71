// Old objects are read again before somebody needs them (docs/faults.md, D14).

#include "ship/scrub.h"

#include <gtest/gtest.h>

#include "ship/ship_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr hours kPeriod(240);

class ScrubTest : public ::testing::Test {
 protected:
  ScrubTest() : rig_(TestSeed()) {
    rig_.recorder.log.Create("Finhub1", 2);
    for (int day = 0; day < 3; ++day) {
      rig_.recorder.first_ms = kShipNoonMs - day * kShipDayMs;
      for (int i = 0; i < 20; ++i) rig_.recorder.ProduceTrades({"Finhub1", i % 2}, 1 + i % 3);
    }
    rig_.Record({kShipDay, Day(kShipDay.days() - 1), Day(kShipDay.days() - 2)});
    rig_.StartShipper();
    rig_.ShipAll();
    const auto report = manifests_.Refresh(&rig_.fake, nullptr);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    Start();
  }

  void Start() {
    ScrubOptions options;
    options.period = kPeriod;
    options.bytes_per_second = 1 << 20;
    scrub_ = std::make_unique<Scrub>(options, ScrubParts{&rig_.fake, &rig_.recorder.clock,
                                                         [this] { return manifests_.Take(); }});
  }
  /// Rounds over so long, an hour after another.
  void Pass(hours time) {
    for (hours passed(0); passed <= time; passed += hours(1)) {
      scrub_->Round();
      rig_.recorder.clock.Advance(hours(1));
    }
  }
  std::set<std::string> Damaged() const {
    std::set<std::string> names;
    for (const DamagedObject& object : scrub_->State().damaged) names.insert(object.name);
    return names;
  }
  void Alter(const std::string& name) {
    std::string bytes = rig_.fake.Contents().at(name);
    bytes[bytes.size() / 2] ^= 1;
    rig_.fake.SetContent(name, bytes);
  }
  std::set<std::string> Shipped() const {
    std::set<std::string> names;
    for (const auto& [name, bytes] : rig_.fake.Contents()) names.insert(name);
    return names;
  }

  ShipRig rig_;
  ManifestHolder manifests_;
  std::unique_ptr<Scrub> scrub_;
};

TEST_F(ScrubTest, D14WhatWasDeletedOrAlteredIsFoundWithinThePeriod) {
  std::vector<std::string> objects;
  for (const std::string& name : Shipped()) {
    if (name.ends_with(".parquet")) objects.push_back(name);
  }
  ASSERT_GT(objects.size(), 3u);
  Pass(kPeriod);
  EXPECT_EQ(scrub_->State().checked, Shipped().size());
  EXPECT_EQ(scrub_->State().objects, Shipped().size());
  EXPECT_EQ(Damaged(), std::set<std::string>());
  const std::string before = rig_.fake.Contents().at(objects[1]);
  ASSERT_TRUE(rig_.fake.Delete(objects[0]).ok());
  Alter(objects[1]);
  rig_.fake.SetContent(objects[2], rig_.fake.Contents().at(objects[2]).substr(1));
  Pass(kPeriod);
  EXPECT_EQ(Damaged(), (std::set<std::string>{objects[0], objects[1], objects[2]}));
  for (const DamagedObject& found : scrub_->State().damaged) {
    const std::string word = found.name == objects[0]   ? "missing"
                             : found.name == objects[1] ? "SHA-256"
                                                        : "bytes";
    EXPECT_NE(found.what.find(word), std::string::npos) << found.name << ": " << found.what;
    EXPECT_TRUE(rig_.fake.Contents().contains(found.manifest)) << found.manifest;
  }
  // Put back by an operator: seen within the hour.
  rig_.fake.SetContent(objects[1], before);
  rig_.recorder.clock.Advance(hours(1));
  scrub_->Round();
  EXPECT_EQ(Damaged(), (std::set<std::string>{objects[0], objects[2]}));
}

TEST_F(ScrubTest, EveryObjectHasItsTurnHoweverOftenTheProcessStarts) {
  const std::set<std::string> all = Shipped();
  for (const std::string& name : all) Alter(name);
  std::set<std::string> found;
  // Up for five hours, down for one, in the first period; always up in the second.
  const MonotonicTime start = rig_.recorder.clock.Monotonic();
  for (auto passed = start - start; passed < 2 * kPeriod;
       passed = rig_.recorder.clock.Monotonic() - start) {
    Start();
    for (int step = 0; step <= 300; ++step) {
      scrub_->Round();
      if (step < 300) rig_.recorder.clock.Advance(minutes(1));
    }
    found.merge(Damaged());
    if (passed < kPeriod) rig_.recorder.clock.Advance(hours(1));
  }
  EXPECT_EQ(found, all);
}

TEST_F(ScrubTest, AnArchiveThatDoesNotAnswerIsNoDamageAndItsObjectsWait) {
  rig_.fake.Inject({.op = BlobOp::kOpen, .kind = BlobFault::kFailBefore, .times = -1});
  Pass(kPeriod / 2);
  EXPECT_EQ(Damaged(), std::set<std::string>());
  EXPECT_NE(scrub_->State().last_error, "");
  EXPECT_GT(scrub_->State().behind, hours(1));
  rig_.fake.ClearFaults();
  Pass(kPeriod / 2);
  EXPECT_EQ(scrub_->State().last_error, "");
  EXPECT_GE(scrub_->State().checked, Shipped().size());
}

TEST_F(ScrubTest, ItReadsNoFasterThanItMay) {
  scrub_->Round();
  rig_.recorder.clock.Advance(kPeriod);
  const MonotonicTime start = rig_.recorder.clock.Monotonic();
  scrub_->Round();
  const double seconds = double((rig_.recorder.clock.Monotonic() - start).count()) / 1e9;
  const uint64_t bytes = scrub_->State().checked_bytes;
  EXPECT_GT(bytes, 10'000u);
  EXPECT_GE(seconds, 0.99 * double(bytes) / double(1 << 20));
}

}  // namespace
}  // namespace tapedeck::testing
