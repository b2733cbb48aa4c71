// What the record journey counts: with what is durable, by topic, table and reason.

#include "record/record_metrics.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "record/recorder_rig.h"
#include "support/seed.h"

namespace tapedeck::testing {
namespace {

const TopicPartition kFirst{"Finhub1", 0};

// The value of a series of Prometheus' text, or -1.
double Value(const RecorderRig& rig, const std::string& series) {
  const std::string text = "\n" + rig.metrics.Expose();
  const size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + series.size() + 2, nullptr);
}

TEST(RecordMetrics, CountWhatIsDurableByTopicTableAndReason) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  for (int i = 0; i < 10; ++i) rig.ProduceTrades(kFirst, 3);
  rig.ProduceRaw(kFirst, "not json");
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}");
  rig.ProduceRaw(kFirst, std::nullopt);
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(Value(rig, "tapedeck_record_messages_total{topic=\"Finhub1\"}"), 13);
  EXPECT_EQ(Value(rig, "tapedeck_record_records_total{table=\"trades\",topic=\"Finhub1\"}"), 30);
  EXPECT_EQ(Value(rig, "tapedeck_record_bytes_total{topic=\"Finhub1\"}"),
            static_cast<double>(rig.last_state.raw_bytes));
  EXPECT_EQ(Value(rig, "tapedeck_record_refused_total{reason=\"not-json\",topic=\"Finhub1\"}"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_skipped_total{reason=\"tombstone\",topic=\"Finhub1\"}"), 1);
  EXPECT_GE(Value(rig, "tapedeck_record_commit_seconds_count"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_commit_seconds_count"),
            static_cast<double>(rig.last_state.commits));
  EXPECT_GT(Value(rig, "tapedeck_record_to_durable_seconds_sum"), 0.1)
      << "a commit waits for its interval of 200 ms";
  EXPECT_GE(Value(rig, "tapedeck_series_flush_seconds_count"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_store_stall_seconds_total"), 0);
}

// C2: what is dropped was never recorded, and is counted when it is.
TEST(RecordMetrics, MessagesOfALostAssignmentAreCountedOnce) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  for (int i = 0; i < 40; ++i) rig.ProduceTrades(kFirst, 1);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   source->batch_max = 5;
                   if (++polls % 23 == 0) {
                     source->RevokeNext(/*lost=*/true);
                     source->Reassign();
                   }
                   return !(polls > 300 && source->AtEnd()) && polls < 20'000;
                 })
                  .ok());
  rig.Check();
  EXPECT_EQ(Value(rig, "tapedeck_record_messages_total{topic=\"Finhub1\"}"), 40);
  EXPECT_EQ(Value(rig, "tapedeck_record_records_total{table=\"trades\",topic=\"Finhub1\"}"), 40);
}

TEST(RecordMetrics, B4GapsAndErrorsOfKafkaAreCounted) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  for (int i = 0; i < 10; ++i) rig.ProduceTrades(kFirst, 1);
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource* source) {
                   if (++polls == 200) {
                     for (int i = 0; i < 30; ++i) rig.ProduceTrades(kFirst, 1);
                     rig.log.Expire(kFirst, 25);
                   }
                   return !(polls > 400 && source->AtEnd()) && polls < 5000;
                 })
                  .ok());
  EXPECT_EQ(Value(rig, "tapedeck_gaps_total{reason=\"retention\",topic=\"Finhub1\"}"), 1);
  EXPECT_GE(Value(rig, "tapedeck_kafka_errors_total{code=\"out-of-range\"}"), 1);
}

// Messages at 0 and from 20 on, of which the client leaves two out.
TEST(RecordMetrics, HolesAreCountedByWhatASecondLookFound) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.ProduceTrades(kFirst, 1);
  rig.log.ProduceHole(kFirst, 19);
  for (int i = 0; i < 4; ++i) rig.ProduceTrades(kFirst, 1);
  rig.log.hidden_from_poll[kFirst] = {21, 22};
  ASSERT_TRUE(rig.Run().ok());
  rig.Check();
  EXPECT_EQ(Value(rig, "tapedeck_record_holes_total{outcome=\"empty\"}"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_holes_total{outcome=\"found\"}"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_holes_total{outcome=\"unchecked\"}"), 0);
  EXPECT_EQ(Value(rig, "tapedeck_record_hole_messages_total"), 2);
}

// A slow broker: after a look of three seconds the next ones wait for half a minute.
TEST(RecordMetrics, HolesThatNobodyHadTimeToLookIntoAreCounted) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  for (int i = 0; i < 5; ++i) {
    rig.ProduceTrades(kFirst, 1);
    rig.log.ProduceHole(kFirst, 3);
  }
  rig.ProduceTrades(kFirst, 1);
  int looks = 0;
  rig.log.on_read_range = [&] {
    ++looks;
    rig.clock.Advance(std::chrono::seconds(3));
  };
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_holes_total{outcome=\"empty\"}"), 1);
  EXPECT_EQ(Value(rig, "tapedeck_record_holes_total{outcome=\"unchecked\"}"), 4);
  EXPECT_EQ(Value(rig, "tapedeck_record_hole_seconds_total"), 3);
}

TEST(RecordMetrics, B4TheTimeOfWhatKafkaHasFirstIsKnown) {
  RecorderRig rig(TestSeed());
  rig.log.Create("Finhub1", 1);
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}", 1'000'000);
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}", 2'000'000);
  rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}", 3'000'000);
  rig.options.tail_check_interval = std::chrono::milliseconds(100);
  int64_t first_ms = -1;
  int64_t after_ms = -1;
  int polls = 0;
  ASSERT_TRUE(rig.Run([&](FakeSource*) {
                   std::this_thread::yield();  // the tail checker works on a thread of its own
                   const RecorderState state = rig.running->State();
                   const int64_t seen =
                       state.partitions.empty() ? -1 : state.partitions[0].log_first_ms;
                   if (first_ms < 0 && seen >= 0) {
                     first_ms = seen;
                     EXPECT_EQ(state.partitions[0].kafka_ms, 3'000'000);
                     rig.log.Expire(kFirst, 2);
                     rig.ProduceRaw(kFirst, "{\"type\":\"ping\"}", 4'000'000);
                   }
                   if (seen > first_ms) after_ms = seen;
                   return after_ms < 0 && ++polls < 200'000;
                 })
                  .ok());
  EXPECT_EQ(first_ms, 1'000'000);
  EXPECT_EQ(after_ms, 3'000'000);
}

}  // namespace
}  // namespace tapedeck::testing
