#include "blob/blob_name.h"

#include "base/encoding.h"
#include "base/hash.h"
#include "base/text.h"

namespace tapedeck {
namespace {

constexpr std::string_view kEmptyPart = "%";
constexpr size_t kHashSize = 33;  // "." and 32 digits

bool IsPlain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool IsNameByte(char c) { return IsPlain(c) || c == '.' || c == '=' || c == '%'; }

Status Wrong(std::string_view name, const std::string& why) {
  return Status::InvalidArgument("the object name " + Quoted(name) + " " + why);
}

Status CheckSegment(std::string_view name, std::string_view segment) {
  if (segment.empty()) return Wrong(name, "has an empty part between slashes");
  if (segment.front() == '.') return Wrong(name, "has a part that begins with '.'");
  if (segment.size() > kBlobSegmentBytesMax) {
    return Wrong(name,
                 "has a part of more than " + std::to_string(kBlobSegmentBytesMax) + " bytes");
  }
  for (char c : segment) {
    if (!IsNameByte(c)) return Wrong(name, "has bytes other than A-Z a-z 0-9 _ - . = % and /");
  }
  return Status::Ok();
}

Status CheckSegments(std::string_view whole, std::string_view name) {
  if (whole.size() > kBlobNameBytesMax) {
    return Wrong(whole, "has more than " + std::to_string(kBlobNameBytesMax) + " bytes");
  }
  for (;;) {
    size_t slash = name.find('/');
    TD_RETURN_IF_ERROR(CheckSegment(whole, name.substr(0, slash)));
    if (slash == name.npos) return Status::Ok();
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

Status CheckBlobName(std::string_view name) { return CheckSegments(name, name); }

Status CheckBlobPrefix(std::string_view prefix) {
  if (prefix.empty()) return Status::Ok();
  std::string_view rest = prefix;
  if (rest.back() == '/') rest.remove_suffix(1);
  return CheckSegments(prefix, rest);
}

std::string EncodeNamePart(std::string_view bytes) {
  if (bytes.empty()) return std::string(kEmptyPart);
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string part;
  size_t cut = 0;  // the longest prefix that ends between two encoded bytes and leaves room
  for (char c : bytes) {
    if (IsPlain(c)) {
      part += c;
    } else {
      part += '%';
      part += kDigits[static_cast<unsigned char>(c) >> 4];
      part += kDigits[static_cast<unsigned char>(c) & 15];
    }
    if (part.size() <= kNamePartBytesMax - kHashSize) cut = part.size();
    if (part.size() > kNamePartBytesMax)
      return part.substr(0, cut) + "." + HashBytes(bytes).ToString();
  }
  return part;
}

Result<std::string> DecodeNamePart(std::string_view part) {
  if (part == kEmptyPart) return std::string();
  if (part.find('.') != part.npos)
    return Status::InvalidArgument("the name was cut; its manifest has the whole");
  Result<std::string> bytes = PercentDecode(part);
  // One text per value: a part that the encoder would write otherwise is none.
  if (!bytes.ok() || EncodeNamePart(*bytes) != part)
    return Status::InvalidArgument(Quoted(part) + " is not an encoded part of a name");
  return bytes;
}

}  // namespace tapedeck
