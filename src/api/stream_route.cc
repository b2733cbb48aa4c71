// /v1/stream

#include <algorithm>
#include <cmath>
#include <tuple>

#include "api/row_answer.h"
#include "api/stream_lines.h"
#include "api/token_watch.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "query/range_facts.h"
#include "tape/selection.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

constexpr std::string_view kEventStream = "text/event-stream";
// Every line carries the next offset of each tape.
constexpr size_t kTapesMax = 64;
constexpr std::chrono::nanoseconds kAskAgain = std::chrono::milliseconds(10);

/// What is sent, and where it begins.
struct StreamAsk {
  StreamSetting setting;
  std::optional<StreamPlace> place;  // of a cursor
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
};

class LiveBody final : public ResponseBody, public BreakableStream {
 public:
  LiveBody(Call* call, std::shared_ptr<ReadLease> lease, std::unique_ptr<StreamLines> lines,
           std::unique_ptr<StreamCompressor> compressor, std::string_view form)
      : context_(call->context),
        request_id_(call->request_id),
        lease_(std::move(lease)),
        lines_(std::move(lines)),
        compressor_(std::move(compressor)),
        bytes_(call->context->http->BytesOf(call->route->id, form)),
        token_(*call, kScopeRead) {
    context_->streams->Enter(this);
    context_->http->Begin();
  }
  ~LiveBody() override {
    context_->streams->Leave(this);
    context_->http->End();
  }
  LiveBody(const LiveBody&) = delete;
  LiveBody& operator=(const LiveBody&) = delete;

  /// It is not broken: it goes on once the store is there again.
  void Break() override { lines_->LetGo(); }

  Result<Step> Next(std::string* out) override {
    TD_RETURN_IF_ERROR(token_.Check());
    std::string piece;
    Result<bool> more = lines_->Take(&piece);
    if (!more.ok()) {
      TD_LOG(kError, "api", "stream-broken", "a stream could not go on",
             {{"request_id", request_id_}, {"cause", more.status().ToString()}});
      return more.status();
    }
    const size_t before = out->size();
    TD_RETURN_IF_ERROR(Encode(piece, *more, out));
    bytes_.Increment(out->size() - before);
    if (!*more) return Step::kEnd;
    return out->size() > before ? Step::kMore : Step::kWait;
  }
  std::chrono::nanoseconds WaitMost() const override { return kAskAgain; }
  std::vector<HttpField> Trailers() override {
    return {{"Tapedeck-Rows", std::to_string(lines_->lines())}, {"Tapedeck-Status", "complete"}};
  }

 private:
  // Whoever waits for live data waits for this line: it is not kept in a compressor.
  Status Encode(const std::string& piece, bool more, std::string* out) {
    if (compressor_ == nullptr) {
      out->append(piece);
      return Status::Ok();
    }
    if (!piece.empty()) TD_RETURN_IF_ERROR(compressor_->Append(piece, out));
    if (!more) return compressor_->Finish(out);
    return piece.empty() ? Status::Ok() : compressor_->Flush(out);
  }

  const ApiContext* const context_;
  const std::string request_id_;
  const std::shared_ptr<ReadLease> lease_;
  const std::unique_ptr<StreamLines> lines_;
  const std::unique_ptr<StreamCompressor> compressor_;
  Counter bytes_;
  TokenWatch token_;
};

std::vector<std::string> SortedList(Parameters* parameters, std::string_view name) {
  std::vector<std::string> list = parameters->List(name);
  std::sort(list.begin(), list.end());
  return list;
}

