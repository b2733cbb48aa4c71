// Symbols that look like one that nobody knows.

#include <algorithm>
#include <set>

#include "base/text.h"
#include "model/keys.h"
#include "query/listing.h"

namespace tapedeck {
namespace {

constexpr size_t kTypingErrorsMax = 2;
// One for so many bytes; but one at least.
constexpr size_t kBytesForOneError = 5;
// A shorter text is contained in too much.
constexpr size_t kContainedMin = 2;
// Distances of longer symbols take too long.
constexpr size_t kComparedBytesMax = 64;

// Upper case, and no ASCII but letters and digits.
std::string Skeleton(std::string_view symbol) {
  std::string out;
  for (char c : symbol) {
    const auto byte = static_cast<unsigned char>(c);
    if (c >= 'a' && c <= 'z') {
      out.push_back(static_cast<char>(c - 'a' + 'A'));
    } else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80) {
      out.push_back(c);
    }
  }
  return out;
}

// Keeps the nearest symbols.
class Nearest {
 public:
  Nearest(std::string_view wanted, size_t limit)
      : wanted_(wanted), skeleton_(Skeleton(wanted)), limit_(limit) {}

  void Look(std::string_view symbol) {
    if (symbol == wanted_) return;
    const size_t distance = DistanceOf(symbol);
    if (distance > kTypingErrorsMax + 1) return;
    best_.emplace(distance, symbol);
    if (best_.size() > limit_) best_.erase(std::prev(best_.end()));
  }

  std::vector<std::string> Take() const {
    std::vector<std::string> list;
    for (const auto& [distance, symbol] : best_) list.push_back(symbol);
    return list;
  }

 private:
  // 0: the same but for case and punctuation; 1: one contains the other; else 1 + typing errors.
  size_t DistanceOf(std::string_view symbol) const {
    const std::string other = Skeleton(symbol);
    if (other == skeleton_) return 0;
    const auto& [shorter, longer] =
        std::minmax(other, skeleton_, [](auto& a, auto& b) { return a.size() < b.size(); });
    if (shorter.size() >= kContainedMin && longer.find(shorter) != std::string::npos) return 1;
    if (longer.size() - shorter.size() > kTypingErrorsMax || longer.size() > kComparedBytesMax ||
        shorter.size() <= kTypingErrorsMax) {
      return SIZE_MAX;
    }
    const size_t errors = EditDistance(shorter, longer);
    return errors <= std::max<size_t>(1, longer.size() / kBytesForOneError) ? 1 + errors : SIZE_MAX;
  }

  std::string_view wanted_;
  std::string skeleton_;
  size_t limit_;
  std::set<std::pair<size_t, std::string>> best_;
};

}  // namespace

Result<std::vector<std::string>> NearSymbols(const ReadPoint& point, const std::string& table,
                                             std::string_view symbol, size_t limit) {
  const Table* only = nullptr;
  if (!table.empty()) {
    TD_ASSIGN_OR_RETURN(only, point.FindTable(table));
  }
  Nearest nearest(symbol, limit);
  for (const Table& t : point.state().tables.tables()) {
    if (only != nullptr && only != &t) continue;
    std::string prefix = keys::Catalog(t.id, "");
    prefix.pop_back();  // the end of the symbol
    auto cursor = point.view().Scan(prefix, keys::After(prefix), ScanKind::kPoint);
    cursor->SeekToFirst();
    for (size_t i = 0; cursor->Valid() && i < kNearSymbolsScanMax; ++i, cursor->Next()) {
      TD_ASSIGN_OR_RETURN(keys::CatalogKey key, keys::ParseCatalog(cursor->key()));
      nearest.Look(key.symbol);
    }
    TD_RETURN_IF_ERROR(cursor->status());
  }
  std::set<SeriesId> seen;
  for (const auto& chunk : point.chunks()) {
    for (SeriesId series : chunk->series()) {
      if (!seen.insert(series).second) continue;
      const SeriesName& name = point.directory()->At(series);
      if (only == nullptr || only->id == name.table) nearest.Look(name.symbol);
    }
  }
  if (point.manifests() == nullptr) return nearest.Take();
  // Of what is in the archive only the edges of objects are known for nothing.
  for (const ListedRecords& listed : point.manifests()->records()) {
    if (only != nullptr && only->name != listed.manifest().table) continue;
    for (const ShippedObject& object : listed.manifest().objects) {
      nearest.Look(object.first_symbol);
      nearest.Look(object.last_symbol);
    }
  }
  return nearest.Take();
}

}  // namespace tapedeck
