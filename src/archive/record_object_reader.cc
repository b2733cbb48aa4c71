#include "archive/record_object_reader.h"

#include <algorithm>
#include <array>
#include <map>

#include "archive/written_decimal.h"
#include "base/decimal.h"
#include "base/text.h"
#include "columnar/parquet_reader.h"

namespace tapedeck {
namespace {

constexpr size_t kAbsent = SIZE_MAX;
constexpr int64_t kNanosPerMilli = 1'000'000;
/// Of one column of one Read: ends of texts are 32 bits.
constexpr size_t kTextBytesMax = size_t{1} << 30;

// Bytes of a text column: the exact ones where the text had to be mended.
std::string_view TextOf(const ParquetValues& text, size_t i, const ParquetValues& bytes, size_t j) {
  return bytes.PresentAt(j) ? bytes.BytesAt(j) : text.BytesAt(i);
}

}  // namespace

/// Rows [from, to) of one row group.
struct RecordObjectReader::Part {
  size_t group = 0;
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t group_begin = 0;  // in the object
  uint64_t size() const { return to - from; }
};

struct RecordObjectReader::State {
  State(const ObjectSource* source, std::shared_ptr<const ParquetFooter> footer)
      : object(source), parquet(source, std::move(footer)) {}

  const ObjectSource* object;
  ParquetReader parquet;
  std::vector<Column> columns;
  std::vector<size_t> places;  // of each in the object's columns, or kAbsent
  TapeResolver resolver;
  struct Loaded {
    size_t group = SIZE_MAX;
    ParquetValues values;
  };
  std::vector<Loaded> loaded;  // by leaf
  std::map<TapeId, TpId> tapes;
  std::string text;  // of a number
};

RecordObjectReader::RecordObjectReader(const ObjectSource* object,
                                       std::shared_ptr<const RecordObjectFooter> footer,
                                       std::vector<Column> columns, TapeResolver resolver)
    : footer_(std::move(footer)), state_(std::make_unique<State>(object, footer_->parquet_)) {
  state_->resolver = std::move(resolver);
  state_->loaded.resize(footer_->parquet_->columns().size());
  for (const Column& column : columns) {
    const auto& all = footer_->columns_;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Column& c) { return c.name == column.name; });
    state_->places.push_back(found == all.end() ? kAbsent
                                                : static_cast<size_t>(found - all.begin()));
  }
  state_->columns = std::move(columns);
}

RecordObjectReader::~RecordObjectReader() = default;

Status RecordObjectReader::Named(const Status& status) const {
  return status.WithContext(state_->object->name());
}

bool RecordObjectReader::IsLoaded(const Part& part, size_t leaf) const {
  const State::Loaded& loaded = state_->loaded[leaf];
  const ParquetValues& have = loaded.values;
  return loaded.group == part.group && have.first_row <= part.from &&
         part.to <= have.first_row + have.rows;
}

Result<const ParquetValues*> RecordObjectReader::Load(const Part& part, size_t leaf) {
  State::Loaded& loaded = state_->loaded[leaf];
  const ParquetValues& have = loaded.values;
  if (IsLoaded(part, leaf)) return &have;
  loaded.group = SIZE_MAX;
  const Status read = state_->parquet.Read(part.group, leaf, part.from, part.to, &loaded.values);
  if (!read.ok()) {
    return read.WithContext("column " + footer_->parquet_->columns()[leaf].path);
  }
  loaded.group = part.group;
  return &have;
}

Status RecordObjectReader::ForParts(RowRange range, const std::function<Status(const Part&)>& use) {
  if (range.from > range.to || range.to > footer_->rows()) {
    return Status::InvalidArgument("it does not have those rows");
  }
  const auto groups = footer_->groups();
  auto group = std::upper_bound(
      groups.begin(), groups.end(), range.from,
      [](uint64_t row, const RecordObjectFooter::Group& g) { return row < g.rows.to; });
  for (; group != groups.end() && group->rows.from < range.to; ++group) {
    const uint64_t from = std::max(range.from, group->rows.from);
    const uint64_t to = std::min(range.to, group->rows.to);
    if (from == to) continue;
    TD_RETURN_IF_ERROR(use({.group = static_cast<size_t>(group - groups.begin()),
                            .from = from - group->rows.from,
                            .to = to - group->rows.from,
                            .group_begin = group->rows.from}));
  }
  return Status::Ok();
}

