// /v1/tables, /v1/symbols, /v1/topics, /v1/coverage, /v1/refused

#include <algorithm>

#include "api/list_text.h"
#include "api/page_token.h"
#include "api/row_answer.h"
#include "api/status_text.h"
#include "base/limits.h"
#include "base/text.h"
#include "query/listing.h"
#include "query/listing_text.h"

namespace tapedeck {
namespace {

constexpr size_t kTopicBytesMax = 249;  // Kafka's own limit
constexpr size_t kReasonBytesMax = 256;
constexpr size_t kNearShown = 10;
// A page of refused messages ends early: a single one may have 64 MiB.
constexpr size_t kRefusedPageBytes = size_t{8} << 20;

bool KnowsTopic(const ReadPoint& point, const std::string& topic) {
  return std::any_of(point.state().tapes.begin(), point.state().tapes.end(),
                     [&](const auto& tape) { return tape.second.topic == topic; });
}

// At most so many bytes as JSON, but for some dozens.
size_t JsonBytesOf(std::string_view bytes) {
  size_t size = bytes.size();
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    size += byte < 0x20 || byte == 0x7F ? 5 : byte >= 0x80 || c == '"' || c == '\\' ? 1 : 0;
  }
  return size;
}
size_t JsonBytesOf(const RefusedMessage& refused) {
  if (refused.message == nullptr) return 0;
  const auto& message = refused.message->message;
  return JsonBytesOf(message.key.value_or("")) + JsonBytesOf(message.value.value_or(""));
}

Problem RefusedTooLarge(const MessagePosition& at) {
  return PageTooLarge("start", "the message at offset " + std::to_string(at.offset) + " of " +
                                   at.topic + "/" + std::to_string(at.partition) +
                                   " takes more than 64 MiB here: leave it out with start and "
                                   "end, and read it with /v1/messages");
}

constexpr std::string_view kNoTopic = "no such topic was recorded here; /v1/topics lists them";

}  // namespace

Answer AnswerTables(Call* call) {
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  TD_ASSIGN_OR_RETURN(const std::vector<TableEntry> tables, ListTables(*point));
  ListText list;
  for (const TableEntry& entry : tables) list.Add(TableText(entry).json);
  return JsonAnswer(*call, list.Take({}));
}

Answer AnswerSymbols(Call* call) {
  Parameters& parameters = call->parameters;
  SymbolQuery query;
  query.table = parameters.Text("table", limits::kSymbolBytesMax);
  query.symbol = parameters.Text("symbol", limits::kSymbolBytesMax);
  query.prefix = parameters.Text("prefix", limits::kSymbolBytesMax);
  query.limit = LimitOf(&parameters);
  query.stop = call->stop;
  const std::optional<PageToken> token = TokenOf(call);
  if (!parameters.ok()) return parameters.problem();
  if (token.has_value()) {
    query.after = token->position;
    query.has_after = true;
  }
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  if (!query.table.empty()) {
    Result<const Table*> table = point->FindTable(query.table);
    if (!table.ok()) return NotFoundName("table", std::string(table.status().message()));
  }
  TD_ASSIGN_OR_RETURN(const SymbolPage page, ListSymbolPage(*point, query));
  ListText list;
  for (const SymbolEntry& entry : page.entries) {
    list.Add(SymbolText(entry).json);
    if (list.is_too_large()) return PageTooLarge("limit", "a page of more than 64 MiB");
  }
  std::string next;
  if (page.more) {
    next = EncodePageToken(
        {call->QueryHash(), Timestamp::Min(), Timestamp::Max(), page.entries.back().symbol});
  }
  std::string near;
  if (list.empty() && !query.symbol.empty()) {
    TD_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        NearSymbols(*point, query.table, query.symbol, kNearShown));
    for (const std::string& name : names) {
      near += near.empty() ? "" : ",";
      AppendJsonString(name, &near);
    }
    near = ",\"near\":[" + near + "]";
  }
  return JsonAnswer(*call, list.Take(next, near));
}

