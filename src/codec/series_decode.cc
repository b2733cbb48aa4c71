#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/limits.h"
#include "codec/column_codec.h"
#include "codec/series_block_generated.h"
#include "codec/series_layout.h"

namespace tapedeck {
namespace {

Status Bad(const std::string& what) { return Status::Corruption("series block: " + what); }

// More columns than any block of ours: the table's and our own.
constexpr size_t kColumnsMax = limits::kTableColumnsMax + kOwnColumns.size();

flatbuffers::Verifier::Options VerifierOptions() {
  flatbuffers::Verifier::Options options;
  options.max_depth = 8;
  options.max_tables = kColumnsMax + 1;
  return options;
}

ColumnParts PartsOf(const wire::SeriesColumn& column) {
  ColumnParts parts;
  parts.name = {column.name()->c_str(), column.name()->size()};
  parts.type = static_cast<ColumnType>(column.type());
  parts.encoding = column.encoding();
  parts.bytes = View(column.bytes());
  parts.nulls = View(column.nulls());
  parts.scales = View(column.scales());
  parts.rest = View(column.rest());
  parts.reference = column.reference();
  return parts;
}

Status CheckEncoding(const ColumnParts& parts) {
  auto encoding = static_cast<ColumnEncoding>(parts.encoding);
  if (parts.encoding < static_cast<uint8_t>(ColumnEncoding::kIntegers) ||
      parts.encoding > static_cast<uint8_t>(ColumnEncoding::kNumerals)) {
    return Status::Corruption("unknown encoding " + std::to_string(parts.encoding) +
                              ": written by a later version, or damaged");
  }
  bool text = encoding == ColumnEncoding::kTexts || encoding == ColumnEncoding::kDictionary ||
              encoding == ColumnEncoding::kNumerals;
  if (text ? parts.type != ColumnType::kText : !HasNumbers(parts)) {
    return Status::Corruption("its encoding does not fit its type");
  }
  return Status::Ok();
}

class SeriesDecoder {
 public:
  SeriesDecoder(const SeriesBlockHeader& header, CodecBuffers::State* state)
      : header_(header), state_(state) {}

  Status Open() {
    auto* data = reinterpret_cast<const uint8_t*>(state_->content.data());
    flatbuffers::Verifier verifier(data, state_->content.size(), VerifierOptions());
    if (state_->content.size() < 8 || !wire::VerifySeriesColumnsBuffer(verifier)) {
      return Status::Corruption("content is no table");
    }
    const auto* columns = wire::GetSeriesColumns(data)->columns();
    if (columns == nullptr || columns->size() > kColumnsMax)
      return Status::Corruption("no columns, or too many");
    parts_.reserve(columns->size());
    for (const wire::SeriesColumn* column : *columns) parts_.push_back(PartsOf(*column));
    decoded_.assign(parts_.size(), nullptr);
    return Status::Ok();
  }

