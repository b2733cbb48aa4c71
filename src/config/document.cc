#include "config/document.h"

// toml++ 3.3.0 asserts on some texts that are no TOML,
// and with NDEBUG would assume the opposite. Its assertions throw here, whatever the build.
namespace tapedeck {
struct TomlDefect {};
[[noreturn]] static void ThrowTomlDefect() { throw TomlDefect(); }
}  // namespace tapedeck
#undef NDEBUG
#define TOML_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ::tapedeck::ThrowTomlDefect())
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>

namespace tapedeck {
namespace {

std::string Where(std::string_view name, const toml::source_region& source) {
  std::string where(name);
  if (source.begin.line > 0) where += ":" + std::to_string(source.begin.line);
  return where;
}

template <typename T>
std::string Streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// The fewest digits that read back equal.
std::string Shortest(double number) {
  std::array<char, 64> buffer{};
  auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return std::string(buffer.data(), end);
}

ConfigValue FromNode(const toml::node& node, std::string_view name, bool keep_where);

ConfigValue FromTable(const toml::table& table, std::string_view name, bool keep_where) {
  ConfigValue value;
  for (const auto& [key, member] : table) {
    ConfigValue child = FromNode(member, name, keep_where);
    if (!keep_where) {
      child.where = Where(name, key.source());
    }
    value.members.emplace_back(std::string(key.str()), std::move(child));
  }
  std::sort(value.members.begin(), value.members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return value;
}

ConfigValue FromNode(const toml::node& node, std::string_view name, bool keep_where) {
  using Kind = ConfigValue::Kind;
  ConfigValue value;
  if (const toml::table* table = node.as_table()) {
    value = FromTable(*table, name, keep_where);
  } else if (const toml::array* array = node.as_array()) {
    value.kind = Kind::kList;
    for (const toml::node& element : *array)
      value.list.push_back(FromNode(element, name, keep_where));
  } else if (const auto* text = node.as_string()) {
    value.kind = Kind::kText;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Kind::kInteger;
    value.text = std::to_string(integer->get());
  } else if (const auto* real = node.as_floating_point()) {
    value.kind = Kind::kReal;
    value.text = Shortest(real->get());
  } else if (const auto* flag = node.as_boolean()) {
    value.kind = Kind::kFlag;
    value.text = flag->get() ? "true" : "false";
  } else if (const auto* date = node.as_date()) {
    value.kind = Kind::kTime;
    value.text = Streamed(date->get());
  } else if (const auto* moment = node.as_date_time()) {
    value.kind = Kind::kTime;
    value.text = Streamed(moment->get());
  } else if (const auto* time = node.as_time()) {
    value.kind = Kind::kTime;
    value.text = Streamed(time->get());
  }
  value.where = keep_where ? std::string(name) : Where(name, node.source());
  return value;
}

}  // namespace

const ConfigValue* ConfigValue::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

ConfigValue* ConfigValue::FindOrAdd(std::string_view name, std::string_view made_where) {
  auto at = std::lower_bound(
      members.begin(), members.end(), name,
      [](const auto& member, std::string_view wanted) { return member.first < wanted; });
  if (at == members.end() || at->first != name) {
    ConfigValue made;
    made.where = made_where;
    at = members.emplace(at, std::string(name), std::move(made));
  }
  return &at->second;
}

std::string_view KindName(ConfigValue::Kind kind) {
  switch (kind) {
    case ConfigValue::Kind::kTable:
      return "a table";
    case ConfigValue::Kind::kList:
      return "a list";
    case ConfigValue::Kind::kText:
      return "a text";
    case ConfigValue::Kind::kInteger:
      return "a number";
    case ConfigValue::Kind::kReal:
      return "a number";
    case ConfigValue::Kind::kFlag:
      return "true or false";
    case ConfigValue::Kind::kTime:
      return "a time";
  }
  return "?";
}

Result<ConfigValue> ParseToml(std::string_view text, std::string_view name) {
  try {
    toml::table table = toml::parse(text);
    ConfigValue root = FromTable(table, name, /*keep_where=*/false);
    root.where = name;
    return root;
  } catch (const toml::parse_error& error) {
    const toml::source_position& at = error.source().begin;
    return Status::InvalidArgument(std::string(name) + ":" + std::to_string(at.line) + ":" +
                                   std::to_string(at.column) +
                                   ": not TOML: " + std::string(error.description()));
  } catch (const TomlDefect&) {
    return Status::InvalidArgument(std::string(name) +
                                   ": not TOML: a key or value begins with an odd character");
  }
}

ConfigValue ParseLooseValue(std::string_view text, std::string_view where) {
  // A newline would let one argument write several keys.
  if (text.find('\n') == std::string_view::npos) {
    try {
      toml::table table = toml::parse("value = " + std::string(text));
      if (const toml::node* node = table.get("value"); node != nullptr && table.size() == 1) {
        return FromNode(*node, where, /*keep_where=*/true);
      }
    } catch (const toml::parse_error&) {
      // Not a TOML value, so it is plain text, as most arguments are.
    } catch (const TomlDefect&) {
      // The same.
    }
  }
  ConfigValue value;
  value.kind = ConfigValue::Kind::kText;
  value.text = text;
  value.where = where;
  return value;
}

Status Overlay(ConfigValue* root, std::span<const std::string> path, ConfigValue value) {
  ConfigValue* at = root;
  std::string reached;
  for (const std::string& name : path) {
    if (at->kind != ConfigValue::Kind::kTable) {
      return Status::InvalidArgument(value.where + ": " + reached + " is " +
                                     std::string(KindName(at->kind)) + ", not a table");
    }
    at = at->FindOrAdd(name, value.where);
    reached += (reached.empty() ? "" : ".") + name;
  }
  *at = std::move(value);
  return Status::Ok();
}

std::string QuoteToml(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04X",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace tapedeck
