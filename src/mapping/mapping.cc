#include "mapping/mapping.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/limits.h"
#include "mapping/canonical.h"
#include "mapping/json_tree.h"
#include "mapping/spec_reader.h"

namespace tapedeck {
namespace {

constexpr size_t kBasesMax = 16;
constexpr std::string_view kNoneMapping = R"({"format":"none"})";

/// Top-level keys of a mapping with the canonical text of each value.
using Parts = std::map<std::string, std::string>;

Result<Parts> ReadParts(std::string_view json) {
  if (json.size() > limits::kMappingBytesMax)
    return Status::InvalidArgument("its text is too large");
  json::Tree tree;
  if (tree.Parse(json) != json::Tree::Outcome::kOk) return Status::InvalidArgument("it is no JSON");
  TD_RETURN_IF_ERROR(rules::CheckMappingKeys(tree, 0));
  rules::SpecReader reader(tree);
  Parts parts;
  for (uint32_t m = tree.First(0); m != json::kNone; m = tree.Next(0, m)) {
    TD_ASSIGN_OR_RETURN(std::string key, reader.Key(m, ""));
    if (key == "base") {
      TD_ASSIGN_OR_RETURN(parts[key], reader.Text(m, "base"));
    } else {
      TD_RETURN_IF_ERROR(rules::AppendCanonicalJson(tree, m, &parts[key]).WithContext(key));
    }
  }
  return parts;
}

Status NoSuchMapping(std::string_view name, const MappingLibrary& library) {
  std::vector<std::string_view> known;
  for (const auto& [key, text] : library) known.push_back(key);
  return Status::InvalidArgument("mapping " + rules::NotKnown(name, known));
}

/// The parts of `name` over those of its base, and so on.
Result<Parts> Merge(std::string_view name, const MappingLibrary& library) {
  Parts merged;
  std::vector<std::string> seen;
  std::string next(name);
  while (!next.empty()) {
    if (std::find(seen.begin(), seen.end(), next) != seen.end()) {
      return Status::InvalidArgument("mapping '" + std::string(name) + "': base = \"" + next +
                                     "\" leads back to itself");
    }
    if (seen.size() >= kBasesMax)
      return Status::InvalidArgument("mapping '" + std::string(name) + "': too many bases");
    auto found = library.find(next);
    if (found == library.end()) {
      Status problem = NoSuchMapping(next, library);
      return seen.empty() ? problem : problem.WithContext("mapping '" + seen.back() + "': base");
    }
    Result<Parts> parts = ReadParts(found->second);
    if (!parts.ok()) return parts.status().WithContext("mapping '" + next + "'");
    seen.push_back(next);
    next.clear();
    if (auto base = parts->find("base"); base != parts->end()) {
      next = base->second;
      parts->erase(base);
      if (next.empty())
        return Status::InvalidArgument("mapping '" + seen.back() + "': base is empty");
    }
    merged.merge(*parts);  // what is there already stays: the nearer one wins
  }
  return merged;
}

}  // namespace

/// Builds a MappingSpec from its parts.
class MappingParser {
 public:
  static MappingSpec Make(std::string name, std::string canonical, const rules::Program& program) {
    MappingSpec spec;
    spec.name_ = std::move(name);
    spec.hash_ = HashBytes(canonical);
    spec.canonical_ = std::move(canonical);
    spec.stop_on_error_ = program.stop_on_error;
    for (const rules::Rule& rule : program.rules) spec.tables_.push_back(rule.table);
    std::sort(spec.tables_.begin(), spec.tables_.end());
    spec.tables_.erase(std::unique(spec.tables_.begin(), spec.tables_.end()), spec.tables_.end());
    return spec;
  }

  static std::string Canonical(std::string_view name, std::string_view mapping,
                               const TopicSettings& settings) {
    std::string out = R"({"decoder":)" + std::to_string(rules::kDecoderVersion) + R"(,"mapping":)";
    out.append(mapping);
    out += R"(,"max_ahead_ns":)" + std::to_string(settings.max_ahead_ns) + R"(,"name":)";
    json::AppendQuoted(name, &out);
    out += R"(,"symbol_prefix":)";
    json::AppendQuoted(settings.symbol_prefix, &out);
    out.push_back('}');
    return out;
  }
};

Result<MappingSpec> MappingSpec::Resolve(std::string_view name, const MappingLibrary& library,
                                         const TopicSettings& settings) {
  if (name == "none" && library.find(name) == library.end()) return None();
  if (!json::IsUtf8(name) || !json::IsUtf8(settings.symbol_prefix)) {
    return Status::InvalidArgument("a mapping's name and symbol_prefix are UTF-8");
  }
  if (settings.symbol_prefix.size() >= limits::kSymbolBytesMax) {
    return Status::InvalidArgument("symbol_prefix is longer than a symbol may be");
  }
  if (settings.max_ahead_ns < 0) return Status::InvalidArgument("max_ahead is negative");
  TD_ASSIGN_OR_RETURN(Parts parts, Merge(name, library));
  std::string mapping = "{";
  for (const auto& [key, value] : parts) {
    if (mapping.size() > 1) mapping.push_back(',');
    json::AppendQuoted(key, &mapping);
    mapping.push_back(':');
    mapping += value;
  }
  mapping.push_back('}');
  json::Tree tree;
  if (tree.Parse(mapping) != json::Tree::Outcome::kOk) {
    return Status::InvalidArgument("mapping '" + std::string(name) +
                                   "': its text is too large or nested too deep");
  }
  Result<rules::Program> program = rules::ParseProgram(tree, 0);
  if (!program.ok()) return program.status().WithContext("mapping '" + std::string(name) + "'");
  return MappingParser::Make(std::string(name), MappingParser::Canonical(name, mapping, settings),
                             *program);
}

Result<MappingSpec> MappingSpec::FromCanonical(std::string_view canonical) {
  TD_ASSIGN_OR_RETURN(rules::ParsedMapping parsed, rules::ParseCanonical(canonical));
  return MappingParser::Make(std::move(parsed.name), std::string(canonical), parsed.program);
}

MappingSpec MappingSpec::None() {
  return MappingParser::Make("none", MappingParser::Canonical("none", kNoneMapping, {}), {});
}

std::string_view Decoded::first_refusal() const {
  for (const DecodedMark& mark : marks) {
    if (mark.kind == DecodedMark::Kind::kRefused) return mark.reason;
  }
  return "";
}

}  // namespace tapedeck
