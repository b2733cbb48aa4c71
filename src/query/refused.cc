// Refused messages: marks of the store and of tape manifests, with the messages, wherever they lie.

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "archive/object_cache.h"
#include "archive/tape_object.h"
#include "model/keys.h"
#include "query/listing.h"
#include "tape/tail.h"
#include "tape/tape_blocks.h"
#include "tape/tape_spans.h"

namespace tapedeck {
namespace {

// "bad-number: size (v)" in parts.
void SplitReason(std::string_view text, RefusedMessage* out) {
  const size_t colon = text.find(": ");
  out->reason = text.substr(0, colon);
  if (colon == std::string_view::npos) return;
  std::string_view rest = text.substr(colon + 2);
  const size_t open = rest.find(" (");
  out->field = rest.substr(0, open);
  if (open != std::string_view::npos && rest.ends_with(')')) {
    out->path = rest.substr(open + 2, rest.size() - open - 3);
  }
}

void Describe(const TapeEntry& tape, const MessageView& message, Timestamp received,
              StoredMessage* out) {
  out->tp = tape.first;
  out->tape = &tape.second;
  out->message = message;
  out->received = received;
  const int64_t kafka = KafkaNanosOf(message);
  out->time = kafka == kNoKafkaTime ? received : Timestamp(kafka);
  out->greatest_time = out->time;
}

// Messages of one tape that lie in the store, asked for in order of offsets: each block is decoded
// once.
class MessagesByOffset {
 public:
  MessagesByOffset(const StoreView* view, const TapeEntry* tape)
      : tape_(tape), blocks_(view, tape->first, tape->second.ToString(), ScanKind::kLong) {}

  /// Valid until the next call; null where the tape does not have it.
  Result<const StoredMessage*> At(int64_t offset) {
    if (block_.empty() || offset > block_.offset(block_.size() - 1)) {
      block_ = TapeBlock();
      TD_RETURN_IF_ERROR(blocks_.Seek(offset));
      if (!blocks_.Valid() || blocks_.base() > offset) return nullptr;
      TD_RETURN_IF_ERROR(blocks_.Load(&block_, &buffers_));
    }
    const size_t i = block_.LowerBound(offset);
    if (i == block_.size() || block_.offset(i) != offset) return nullptr;
    Describe(*tape_, block_.At(i), block_.ReceivedAt(i), &message_);
    return &message_;
  }

 private:
  const TapeEntry* tape_;
  TapeBlocks blocks_;
  TapeBlock block_;
  CodecBuffers buffers_;
  StoredMessage message_;
};

Result<bool> IsWanted(const RefusedMessage& refused, const RefusedQuery& query) {
  if (!query.reason.empty() && query.reason != refused.reason &&
      query.reason != refused.entry.reason) {
    return false;
  }
  Timestamp time = refused.entry.received;
  if (refused.entry.kafka_ms >= 0) {
    TD_ASSIGN_OR_RETURN(time, TimestampFromUnits(refused.entry.kafka_ms, TimeUnit::kMilliseconds));
  }
  return time >= query.start && (time < query.end || query.end == Timestamp::Max());
}

// Messages of one manifest, asked for in order of offsets.
class ShippedByOffset {
 public:
  ShippedByOffset(const ReadPoint* point, const TapeEntry* tape, const TapeListing* listing,
                  const ReadStop* stop)
      : point_(point), tape_(tape), listing_(listing), stop_(stop) {}

  /// Valid until the next call; null where the manifest's objects do not have it.
  Result<const StoredMessage*> At(int64_t offset) {
    for (const ShippedObject& object : listing_->manifest.objects) {
      const bool here = object.offsets.empty() ||
                        (offset >= object.offsets[0].from && offset < object.offsets[0].to);
      if (!here) continue;
      Result<const StoredMessage*> found = InObject(object, offset);
      if (!found.ok()) return found.status().WithContext(listing_->name);
      if (*found != nullptr) return found;
    }
    return nullptr;
  }

 private:
  Result<const StoredMessage*> InObject(const ShippedObject& object, int64_t offset) {
    if (open_ != &object) {
      reader_ = nullptr;
      TD_ASSIGN_OR_RETURN(opened_, point_->archive().objects->OpenTape(object, stop_));
      TD_ASSIGN_OR_RETURN(
          reader_, TapeObjectReader::Open(opened_.source.get(), opened_.footer, tape_->second));
      open_ = &object;
    }
    const bool behind = reader_->empty() || reader_->offset(0) > offset ||
                        reader_->offset(reader_->size() - 1) < offset;
    if (behind) {
      TD_RETURN_IF_ERROR(reader_->Seek(offset));
      TD_RETURN_IF_ERROR(reader_->Next());
    }
    for (size_t i = 0; i < reader_->size() && reader_->offset(i) <= offset; ++i) {
      if (reader_->offset(i) != offset) continue;
      Describe(*tape_, reader_->At(i), reader_->ReceivedAt(i), &message_);
      return &message_;
    }
    return nullptr;
  }