// The rows of a part by symbol; those of `symbols` (empty: all) are added.
Status RecordObjectReader::AddSymbols(const Part& part, std::span<const std::string> symbols,
                                      std::vector<ObjectSeries>* found) {
  TD_ASSIGN_OR_RETURN(const ParquetValues* text, Load(part, footer_->leaves_.symbol));
  const ParquetValues* bytes = nullptr;
  if (!footer_->groups_[part.group].symbols_known) {
    TD_ASSIGN_OR_RETURN(bytes, Load(part, footer_->leaves_.symbol_bytes));
  }
  for (uint64_t row = part.from; row < part.to;) {
    auto at = [&](uint64_t r) {
      const size_t i = r - text->first_row;
      return bytes == nullptr ? text->BytesAt(i) : TextOf(*text, i, *bytes, r - bytes->first_row);
    };
    const std::string_view symbol = at(row);
    uint64_t end = row + 1;
    while (end < part.to && at(end) == symbol) ++end;
    const RowRange rows{part.group_begin + row, part.group_begin + end};
    row = end;
    if (!symbols.empty() && !std::binary_search(symbols.begin(), symbols.end(), symbol)) continue;
    if (!found->empty() && found->back().symbol == symbol) {
      if (found->back().rows.to != rows.from) {
        return Status::Corruption("symbol " + Quoted(symbol) + " comes twice");
      }
      found->back().rows.to = rows.to;
    } else {
      found->push_back({std::string(symbol), rows});
    }
  }
  return Status::Ok();
}

Result<std::vector<ObjectSeries>> RecordObjectReader::FindSeries(
    std::span<const std::string> symbols) {
  std::vector<ObjectSeries> found;
  TD_RETURN_IF_ERROR(Named(AddSeries(symbols, &found)));
  return found;
}

Status RecordObjectReader::AddSeries(std::span<const std::string> symbols,
                                     std::vector<ObjectSeries>* found) {
  auto may_hold = [&](std::string_view least, std::string_view greatest) {
    if (symbols.empty()) return true;
    const auto first = std::lower_bound(symbols.begin(), symbols.end(), least);
    return first != symbols.end() && *first <= greatest;
  };
  const std::span<const RecordObjectFooter::Group> groups = footer_->groups();
  for (size_t g = 0; g < groups.size(); ++g) {
    const RecordObjectFooter::Group& group = groups[g];
    Part part{.group = g, .from = 0, .to = group.rows.size(), .group_begin = group.rows.from};
    if (!group.symbols_known) {
      TD_RETURN_IF_ERROR(AddSymbols(part, symbols, found));
      continue;
    }
    if (!may_hold(group.first_symbol, group.last_symbol)) continue;
    const size_t leaf = footer_->leaves_.symbol;
    TD_ASSIGN_OR_RETURN(const auto pages, state_->parquet.Pages(g, leaf));
    TD_ASSIGN_OR_RETURN(const auto bounds, state_->parquet.PageBounds(g, leaf));
    for (size_t p = 0; p < pages.size(); ++p) {
      if (bounds[p].known && !may_hold(bounds[p].min_bytes, bounds[p].max_bytes)) continue;
      part.from = pages[p].first_row;
      part.to = pages[p].first_row + pages[p].rows;
      TD_RETURN_IF_ERROR(AddSymbols(part, symbols, found));
    }
  }
  return Status::Ok();
}

Result<std::vector<ObjectSeries>> RecordObjectReader::SymbolsOf(RowRange range) {
  std::vector<ObjectSeries> found;
  TD_RETURN_IF_ERROR(
      Named(ForParts(range, [&](const Part& part) { return AddSymbols(part, {}, &found); })));
  return found;
}

