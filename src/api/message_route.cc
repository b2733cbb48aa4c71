// /v1/messages

#include <algorithm>

#include "api/row_answer.h"
#include "base/text.h"
#include "query/range_facts.h"

namespace tapedeck {
namespace {

constexpr AnswerForm kForms[] = {AnswerForm::kJson, AnswerForm::kNdjson, AnswerForm::kCsv};
constexpr size_t kTopicBytesMax = 249;  // Kafka's own limit

void ReadMessageQuery(Call* call, const RowAsk& rows, MessageQuery* query) {
  Parameters& parameters = call->parameters;
  const std::string topic = parameters.Text("topic", kTopicBytesMax);
  if (!parameters.Has("topic")) parameters.Bad("topic", "say which; /v1/topics lists them");
  if (!topic.empty()) query->topics = {topic};
  if (auto partition = parameters.Number("partition", 0, INT32_MAX)) {
    query->partition = static_cast<int32_t>(*partition);
  }
  if (auto lineage = parameters.Number("lineage", 0, UINT32_MAX)) {
    query->lineage = static_cast<uint32_t>(*lineage);
  }
  query->from_offset = parameters.Number("from_offset", 0, INT64_MAX).value_or(INT64_MIN);
  query->to_offset = parameters.Number("to_offset", 0, INT64_MAX).value_or(INT64_MAX);
  for (std::string_view name : {"from_offset", "to_offset"}) {
    if (parameters.Has(name) && !parameters.Has("partition")) {
      parameters.Bad(name, "offsets are those of one partition: say which");
    }
  }
  if (query->to_offset < query->from_offset) {
    parameters.Bad("to_offset", "it is before from_offset");
  }
  const std::optional<Timestamp> start = parameters.Time("start", call->now);
  const std::optional<Timestamp> end = parameters.Time("end", call->now, start);
  // Of a later page only their form counts: the token keeps them as they were for the first one.
  if (!rows.token && start && end && *end < *start) parameters.Bad("end", "it is before start");
  query->start = rows.token ? rows.token->start : start.value_or(Timestamp::Min());
  query->end = rows.token ? rows.token->end : end.value_or(Timestamp::Max());
  if (!rows.token.has_value()) return;
  Result<MessagePosition> position = MessagePosition::Decode(rows.token->position);
  if (position.ok()) {
    query->after = std::move(position).value();
  } else {
    parameters.Bad("page_token", "it holds no place in an answer");
  }
}

std::optional<Problem> CheckTapes(const ReadPoint& point, const MessageQuery& query) {
  bool topic = false;
  bool partition = false;
  bool lineage = false;
  for (const auto& [tp, tape] : point.state().tapes) {
    if (tape.topic != query.topics[0]) continue;
    topic = true;
    if (query.partition && tape.partition != *query.partition) continue;
    partition = true;
    lineage = lineage || !query.lineage || tape.lineage == *query.lineage;
  }
  if (lineage) return std::nullopt;
  const std::string name = !topic ? "topic" : !partition ? "partition" : "lineage";
  const std::string detail = "no such " + name + " was recorded here";
  return Problem{ProblemType::kNotFound, name + ": " + detail, {{name, detail}}, 0, {}, {}};
}

}  // namespace

Answer AnswerMessages(Call* call) {
  Parameters& parameters = call->parameters;
  RowAsk rows;
  if (auto problem = ReadRowAsk(call, kForms, &rows)) return *problem;
  MessageQuery query;
  ReadMessageQuery(call, rows, &query);
  static constexpr std::string_view kEncodings[] = {"text", "base64"};
  const auto encoding =
      static_cast<MessageEncoding>(parameters.Choose("encoding", kEncodings).value_or(0));
  if (!parameters.ok()) return parameters.problem();

  RowAnswer answer;
  if (auto problem = TakeRowLease(*call, rows, &answer.lease)) return *problem;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, call->context->node->Point());
  if (auto problem = CheckTapes(*point, query)) return *problem;
  query.limit = rows.page_rows ? *rows.page_rows + 1 : UINT64_MAX;
  query.memory_bytes = call->context->slots->stream_bytes() / 4 * 3;
  query.stop = call->stop;
  TD_ASSIGN_OR_RETURN(const Coverage coverage, CoverageOf(*point, query));
  answer.response.Set("Tapedeck-Coverage", CoverageName(coverage));
  answer.token.query = call->QueryHash();
  answer.token.start = query.start;
  answer.token.end = query.end;
  TD_ASSIGN_OR_RETURN(std::unique_ptr<MessageCursor> cursor,
                      MessageCursor::Open(std::move(point), std::move(query)));
  answer.producer = MakeMessageProducer(std::move(cursor), rows.form, encoding);
  return AnswerRows(call, rows, std::move(answer));
}

}  // namespace tapedeck
