#ifndef TAPEDECK_MAPPING_SPEC_READER_H_
#define TAPEDECK_MAPPING_SPEC_READER_H_

// SpecReader: typed access to the JSON of a mapping, with errors that name the place. Internal to
// the parser of mappings.
//
// `where` is written before each problem: "records[2].fields.price: …". Owned by one thread; the
// tree stays with the caller.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mapping/json_tree.h"

namespace tapedeck::rules {

class SpecReader {
 public:
  explicit SpecReader(const json::Tree& tree) : tree_(tree) {}
  const json::Tree& tree() const { return tree_; }

  bool IsText(uint32_t at) const { return tree_.node(at).type == json::Type::kString; }
  bool IsArray(uint32_t at) const { return tree_.node(at).type == json::Type::kArray; }
  bool IsObject(uint32_t at) const { return tree_.node(at).type == json::Type::kObject; }

  Result<std::string> Text(uint32_t at, std::string_view where) const;
  Result<bool> Flag(uint32_t at, std::string_view where) const;
  Result<int64_t> Integer(uint32_t at, std::string_view where) const;
  /// A text or a list of texts.
  Result<std::vector<std::string>> Texts(uint32_t at, std::string_view where) const;
  Result<std::string> Key(uint32_t at, std::string_view where) const;

  /// Each key is one of `known` and none comes twice; the error names the nearest one.
  Status CheckKeys(uint32_t object, std::span<const std::string_view> known,
                   std::string_view where) const;

 private:
  const json::Tree& tree_;
};

Status SpecError(std::string_view where, std::string_view problem);
/// `one` is 'word', known are …; did you mean …?
std::string NotKnown(std::string_view word, std::span<const std::string_view> known);

}  // namespace tapedeck::rules

#endif  // TAPEDECK_MAPPING_SPEC_READER_H_
