#include "api/row_answer.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/encoding.h"
#include "base/hash.h"
#include "base/log.h"

namespace tapedeck {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;
// A piece is given out after this even if it is small: a client sees that something happens.
constexpr std::chrono::nanoseconds kPieceTime = std::chrono::milliseconds(100);
// The first rows are waited for so long; a stream without any then goes on in steps of kPieceTime.
constexpr std::chrono::nanoseconds kFirstTime = std::chrono::milliseconds(250);
constexpr std::string_view kRowsTrailer = "Tapedeck-Rows";
constexpr std::string_view kStatusTrailer = "Tapedeck-Status";

/// A body that is made while it is read.
class RowStream final : public ResponseBody, public BreakableStream {
 public:
  RowStream(Call* call, RowAnswer* answer, AnswerForm form)
      : context_(call->context),
        request_id_(call->request_id),
        stop_(call->stop),
        in_hand_(call->context->streams, call->stop.get()),
        lease_(std::move(answer->lease)),
        producer_(std::move(answer->producer)),
        bytes_(call->context->http->BytesOf(call->route->id, FormName(form))) {
    context_->streams->Enter(this);
    context_->http->Begin();
  }
  ~RowStream() override {
    context_->streams->Leave(this);
    context_->http->End();
  }
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  Status Start(std::optional<StreamCoding> coding) {
    std::lock_guard lock(mutex_);
    if (coding.has_value()) {
      TD_ASSIGN_OR_RETURN(compressor_, StreamCompressor::Make(*coding));
    }
    std::string piece;
    TD_RETURN_IF_ERROR(producer_->Begin(&piece));
    // Up to the first rows, or until others should have a turn.
    const MonotonicTime until = BeginTurn(kFirstTime);
    do {
      TD_RETURN_IF_ERROR(Make(&piece));
    } while (!ended_ && piece.empty() && context_->clock->Monotonic() < until);
    stop_->EndBy(MonotonicTime::max());  // what has begun may take any time
    TD_RETURN_IF_ERROR(Encode(piece, &first_));
    if (compressor_ != nullptr && !ended_) TD_RETURN_IF_ERROR(compressor_->Flush(&first_));
    return Status::Ok();
  }

  void Break() override {
    broken_ = true;
    stop_->Break();
    std::lock_guard lock(mutex_);
    producer_.reset();
    lease_.reset();
  }

  Result<Step> Next(std::string* out) override {
    std::lock_guard lock(mutex_);
    Result<Step> step = NextPiece(out);
    if (!step.ok() && stop_->reason() != ReadStop::Reason::kGone) {
      TD_LOG(kError, "api", "stream-broken", "an answer could not be finished",
             {{"request_id", request_id_}, {"cause", step.status().ToString()}});
    }
    return step;
  }

  std::vector<HttpField> Trailers() override {
    std::lock_guard lock(mutex_);
    if (producer_ == nullptr) return {};
    return {{std::string(kRowsTrailer), std::to_string(producer_->rows())},
            {std::string(kStatusTrailer), "complete"}};
  }

 private:
  Result<Step> NextPiece(std::string* out) {
    const size_t before = out->size();
    if (broken_) return LetGo();
    out->append(std::exchange(first_, {}));
    if (out->size() == before) {
      const MonotonicTime until = BeginTurn(kPieceTime);
      std::string piece;
      // A long way to the next row is gone in steps: the server looks whether the client is there.
      do {
        TD_RETURN_IF_ERROR(Make(&piece));
      } while (!ended_ && !broken_ && piece.size() < kPieceBytes &&
               context_->clock->Monotonic() < until);
      TD_RETURN_IF_ERROR(Encode(piece, out));
    }
    bytes_.Increment(out->size() - before);
    if (ended_) return Step::kEnd;
    return out->size() > before ? Step::kMore : Step::kWait;
  }

  MonotonicTime BeginTurn(std::chrono::nanoseconds turn) {
    const MonotonicTime until = context_->clock->Monotonic() + turn;
    stop_->BeginTurn(until);
    return until;
  }

  static Status LetGo() {
    return Status::Unavailable("the store is being opened again: ask once more");
  }

  Status Make(std::string* piece) {
    if (producer_ == nullptr) return LetGo();
    TD_ASSIGN_OR_RETURN(const bool more, producer_->Append(UINT64_MAX, piece));
    if (more) return Status::Ok();
    ended_ = true;
    return producer_->Finish("", piece);
  }

  Status Encode(const std::string& piece, std::string* out) {
    if (compressor_ == nullptr) {
      *out += piece;
      return Status::Ok();
    }
    TD_RETURN_IF_ERROR(compressor_->Append(piece, out));
    return ended_ ? compressor_->Finish(out) : Status::Ok();
  }

