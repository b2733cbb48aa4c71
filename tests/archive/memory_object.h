#ifndef TAPEDECK_TESTS_ARCHIVE_MEMORY_OBJECT_H_
#define TAPEDECK_TESTS_ARCHIVE_MEMORY_OBJECT_H_

// MemoryObject: an object that lies in a string, and counts what is read of it.
//
// Owned by one thread.

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "archive/object_source.h"

namespace tapedeck::testing {

class MemoryObject final : public ObjectSource {
 public:
  explicit MemoryObject(std::string content)
      : ObjectSource("the object"), content_(std::move(content)) {}
  static std::string BytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }

  std::string& content() { return content_; }
  uint64_t bytes() const override { return content_.size(); }
  Status Read(uint64_t offset, std::span<char> to) const override {
    if (offset > content_.size() || to.size() > content_.size() - offset) {
      return Status::InvalidArgument("outside the object");
    }
    std::copy_n(content_.data() + offset, to.size(), to.data());
    read_bytes += to.size();
    ++reads;
    return Status::Ok();
  }

  mutable uint64_t read_bytes = 0;
  mutable uint64_t reads = 0;

 private:
  std::string content_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_ARCHIVE_MEMORY_OBJECT_H_