void ReadPace(Parameters* parameters, Pace* pace) {
  static constexpr std::string_view kModes[] = {"max", "original", "rate"};
  pace->mode = static_cast<PaceMode>(parameters->Choose("pace", kModes).value_or(0));
  if (const std::string* speed = parameters->Find("speed")) {
    char* end = nullptr;
    pace->speed = std::strtod(speed->c_str(), &end);
    const bool number = end == speed->c_str() + speed->size() && std::isfinite(pace->speed);
    if (!number || pace->speed < kSpeedMin || pace->speed > kSpeedMax) {
      parameters->Bad("speed", "a number from 0.0001 to 1000000");
    }
    if (pace->mode != PaceMode::kOriginal) parameters->Bad("speed", "only with pace=original");
  }
  if (const std::string* idle = parameters->Find("max_idle")) {
    const Result<std::chrono::nanoseconds> duration = ParseDuration(*idle);
    if (!duration.ok() || *duration <= std::chrono::nanoseconds(0)) {
      parameters->Bad("max_idle", "a duration such as 5s");
    } else {
      pace->max_idle = *duration;
    }
    if (pace->mode != PaceMode::kOriginal) parameters->Bad("max_idle", "only with pace=original");
  }
  const auto rate = parameters->Number("messages_per_second", 1, 100'000'000);
  pace->messages_per_second = static_cast<uint64_t>(rate.value_or(0));
  if (rate.has_value() != (pace->mode == PaceMode::kRate) &&
      (rate.has_value() || parameters->ok())) {
    parameters->Bad(rate ? "messages_per_second" : "pace",
                    "pace=rate and messages_per_second belong together");
  }
}

// By Accept, where format does not say. False: it takes neither.
bool NegotiateEvents(std::string_view accept, bool* events) {
  static constexpr AnswerForm kLines[] = {AnswerForm::kNdjson};
  *events = accept.find(kEventStream) != std::string_view::npos;
  return *events || NegotiateForm(accept, kLines).has_value();
}

void ReadForm(Call* call, StreamSetting* setting) {
  Parameters& parameters = call->parameters;
  static constexpr std::string_view kForms[] = {"ndjson", "sse"};
  const auto form = parameters.Choose("format", kForms);
  setting->events = form.value_or(0) == 1;
  static constexpr std::string_view kTimes[] = {"iso", "ns", "us", "ms", "s"};
  static constexpr std::string_view kNumbers[] = {"json", "string"};
  static constexpr std::string_view kEncodings[] = {"text", "base64"};
  static constexpr std::string_view kValues[] = {"original", "json"};
  setting->style.time = static_cast<TimeStyle>(parameters.Choose("ts", kTimes).value_or(0));
  setting->style.numbers =
      static_cast<NumberStyle>(parameters.Choose("numbers", kNumbers).value_or(0));
  setting->encoding =
      static_cast<MessageEncoding>(parameters.Choose("encoding", kEncodings).value_or(0));
  setting->query.records = parameters.Choose("value", kValues).value_or(0) == 1;
  setting->origin = parameters.Flag("origin");
  if (setting->origin && !setting->query.records) {
    parameters.Bad("origin", "messages always tell it; only value=json leaves it out");
  }
  if (parameters.Has("encoding") && setting->query.records) {
    parameters.Bad("encoding", "only value=original has bytes to encode");
  }
}

void ReadCursor(Call* call, StreamAsk* ask) {
  Parameters& parameters = call->parameters;
  // A browser that connects again gives the last `id:` back, with the URL that it began with.
  const std::string_view last = call->request->Header("Last-Event-ID");
  const std::string* given = parameters.Find("cursor");
  if (last.empty() && given == nullptr) return;
  Result<StreamPlace> place = DecodeStreamPlace(last.empty() ? *given : last);
  if (!place.ok()) {
    parameters.Bad("cursor", std::string(place.status().message()));
  } else if (place->query != call->QueryHash()) {
    parameters.Bad("cursor", "it belongs to another stream: no other parameter may change");
  } else if (place->live && !ask->setting.query.follow) {
    parameters.Bad("cursor", "it is of a stream that follows");
  } else {
    ask->place = std::move(place).value();
  }
}

