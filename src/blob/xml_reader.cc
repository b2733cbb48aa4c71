#include "blob/xml_reader.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

namespace tapedeck {
namespace {

constexpr size_t kDepthMax = 16;
constexpr size_t kTextBytesMax = size_t{64} << 10;
constexpr std::string_view kSpace = " \t\r\n";

Status Wrong(const char* what) {
  return Status::Corruption(std::string("not the XML of an object store: ") + what);
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xC0 | code >> 6);
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xE0 | code >> 12);
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | code >> 18);
    *out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// `entity` without '&' and ';'.
bool AppendEntity(std::string_view entity, std::string* out) {
  static constexpr std::pair<std::string_view, char> kNamed[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (const auto& [name, value] : kNamed) {
    if (entity == name) {
      *out += value;
      return true;
    }
  }
  if (entity.size() < 2 || entity[0] != '#') return false;
  const bool is_hex = entity[1] == 'x';
  entity.remove_prefix(is_hex ? 2 : 1);
  uint32_t code = 0;
  const char* last = entity.data() + entity.size();
  auto [end, error] = std::from_chars(entity.data(), last, code, is_hex ? 16 : 10);
  if (error != std::errc() || end != last || code > 0x10FFFF) return false;
  AppendUtf8(code, out);
  return true;
}

class Reader {
 public:
  Reader(std::string_view xml, const XmlVisitor& visit) : rest_(xml), visit_(visit) {}

  Status Run() {
    while (!rest_.empty()) {
      const size_t open = rest_.find('<');
      TD_RETURN_IF_ERROR(TakeText(rest_.substr(0, open)));
      if (open == rest_.npos) break;
      rest_.remove_prefix(open);
      TD_RETURN_IF_ERROR(TakeMarkup());
    }
    if (!elements_.empty()) return Wrong("it ends within an element");
    return is_root_seen_ ? Status::Ok() : Wrong("it has no element");
  }

 private:
  struct Element {
    size_t path_size;  // of its parent
    std::string text;
  };

  Status TakeText(std::string_view text) {
    if (elements_.empty())
      return Trimmed(text).empty() ? Status::Ok() : Wrong("text outside of the root");
    while (!text.empty()) {
      const size_t amp = text.find('&');
      TD_RETURN_IF_ERROR(AppendText(text.substr(0, amp)));
      if (amp == text.npos) return Status::Ok();
      const size_t end = text.find(';', amp);
      if (end == text.npos ||
          !AppendEntity(text.substr(amp + 1, end - amp - 1), &elements_.back().text)) {
        return Wrong("an unknown entity");
      }
      text.remove_prefix(end + 1);
    }
    return Status::Ok();
  }

  Status AppendText(std::string_view text) {
    std::string& all = elements_.back().text;
    if (text.size() > kTextBytesMax - std::min(kTextBytesMax, all.size()))
      return Wrong("an element with too much text");
    all += text;
    return Status::Ok();
  }

  /// `rest_` begins with '<'.
  Status TakeMarkup() {
    if (rest_.starts_with("<!--")) return Skip("-->");
    if (rest_.starts_with("<?")) return Skip("?>");
    if (rest_.starts_with("<![CDATA[")) {
      constexpr size_t kIntro = 9;
      const size_t end = rest_.find("]]>");
      if (end == rest_.npos || elements_.empty()) return Wrong("a CDATA that does not fit");
      TD_RETURN_IF_ERROR(AppendText(rest_.substr(kIntro, end - kIntro)));
      rest_.remove_prefix(end + 3);
      return Status::Ok();
    }
    if (rest_.starts_with("<!")) return Wrong("a document type");
    TD_ASSIGN_OR_RETURN(std::string_view tag, TakeTag());
    if (tag.starts_with('/')) return Close(NameOf(tag.substr(1)));
    const bool is_empty = tag.ends_with('/');
    TD_RETURN_IF_ERROR(Open(NameOf(tag)));
    return is_empty ? Close(NameOf(tag)) : Status::Ok();
  }

  Status Skip(std::string_view until) {
    const size_t end = rest_.find(until);
    if (end == rest_.npos) return Wrong("it ends within a comment");
    rest_.remove_prefix(end + until.size());
    return Status::Ok();
  }

  /// What is between '<' and its '>', quoted values of attributes respected.
  Result<std::string_view> TakeTag() {
    char quote = 0;
    for (size_t i = 1; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '>') {
        std::string_view tag = rest_.substr(1, i - 1);
        rest_.remove_prefix(i + 1);
        return tag;
      }
    }
    return Wrong("it ends within a tag");
  }

  static std::string_view NameOf(std::string_view tag) {
    tag = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    const size_t colon = tag.find(':');
    return colon == tag.npos ? tag : tag.substr(colon + 1);
  }

  Status Open(std::string_view name) {
    if (name.empty()) return Wrong("an element without a name");
    if (elements_.empty() && is_root_seen_) return Wrong("two roots");
    if (elements_.size() == kDepthMax) return Wrong("it is too deep");
    is_root_seen_ = true;
    elements_.push_back({path_.size(), {}});
    if (!path_.empty()) path_ += '/';
    path_ += name;
    return Status::Ok();
  }

  Status Close(std::string_view name) {
    if (elements_.empty()) return Wrong("an end without a beginning");
    const size_t parent = elements_.back().path_size;
    if (std::string_view(path_).substr(parent == 0 ? 0 : parent + 1) != name)
      return Wrong("beginning and end differ");
    TD_RETURN_IF_ERROR(visit_(path_, Trimmed(elements_.back().text)));
    path_.resize(parent);
    elements_.pop_back();
    return Status::Ok();
  }

  std::string_view rest_;
  const XmlVisitor& visit_;
  std::vector<Element> elements_;
  std::string path_;
  bool is_root_seen_ = false;
};

}  // namespace

Status ReadXml(std::string_view xml, const XmlVisitor& visit) {
  // A mark of UTF-8 may come first.
  if (xml.starts_with("\xEF\xBB\xBF")) xml.remove_prefix(3);
  return Reader(xml, visit).Run();
}

std::string XmlText(std::string_view xml, std::string_view path) {
  std::string found;
  bool is_found = false;
  Status read = ReadXml(xml, [&](std::string_view at, std::string_view text) {
    if (at == path && !is_found) {
      found = text;
      is_found = true;
    }
    return Status::Ok();
  });
  return read.ok() ? found : std::string();
}

}  // namespace tapedeck
