#include "ship/verify_objects.h"

#include <algorithm>

#include "archive/record_object_reader.h"
#include "archive/tape_object.h"

namespace tapedeck {
namespace {

Table TableOf(const RecordManifest& manifest) {
  Table table;
  table.name = manifest.table;
  table.columns = manifest.columns;
  table.identity = manifest.identity;
  table.day_size = manifest.day_size;
  return table;
}

bool SameName(const TapeId& a, const TapeId& b) {
  return a.topic == b.topic && a.partition == b.partition && a.lineage == b.lineage;
}

std::string Count(uint64_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what);
}

}  // namespace

GenerationCheck::GenerationCheck(const RecordManifest* manifest)
    : manifest_(manifest), table_(TableOf(*manifest)), hasher_(table_) {
  for (const TapeRange& range : manifest->vector) IdOf(range.tape);
}

TpId GenerationCheck::IdOf(const TapeId& tape) {
  for (size_t i = 0; i < tapes_.size(); ++i) {
    if (SameName(tapes_[i], tape)) return TpId{static_cast<uint32_t>(i)};
  }
  tapes_.push_back(tape);
  tape_hashes_.push_back(TapeHash(tape));
  return TpId{static_cast<uint32_t>(tapes_.size() - 1)};
}

Status GenerationCheck::AddRows(std::string_view symbol, const Rows& rows, uint32_t first,
                                uint32_t count, Bounds* bounds) const {
  if (bounds->rows == 0) bounds->first_symbol = symbol;
  // A slice holds rows of one symbol; the next may go on with it.
  if (bounds->rows > 0 && symbol < bounds->last_symbol) {
    return Status::Corruption("its symbols are not in order at " + std::string(symbol));
  }
  bounds->last_symbol = symbol;
  bounds->rows += count;
  for (uint32_t row = first; row < first + count; ++row) {
    const int64_t ts = rows.ts[row];
    if (row > first && ts < rows.ts[row - 1]) {
      return Status::Corruption("its times are not in order, symbol " + std::string(symbol));
    }
    if (table_.DayOf(Timestamp(ts)) != manifest_->day) {
      return Status::Corruption("it has a row of another day, at " + FormatRfc3339(Timestamp(ts)));
    }
    bounds->first_ts = std::min(bounds->first_ts, ts);
    bounds->last_ts = std::max(bounds->last_ts, ts);
    const TpId tp{rows.tp[row]};
    auto [at, made] =
        bounds->offsets.try_emplace(tp, std::pair(rows.offset[row], rows.offset[row] + 1));
    at->second.first = std::min(at->second.first, rows.offset[row]);
    at->second.second = std::max(at->second.second, rows.offset[row] + 1);
  }
  return Status::Ok();
}

Status GenerationCheck::Compare(const Bounds& bounds, const ShippedObject& object) const {
  if (bounds.rows != object.rows) {
    return Status::Corruption("it holds " + Count(bounds.rows, "rows") + ", its manifest says " +
                              std::to_string(object.rows));
  }
  if (bounds.rows == 0) return Status::Ok();
  if (bounds.first_symbol != object.first_symbol || bounds.last_symbol != object.last_symbol ||
      Timestamp(bounds.first_ts) != object.first_ts ||
      Timestamp(bounds.last_ts) != object.last_ts) {
    return Status::Corruption("symbols or times are not in the bounds that its manifest gives");
  }
  for (const auto& [tp, offsets] : bounds.offsets) {
    const TapeId& tape = tapes_[Raw(tp)];
    const auto said = std::ranges::find_if(
        object.offsets, [&](const TapeRange& range) { return SameName(range.tape, tape); });
    if (said == object.offsets.end() || said->from != offsets.first || said->to != offsets.second) {
      return Status::Corruption("its offsets of " + tape.ToString() +
                                " are not those that its manifest gives");
    }
    // A tape may have several ranges: what was healed has its own.
    auto covered = [&](int64_t offset) {
      return std::ranges::any_of(manifest_->vector, [&](const TapeRange& range) {
        return SameName(range.tape, tape) && range.from <= offset && offset < range.to;
      });
    };
    const bool all = covered(offsets.first) && covered(offsets.second - 1);
    if (!all && manifest_->replaces.empty()) {
      return Status::Corruption("it has rows of " + tape.ToString() +
                                " outside the vector of its manifest");
    }
  }
  return Status::Ok();
}