  const ReadPoint* point_;
  const TapeEntry* tape_;
  const TapeListing* listing_;
  const ReadStop* stop_;
  const ShippedObject* open_ = nullptr;
  OpenedTape opened_;
  std::unique_ptr<TapeObjectReader> reader_;
  StoredMessage message_;
};

// Marks of a range of one tape, ascending: those of the store, and those of a manifest that the
// store lacks.
class Marks {
 public:
  static Result<Marks> Of(const ReadPoint& point, TpId tp, const TapeSpan& span, int64_t from) {
    Marks marks;
    from = std::max(from, span.from);
    marks.stored_ =
        point.view().Scan(keys::Refusal(tp, from), keys::Refusal(tp, span.to), ScanKind::kLong);
    marks.stored_->SeekToFirst();
    if (span.archived == nullptr || span.archived->refusals == 0) return marks;
    TD_ASSIGN_OR_RETURN(Manifest read,
                        ReadManifest(point.archive().objects->blobs(), span.archived->name));
    auto* tape = std::get_if<TapeManifest>(&read);
    if (tape == nullptr) return Status::Corruption(span.archived->name + " is not of a tape");
    for (ShippedRefusal& refusal : tape->refusals) {
      if (refusal.offset >= from && refusal.offset < span.to) {
        marks.shipped_.emplace(refusal.offset, std::move(refusal.entry));
      }
    }
    return marks;
  }

  /// False at the end.
  Result<bool> Next(int64_t* offset, RefusalEntry* entry) {
    if (!stored_->Valid()) {
      TD_RETURN_IF_ERROR(stored_->status());
      return TakeShipped(offset, entry);
    }
    TD_ASSIGN_OR_RETURN(const keys::TpOffsetKey key, keys::ParseTpOffset(stored_->key()));
    if (!shipped_.empty() && shipped_.begin()->first < key.offset) {
      return TakeShipped(offset, entry);
    }
    shipped_.erase(key.offset);
    *offset = key.offset;
    TD_ASSIGN_OR_RETURN(*entry, DecodeRefusal(stored_->value()));
    stored_->Next();
    return true;
  }

 private:
  bool TakeShipped(int64_t* offset, RefusalEntry* entry) {
    if (shipped_.empty()) return false;
    auto first = shipped_.extract(shipped_.begin());
    *offset = first.key();
    *entry = std::move(first.mapped());
    return true;
  }

  std::unique_ptr<StoreCursor> stored_;
  std::map<int64_t, RefusalEntry> shipped_;
};

class RefusedVisit {
 public:
  using Sink = std::function<Status(const RefusedMessage&)>;
  RefusedVisit(const ReadPoint* point, const RefusedQuery* query, const Sink* sink)
      : point_(point), query_(query), sink_(sink), left_(query->limit) {}

  // Those at `from` and behind it.
  Status Tape(const TapeEntry& tape, int64_t from) {
    std::vector<TapeSpan> spans = {{INT64_MIN, INT64_MAX, nullptr}};
    if (point_->manifests() != nullptr) {
      TD_ASSIGN_OR_RETURN(spans, SpansOf(*point_, tape.first, tape.second, from, INT64_MAX));
    }
    for (const TapeSpan& span : spans) TD_RETURN_IF_ERROR(Span(tape, span, from));
    return Status::Ok();
  }

 private:
  Status Span(const TapeEntry& tape, const TapeSpan& span, int64_t from) {
    if (left_ == 0) return Status::Ok();
    TD_ASSIGN_OR_RETURN(Marks marks, Marks::Of(*point_, tape.first, span, from));
    std::optional<MessagesByOffset> stored;
    std::optional<ShippedByOffset> shipped;
    while (left_ > 0) {
      if (query_->stop != nullptr) TD_RETURN_IF_ERROR(query_->stop->Check());
      RefusedMessage refused{tape.first, &tape.second, 0, {}, "", "", "", nullptr};
      TD_ASSIGN_OR_RETURN(const bool more, marks.Next(&refused.offset, &refused.entry));
      if (!more) return Status::Ok();
      SplitReason(refused.entry.reason, &refused);
      TD_ASSIGN_OR_RETURN(const bool wanted, IsWanted(refused, *query_));
      if (!wanted) continue;
      if (span.archived == nullptr) {
        if (!stored) stored.emplace(&point_->view(), &tape);
        TD_ASSIGN_OR_RETURN(refused.message, stored->At(refused.offset));
      } else {
        if (!shipped) shipped.emplace(point_, &tape, span.archived, query_->stop.get());
        TD_ASSIGN_OR_RETURN(refused.message, shipped->At(refused.offset));
      }
      TD_RETURN_IF_ERROR((*sink_)(refused));
      --left_;
    }
    return Status::Ok();
  }

  const ReadPoint* point_;
  const RefusedQuery* query_;
  const Sink* sink_;
  uint64_t left_;
};

}  // namespace

Status VisitRefused(const ReadPoint& point, const RefusedQuery& query,
                    const std::function<Status(const RefusedMessage&)>& sink) {
  std::vector<std::string> topics;
  if (!query.topic.empty()) topics.push_back(query.topic);
  TD_ASSIGN_OR_RETURN(std::vector<const TapeEntry*> tapes, TapesOf(point, topics));
  auto place = [](const auto& of) { return std::tie(of.topic, of.partition, of.lineage); };
  RefusedVisit visit(&point, &query, &sink);
  for (const TapeEntry* tape : tapes) {
    int64_t from = 0;
    if (query.after && place(tape->second) <= place(*query.after)) {
      const bool is_whole = place(tape->second) < place(*query.after);
      if (is_whole || query.after->offset == INT64_MAX) continue;
      from = std::max<int64_t>(0, query.after->offset + 1);
    }
    TD_RETURN_IF_ERROR(visit.Tape(*tape, from));
  }
  return Status::Ok();
}

}  // namespace tapedeck
