#include "api/row_producer.h"

#include <algorithm>

#include "base/text.h"
#include "query/columnar_encoder.h"
#include "query/text_encoder.h"

namespace tapedeck {
namespace {

// Few enough that a message of the greatest size does not come with a hundred others.
constexpr size_t kMessageBytesAtOnce = size_t{64} << 10;

std::string EndLine(uint64_t rows) {
  return "{\"_end\":{\"rows\":" + std::to_string(rows) + "}}\n";
}

class RecordProducer final : public RowProducer {
 public:
  RecordProducer(std::unique_ptr<RowCursor> cursor, RowFields fields)
      : fields_(std::move(fields)), cursor_(std::move(cursor)) {}
  Status MakeEncoder(const RowForm& form);

  Status Begin(std::string* out) override { return encoder_->Begin(out); }

  Result<bool> Append(uint64_t most, std::string* out) override {
    TD_ASSIGN_OR_RETURN(const bool end, AtEnd());
    if (end) return false;
    if (run_.count == 0) return true;  // it pauses
    RowRun part = run_;
    part.first = run_.RowAt(at_);
    part.count = static_cast<uint32_t>(std::min<uint64_t>(run_.count - at_, most));
    TD_RETURN_IF_ERROR(encoder_->Append(part, out));
    at_ += part.count;
    rows_ += part.count;
    return true;
  }

  std::string Position() const override { return cursor_->PositionOf(run_, at_ - 1).Encode(); }

  Result<bool> AtEnd() override {
    if (at_ < run_.count || ended_) return ended_;
    TD_RETURN_IF_ERROR(cursor_->Next(&run_));
    at_ = 0;
    ended_ = run_.count == 0 && !run_.paused;
    return ended_;
  }

  uint64_t rows() const override { return rows_; }
  Status Finish(std::string_view next_page_token, std::string* out) override {
    return encoder_->Finish(next_page_token, out);
  }

 private:
  const RowFields fields_;
  std::unique_ptr<RowCursor> cursor_;
  std::unique_ptr<RowEncoder> encoder_;
  RowRun run_;
  uint32_t at_ = 0;  // rows of run_ that were appended
  bool ended_ = false;
  uint64_t rows_ = 0;
};

Status RecordProducer::MakeEncoder(const RowForm& form) {
  const EndMarker marker = form.end_marker ? EndMarker::kLastLine : EndMarker::kNone;
  switch (form.form) {
    case AnswerForm::kJson:
      encoder_ = MakeTextEncoder(TextFormat::kJson, fields_, *cursor_, form.style, marker);
      break;
    case AnswerForm::kNdjson:
      encoder_ = MakeTextEncoder(TextFormat::kNdjson, fields_, *cursor_, form.style, marker);
      break;
    case AnswerForm::kCsv:
      encoder_ = MakeTextEncoder(TextFormat::kCsv, fields_, *cursor_, form.style, marker);
      break;
    case AnswerForm::kArrow:
    case AnswerForm::kParquet: {
      const auto format =
          form.form == AnswerForm::kArrow ? ColumnarFormat::kArrow : ColumnarFormat::kParquet;
      ColumnarStyle style{.rows = form.style, .order = form.order};
      style.parquet_group_bytes = form.batch_bytes;
      if (form.decimals != nullptr) style.decimals = DecimalsOf(*form.decimals, cursor_->table());
      TD_ASSIGN_OR_RETURN(encoder_, MakeColumnarEncoder(format, fields_, *cursor_, style));
      break;
    }
  }
  return Status::Ok();
}

class MessageProducer final : public RowProducer {
 public:
  MessageProducer(std::unique_ptr<MessageCursor> cursor, const RowForm& form,
                  MessageEncoding encoding)
      : cursor_(std::move(cursor)), form_(form), style_{form.style.time, encoding} {}

  Status Begin(std::string* out) override {
    if (form_.form == AnswerForm::kJson) *out += "{\"data\":[";
    if (form_.form == AnswerForm::kCsv) {
      for (std::string_view name : MessageColumns()) {
        if (name != MessageColumns().front()) *out += ',';
        AppendCsvField(name, out);
      }
      *out += "\r\n";
    }
    return Status::Ok();
  }

  Result<bool> Append(uint64_t most, std::string* out) override {
    const size_t before = out->size();
    for (uint64_t n = 0; n < most && (n == 0 || out->size() - before < kMessageBytesAtOnce); ++n) {
      TD_ASSIGN_OR_RETURN(const bool end, AtEnd());
      if (end) return n > 0;
      AppendOne(*next_, out);
      next_ = nullptr;
      ++rows_;
    }
    return true;
  }

  std::string Position() const override { return cursor_->position().Encode(); }

  Result<bool> AtEnd() override {
    if (next_ != nullptr || ended_) return ended_;
    TD_ASSIGN_OR_RETURN(next_, cursor_->Next());
    ended_ = next_ == nullptr;
    return ended_;
  }

  uint64_t rows() const override { return rows_; }

  Status Finish(std::string_view next_page_token, std::string* out) override {
    if (form_.form == AnswerForm::kJson) {
      *out += "],\"next_page_token\":";
      if (next_page_token.empty()) {
        *out += "null";
      } else {
        AppendJsonString(next_page_token, out);
      }
      *out += "}\n";
    }
    if (form_.form == AnswerForm::kNdjson && form_.end_marker) *out += EndLine(rows_);
    return Status::Ok();
  }

 private:
  void AppendOne(const StoredMessage& message, std::string* out) const {
    if (form_.form == AnswerForm::kCsv) return AppendMessageCsv(message, style_, out);
    if (form_.form == AnswerForm::kJson && rows_ > 0) *out += ',';
    AppendMessageJson(message, style_, out);
    if (form_.form == AnswerForm::kNdjson) *out += '\n';
  }

  std::unique_ptr<MessageCursor> cursor_;
  const RowForm form_;
  const MessageStyle style_;
  const StoredMessage* next_ = nullptr;  // looked at, not appended
  bool ended_ = false;
  uint64_t rows_ = 0;
};

}  // namespace

Result<std::unique_ptr<RowProducer>> MakeRecordProducer(std::unique_ptr<RowCursor> cursor,
                                                        RowFields fields, const RowForm& form) {
  auto producer = std::make_unique<RecordProducer>(std::move(cursor), std::move(fields));
  TD_RETURN_IF_ERROR(producer->MakeEncoder(form));
  return std::unique_ptr<RowProducer>(std::move(producer));
}

std::unique_ptr<RowProducer> MakeMessageProducer(std::unique_ptr<MessageCursor> cursor,
                                                 const RowForm& form, MessageEncoding encoding) {
  return std::make_unique<MessageProducer>(std::move(cursor), form, encoding);
}

}  // namespace tapedeck