Status GenerationCheck::Add(const ObjectSource& source, const ShippedObject& object,
                            const ReadStop* stop) {
  TD_ASSIGN_OR_RETURN(const ObjectFormat format, ParseObjectFormat(object.format));
  auto resolve = [this](const TapeId& tape) -> Result<TpId> { return IdOf(tape); };
  TD_ASSIGN_OR_RETURN(const auto scan, OpenRecordScan(&source, format, table_, resolve));
  Tally& tally = formats_[object.format];
  Bounds bounds;
  for (;;) {
    if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
    TD_RETURN_IF_ERROR(scan->Next());
    const RowSlice& rows = scan->rows();
    if (rows.count == 0) break;
    TD_RETURN_IF_ERROR(AddRows(rows.symbol, *rows.rows, rows.first, rows.count, &bounds));
    const Hash128 series = SeriesHash(table_.name, rows.symbol);
    for (uint32_t row = rows.first; row < rows.first + rows.count; ++row) {
      tally.digest += hasher_.Hash(series, tape_hashes_[rows.rows->tp[row]], *rows.rows, row);
    }
  }
  tally.rows += bounds.rows;
  rows_ += bounds.rows;
  return Compare(bounds, object);
}

Status GenerationCheck::Finish() const {
  for (const auto& [format, tally] : formats_) {
    if (tally.rows != manifest_->rows) {
      return Status::Corruption("its " + format + " objects hold " + Count(tally.rows, "rows") +
                                " of " + std::to_string(manifest_->rows));
    }
    if (tally.digest != manifest_->digest) {
      return Status::Corruption("the rows of its " + format + " objects have another digest");
    }
  }
  if (formats_.empty() && manifest_->rows > 0) {
    return Status::Corruption("it has " + Count(manifest_->rows, "rows") + " and lists no object");
  }
  return Status::Ok();
}

Status TapeCheck::Add(const ObjectSource& source, const ReadStop* stop) {
  const TapeRange& range = manifest_->range;
  TD_ASSIGN_OR_RETURN(auto footer, TapeObjectFooter::Read(source));
  TD_ASSIGN_OR_RETURN(auto reader, TapeObjectReader::Open(&source, footer, range.tape));
  const TopicPartition tp{range.tape.topic, range.tape.partition};
  for (;;) {
    if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
    TD_RETURN_IF_ERROR(reader->Next());
    if (reader->empty()) return Status::Ok();
    for (size_t i = 0; i < reader->size(); ++i) {
      const int64_t offset = reader->offset(i);
      if (offset < range.from || offset >= range.to || offset <= last_.offset) {
        return Status::Corruption("offset " + std::to_string(offset) +
                                  " is out of order or out of its range");
      }
      last_ = {offset, hasher_.Message(reader->At(i), tp)};
      digest_ += last_.hash;
    }
    messages_ += reader->size();
  }
}

Status TapeCheck::Finish() const {
  if (messages_ != manifest_->messages) {
    return Status::Corruption("its objects hold " + Count(messages_, "messages") + " of " +
                              std::to_string(manifest_->messages));
  }
  if (digest_ != manifest_->digest) {
    return Status::Corruption("the messages of its objects have another digest");
  }
  if (messages_ > 0 && last_ != manifest_->last) {
    return Status::Corruption("its last message is not the one that it names");
  }
  return Status::Ok();
}

}  // namespace tapedeck