  const ApiContext* const context_;
  const std::string request_id_;
  const std::shared_ptr<ReadStop> stop_;
  const ReadInHand in_hand_;  // breaks all streams at once, before each is waited for
  std::atomic<bool> broken_{false};
  std::mutex mutex_;                  // of what follows
  std::shared_ptr<ReadLease> lease_;  // given back last
  std::unique_ptr<RowProducer> producer_;
  std::unique_ptr<StreamCompressor> compressor_;
  Counter bytes_;
  std::string first_;  // made before the status was known
  bool ended_ = false;
};

bool IsPageToken(std::string_view argument) {
  const Result<std::string> name =
      DecodeText(argument.substr(0, argument.find('=')), PlusSign::kBlank);
  return name.ok() && *name == "page_token";
}

// The same request with another page token, as the client wrote it: encoding its values anew could
// make it longer than what the server takes.
std::string NextTarget(const Call& call, const std::string& token) {
  std::string target = call.request->path + "?";
  for (std::string_view rest = call.request->query; !rest.empty();) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view argument = rest.substr(0, end);
    if (!argument.empty() && !IsPageToken(argument)) target.append(argument).append("&");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return target + "page_token=" + token;
}

std::string LinkTo(std::string_view target) {
  std::string link = "<";
  for (const char c : target) {  // what would end it early; the server lets none of it through
    const bool plain = c > ' ' && c != '<' && c != '>' && c != '"' && c != 0x7F;
    link += plain ? std::string(1, c) : PercentEncode(std::string_view(&c, 1));
  }
  return link + ">; rel=\"next\"";
}

Problem NextTooLong(const Call& call, size_t bytes) {
  std::string longest;
  size_t most = 0;
  for (const auto& [name, value] : call.parameters.pairs()) {
    if (name == "page_token" || value.size() < most) continue;
    most = value.size();
    longest = name;
  }
  const std::string detail = "the request for the next page would have " + std::to_string(bytes) +
                             " bytes, at most " + std::to_string(call.context->uri_bytes) +
                             " are taken: ask for fewer " + longest +
                             " at once, or for a stream: format=ndjson without limit";
  return {ProblemType::kRangeTooLarge, detail, {{longest, detail}}, 0, {}, {}};
}

Problem RowsTooLarge() {
  return PageTooLarge("limit",
                      "a page of more than 64 MiB; ask for fewer rows with limit, or for a stream: "
                      "format=ndjson without limit");
}

Answer MakePage(Call* call, const RowAsk& ask, RowAnswer answer) {
  std::string body;
  RowProducer& producer = *answer.producer;
  TD_RETURN_IF_ERROR(producer.Begin(&body));
  bool end = false;
  while (!end && producer.rows() < *ask.page_rows) {
    TD_ASSIGN_OR_RETURN(const bool more, producer.Append(*ask.page_rows - producer.rows(), &body));
    if (body.size() > kPageBytesMax) return RowsTooLarge();
    end = !more;
  }
  std::string next;
  if (!end) {
    answer.token.position = producer.Position();
    TD_ASSIGN_OR_RETURN(end, producer.AtEnd());
    if (!end) next = EncodePageToken(answer.token);
  }
  const std::string target = next.empty() ? std::string() : NextTarget(*call, next);
  if (target.size() > call->context->uri_bytes) return NextTooLong(*call, target.size());
  TD_RETURN_IF_ERROR(producer.Finish(next, &body));
  if (body.size() > kPageBytesMax) return RowsTooLarge();
  const std::string rows = std::to_string(producer.rows());
  answer.producer.reset();
  HttpResponse response = std::move(answer.response);
  response.Set("Content-Type", ContentTypeOf(ask.form.form));
  if (!next.empty()) response.Set("Link", LinkTo(target));
  response.Set(kRowsTrailer, rows);
  call->context->http->BytesOf(call->route->id, FormName(ask.form.form)).Increment(body.size());
  response.body = std::move(body);
  if (auto problem = HoldBody(*call, std::move(answer.lease), &response)) return *problem;
  return response;
}

void ReadStyle(Call* call, RowAsk* ask) {
  Parameters& parameters = call->parameters;
  static constexpr std::string_view kTimes[] = {"iso", "ns", "us", "ms", "s"};
  static constexpr std::string_view kNumbers[] = {"json", "string"};
  RowForm& form = ask->form;
  form.style.time = static_cast<TimeStyle>(parameters.Choose("ts", kTimes).value_or(0));
  form.style.numbers = static_cast<NumberStyle>(parameters.Choose("numbers", kNumbers).value_or(0));
  form.end_marker = parameters.Flag("end_marker");
  if (form.end_marker && form.form != AnswerForm::kNdjson) {
    parameters.Bad("end_marker", "only format=ndjson has room for it");
  }
  form.batch_bytes = call->context->slots->stream_bytes() / 4;
  form.decimals = &call->context->decimals;
}

}  // namespace

uint64_t Call::QueryHash() const {
  std::vector<std::pair<std::string, std::string>> pairs = parameters.pairs();
  std::erase_if(pairs, [](const auto& pair) {
    return pair.first == "limit" || pair.first == "page_token" || pair.first == "cursor";
  });
  std::sort(pairs.begin(), pairs.end());
  std::string text(route->pattern);
  auto add = [&text](std::string_view part) {
    text += std::to_string(part.size()) + ":" + std::string(part);
  };
  add(name);
  for (const auto& [key, value] : pairs) {
    add(key);
    add(value);
  }
  return HashBytes64(text);
}

