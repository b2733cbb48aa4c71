#ifndef TAPEDECK_MAPPING_JSON_TREE_H_
#define TAPEDECK_MAPPING_JSON_TREE_H_

// Tree: a JSON text as a flat vector of nodes that point into the text.
//
// simdjson's first stage (vectorised: UTF-8, strings closed, where values start; "Parsing Gigabytes
// of JSON per Second", Langdale and Lemire) finds the tokens; a small state machine then checks
// brackets, commas, colons and depth and notes a node for each value. Scalars are *not* looked at:
// their grammar is checked by who reads them (ClassifyScalar, Unescape), so that an odd value in a
// field that nobody asked for does no harm. The text needs no padding.
//
//   Tree tree;
//   if (tree.Parse(R"({"a":[1,2]})") == Tree::Outcome::kOk) {
//     uint32_t a = tree.Find(0, "a");               // 1; node 0 is the whole text
//     for (uint32_t e = tree.First(a); e != kNone; e = tree.Next(a, e)) …
//   }
//
// A tree keeps its memory between texts and gives back what an exceptionally large one took. Memory
// is at most 4 bytes per byte of text and 24 per value (limits::kJsonNodesMax). Owned by one
// thread; views and nodes are valid until the next Parse.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tapedeck::json {

inline constexpr uint32_t kNone = 0xffffffff;

enum class Type : uint8_t { kObject, kArray, kString, kScalar };

/// What a scalar token is; kBad: nothing that JSON knows.
enum class Scalar : uint8_t { kNull, kTrue, kFalse, kNumber, kBad };

struct Node {
  uint32_t begin;  // [begin, end) in the text; of a string: between its quotes
  uint32_t end;
  uint32_t next;       // the node after this value and everything inside it
  uint32_t key_begin;  // of an object's member: the name, between its quotes
  uint32_t key_end;
  Type type;
  bool has_key;
};

class Tree {
 public:
  enum class Outcome : uint8_t { kOk, kNotJson, kTooLarge };

  Tree();
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  /// `text` stays with the caller and must live as long as the tree is used.
  Outcome Parse(std::string_view text);

  const Node& node(uint32_t at) const { return nodes_[at]; }
  size_t size() const { return nodes_.size(); }
  std::string_view text() const { return text_; }
  std::string_view Raw(uint32_t at) const {
    return text_.substr(nodes_[at].begin, nodes_[at].end - nodes_[at].begin);
  }
  std::string_view RawKey(uint32_t at) const {
    return text_.substr(nodes_[at].key_begin, nodes_[at].key_end - nodes_[at].key_begin);
  }
  /// First element or member of a container, kNone where it is empty.
  uint32_t First(uint32_t container) const {
    return nodes_[container].next == container + 1 ? kNone : container + 1;
  }
  /// The one after `child`, or kNone.
  uint32_t Next(uint32_t container, uint32_t child) const {
    return nodes_[child].next == nodes_[container].next ? kNone : nodes_[child].next;
  }
  /// The first member of that name (escapes in names are understood), or kNone.
  uint32_t Find(uint32_t object, std::string_view name) const;
  /// Element at `position`, or kNone.
  uint32_t At(uint32_t array, uint32_t position) const;

 private:
  struct Stage1;
  Outcome Build(const uint32_t* starts, uint32_t count);
  bool CloseString(uint32_t start, uint32_t limit, uint32_t* end) const;

  std::unique_ptr<Stage1> stage1_;
  std::string_view text_;
  std::vector<Node> nodes_;
};

/// `accept_nan`: NaN, Infinity and -Infinity count as null.
Scalar ClassifyScalar(std::string_view token, bool accept_nan);

/// Writes the text of a raw string to `out`, which has room for raw.size() bytes, and its size to
/// `size`. False for an escape that JSON does not have and for half a surrogate pair.
bool Unescape(std::string_view raw, char* out, size_t* size);

/// Appends the value as JSON without blanks; strings and numbers as written. False where something
/// inside is not JSON.
bool AppendCompact(const Tree& tree, uint32_t at, bool accept_nan, std::string* out);

/// Appends `text` as a JSON string with its quotes; only what must be escaped is.
void AppendQuoted(std::string_view text, std::string* out);

bool IsUtf8(std::string_view bytes);

}  // namespace tapedeck::json

#endif  // TAPEDECK_MAPPING_JSON_TREE_H_
