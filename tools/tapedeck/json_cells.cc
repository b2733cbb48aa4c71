#include "tapedeck/json_cells.h"

namespace tapedeck::cli {
namespace {

std::string Unquoted(std::string_view raw) {
  std::string text(raw.size(), '\0');
  size_t size = 0;
  if (!json::Unescape(raw, text.data(), &size)) return std::string(raw);
  text.resize(size);
  return text;
}

std::string ObjectCell(const json::Tree& tree, uint32_t object) {
  auto member = [&](std::string_view name) {
    const uint32_t at = tree.Find(object, name);
    return at == json::kNone ? std::string() : CellOf(tree, at);
  };
  if (tree.Find(object, "base64") != json::kNone) return member("base64");
  if (tree.Find(object, "from") != json::kNone)
    return member("from") + ".." + member("to") + " " + member("reason");
  if (tree.Find(object, "name") != json::kNone) return member("name");
  return std::string(tree.Raw(object));
}

}  // namespace

std::string CellOf(const json::Tree& tree, uint32_t at) {
  std::string cell;
  switch (tree.node(at).type) {
    case json::Type::kString:
      return Unquoted(tree.Raw(at));
    case json::Type::kScalar:
      return tree.Raw(at) == "null" ? cell : std::string(tree.Raw(at));
    case json::Type::kObject:
      return ObjectCell(tree, at);
    case json::Type::kArray:
      break;
  }
  for (uint32_t e = tree.First(at); e != json::kNone; e = tree.Next(at, e)) {
    const bool is_gap =
        tree.node(e).type == json::Type::kObject && tree.Find(e, "from") != json::kNone;
    if (!cell.empty()) cell += is_gap ? ", " : ",";
    cell += CellOf(tree, e);
  }
  return cell;
}

std::vector<std::string> CellsOf(const json::Tree& tree, uint32_t object,
                                 std::span<const std::string_view> names) {
  std::vector<std::string> cells;
  for (std::string_view name : names) {
    const uint32_t at = tree.Find(object, name);
    cells.push_back(at == json::kNone ? std::string() : CellOf(tree, at));
  }
  return cells;
}

}  // namespace tapedeck::cli