StreamAsk ReadAsk(Call* call) {
  Parameters& parameters = call->parameters;
  StreamAsk ask;
  StreamQuery& query = ask.setting.query;
  if (!parameters.Has("topics")) parameters.Bad("topics", "say which; /v1/topics lists them");
  query.what.topics = SortedList(&parameters, "topics");
  query.what.symbols = SortedList(&parameters, "symbols");
  if (query.what.symbols == std::vector<std::string>{"*"}) query.what.symbols.clear();
  query.what.tables = SortedList(&parameters, "tables");
  static constexpr std::string_view kClocks[] = {"kafka", "event"};
  query.what.clock = static_cast<SelectionClock>(parameters.Choose("clock", kClocks).value_or(0));
  static constexpr std::string_view kOrders[] = {"arrival", "event"};
  query.order = static_cast<SelectionOrder>(parameters.Choose("order", kOrders).value_or(0));
  query.follow = parameters.Flag("follow");
  ask.start = parameters.Time("start", call->now);
  ask.end = parameters.Time("end", call->now, ask.start);
  if (ask.start && ask.end && *ask.end <= *ask.start)
    parameters.Bad("end", "it is not after start");
  if (ask.end && query.follow) parameters.Bad("end", "a stream that follows has none");
  ReadPace(&parameters, &ask.setting.pace);
  ReadForm(call, &ask.setting);
  ReadCursor(call, &ask);
  if (call->request->minor_version == 0) {
    parameters.Bad("format", "HTTP/1.0 cannot tell a whole stream from one that was cut off");
  }
  return ask;
}

Problem NoSuchTopic(const std::string& topic) {
  const std::string detail = "no topic " + Quoted(topic) + " was recorded here";
  return {ProblemType::kNotFound, detail, {{"topics", detail}}, 0, {}, {}};
}

std::optional<Problem> CheckTopics(const ReadPoint& point, const LiveSelection& what) {
  for (const std::string& table : what.tables) {
    const Result<const Table*> found = point.FindTable(table);
    if (found.ok()) continue;
    const std::string detail(found.status().message());
    return Problem{ProblemType::kNotFound, detail, {{"tables", detail}}, 0, {}, {}};
  }
  size_t tapes = 0;
  for (const std::string& topic : what.topics) {
    const size_t before = tapes;
    for (const auto& [tp, tape] : point.state().tapes) tapes += tape.topic == topic;
    if (tapes == before) return NoSuchTopic(topic);
  }
  if (tapes <= kTapesMax) return std::nullopt;
  const std::string detail = "these topics have " + std::to_string(tapes) +
                             " partitions and lineages, a stream takes " +
                             std::to_string(kTapesMax) + ": ask for fewer topics";
  return Problem{ProblemType::kRangeTooLarge, detail, {{"topics", detail}}, 0, {}, {}};
}

bool IsOf(const StreamQuery& query, const TapeId& tape) {
  const std::vector<std::string>& topics = query.what.topics;
  return std::binary_search(topics.begin(), topics.end(), tape.topic);
}

// Another node records the tape by now: what it goes on with does not come here.
bool IsBehind(const ReadPoint& point, TpId tp, const TapeId& tape) {
  const int64_t end = ExtentOf(point, tp, tape).to;
  return std::none_of(point.state().checkpoints.begin(), point.state().checkpoints.end(),
                      [&](const auto& own) { return own.first == tp && own.second.next >= end; });
}

// The selection as it is now: what comes later follows it, or is not in it.
Result<StreamPlace> Freeze(const ReadPoint& point, const StreamAsk& ask, bool* whole) {
  const StreamQuery& query = ask.setting.query;
  SelectionRequest request;
  request.topics = query.what.topics;
  request.start = ask.start;
  request.end = ask.end;
  request.clock = query.what.clock;
  request.order = query.order;
  request.symbols = query.what.symbols;
  request.tables = query.what.tables;
  TD_ASSIGN_OR_RETURN(Frozen frozen, FreezeSelection(point, request));
  *whole = frozen.missing.empty() && !frozen.unlisted;
  StreamPlace place;
  place.start = frozen.selection.start;
  place.end = frozen.selection.end;
  place.ranges = std::move(frozen.selection.ranges);
  const size_t frozen_tapes = place.ranges.size();
  for (const auto& [tp, tape] : point.state().tapes) {
    if (!IsOf(query, tape)) continue;
    if (TapeOf(point, {"", tape.topic, tape.lineage, tape.partition}) != tp) continue;
    *whole = *whole && !(query.follow && IsBehind(point, tp, tape));
    const auto end = place.ranges.begin() + static_cast<ptrdiff_t>(frozen_tapes);
    if (std::any_of(place.ranges.begin(), end, [&](const auto& r) { return r.tape == tape; })) {
      continue;
    }
    const int64_t next = ExtentOf(point, tp, tape).to;
    place.ranges.push_back({tape, next, next});
  }
  std::sort(place.ranges.begin(), place.ranges.end(), [](const auto& a, const auto& b) {
    return std::tie(a.tape.topic, a.tape.partition, a.tape.lineage) <
           std::tie(b.tape.topic, b.tape.partition, b.tape.lineage);
  });
  return place;
}

