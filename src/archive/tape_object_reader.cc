#include <algorithm>
#include <array>
#include <charconv>

#include "archive/tape_object.h"
#include "archive/tape_object_label.h"
#include "base/encoding.h"
#include "base/text.h"
#include "columnar/message_writer.h"
#include "columnar/parquet_reader.h"

namespace tapedeck {
namespace {

enum Leaf : size_t {
  kOffset,
  kTimestamp,
  kTsType,
  kReceived,
  kReceivedNs,
  kKey,
  kValue,
  kHeaderKey,
  kHeaderValue,
  kLeaves
};

struct LeafShape {
  ParquetKind kind;
  int16_t definition_max;
  int16_t repetition_max;
};
constexpr LeafShape kShapes[kLeaves] = {
    {ParquetKind::kInt64, 0, 0}, {ParquetKind::kInt64, 1, 0}, {ParquetKind::kBytes, 0, 0},
    {ParquetKind::kInt64, 0, 0}, {ParquetKind::kInt64, 0, 0}, {ParquetKind::kBytes, 1, 0},
    {ParquetKind::kBytes, 1, 0}, {ParquetKind::kBytes, 1, 1}, {ParquetKind::kBytes, 2, 1}};

/// Pages of values that make one step: a page has up to 1 MiB, or one message.
constexpr uint64_t kStepPages = 16;
constexpr uint64_t kStepRows = uint64_t{1} << 16;

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

TapeObjectFooter::~TapeObjectFooter() = default;

Result<std::shared_ptr<const TapeObjectFooter>> TapeObjectFooter::Read(const ObjectSource& object) {
  std::shared_ptr<TapeObjectFooter> footer(new TapeObjectFooter());
  auto read = [&]() -> Status {
    TD_ASSIGN_OR_RETURN(footer->parquet_, ParquetFooter::Read(object));
    return footer->TakeLabel();
  };
  const Status status = read();
  if (!status.ok()) return status.WithContext(object.name());
  return std::shared_ptr<const TapeObjectFooter>(std::move(footer));
}

Status TapeObjectFooter::TakeLabel() {
  const auto version = parquet_->FindValue(kTapeKey);
  const auto topic = parquet_->FindValue(kTopicKey);
  const auto partition = parquet_->FindValue(kPartitionKey);
  const auto lineage = parquet_->FindValue(kLineageKey);
  if (!version || !topic || !partition || !lineage) {
    return Status::Corruption("a Parquet file that is no tape object");
  }
  if (*version != kTapeVersion) {
    return Status::Corruption("a tape object of version " + Quoted(*version) +
                              ", which this program does not know");
  }
  const Result<std::string> name = PercentDecode(*topic);
  if (!name.ok() || !ParseNumber(*partition, &tape_.partition) ||
      !ParseNumber(*lineage, &tape_.lineage)) {
    return Status::Corruption("a tape that nobody can name");
  }
  tape_.topic = *name;
  const std::span<const ParquetColumn> columns = parquet_->columns();
  if (columns.size() != kLeaves) return Status::Corruption("other columns than a tape object has");
  for (size_t i = 0; i < kLeaves; ++i) {
    if (columns[i].path != kMessageColumns[i] || columns[i].kind != kShapes[i].kind ||
        columns[i].definition_max != kShapes[i].definition_max ||
        columns[i].repetition_max != kShapes[i].repetition_max) {
      return Status::Corruption("column " + Quoted(columns[i].path) + " where " +
                                kMessageColumns[i] + " belongs");
    }
  }
  messages_ = parquet_->rows();
  memory_bytes_ = sizeof(*this) + parquet_->memory_bytes();
  int64_t last = INT64_MIN;
  for (size_t g = 0; g < parquet_->row_groups(); ++g) {
    const ParquetBounds bounds = parquet_->Bounds(g, kOffset);
    if (!bounds.known || (g > 0 && bounds.min <= last) || bounds.max < bounds.min) {
      return Status::Corruption("offsets out of order");
    }
    if (g == 0) first_offset_ = bounds.min;
    last_offset_ = last = bounds.max;
  }
  return Status::Ok();
}

struct TapeObjectReader::State {
  State(const ObjectSource* source, std::shared_ptr<const TapeObjectFooter> shared)
      : object(source), footer(std::move(shared)), parquet(source, footer->parquet()) {}

  struct Row {
    int64_t offset = 0;
    int64_t timestamp_ms = -1;
    Timestamp received;
    TimestampType type = TimestampType::kNone;
    OptionalBytes key, value;
    size_t headers_begin = 0;
    size_t headers = 0;
  };

