#include "store/sst_tail.h"

#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/hash.h"

namespace tapedeck::rocks {
namespace {

constexpr size_t kFooterBytes = 53;
constexpr size_t kHandlesBytes = 40;
constexpr size_t kTrailerBytes = 5;
constexpr uint8_t kXxh3 = 4;  // these two as rocks.cc sets them
constexpr uint32_t kFormat = 5;
constexpr uint64_t kMagic = 0x88e241b785f4cff7;
constexpr uint32_t kTypeFactor = 0x6b9083d9;
/// Far above what either block comes to.
constexpr uint64_t kBlockBytesMax = uint64_t{16} << 20;
constexpr std::string_view kProperties = "rocksdb.properties";

struct Handle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

Handle ReadHandle(ByteReader* reader) {
  Handle handle;
  handle.offset = reader->Varint();
  handle.size = reader->Varint();
  return handle;
}

class Tail {
 public:
  Tail(const std::filesystem::path& path, uint64_t bytes)
      : name_(path.string()), file_(path, std::ios::binary), bytes_(bytes) {}

  Status Check() {
    if (bytes_ < kFooterBytes) return Damaged("it is too short");
    std::string footer;
    TD_RETURN_IF_ERROR(Read({bytes_ - kFooterBytes, kFooterBytes}, &footer));
    ByteReader reader(footer);
    const uint8_t checksum = reader.Byte();
    ByteReader handles(reader.Bytes(kHandlesBytes));
    const uint32_t format = reader.Little32();
    if (checksum != kXxh3 || format != kFormat || reader.Little64() != kMagic)
      return Damaged("its footer");
    const Handle metaindex = ReadHandle(&handles);
    const Handle index = ReadHandle(&handles);
    if (!handles.ok() || !Fits(metaindex) || !Fits(index)) return Damaged("its footer");
    std::string block;
    TD_RETURN_IF_ERROR(ReadBlock(metaindex, "its metaindex", &block));
    const std::optional<Handle> properties = FindProperties(block);
    if (!properties || !Fits(*properties)) return Damaged("its metaindex");
    return ReadBlock(*properties, "its properties", &block);
  }

 private:
  Status Damaged(std::string_view part) const {
    return Status::Corruption(name_ + " is damaged: " + std::string(part));
  }

  bool Fits(const Handle& handle) const {
    const uint64_t end = bytes_ - kFooterBytes;
    return handle.size <= end && end - handle.size >= kTrailerBytes &&
           handle.offset <= end - handle.size - kTrailerBytes;
  }

  Status Read(const Handle& range, std::string* bytes) {
    bytes->resize(range.size);
    file_.seekg(static_cast<std::streamoff>(range.offset));
    file_.read(bytes->data(), static_cast<std::streamsize>(bytes->size()));
    return file_ ? Status::Ok() : Status::Unavailable("cannot read " + name_);
  }

  Status ReadBlock(const Handle& handle, std::string_view part, std::string* block) {
    if (handle.size > kBlockBytesMax) return Damaged(part);
    TD_RETURN_IF_ERROR(Read({handle.offset, handle.size + kTrailerBytes}, block));
    ByteReader trailer(std::string_view(*block).substr(handle.size));
    const uint8_t type = trailer.Byte();
    const uint32_t stored = trailer.Little32();
    block->resize(handle.size);
    const uint32_t computed = static_cast<uint32_t>(HashBytes64(*block)) ^ (type * kTypeFactor);
    return computed == stored ? Status::Ok() : Damaged(std::string(part) + ": another checksum");
  }

  // The keys of a metaindex share nothing; one that does is none of the properties.
  static std::optional<Handle> FindProperties(std::string_view block) {
    if (block.size() < sizeof(uint32_t)) return std::nullopt;
    const uint32_t restarts = ByteReader(block.substr(block.size() - sizeof(uint32_t))).Little32();
    const uint64_t behind = (uint64_t{restarts} + 1) * sizeof(uint32_t);
    if (behind > block.size()) return std::nullopt;
    ByteReader entries(block.substr(0, block.size() - behind));
    while (entries.ok() && !entries.rest().empty()) {
      const uint64_t shared = entries.Varint();
      const uint64_t unshared = entries.Varint();
      const uint64_t value_bytes = entries.Varint();
      const std::string_view key = entries.Bytes(unshared);
      ByteReader value(entries.Bytes(value_bytes));
      if (!entries.ok() || shared != 0 || key != kProperties) continue;
      const Handle handle = ReadHandle(&value);
      if (value.ok()) return handle;
    }
    return std::nullopt;
  }

  const std::string name_;
  std::ifstream file_;
  const uint64_t bytes_;
};

}  // namespace

Status CheckSstTail(const std::filesystem::path& file) {
  std::error_code error;
  const uint64_t bytes = std::filesystem::file_size(file, error);
  if (error) return Status::Ok();
  return Tail(file, bytes).Check();
}

}  // namespace tapedeck::rocks
