#include "columnar/parquet_pages.h"

#include <arrow/io/memory.h>
#include <arrow/memory_pool.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <algorithm>
#include <limits>

namespace tapedeck {
namespace {

constexpr int64_t kBatchValues = 8192;
/// What one Read may allocate inside Arrow: a page's header is believed about its size only so far.
constexpr int64_t kMemoryMax = 2 * static_cast<int64_t>(kParquetReadBytesMax);

[[noreturn]] void Refuse(const std::string& what) { throw parquet::ParquetException(what); }

/// Pages as the footer and the page index announce them, or an exception.
class CheckedPages final : public parquet::PageReader {
 public:
  CheckedPages(std::unique_ptr<parquet::PageReader> pages, const PagesToDecode& from)
      : pages_(std::move(pages)), from_(from) {}

  std::shared_ptr<parquet::Page> NextPage() override {
    std::shared_ptr<parquet::Page> page = pages_->NextPage();
    if (page == nullptr) {
      if (next_ != from_.pages.size()) Refuse("pages are missing");
      return nullptr;
    }
    if (page->type() == parquet::PageType::DICTIONARY_PAGE) {
      CheckDictionary(static_cast<const parquet::DictionaryPage&>(*page));
    } else if (page->type() == parquet::PageType::DATA_PAGE) {
      CheckData(static_cast<const parquet::DataPageV1&>(*page));
    } else {
      Refuse("a page of a kind that we never write");
    }
    return page;
  }
  void set_max_page_header_size(uint32_t size) override { pages_->set_max_page_header_size(size); }

 private:
  void CheckDictionary(const parquet::DictionaryPage& page) {
    if (!from_.chunk->has_dictionary || has_dictionary_ || next_ != 0) {
      Refuse("a dictionary where none belongs");
    }
    if (page.encoding() != parquet::Encoding::PLAIN &&
        page.encoding() != parquet::Encoding::PLAIN_DICTIONARY) {
      Refuse("a dictionary in an encoding that we never write");
    }
    has_dictionary_ = true;
  }
  void CheckData(const parquet::DataPageV1& page) {
    if (next_ >= from_.pages.size()) Refuse("more pages than there are");
    if (from_.chunk->has_dictionary && !has_dictionary_) Refuse("a dictionary is missing");
    const uint64_t rows = from_.pages[next_].rows;
    const auto values = static_cast<uint64_t>(std::max(page.num_values(), 0));
    const bool is_flat = from_.column->max_repetition_level() == 0;
    if (is_flat ? values != rows : values < rows) Refuse("a page of another number of rows");
    if (page.encoding() != EncodingOf(from_.first_page + next_)) {
      Refuse("a page in another encoding than announced");
    }
    if (page.definition_level_encoding() != parquet::Encoding::RLE ||
        page.repetition_level_encoding() != parquet::Encoding::RLE) {
      Refuse("levels in an encoding that we never write");
    }
    ++next_;
  }
  int EncodingOf(size_t page) const {
    for (const auto& [encoding, count] : from_.chunk->encodings) {
      if (page < count) return encoding;
      page -= count;
    }
    return -1;
  }

