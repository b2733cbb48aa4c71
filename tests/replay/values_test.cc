// Re-encoded values: one message for each record, as JSON and as FlatBuffers.

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>

#include "codec/record_generated.h"
#include "replay/replay_rig.h"
#include "support/kafka_service.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

using nlohmann::json;

class ReplayValues : public ::testing::Test {
 protected:
  static std::string Unit(const std::string& symbol, int n) {
    return R"({"k":"q","s":")" + symbol + R"(","t":)" +
           std::to_string(1'700'000'000'000'000'000 + n) + R"(,"b":")" + std::to_string(n) +
           R"(.50"})";
  }
  /// Messages of no, one and many records, and one that is no JSON.
  static void FillSeveral(ReplayRig& rig, int messages = 60) {
    rig.Fill(0);
    for (int i = 0; i < messages; ++i) {
      FillMessage m;
      m.timestamp_ms = 1'700'000'000'000 + i;
      if (i % 3 == 0) m.key = "key" + std::to_string(i);
      m.headers.emplace_back("h", std::to_string(i));
      std::string units;
      for (int n = 0; n < i % 5; ++n) {
        units += (n > 0 ? "," : "") + Unit(n % 2 == 0 ? "BTC" : "ETH", i * 100 + n);
      }
      m.value = i == 7 ? "no json" : "[" + units + "]";
      rig.filler().Append(TpId{1}, m);
    }
    rig.filler().Commit();
  }
  static json Request(const std::string& topic, const std::string& value) {
    json request = ReplayRig::Request(topic);
    request["target"]["value"] = value;
    return request;
  }
  static std::string Header(const ClientMessage& m, const std::string& name) {
    for (const auto& [header, value] : m.headers) {
      if (header == name) return value.value_or("null");
    }
    return "";
  }
  /// Key, headers, timestamp and provenance of the n-th record's message.
  static void ExpectEnvelope(ReplayRig& rig, const OracleRecord& record, const ClientMessage& m,
                             size_t nth) {
    const OracleMessage& source = rig.filler().messages()[static_cast<size_t>(record.offset)];
    ASSERT_EQ(source.offset, record.offset);
    EXPECT_EQ(m.key, source.content.key);
    EXPECT_EQ(m.timestamp, source.content.timestamp_ms);
    EXPECT_EQ(Header(m, "h"), *source.content.headers[0].second);
    EXPECT_EQ(Header(m, "tapedeck-seq"), std::to_string(nth + 1));
    EXPECT_EQ(Header(m, "tapedeck-origin"),
              "ticks/0/0/" + std::to_string(record.offset) + "/" + std::to_string(record.index));
  }
  TempDir dir_;
};

TEST_F(ReplayValues, JsonIsOneMessageForEachRecordWithTheNumbersAsTheyCame) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("json-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  FillSeveral(rig);
  rig.Start();
  const std::string id = rig.Create(Request("json-replay", "json"));
  ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  const auto found = kafka->admin().Dump("json-replay");
  const auto& records = rig.filler().records();
  ASSERT_GT(records.size(), 100u);
  ASSERT_EQ(found.size(), records.size());
  EXPECT_EQ(rig.View(id).job.verified_messages, records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    ExpectEnvelope(rig, records[i], found[i], i);
    const std::string& text = *found[i].value;
    const json value = json::parse(text);
    EXPECT_EQ(value["table"], records[i].table);
    EXPECT_EQ(value["symbol"], records[i].symbol);
    EXPECT_EQ(value["topic"], "ticks");
    EXPECT_EQ(value["offset"], records[i].offset);
    EXPECT_EQ(value["index"], records[i].index);
    for (const auto& [name, field] : records[i].fields) {
      EXPECT_NE(text.find("\"" + name + "\":" + field + ","), std::string::npos)
          << name << "=" << field << " in " << text;
    }
  }
}