  Status Decode(std::span<const Column> wanted, Rows* out) {
    TD_RETURN_IF_ERROR(DecodeOwn(out));
    size_t text_budget = limits::kSeriesBlockRawBytesMax;
    out->columns.resize(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      out->columns[i].type = wanted[i].type;
      TD_RETURN_IF_ERROR(DecodeOne(wanted[i], &text_budget, &out->columns[i])
                             .WithContext("column " + wanted[i].name));
    }
    return Status::Ok();
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  size_t Find(std::string_view name) const {
    auto at = std::ranges::find(parts_, name, &ColumnParts::name);
    return at == parts_.end() ? kNone : static_cast<size_t>(at - parts_.begin());
  }

  // The main stream of a column, references added. A reference is to a column before, so this ends.
  Status Numbers(size_t column, std::vector<int64_t>* out) {
    const ColumnParts& parts = parts_[column];
    TD_RETURN_IF_ERROR(CheckEncoding(parts));
    out->resize(header_.rows);
    if (parts.reference == 0) return state_->integer_decoder.Decode(parts.bytes, *out);
    if (parts.reference > column || !HasNumbers(parts) ||
        !HasNumbers(parts_[parts.reference - 1])) {
      return Status::Corruption("it refers to what it may not");
    }
    const int64_t* reference = decoded_[parts.reference - 1];
    std::vector<int64_t> decoded;
    if (reference == nullptr) {
      if (++extra_decodes_ > kExtraDecodesMax)
        return Status::Corruption("its references form a chain");
      TD_RETURN_IF_ERROR(Numbers(static_cast<size_t>(parts.reference) - 1, &decoded));
      reference = decoded.data();
    }
    return state_->integer_decoder.DecodeOnto(parts.bytes, reference, *out);
  }

  Status OwnNumbers(OwnColumn which, std::vector<int64_t>* out) {
    std::string_view name = kOwnColumns[static_cast<size_t>(which)];
    size_t column = Find(name);
    if (column == kNone) return Status::Corruption("column " + std::string(name) + " is missing");
    Status status = Numbers(column, out);
    if (!status.ok()) return status.WithContext("column " + std::string(name));
    if (out != &state_->numbers) decoded_[column] = out->data();
    return status;
  }

  Status OwnNarrow(OwnColumn which, std::vector<uint32_t>* out) {
    size_t column = Find(kOwnColumns[static_cast<size_t>(which)]);
    int64_t constant = 0;
    out->resize(header_.rows);
    if (column != kNone && parts_[column].reference == 0 && CheckEncoding(parts_[column]).ok() &&
        IntegerDecoder::IsConstant(parts_[column].bytes, &constant) && constant >= 0 &&
        constant <= UINT32_MAX) {
      std::fill(out->begin(), out->end(), static_cast<uint32_t>(constant));
      return Status::Ok();
    }
    TD_RETURN_IF_ERROR(OwnNumbers(which, &state_->numbers));
    uint64_t any = 0;
    for (size_t i = 0; i < out->size(); ++i) {
      any |= static_cast<uint64_t>(state_->numbers[i]);
      (*out)[i] = static_cast<uint32_t>(state_->numbers[i]);
    }
    return any <= UINT32_MAX ? Status::Ok()
                             : Status::Corruption("a part of an Origin is out of range");
  }

  Status DecodeOwn(Rows* out) {
    TD_RETURN_IF_ERROR(OwnNumbers(OwnColumn::kTs, &out->ts));
    TD_RETURN_IF_ERROR(OwnNumbers(OwnColumn::kTsKafka, &out->ts_kafka));
    TD_RETURN_IF_ERROR(OwnNarrow(OwnColumn::kTopic, &out->tp));
    TD_RETURN_IF_ERROR(OwnNumbers(OwnColumn::kOffset, &out->offset));
    TD_RETURN_IF_ERROR(OwnNarrow(OwnColumn::kIndex, &out->index));
    int64_t disorder = 0;
    const int64_t* ts = out->ts.data();
    for (size_t i = 1; i < header_.rows; ++i) disorder |= static_cast<int64_t>(ts[i] < ts[i - 1]);
    if (disorder != 0) return Status::Corruption("its times do not go up");
    if (out->ts.front() != header_.first_ts.ns() || out->ts.back() != header_.last_ts.ns()) {
      return Status::Corruption("its times are not those of its header");
    }
    return Status::Ok();
  }

  Status DecodeOne(const Column& wanted, size_t* text_budget, RowsColumn* out) {
    size_t column = Find(wanted.name);
    if (column == kNone || column < kOwnColumns.size()) {
      FillNull(header_.rows, out);
      return Status::Ok();
    }
    const ColumnParts& parts = parts_[column];
    if (parts.type != wanted.type)
      return Status::Corruption("it has another type than its table says");
    std::vector<int64_t>& numbers =
        parts.type == ColumnType::kText ? state_->numbers : out->numbers;
    TD_RETURN_IF_ERROR(Numbers(column, &numbers));
    TD_RETURN_IF_ERROR(
        DecodeColumn(parts, header_.rows, numbers, &state_->integer_decoder, text_budget, out));
    if (NumbersAreKept(parts)) decoded_[column] = out->numbers.data();
    return Status::Ok();
  }

  // A chain of references that no encoder makes would be decoded again for each column.
  static constexpr size_t kExtraDecodesMax = 2 * kColumnsMax;

  std::vector<const int64_t*>
      decoded_;  // by column: its numbers as in its stream, where they are at hand
  size_t extra_decodes_ = 0;
  const SeriesBlockHeader& header_;
  CodecBuffers::State* state_;
  std::vector<ColumnParts> parts_;
};

}  // namespace

std::string EncodeSeriesHeader(const SeriesBlockHeader& header) {
  std::string out;
  PutLittle32(&out, kSeriesMagic);
  out.push_back(static_cast<char>(kSeriesVersion));
  out.push_back(static_cast<char>(header.codec));
  out.append(2, '\0');
  PutLittle32(&out, header.rows);
  PutLittle32(&out, header.content_bytes);
  PutLittle32(&out, header.stored_bytes);
  PutLittle64(&out, static_cast<uint64_t>(header.first_ts.ns()));
  PutLittle64(&out, static_cast<uint64_t>(header.last_ts.ns()));
  PutLittle64(&out, header.hash);
  return out;
}

namespace {

// Vectors of `out` are overwritten, not cleared first: filling them with zeros would cost as much
// as decoding.
Status Decode(std::string_view key, std::string_view block, std::span<const Column> wanted,
              CodecBuffers::State* state, Rows* out) {
  TD_ASSIGN_OR_RETURN(SeriesBlockHeader header, ParseSeriesHeader(block));
  std::string_view stored = block.substr(kSeriesHeaderBytes);
  if (HashBlock(key, block.substr(0, kSeriesHeaderBytes - 8), stored) != header.hash) {
    return Bad("its hash differs: damaged, or stored under another key");
  }
  TD_RETURN_IF_ERROR(ReadContent(header.codec, stored, header.content_bytes, &state->decompressor,
                                 &state->content));
  SeriesDecoder decoder(header, state);
  Status status = decoder.Open();
  if (status.ok()) status = decoder.Decode(wanted, out);
  return status.WithContext("series block");
}

}  // namespace

Result<SeriesBlockHeader> ParseSeriesHeader(std::string_view block) {
  ByteReader in(block);
  uint32_t magic = in.Little32();
  uint8_t version = in.Byte();
  SeriesBlockHeader header;
  header.codec = in.Byte();
  std::string_view reserved = in.Bytes(2);
  header.rows = in.Little32();
  header.content_bytes = in.Little32();
  header.stored_bytes = in.Little32();
  header.first_ts = Timestamp(static_cast<int64_t>(in.Little64()));
  header.last_ts = Timestamp(static_cast<int64_t>(in.Little64()));
  header.hash = in.Little64();
  if (!in.ok()) return Bad("shorter than its header");
  if (magic != kSeriesMagic) return Bad("it does not start as one");
  if (version != kSeriesVersion)
    return Bad("format version " + std::to_string(version) + " is not known");
  if (reserved != std::string_view("\0\0", 2)) return Bad("reserved bytes are in use");
  if (header.stored_bytes != in.rest().size()) return Bad("it is not as long as its header says");
  if (header.rows == 0 || header.rows > limits::kSeriesBlockRowsMax ||
      header.first_ts > header.last_ts || header.content_bytes > limits::kSeriesBlockRawBytesMax) {
    return Bad("its header exceeds a limit");
  }
  return header;
}

Status DecodeSeriesBlock(std::string_view key, std::string_view block,
                         std::span<const Column> wanted, CodecBuffers* buffers, Rows* out) {
  Status status = Decode(key, block, wanted, &buffers->state(), out);
  if (!status.ok()) out->Clear();
  buffers->state().Trim();
  return status;
}

}  // namespace tapedeck