  const std::unique_ptr<parquet::PageReader> pages_;
  const PagesToDecode& from_;
  size_t next_ = 0;
  bool has_dictionary_ = false;
};

/// Puts values that lie without gaps where their rows are, from the back.
template <typename T>
void Spread(Slab<T>* values, size_t from, std::span<const int16_t> present, size_t count) {
  size_t source = from + count;
  T* at = values->data();
  for (size_t i = present.size(); i-- > 0;) at[from + i] = present[i] ? at[--source] : T{};
}

Int128 BigEndian(const uint8_t* bytes, int size) {
  Uint128 value = (bytes[0] & 0x80) != 0 ? ~Uint128{0} : Uint128{0};
  for (int i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return static_cast<Int128>(value);
}

class Decoder {
 public:
  Decoder(const PagesToDecode& from, ParquetValues* values)
      : from_(from),
        values_(values),
        pool_(arrow::default_memory_pool(), kMemoryMax),
        is_flat_(from.column->max_repetition_level() == 0),
        is_required_(from.column->max_definition_level() == 0) {}

  template <typename DType>
  void Run() {
    using T = typename DType::c_type;
    parquet::ReaderProperties properties(&pool_);
    properties.set_page_checksum_verification(true);
    auto stream =
        std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(from_.bytes));
    const int64_t total =
        is_flat_ ? static_cast<int64_t>(values_->rows) : std::numeric_limits<int64_t>::max();
    auto pages = parquet::PageReader::Open(
        stream, total, static_cast<arrow::Compression::type>(from_.chunk->codec), properties,
        *from_.column);
    const auto base = parquet::ColumnReader::Make(
        from_.column, std::make_unique<CheckedPages>(std::move(pages), from_), &pool_);
    auto* reader = static_cast<parquet::TypedColumnReader<DType>*>(base.get());
    Slab<T> buffer;
    buffer.Grow(kBatchValues);
    uint64_t levels = 0;
    uint64_t rows = 0;
    while (reader->HasNext()) {
      int64_t got = 0;
      const int64_t read =
          reader->ReadBatch(kBatchValues, definition_, repetition_, buffer.data(), &got);
      if (read <= 0 || got < 0 || got > read) Refuse("a page ends early");
      if (is_required_ && got != read) Refuse("a page ends early");
      levels += static_cast<uint64_t>(read);
      rows += Take(buffer.data(), static_cast<size_t>(got), static_cast<size_t>(read));
      if (rows > values_->rows) Refuse("more rows than there are");
    }
    if (rows != values_->rows) Refuse("rows are missing");
  }

 private:
  // Returns the rows that begin in this batch.
  template <typename T>
  size_t Take(const T* batch, size_t got, size_t levels) {
    const size_t at = Append(batch, got, is_flat_ ? levels : got);
    if (!is_flat_) {
      values_->definition.Append(definition_, levels);
      values_->repetition.Append(repetition_, levels);
      return static_cast<size_t>(std::count(repetition_, repetition_ + levels, int16_t{0}));
    }
    if (is_required_) return levels;
    uint8_t* present = values_->present.Grow(levels);
    for (size_t i = 0; i < levels; ++i) present[i] = definition_[i] != 0;
    if (got == levels) return levels;
    const std::span<const int16_t> defined(definition_, levels);
    if (static_cast<size_t>(std::count(defined.begin(), defined.end(), int16_t{1})) != got) {
      Refuse("levels that fit no values");
    }
    if constexpr (std::is_same_v<T, parquet::ByteArray>) {
      SpreadEnds(at, defined, got);
    } else if constexpr (std::is_same_v<T, parquet::FLBA>) {
      Spread(&values_->wides, at, defined, got);
    } else {
      Spread(&values_->numbers, at, defined, got);
    }
    return levels;
  }
  // Appends `got` values and room for `room`; returns where.
  template <typename T>
  size_t Append(const T* batch, size_t got, size_t room) {
    if constexpr (std::is_same_v<T, parquet::ByteArray>) {
      const size_t at = values_->ends.size();
      uint32_t* ends = values_->ends.Grow(room);
      for (size_t i = 0; i < got; ++i) {
        values_->bytes.append(reinterpret_cast<const char*>(batch[i].ptr), batch[i].len);
        if (values_->bytes.size() > kBytesMax) Refuse("too much text in some pages");
        ends[i] = static_cast<uint32_t>(values_->bytes.size());
      }
      return at;
    } else if constexpr (std::is_same_v<T, parquet::FLBA>) {
      const size_t at = values_->wides.size();
      Int128* to = values_->wides.Grow(room);
      const int size = from_.column->type_length();
      for (size_t i = 0; i < got; ++i) to[i] = BigEndian(batch[i].ptr, size);
      return at;
    } else {
      const size_t at = values_->numbers.size();
      int64_t* to = values_->numbers.Grow(room);
      for (size_t i = 0; i < got; ++i) to[i] = static_cast<int64_t>(batch[i]);
      return at;
    }
  }
  void SpreadEnds(size_t at, std::span<const int16_t> defined, size_t got) {
    uint32_t* ends = values_->ends.data() + at;
    uint32_t end = static_cast<uint32_t>(values_->bytes.size());
    for (size_t i = defined.size(); i-- > 0;) {
      // The end of a row without a value is that of the nearest value before it.
      if (defined[i] != 0) {
        --got;
        end = ends[got];
        ends[i] = end;
        end = got > 0 ? ends[got - 1] : (at == 0 ? 0 : values_->ends[at - 1]);
      } else {
        ends[i] = end;
      }
    }
  }

  static constexpr size_t kBytesMax = size_t{1} << 31;

  const PagesToDecode& from_;
  ParquetValues* values_;
  arrow::CappedMemoryPool pool_;
  const bool is_flat_;
  const bool is_required_;
  int16_t definition_[kBatchValues];
  int16_t repetition_[kBatchValues];
};

}  // namespace

void DecodePages(const PagesToDecode& from, ParquetValues* values) {
  auto decoder = std::make_unique<Decoder>(from, values);
  switch (from.kind) {
    case ParquetKind::kFlag:
      return decoder->Run<parquet::BooleanType>();
    case ParquetKind::kInt32:
      return decoder->Run<parquet::Int32Type>();
    case ParquetKind::kInt64:
      return decoder->Run<parquet::Int64Type>();
    case ParquetKind::kInt128:
      return decoder->Run<parquet::FLBAType>();
    case ParquetKind::kBytes:
      return decoder->Run<parquet::ByteArrayType>();
  }
}

}  // namespace tapedeck