// The first row of the series, whose rows ascend in time, with a time of `ts` or later.
Result<uint64_t> RecordObjectReader::FindTime(RowRange series, int64_t ts) {
  uint64_t found = series.to;
  const Status status = ForParts(series, [&](const Part& part) -> Status {
    const RecordObjectFooter::Group& group = footer_->groups_[part.group];
    if (found != series.to || group.last_ts < ts) return Status::Ok();
    const size_t leaf = footer_->leaves_.ts_ns;
    TD_ASSIGN_OR_RETURN(const auto all, state_->parquet.Pages(part.group, leaf));
    const std::vector<ParquetPage> pages(all.begin(), all.end());
    TD_ASSIGN_OR_RETURN(const auto bounds, state_->parquet.PageBounds(part.group, leaf));
    for (size_t p = 0; p < pages.size() && found == series.to; ++p) {
      Part page = part;
      page.from = std::max(part.from, pages[p].first_row);
      page.to = std::min(part.to, pages[p].first_row + pages[p].rows);
      // The bounds are of all rows of the page; greater than those of the part at most.
      if (page.from >= page.to || (bounds[p].known && bounds[p].max < ts)) continue;
      TD_ASSIGN_OR_RETURN(const ParquetValues* times, Load(page, leaf));
      const int64_t* begin = times->numbers.data() + (page.from - times->first_row);
      const int64_t* end = begin + page.size();
      const int64_t* at = std::lower_bound(begin, end, ts);
      if (at != end) found = part.group_begin + page.from + static_cast<uint64_t>(at - begin);
    }
    return Status::Ok();
  });
  if (!status.ok()) return Named(status);
  return found;
}

Result<RowRange> RecordObjectReader::FindTimes(RowRange series, int64_t start, int64_t end) {
  RowRange range = series;
  if (start != INT64_MIN) {
    TD_ASSIGN_OR_RETURN(range.from, FindTime(series, start));
  }
  if (end != INT64_MAX) {
    TD_ASSIGN_OR_RETURN(range.to, FindTime({range.from, series.to}, end));
  }
  return range;
}

Result<RowRange> RecordObjectReader::PageOf(uint64_t row) {
  RowRange range;
  const Status status = ForParts({row, row + 1}, [&](const Part& part) -> Status {
    TD_ASSIGN_OR_RETURN(const auto pages,
                        state_->parquet.Pages(part.group, footer_->leaves_.ts_ns));
    for (const ParquetPage& page : pages) {
      if (part.from < page.first_row || part.from >= page.first_row + page.rows) continue;
      range = {part.group_begin + page.first_row, part.group_begin + page.first_row + page.rows};
    }
    return Status::Ok();
  });
  if (!status.ok()) return Named(status);
  return range;
}

Status RecordObjectReader::AppendOrigins(const Part& part, Rows* rows) {
  const RecordObjectFooter::Leaves& leaves = footer_->leaves_;
  TD_ASSIGN_OR_RETURN(const ParquetValues* kafka, Load(part, leaves.ts_kafka));
  TD_ASSIGN_OR_RETURN(const ParquetValues* offset, Load(part, leaves.offset));
  TD_ASSIGN_OR_RETURN(const ParquetValues* index, Load(part, leaves.index));
  TD_ASSIGN_OR_RETURN(const ParquetValues* topic, Load(part, leaves.topic));
  TD_ASSIGN_OR_RETURN(const ParquetValues* partition, Load(part, leaves.partition));
  TD_ASSIGN_OR_RETURN(const ParquetValues* lineage, Load(part, leaves.lineage));
  auto odd = [](const std::string& what) { return Status::Corruption(what); };
  TapeId last;
  TpId tp{};
  bool has_last = false;
  for (uint64_t row = part.from; row < part.to; ++row) {
    const size_t k = row - kafka->first_row;
    int64_t ns = kNoKafkaTime;
    if (kafka->PresentAt(k) && __builtin_mul_overflow(kafka->numbers[k], kNanosPerMilli, &ns)) {
      return odd("a Kafka time out of bounds");
    }
    rows->ts_kafka.push_back(ns);
    const int64_t at = offset->numbers[row - offset->first_row];
    const int64_t n = index->numbers[row - index->first_row];
    const int64_t life = lineage->numbers[row - lineage->first_row];
    const int64_t of = partition->numbers[row - partition->first_row];
    if (n < 0 || n > UINT32_MAX || life < 0 || life > UINT32_MAX)
      return odd("an impossible origin");
    rows->offset.push_back(at);
    rows->index.push_back(static_cast<uint32_t>(n));
    const std::string_view name = topic->BytesAt(row - topic->first_row);
    if (!has_last || last.topic != name || last.partition != of || last.lineage != life) {
      last = {.cluster = "",
              .topic = std::string(name),
              .lineage = static_cast<uint32_t>(life),
              .partition = static_cast<int32_t>(of)};
      has_last = true;
      auto known = state_->tapes.find(last);
      if (known == state_->tapes.end()) {
        TD_ASSIGN_OR_RETURN(tp, state_->resolver(last));
        known = state_->tapes.emplace(last, tp).first;
      }
      tp = known->second;
    }
    rows->tp.push_back(Raw(tp));
  }
  return Status::Ok();
}