  Status Load(size_t leaf, uint64_t from, uint64_t to) {
    const Status read = parquet.Read(group, leaf, from, to, &values[leaf]);
    return read.WithContext(kMessageColumns[leaf]);
  }
  Status Find(int64_t offset);
  Status FillRows(uint64_t from, uint64_t to);
  Status FillHeaders(uint64_t from, uint64_t to);
  Result<uint64_t> StepEnd();

  const ObjectSource* object;
  const std::shared_ptr<const TapeObjectFooter> footer;
  ParquetReader parquet;
  size_t group = 0;
  uint64_t row = 0;  // of the group, the next one
  int64_t last_offset = INT64_MIN;
  std::array<ParquetValues, kLeaves> values;
  std::vector<Row> rows;
  std::vector<HeaderView> headers;
};

// One page of values or several, so that a step has a few megabytes.
Result<uint64_t> TapeObjectReader::State::StepEnd() {
  TD_ASSIGN_OR_RETURN(const std::span<const ParquetPage> pages, parquet.Pages(group, kValue));
  const auto page =
      std::upper_bound(pages.begin(), pages.end(), row,
                       [](uint64_t r, const ParquetPage& p) { return r < p.first_row + p.rows; });
  uint64_t end = row;
  uint64_t taken = 0;
  for (auto p = page; p != pages.end() && taken < kStepPages && end - row < kStepRows; ++p) {
    end = p->first_row + p->rows;
    ++taken;
  }
  return end;
}

Status TapeObjectReader::State::FillRows(uint64_t from, uint64_t to) {
  for (size_t leaf = 0; leaf < kLeaves; ++leaf) TD_RETURN_IF_ERROR(Load(leaf, from, to));
  rows.resize(to - from);
  auto bytes = [&](size_t leaf, uint64_t r) -> OptionalBytes {
    const size_t i = r - values[leaf].first_row;
    if (!values[leaf].PresentAt(i)) return std::nullopt;
    return values[leaf].BytesAt(i);
  };
  auto number = [&](size_t leaf, uint64_t r) {
    return values[leaf].numbers[r - values[leaf].first_row];
  };
  for (uint64_t r = from; r < to; ++r) {
    Row& to_fill = rows[r - from];
    to_fill.offset = number(kOffset, r);
    if (to_fill.offset <= last_offset) return Status::Corruption("offsets out of order");
    last_offset = to_fill.offset;
    const bool has_time = values[kTimestamp].PresentAt(r - values[kTimestamp].first_row);
    to_fill.timestamp_ms = has_time ? number(kTimestamp, r) : -1;
    const std::string_view type = *bytes(kTsType, r);
    if (type == "create") {
      to_fill.type = TimestampType::kCreate;
    } else if (type == "append") {
      to_fill.type = TimestampType::kLogAppend;
    } else if (type == "none") {
      to_fill.type = TimestampType::kNone;
    } else {
      return Status::Corruption("a type of timestamps that nobody knows: " + Quoted(type));
    }
    if (!has_time && to_fill.type != TimestampType::kNone)
      return Status::Corruption("a timestamp is missing");
    const int64_t ns = number(kReceivedNs, r);
    if (number(kReceived, r) != ns / 1000 - (ns % 1000 < 0 ? 1 : 0)) {
      return Status::Corruption("two times of receipt");
    }
    to_fill.received = Timestamp(ns);
    to_fill.key = bytes(kKey, r);
    to_fill.value = bytes(kValue, r);
  }
  return FillHeaders(from, to);
}

// Both columns of `headers` have the same levels: repetition 0 begins a message, definition 0 says
// that it has no header, 1 that it has one, 2 (of values) that its value is not null.
Status TapeObjectReader::State::FillHeaders(uint64_t from, uint64_t to) {
  headers.clear();
  struct Place {
    size_t level = 0;
    size_t value = 0;
    uint64_t row = 0;
  };
  const ParquetValues& keys = values[kHeaderKey];
  const ParquetValues& contents = values[kHeaderValue];
  auto begin = [&](const ParquetValues& column, int16_t present) {
    Place at{.row = column.first_row};
    for (bool first = true; at.level < column.repetition.size(); first = false) {
      if (column.repetition[at.level] == 0 && !first) ++at.row;
      if (at.row == from) return at;
      at.value += column.definition[at.level] == present ? 1 : 0;
      ++at.level;
    }
    return at;
  };
  Place key = begin(keys, 1);
  Place content = begin(contents, 2);
  for (uint64_t r = from; r < to; ++r) {
    Row& row_of = rows[r - from];
    row_of.headers_begin = headers.size();
    for (bool first = true;; first = false) {
      const bool ends =
          key.level == keys.repetition.size() || (!first && keys.repetition[key.level] == 0);
      const bool also_ends = content.level == contents.repetition.size() ||
                             (!first && contents.repetition[content.level] == 0);
      if (ends != also_ends || (ends && first))
        return Status::Corruption("headers of different lengths");
      if (ends) break;
      const int16_t has_key = keys.definition[key.level++];
      const int16_t has_content = contents.definition[content.level++];
      if ((has_key == 0) != (has_content == 0) || (has_key == 0 && !first)) {
        return Status::Corruption("headers that do not fit each other");
      }
      if (has_key == 0) continue;
      HeaderView header{.name = keys.BytesAt(key.value++), .value = std::nullopt};
      if (has_content == 2) header.value = contents.BytesAt(content.value++);
      headers.push_back(header);
    }
    row_of.headers = headers.size() - row_of.headers_begin;
  }
  return Status::Ok();
}

TapeObjectReader::TapeObjectReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TapeObjectReader::~TapeObjectReader() = default;

Result<std::unique_ptr<TapeObjectReader>> TapeObjectReader::Open(
    const ObjectSource* object, std::shared_ptr<const TapeObjectFooter> footer,
    const TapeId& tape) {
  const TapeId& found = footer->tape();
  if (found.topic != tape.topic || found.partition != tape.partition ||
      found.lineage != tape.lineage) {
    return Status::Corruption(object->name() + " holds messages of " + found.ToString() +
                              ", not of " + tape.ToString());
  }
  return std::unique_ptr<TapeObjectReader>(
      new TapeObjectReader(std::make_unique<State>(object, std::move(footer))));
}

// Stands at the first message of `offset` or later.
Status TapeObjectReader::State::Find(int64_t offset) {
  const ParquetFooter& all_groups = *footer->parquet();
  for (group = 0; group < all_groups.row_groups(); ++group) {
    if (all_groups.Bounds(group, kOffset).max >= offset) break;
  }
  if (group == all_groups.row_groups()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const std::span<const ParquetPage> all, parquet.Pages(group, kOffset));
  TD_ASSIGN_OR_RETURN(const auto bounds, parquet.PageBounds(group, kOffset));
  size_t page = 0;
  while (page + 1 < all.size() && bounds[page].known && bounds[page].max < offset) ++page;
  const uint64_t first = all[page].first_row;
  TD_RETURN_IF_ERROR(Load(kOffset, first, first + all[page].rows));
  const ParquetValues& offsets = values[kOffset];
  const int64_t* begin = offsets.numbers.data();
  const int64_t* at = std::lower_bound(begin, begin + offsets.rows, offset);
  row = offsets.first_row + static_cast<uint64_t>(at - begin);
  return Status::Ok();
}

Status TapeObjectReader::Seek(int64_t offset) {
  state_->rows.clear();
  state_->last_offset = INT64_MIN;
  state_->row = 0;
  return state_->Find(offset).WithContext(state_->object->name());
}

Status TapeObjectReader::Next() {
  State& state = *state_;
  state.rows.clear();
  const ParquetFooter& parquet = *state.footer->parquet();
  while (state.group < parquet.row_groups() && state.row >= parquet.rows(state.group)) {
    ++state.group;
    state.row = 0;
  }
  if (state.group == parquet.row_groups()) return Status::Ok();
  auto fill = [&]() -> Status {
    TD_ASSIGN_OR_RETURN(const uint64_t end, state.StepEnd());
    TD_RETURN_IF_ERROR(state.FillRows(state.row, end));
    state.row = end;
    return Status::Ok();
  };
  const Status filled = fill();
  if (!filled.ok()) state.rows.clear();
  return filled.WithContext(state.object->name());
}

size_t TapeObjectReader::size() const { return state_->rows.size(); }
int64_t TapeObjectReader::offset(size_t i) const { return state_->rows[i].offset; }
Timestamp TapeObjectReader::ReceivedAt(size_t i) const { return state_->rows[i].received; }

MessageView TapeObjectReader::At(size_t i) const {
  const State::Row& row = state_->rows[i];
  MessageView message;
  message.offset = row.offset;
  message.timestamp_ms = row.timestamp_ms;
  message.timestamp_type = row.type;
  message.key = row.key;
  message.value = row.value;
  message.headers =
      std::span<const HeaderView>(state_->headers).subspan(row.headers_begin, row.headers);
  return message;
}

}  // namespace tapedeck