// Of a stream that goes on: nothing of what was frozen, or behind it, is missing. What was sent
// already counts, too.
Result<bool> IsWhole(const ReadPoint& point, const StreamQuery& query, const StreamPlace& place) {
  if (IsUnlisted(point)) return false;
  Selection times;  // of the selection: what lies outside was not asked for
  times.start = place.start;
  times.end = place.end;
  times.clock = query.what.clock;
  for (const TapeRange& range : place.ranges) {
    const std::optional<TpId> tp = TapeOf(point, range.tape);
    const TapeId* tape = tp ? point.FindTape(*tp) : nullptr;
    if (tape == nullptr) continue;
    if (query.follow && IsBehind(point, *tp, *tape)) return false;
    const int64_t to = place.live ? ExtentOf(point, *tp, *tape).to : range.to;
    TD_ASSIGN_OR_RETURN(const std::vector<Gap> missing,
                        MissingOf(point, *tp, *tape, range.from, to));
    const auto touches = [&](const Gap& gap) { return MayTouch(gap, times); };
    if (std::any_of(missing.begin(), missing.end(), touches)) return false;
  }
  return true;
}

}  // namespace

Answer AnswerStream(Call* call) {
  StreamAsk ask = ReadAsk(call);
  if (!call->parameters.ok()) return call->parameters.problem();
  if (!call->parameters.Has("format") &&
      !NegotiateEvents(call->request->Header("Accept"), &ask.setting.events)) {
    return Problem{ProblemType::kNotAcceptable,
                   "Accept names none of: ndjson (application/x-ndjson), sse (text/event-stream)",
                   {},
                   0,
                   {},
                   {}};
  }
  std::shared_ptr<ReadLease> lease;
  if (auto problem = TakeRowLease(*call, {}, &lease)) return *problem;
  const ApiContext& context = *call->context;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, context.node->Point());
  if (auto problem = CheckTopics(*point, ask.setting.query.what)) return *problem;
  HttpResponse response;
  bool whole = true;
  if (ask.place) {
    TD_ASSIGN_OR_RETURN(whole, IsWhole(*point, ask.setting.query, *ask.place));
  } else {
    Result<StreamPlace> place = Freeze(*point, ask, &whole);
    TD_RETURN_IF_ERROR(place.status());
    ask.place = std::move(place).value();
    ask.place->query = call->QueryHash();
  }
  response.Set("Tapedeck-Coverage", CoverageName(whole ? Coverage::kWhole : Coverage::kGaps));
  point.reset();
  const std::string_view form = ask.setting.events ? "sse" : "ndjson";
  response.Set("Content-Type",
               ask.setting.events ? kEventStream : ContentTypeOf(AnswerForm::kNdjson));
  response.Set("Trailer", "Tapedeck-Rows, Tapedeck-Status");
  std::unique_ptr<StreamCompressor> compressor;
  if (call->coding) {
    TD_ASSIGN_OR_RETURN(compressor, StreamCompressor::Make(*call->coding));
    response.Set("Content-Encoding", CodingName(*call->coding));
  }
  ask.setting.changes = [node = context.node] { return node->published(); };
  SelectionParts parts;
  parts.open_point = [node = context.node] { return node->Point(); };
  parts.clock = context.clock;
  parts.memory_bytes = context.slots->stream_bytes() / 4 * 3;
  TD_ASSIGN_OR_RETURN(auto lines, StreamLines::Start(std::move(ask.setting), std::move(parts),
                                                     std::move(*ask.place)));
  response.stream = std::make_unique<LiveBody>(call, std::move(lease), std::move(lines),
                                               std::move(compressor), form);
  return response;
}

}  // namespace tapedeck