// All that AppendPart loads, so that it comes in few requests.
Status RecordObjectReader::ExpectPart(const Part& part) {
  const RecordObjectFooter::Leaves& leaves = footer_->leaves_;
  std::vector<size_t> wanted = {leaves.ts_ns, leaves.ts_kafka,  leaves.offset, leaves.index,
                                leaves.topic, leaves.partition, leaves.lineage};
  for (size_t i = 0; i < state_->columns.size(); ++i) {
    const size_t place = state_->places[i];
    if (place == kAbsent) continue;
    const size_t leaf = leaves.columns[place];
    switch (footer_->columns_[place].type) {
      case ColumnType::kDecimal:
        wanted.insert(wanted.end(), {leaf, leaf + 1, leaf + 2});
        break;
      case ColumnType::kText:
        wanted.insert(wanted.end(), {leaf, leaf + 1});
        break;
      case ColumnType::kTimestamp:
        wanted.push_back(leaf + 1);
        break;
      default:
        wanted.push_back(leaf);
    }
  }
  std::erase_if(wanted, [&](size_t leaf) { return IsLoaded(part, leaf); });
  if (wanted.empty()) return Status::Ok();
  return state_->parquet.Expect(part.group, wanted, part.from, part.to);
}

Status RecordObjectReader::AppendPart(const Part& part, Rows* rows) {
  TD_RETURN_IF_ERROR(ExpectPart(part));
  TD_ASSIGN_OR_RETURN(const ParquetValues* times, Load(part, footer_->leaves_.ts_ns));
  const int64_t* from = times->numbers.data() + (part.from - times->first_row);
  rows->ts.insert(rows->ts.end(), from, from + part.size());
  TD_RETURN_IF_ERROR(AppendOrigins(part, rows));
  for (size_t i = 0; i < state_->columns.size(); ++i) {
    const Status appended = AppendColumn(part, i, &rows->columns[i]);
    if (!appended.ok()) {
      return appended.WithContext("column " + state_->columns[i].name);
    }
  }
  return Status::Ok();
}

Status RecordObjectReader::Read(RowRange range, Rows* rows) {
  rows->Clear();
  rows->columns.resize(state_->columns.size());
  for (size_t i = 0; i < state_->columns.size(); ++i) {
    rows->columns[i].type = state_->columns[i].type;
  }
  return Named(ForParts(range, [&](const Part& part) { return AppendPart(part, rows); }));
}

Status RecordObjectReader::AppendDecimals(const Part& part, size_t leaf, RowsColumn* to) {
  TD_ASSIGN_OR_RETURN(const ParquetValues* values, Load(part, leaf));
  TD_ASSIGN_OR_RETURN(const ParquetValues* scales, Load(part, leaf + 1));
  TD_ASSIGN_OR_RETURN(const ParquetValues* texts, Load(part, leaf + 2));
  const uint8_t scale = footer_->parquet_->columns()[leaf].decimal->scale;
  std::array<int64_t, kDecimalScaleMax + 1> powers{1};
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = 10 * powers[i - 1];
  const bool is_narrow = footer_->parquet_->columns()[leaf].kind == ParquetKind::kInt64;
  for (uint64_t row = part.from; row < part.to; ++row) {
    const size_t v = row - values->first_row;
    const size_t s = row - scales->first_row;
    const size_t t = row - texts->first_row;
    const bool has = values->PresentAt(v);
    if (has != scales->PresentAt(s) || (has && texts->PresentAt(t))) {
      return Status::Corruption("a number that is not told one way");
    }
    if (!has) {
      if (!texts->PresentAt(t)) {
        to->Append(Value());
        continue;
      }
      TD_ASSIGN_OR_RETURN(const Value value, WrittenDecimal(texts->BytesAt(t), &state_->text));
      to->Append(value);
      continue;
    }
    const int64_t written = scales->numbers[s];
    if (is_narrow && written >= 0 && written <= scale && to->text_ends.empty()) {
      const int64_t divisor = powers[static_cast<size_t>(scale - written)];
      const int64_t mantissa = values->numbers[v] / divisor;
      if (mantissa * divisor == values->numbers[v]) {
        to->numbers.push_back(mantissa);
        to->scales.push_back(static_cast<uint8_t>(written));
        continue;
      }
    }
    const Int128 unscaled = is_narrow ? values->numbers[v] : values->wides[v];
    TD_ASSIGN_OR_RETURN(const Value value, WrittenDecimal(unscaled, scale, written, &state_->text));
    to->Append(value);
  }
  return Status::Ok();
}

