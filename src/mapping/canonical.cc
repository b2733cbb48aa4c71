#include "mapping/canonical.h"

#include <map>

#include "base/limits.h"
#include "mapping/spec_reader.h"

namespace tapedeck::rules {

Status AppendCanonicalJson(const json::Tree& tree, uint32_t at, std::string* out) {
  SpecReader reader(tree);
  switch (tree.node(at).type) {
    case json::Type::kString: {
      TD_ASSIGN_OR_RETURN(std::string text, reader.Text(at, ""));
      json::AppendQuoted(text, out);
      return Status::Ok();
    }
    case json::Type::kScalar:
      if (json::ClassifyScalar(tree.Raw(at), false) == json::Scalar::kBad) {
        return Status::InvalidArgument("'" + std::string(tree.Raw(at).substr(0, 40)) +
                                       "' is no JSON value");
      }
      out->append(tree.Raw(at));
      return Status::Ok();
    case json::Type::kArray: {
      out->push_back('[');
      for (uint32_t e = tree.First(at); e != json::kNone; e = tree.Next(at, e)) {
        if (e != at + 1) out->push_back(',');
        TD_RETURN_IF_ERROR(AppendCanonicalJson(tree, e, out));
      }
      out->push_back(']');
      return Status::Ok();
    }
    case json::Type::kObject:
      break;
  }
  std::map<std::string, uint32_t> members;
  for (uint32_t m = tree.First(at); m != json::kNone; m = tree.Next(at, m)) {
    TD_ASSIGN_OR_RETURN(std::string key, reader.Key(m, ""));
    if (!members.emplace(key, m).second)
      return Status::InvalidArgument("key '" + key + "' comes twice");
  }
  out->push_back('{');
  for (bool first = true; const auto& [key, member] : members) {
    if (!first) out->push_back(',');
    first = false;
    json::AppendQuoted(key, out);
    out->push_back(':');
    TD_RETURN_IF_ERROR(AppendCanonicalJson(tree, member, out));
  }
  out->push_back('}');
  return Status::Ok();
}

Result<ParsedMapping> ParseCanonical(std::string_view canonical) {
  json::Tree tree;
  auto damaged = [](std::string_view why) {
    return Status::Corruption("stored mapping: " + std::string(why));
  };
  if (canonical.size() > 2 * limits::kMappingBytesMax) return damaged("it is too large");
  if (tree.Parse(canonical) != json::Tree::Outcome::kOk) return damaged("it is no JSON");
  SpecReader reader(tree);
  if (!reader.IsObject(0)) return damaged("it is no object");
  uint32_t decoder = tree.Find(0, "decoder"), mapping = tree.Find(0, "mapping"),
           name = tree.Find(0, "name");
  uint32_t ahead = tree.Find(0, "max_ahead_ns"), prefix = tree.Find(0, "symbol_prefix");
  for (uint32_t part : {decoder, mapping, name, ahead, prefix}) {
    if (part == json::kNone) return damaged("a part is missing");
  }
  Result<int64_t> version = reader.Integer(decoder, "decoder");
  if (!version.ok() || *version < 1) return damaged("its decoder version is not one");
  if (*version > kDecoderVersion) {
    return Status::FailedPrecondition("stored mapping: it needs version " +
                                      std::to_string(*version) +
                                      " of the decoder, this program has " +
                                      std::to_string(kDecoderVersion) + ": use a newer tapedeck");
  }
  std::string again;
  if (!AppendCanonicalJson(tree, 0, &again).ok() || again != canonical)
    return damaged("it is not in canonical form");
  ParsedMapping out;
  Result<std::string> name_text = reader.Text(name, "name");
  Result<std::string> prefix_text = reader.Text(prefix, "symbol_prefix");
  Result<int64_t> ahead_ns = reader.Integer(ahead, "max_ahead_ns");
  if (!name_text.ok() || !prefix_text.ok() || !ahead_ns.ok())
    return damaged("a part has the wrong type");
  out.name = std::move(*name_text);
  out.symbol_prefix = std::move(*prefix_text);
  out.max_ahead_ns = *ahead_ns;
  Result<Program> program = ParseProgram(tree, mapping);
  if (!program.ok()) return damaged(program.status().message());
  out.program = std::move(*program);
  return out;
}

}  // namespace tapedeck::rules
