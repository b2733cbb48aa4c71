#include "record/record_metrics.h"

#include <algorithm>
#include <utility>

namespace tapedeck {

void RecordMetrics::Topic::Add(Reasons* reasons, std::string_view reason) {
  auto found = reasons->find(reason);
  if (found == reasons->end()) found = reasons->emplace(std::string(reason), 0).first;
  ++found->second;
}

RecordMetrics::RecordMetrics(Metrics* metrics, const TableRegistry* tables)
    : metrics_(metrics == nullptr ? &own_ : metrics), tables_(tables) {
  commit_seconds_ = metrics_->AddHistogram(
      "tapedeck_record_commit_seconds",
      "From the moment a commit takes no more messages until it is durable.", LatencyBounds());
  to_durable_seconds_ = metrics_->AddHistogram(
      "tapedeck_record_to_durable_seconds",
      "From the receipt of a commit's first message until the commit is durable.", LatencyBounds());
  flush_seconds_ = metrics_->AddHistogram("tapedeck_series_flush_seconds",
                                          "From the beginning of a flush until its rows are series "
                                          "blocks in the store.",
                                          LatencyBounds());
  stall_seconds_ = metrics_->AddCounter(
      "tapedeck_store_stall_seconds_total",
      "Time in which nothing was recorded because the store could not write or its disk was full.");
  AddHoleCounters();
}

void RecordMetrics::AddHoleCounters() {
  hole_seconds_ = metrics_->AddCounter("tapedeck_record_hole_seconds_total",
                                       "Time in which nothing was recorded because the broker was "
                                       "asked what is in holes between offsets.");
  hole_messages_ = metrics_->AddCounter(
      "tapedeck_record_hole_messages_total",
      "Messages that the Kafka client left out, found in holes and recorded all the same.");
  for (const auto& [outcome, name] : {std::pair{HoleCheck::kEmpty, "empty"},
                                      {HoleCheck::kFound, "found"},
                                      {HoleCheck::kFailed, "failed"},
                                      {HoleCheck::kUnchecked, "unchecked"}}) {
    holes_.emplace(outcome, metrics_->AddCounter(
                                "tapedeck_record_holes_total",
                                "Holes of several offsets between messages, by what a second look "
                                "found; unchecked: looks had taken a tenth of the time already.",
                                {{"outcome", name}}));
  }
}

void RecordMetrics::Hole(HoleCheck outcome, std::chrono::nanoseconds took, uint64_t found) {
  holes_.at(outcome).Increment();
  hole_seconds_->IncrementBy(Seconds(took));
  hole_messages_->Increment(found);
}

RecordMetrics::Topic* RecordMetrics::ForTopic(const std::string& name) {
  std::unique_ptr<Topic>& topic = topics_[name];
  if (topic == nullptr) {
    topic = std::make_unique<Topic>();
    topic->name_ = name;
    topic->messages_ = metrics_->AddCounter("tapedeck_record_messages_total",
                                            "Messages on the tape.", {{"topic", name}});
    topic->bytes_ =
        metrics_->AddCounter("tapedeck_record_bytes_total",
                             "Bytes of messages: keys, values and headers.", {{"topic", name}});
  }
  return topic.get();
}

void RecordMetrics::Cut() {
  for (const auto& [name, topic] : topics_) {
    if (topic->open_.messages > 0 || !topic->open_.skipped.empty())
      topic->cut_ = std::exchange(topic->open_, {});
  }
}

void RecordMetrics::Committed(const CommitTimes& times) {
  for (const auto& [name, topic] : topics_) {
    if (topic->cut_.has_value()) Count(topic.get());
    topic->cut_.reset();
  }
  commit_seconds_->Observe(Seconds(times.durable - times.cut));
  to_durable_seconds_->Observe(Seconds(times.durable - times.received));
}

void RecordMetrics::Count(Topic* topic) {
  const Topic::Counts& cut = *topic->cut_;
  topic->messages_->Increment(cut.messages);
  topic->bytes_->Increment(cut.bytes);
  topic->records_.resize(std::max(topic->records_.size(), cut.records.size()));
  for (size_t i = 0; i < cut.records.size(); ++i) {
    if (cut.records[i] == 0) continue;
    std::optional<Counter>& records = topic->records_[i];
    if (!records.has_value()) {
      const Table* table = tables_->Find(static_cast<TableId>(i));
      records = metrics_->AddCounter(
          "tapedeck_record_records_total", "Records decoded from messages.",
          {{"topic", topic->name_}, {"table", table == nullptr ? "?" : table->name}});
    }
    records->Increment(cut.records[i]);
  }
  if (cut.replayed > 0) {
    metrics_
        ->AddCounter("tapedeck_record_replayed_total",
                     "Messages on the tape whose headers say that a replay has sent them.",
                     {{"topic", topic->name_}})
        .Increment(cut.replayed);
  }
  for (const auto& [reason, count] : cut.refused) {
    metrics_
        ->AddCounter("tapedeck_record_refused_total",
                     "Messages of which a mapping refused something, by the first reason.",
                     {{"topic", topic->name_}, {"reason", reason}})
        .Increment(count);
  }
  for (const auto& [reason, count] : cut.skipped) {
    metrics_
        ->AddCounter("tapedeck_record_skipped_total",
                     "Messages of which something was left out, by the first reason.",
                     {{"topic", topic->name_}, {"reason", reason}})
        .Increment(count);
  }
}

void RecordMetrics::Discard() {
  for (const auto& [name, topic] : topics_) {
    topic->open_ = {};
    topic->cut_.reset();
  }
}

void RecordMetrics::Gap(const std::string& topic, GapReason reason) {
  metrics_
      ->AddCounter("tapedeck_gaps_total", "Gaps written to the coverage of a topic.",
                   {{"topic", topic}, {"reason", std::string(GapReasonName(reason))}})
      .Increment();
}

void RecordMetrics::KafkaError(const std::string& code) {
  metrics_
      ->AddCounter("tapedeck_kafka_errors_total",
                   "Errors that Kafka or its client reported, by code.", {{"code", code}})
      .Increment();
}

}  // namespace tapedeck