Status RecordObjectReader::AppendColumn(const Part& part, size_t wanted, RowsColumn* to) {
  const size_t place = state_->places[wanted];
  if (place == kAbsent) {
    to->AppendAll(part.size(), [](size_t) -> const Value* { return nullptr; });
    return Status::Ok();
  }
  if (footer_->columns_[place].type != to->type) {
    return Status::Corruption("it is of another type here");
  }
  if (to->text.size() > kTextBytesMax) {
    return Status::ResourceExhausted("too much text for one read");
  }
  const size_t leaf = footer_->leaves_.columns[place];
  if (to->type == ColumnType::kDecimal) return AppendDecimals(part, leaf, to);
  const bool is_time = to->type == ColumnType::kTimestamp;
  TD_ASSIGN_OR_RETURN(const ParquetValues* values, Load(part, is_time ? leaf + 1 : leaf));
  const size_t begin = part.from - values->first_row;
  for (size_t i = begin; i < begin + part.size(); ++i) {
    to->present.push_back(values->PresentAt(i) ? 1 : 0);
  }
  if (to->type != ColumnType::kText) {
    const int64_t* from = values->numbers.data() + begin;
    to->numbers.insert(to->numbers.end(), from, from + part.size());
    return Status::Ok();
  }
  TD_ASSIGN_OR_RETURN(const ParquetValues* bytes, Load(part, leaf + 1));
  for (uint64_t row = part.from; row < part.to; ++row) {
    const size_t i = row - values->first_row;
    to->text += TextOf(*values, i, *bytes, row - bytes->first_row);
    to->text_ends.push_back(static_cast<uint32_t>(to->text.size()));
  }
  return Status::Ok();
}

Status RecordObjectReader::CheckTimes(const Part& part, size_t coarse, size_t exact) {
  TD_ASSIGN_OR_RETURN(const ParquetValues* micros, Load(part, coarse));
  TD_ASSIGN_OR_RETURN(const ParquetValues* nanos, Load(part, exact));
  for (uint64_t row = part.from; row < part.to; ++row) {
    const size_t m = row - micros->first_row;
    const size_t n = row - nanos->first_row;
    const int64_t ns = nanos->numbers[n];
    const int64_t floor = ns / 1000 - (ns % 1000 < 0 ? 1 : 0);
    if (micros->PresentAt(m) != nanos->PresentAt(n) || micros->numbers[m] != floor) {
      return Status::Corruption("a time is not the same in both columns");
    }
  }
  return Status::Ok();
}

Status RecordObjectReader::CheckTexts(const Part& part, size_t leaf) {
  TD_ASSIGN_OR_RETURN(const ParquetValues* texts, Load(part, leaf));
  TD_ASSIGN_OR_RETURN(const ParquetValues* bytes, Load(part, leaf + 1));
  for (uint64_t row = part.from; row < part.to; ++row) {
    const size_t t = row - texts->first_row;
    const size_t b = row - bytes->first_row;
    if (!bytes->PresentAt(b)) continue;
    if (!texts->PresentAt(t) || ToValidUtf8(bytes->BytesAt(b)) != texts->BytesAt(t)) {
      return Status::Corruption("a text is not the same in both columns");
    }
  }
  return Status::Ok();
}

Status RecordObjectReader::CheckTwins(RowRange range) {
  const Status checked = ForParts(range, [&](const Part& part) -> Status {
    const RecordObjectFooter::Leaves& leaves = footer_->leaves_;
    TD_RETURN_IF_ERROR(CheckTimes(part, leaves.ts, leaves.ts_ns));
    TD_RETURN_IF_ERROR(CheckTexts(part, leaves.symbol));
    for (size_t i = 0; i < footer_->columns_.size(); ++i) {
      const size_t leaf = leaves.columns[i];
      const ColumnType type = footer_->columns_[i].type;
      if (type == ColumnType::kTimestamp) TD_RETURN_IF_ERROR(CheckTimes(part, leaf, leaf + 1));
      if (type == ColumnType::kText) TD_RETURN_IF_ERROR(CheckTexts(part, leaf));
    }
    return Status::Ok();
  });
  return Named(checked);
}

}  // namespace tapedeck