TEST_F(ReplayValues, FlatbuffersAreReadBackByAVerifierMadeFromTheSchema) {
  TD_SHARED_KAFKA(kafka);
  kafka->admin().CreateTopic("flat-replay", 2, {{"retention.ms", "-1"}});
  kafka->admin().CreateTopic("flat2-replay", 2, {{"retention.ms", "-1"}});
  ReplayRig rig(dir_.File("s"), kafka->bootstrap_servers());
  FillSeveral(rig);
  rig.Start();
  for (const char* topic : {"flat-replay", "flat2-replay"}) {
    const std::string id = rig.Create(Request(topic, "flatbuffer"));
    ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
  }
  const auto found = kafka->admin().Dump("flat-replay");
  const auto again = kafka->admin().Dump("flat2-replay");
  const auto& records = rig.filler().records();
  ASSERT_EQ(found.size(), records.size());
  ASSERT_EQ(again.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    ExpectEnvelope(rig, records[i], found[i], i);
    const std::string& bytes = *found[i].value;
    EXPECT_EQ(bytes, *again[i].value) << "the same record, other bytes";
    flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    ASSERT_TRUE(feed::VerifyRecordBuffer(verifier)) << i;
    const feed::Record* record = feed::GetRecord(bytes.data());
    EXPECT_EQ(record->table_name()->str(), records[i].table);
    EXPECT_EQ(record->symbol()->str(), records[i].symbol);
    EXPECT_EQ(record->ts(), records[i].ts);
    EXPECT_EQ(record->ts_kafka(), records[i].ts_kafka);
    EXPECT_EQ(record->topic()->str(), "ticks");
    EXPECT_EQ(record->offset(), records[i].offset);
    EXPECT_EQ(record->index(), records[i].index);
    std::map<std::string, std::string> fields;
    for (const feed::Field* field : *record->fields()) {
      if (field->kind() == feed::FieldKind::Null) continue;
      if (field->kind() == feed::FieldKind::Decimal) {
        Value::OfDecimal({field->number(), field->scale()})
            .AppendCanonical(&fields[field->name()->str()]);
      } else {
        ADD_FAILURE() << field->name()->str();
      }
    }
    EXPECT_EQ(fields, records[i].fields);
  }
}

TEST_F(ReplayValues, StoppedWithinAMessageItGoesOnAtTheNextRecord) {
  TD_SHARED_KAFKA(kafka);
  for (const char* delivery : {"exactly-once", "at-least-once"}) {
    SCOPED_TRACE(delivery);
    const std::string topic = std::string("within-") + delivery + "-replay";
    kafka->admin().CreateTopic(topic, 2, {{"retention.ms", "-1"}});
    std::promise<std::string> created;
    std::atomic<int> sent{0};
    ReplayRig rig(dir_.File(delivery), kafka->bootstrap_servers());
    rig.Fill(0);
    std::string units;
    for (int n = 0; n < 400; ++n) units += (n > 0 ? "," : "") + Unit(n % 4 == 0 ? "BTC" : "ETH", n);
    for (int i = 0; i < 2; ++i) {
      rig.filler().Append(TpId{1},
                          {.value = "[" + units + "]", .timestamp_ms = 1'700'000'000'000 + i});
    }
    rig.filler().Commit();
    // Within the first message of 300 records, whatever the machine does: the worker itself asks,
    // and looks at what is asked every 64 of them.
    rig.on_sent = [&, own = created.get_future().share()](std::chrono::nanoseconds) {
      const int now = ++sent;
      if (now == 40) {
        EXPECT_TRUE(rig.Patch(own.get(), {{"state", "paused"}}).ok());
      }
      if (now == 160) {
        const json slow = {{"mode", "rate"}, {"messages_per_second", 1}};
        EXPECT_TRUE(rig.Patch(own.get(), {{"pace", slow}}).ok());
      }
    };
    rig.Start();
    json request = Request(topic, "json");
    request["delivery"] = delivery;
    request["source"]["symbols"] = {"ETH"};
    const std::string id = rig.Create(request);
    created.set_value(id);
    ASSERT_TRUE(rig.WaitFor(id, ReplayState::kPaused));
    EXPECT_GE(rig.WaitSettled(id), 40u);
    EXPECT_GT(rig.View(id).job.note.records, 0u) << "it did not stop within a message";
    ASSERT_TRUE(rig.Patch(id, {{"state", "running"}}).ok());
    ASSERT_TRUE(rig.WaitSent(id, 120));
    rig.Stop();
    rig.Start();
    ASSERT_TRUE(rig.Patch(id, {{"pace", {{"mode", "max"}}}}).ok());
    ASSERT_TRUE(rig.WaitFor(id, ReplayState::kDone));
    std::map<uint64_t, std::string> by_seq;
    for (const ClientMessage& m : kafka->admin().Dump(topic)) {
      const auto [known, made] =
          by_seq.emplace(std::stoull(Header(m, "tapedeck-seq")), Header(m, "tapedeck-origin"));
      EXPECT_TRUE(made || std::string(delivery) == "at-least-once");
      EXPECT_EQ(known->second, Header(m, "tapedeck-origin"));
    }
    ASSERT_EQ(by_seq.size(), 600u);
    uint64_t seq = 0;
    for (int offset = 0; offset < 2; ++offset) {
      for (int n = 0; n < 400; ++n) {
        if (n % 4 == 0) continue;
        EXPECT_EQ(by_seq[++seq], "ticks/0/0/" + std::to_string(offset) + "/" + std::to_string(n));
      }
    }
  }
}

}  // namespace
}  // namespace tapedeck::testing
