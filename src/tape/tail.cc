#include "tape/tail.h"

#include "store/loaded_state.h"
#include "tape/read_point.h"

namespace tapedeck {

int64_t KafkaNanosOf(const MessageView& message) {
  int64_t ns = 0;
  const bool none = message.timestamp_type == TimestampType::kNone || message.timestamp_ms < 0 ||
                    __builtin_mul_overflow(message.timestamp_ms, int64_t{1'000'000}, &ns);
  return none ? kNoKafkaTime : ns;
}

RecordView DecodedMessage::Row(size_t n) const {
  const DecodedRecord& record = decoded->records[n];
  RecordView row;
  row.table = record.table;
  row.symbol = record.symbol;
  row.ts = record.ts;
  row.ts_kafka = Timestamp(KafkaNanosOf(*message));
  row.origin = {tp, message->offset, static_cast<uint32_t>(n)};
  row.values = record.values;
  return row;
}

StoredDecoders::StoredDecoders(const ReadPoint& point)
    : view_(&point.view()),
      manifests_(point.manifests()),
      loaded_(true),
      tables_(point.state().tables) {}

Result<std::string> StoredDecoders::TextOf(const Hash128& mapping) const {
  Result<std::string> text = view_->GetMapping(mapping);
  if (text.status().code() != StatusCode::kNotFound || manifests_ == nullptr) return text;
  const std::string* archived = manifests_->FindMapping(mapping);
  return archived == nullptr ? text : Result<std::string>(*archived);
}

Result<Decoder*> StoredDecoders::For(const Hash128& mapping) {
  auto found = decoders_.find(mapping);
  if (found != decoders_.end()) return found->second.get();
  if (!loaded_) {
    TD_ASSIGN_OR_RETURN(StoreState state, LoadStateWithoutDays(*view_));
    tables_ = std::move(state.tables);
    loaded_ = true;
  }
  Result<std::string> text = TextOf(mapping);
  if (!text.ok()) {
    if (text.status().code() != StatusCode::kNotFound) return text.status();
    return Status::Corruption("mapping " + mapping.ToString() +
                              " made these records and is not in the store");
  }
  TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::FromCanonical(*text));
  if (spec.hash() != mapping) {
    return Status::Corruption("the text stored for mapping " + mapping.ToString() +
                              " is another mapping's");
  }
  const size_t tables = tables_.tables().size();
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Make(spec, &tables_));
  if (tables_.tables().size() != tables) {
    return Status::Corruption("mapping '" + spec.name() +
                              "' fills a table that is not in the store");
  }
  return decoders_.emplace(mapping, std::move(decoder)).first->second.get();
}

Result<TailCounts> TailDecoder::Decode(TpId tp, const Checkpoint& checkpoint, ChunkBuilder* rows) {
  return Decode(tp, checkpoint.watermark, checkpoint.next, [&](const DecodedMessage& message) {
    for (size_t n = 0; n < message.decoded->records.size(); ++n) rows->Append(message.Row(n));
    return Status::Ok();
  });
}

Result<TailCounts> TailDecoder::Decode(TpId tp, int64_t from, int64_t to, const DecodedSink& sink) {
  TailCounts counts;
  if (from >= to) return counts;
  TD_ASSIGN_OR_RETURN(std::string stored, view_->Get(keys::Tape(tp)));
  TD_ASSIGN_OR_RETURN(TapeId tape, DecodeTapeId(stored));
  const TopicPartition partition{tape.topic, tape.partition};
  TapeBlocks blocks(view_, tp, tape.ToString(), ScanKind::kLong);
  TD_RETURN_IF_ERROR(blocks.Seek(from));
  while (blocks.Valid() && blocks.base() < to) {
    TD_RETURN_IF_ERROR(blocks.Load(&block_, &buffers_));
    Result<Decoder*> decoder = decoders_.For(blocks.index().mapping);
    if (!decoder.ok()) return decoder.status().WithContext(blocks.Where());
    ++counts.blocks;
    for (size_t i = block_.LowerBound(from); i < block_.size() && block_.offset(i) < to; ++i) {
      const MessageView message = block_.At(i);
      (*decoder)->Decode(partition, message, block_.ReceivedAt(i), &decoded_);
      ++counts.messages;
      counts.records += decoded_.records.size();
      if (decoded_.refused > 0) ++counts.refused;
      if (decoded_.marks.size() > decoded_.refused) ++counts.skipped;
      TD_RETURN_IF_ERROR(sink({tp, &tape, &message, block_.ReceivedAt(i), &decoded_}));
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  return counts;
}

}  // namespace tapedeck