std::optional<Problem> ReadRowAsk(Call* call, std::span<const AnswerForm> offered, RowAsk* ask) {
  Parameters& parameters = call->parameters;
  std::vector<std::string_view> names;
  std::string choices;
  for (AnswerForm form : offered) {
    names.push_back(FormName(form));
    choices += (choices.empty() ? "" : ", ") + std::string(FormName(form)) + " (" +
               std::string(ContentTypeOf(form)) + ")";
  }
  if (parameters.Has("format")) {
    ask->form.form = offered[parameters.Choose("format", names).value_or(0)];
  } else {
    const auto form = NegotiateForm(call->request->Header("Accept"), offered);
    if (!form.has_value()) {
      return Problem{
          ProblemType::kNotAcceptable, "Accept names none of: " + choices, {}, 0, {}, {}};
    }
    ask->form.form = *form;
  }
  ReadStyle(call, ask);
  const std::optional<int64_t> limit = parameters.Number("limit", 1, kPageRowsMax);
  if (limit.has_value()) ask->page_rows = static_cast<uint64_t>(*limit);
  if (ask->form.form == AnswerForm::kJson && !ask->page_rows) ask->page_rows = kPageRowsDefault;
  if (const std::string* text = parameters.Find("page_token"); text != nullptr) {
    Result<PageToken> token = DecodePageToken(*text);
    if (!token.ok()) {
      parameters.Bad("page_token", std::string(token.status().message()));
    } else if (token->query != call->QueryHash()) {
      parameters.Bad("page_token", "it belongs to another query: only limit may change");
    } else {
      ask->token = std::move(token).value();
    }
  }
  if (call->request->minor_version == 0 && !ask->page_rows) {
    parameters.Bad("limit",
                   "HTTP/1.0 cannot tell a whole stream from one that was cut off: it "
                   "gets pages only, so say how many rows");
  }
  return std::nullopt;
}

Problem PageTooLarge(std::string_view instead, std::string detail) {
  return {
      ProblemType::kRangeTooLarge, std::move(detail), {{std::string(instead), "less"}}, 0, {}, {}};
}

std::shared_ptr<ReadLease> TakeLease(const Call& call) {
  return call.context->slots->Take(call.context->slots->stream_bytes());
}

std::optional<Problem> TakeRowLease(const Call& call, const RowAsk& ask,
                                    std::shared_ptr<ReadLease>* lease) {
  bool over_share = false;
  ReadSlots* slots = call.context->slots;
  if (ask.page_rows.has_value()) {
    *lease = TakeLease(call);
  } else {
    ReadParty party{call.request->peer, {}};
    if (call.context->tokens != nullptr) party.token = BearerOf(*call.request);
    *lease = slots->TakeStream(party, &over_share);
  }
  if (over_share) {
    return Problem{ProblemType::kRateLimited,
                   "too many streams at once: " + std::to_string(slots->streams_of_address_max()) +
                       " of one address, " + std::to_string(slots->streams_of_token_max()) +
                       " of one token; read one to its end, or ask for pages with limit",
                   {},
                   0,
                   {},
                   {}};
  }
  return *lease == nullptr ? std::optional(NoSlot()) : std::nullopt;
}

std::optional<Problem> HoldBody(const Call& call, std::shared_ptr<ReadLease> lease,
                                HttpResponse* response) {
  const size_t bytes = response->body.size();
  if (bytes <= kHeldFrom) {
    lease->Resize(bytes);
  } else if (!call.context->slots->Hold(call.request->peer, bytes, lease.get())) {
    return Problem{
        ProblemType::kRateLimited,
        "answers wait to be read at this address that are a quarter of what all may hold: "
        "read them first",
        {},
        0,
        {},
        {}};
  }
  response->held = std::move(lease);
  return std::nullopt;
}

Problem NoSlot() {
  return {ProblemType::kOverloaded,
          "as many reads as there is memory for are under way: come back in a moment",
          {},
          0,
          {},
          {}};
}

Answer AnswerRows(Call* call, const RowAsk& ask, RowAnswer answer) {
  answer.response.Set("Vary", "Accept, Accept-Encoding");
  if (ask.page_rows.has_value()) return MakePage(call, ask, std::move(answer));
  HttpResponse response = std::move(answer.response);
  const auto coding = IsText(ask.form.form) ? call->coding : std::nullopt;
  auto stream = std::make_unique<RowStream>(call, &answer, ask.form.form);
  TD_RETURN_IF_ERROR(stream->Start(coding));
  response.Set("Content-Type", ContentTypeOf(ask.form.form));
  if (coding.has_value()) response.Set("Content-Encoding", CodingName(*coding));
  response.Set("Trailer", std::string(kRowsTrailer) + ", " + std::string(kStatusTrailer));
  response.stream = std::move(stream);
  return response;
}

}  // namespace tapedeck