Answer AnswerTopics(Call* call) {
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> partitions, ListPartitions(*point, {}));
  const RecorderState recorder = call->context->node->State().recorder;
  ListText list;
  for (const std::string& topic : TopicTexts(partitions, recorder)) list.Add(topic);
  return JsonAnswer(*call, list.Take({}));
}

Answer AnswerCoverage(Call* call) {
  const std::string topic = call->parameters.Text("topic", kTopicBytesMax);
  if (!call->parameters.ok()) return call->parameters.problem();
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  std::vector<std::string> topics;
  if (!topic.empty()) topics.push_back(topic);
  if (!topic.empty() && !KnowsTopic(*point, topic)) {
    return NotFoundName("topic", std::string(kNoTopic));
  }
  TD_ASSIGN_OR_RETURN(const std::vector<PartitionEntry> list, ListPartitions(*point, topics));
  std::string json;
  for (const PartitionEntry& entry : list) {
    json += (json.empty() ? "" : ",") + CoverageText(entry).json;
    if (json.size() > kPageBytesMax) {
      return PageTooLarge("topic", "more than 64 MiB; ask for one topic");
    }
  }
  return JsonAnswer(*call, "{\"partitions\":[" + json + "]}\n");
}

Answer AnswerRefused(Call* call) {
  Parameters& parameters = call->parameters;
  RefusedQuery query;
  query.topic = parameters.Text("topic", kTopicBytesMax);
  query.reason = parameters.Text("reason", kReasonBytesMax);
  const std::optional<Timestamp> start = parameters.Time("start", call->now);
  const std::optional<Timestamp> end = parameters.Time("end", call->now, start);
  const uint64_t limit = LimitOf(&parameters);
  const std::optional<PageToken> token = TokenOf(call);
  // Of a later page only their form counts: the token keeps them as they were for the first one.
  if (!token && start && end && *end < *start) parameters.Bad("end", "it is before start");
  if (token.has_value()) {
    Result<MessagePosition> position = MessagePosition::Decode(token->position);
    if (position.ok()) {
      query.after = std::move(position).value();
    } else {
      parameters.Bad("page_token", "it holds no place in a list");
    }
  }
  if (!parameters.ok()) return parameters.problem();
  query.start = token ? token->start : start.value_or(Timestamp::Min());
  query.end = token ? token->end : end.value_or(Timestamp::Max());
  query.stop = call->stop;
  std::shared_ptr<ReadLease> lease = TakeLease(*call);
  if (lease == nullptr) return NoSlot();
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  if (!query.topic.empty() && !KnowsTopic(*point, query.topic)) {
    return NotFoundName("topic", std::string(kNoTopic));
  }
  ListText list;
  uint64_t taken = 0;
  bool more = false;
  std::optional<MessagePosition> too_large;
  MessagePosition last;
  Status visited = VisitRefused(*point, query, [&](const RefusedMessage& refused) {
    const MessagePosition here{
        {}, refused.tape->topic, refused.tape->partition, refused.tape->lineage, refused.offset};
    if (taken >= limit || (taken > 0 && list.size() > kRefusedPageBytes)) {
      more = true;
      return Status::Cancelled("the page is full");
    }
    const size_t most = JsonBytesOf(refused);
    if (list.size() + most > kPageBytesMax) {
      if (taken == 0) too_large = here;
      more = true;
      return Status::Cancelled("the page is full");
    }
    list.Add(RefusedText(refused).json);
    ++taken;
    last = here;
    return Status::Ok();
  });
  if (!visited.ok() && !more) return visited;
  if (too_large.has_value()) return RefusedTooLarge(*too_large);
  std::string next;
  if (more) {
    next = EncodePageToken({call->QueryHash(), query.start, query.end, last.Encode()});
  }
  return JsonAnswer(*call, list.Take(next));
}

}  // namespace tapedeck
