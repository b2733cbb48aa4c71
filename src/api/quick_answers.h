#ifndef TAPEDECK_API_QUICK_ANSWERS_H_
#define TAPEDECK_API_QUICK_ANSWERS_H_

// QuickAnswers: small answers that hold as long as nothing is published, ready to be sent again.
//
//   if (auto found = answers.Find(key, node->published())) return *found;
//   answers.Keep(key, published_before_it_was_made, response);
//
// Thread-safe. Bounded: kEntriesMax answers of kBodyBytesMax each; beyond, all are forgotten.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/message.h"

namespace tapedeck {

class QuickAnswers {
 public:
  static constexpr size_t kEntriesMax = 512;
  static constexpr size_t kBodyBytesMax = size_t{16} << 10;

  struct Kept {
    std::vector<HttpField> headers;
    std::string body;
  };
  static std::string KeyOf(const HttpRequest& request);

  /// Null where there is none, or something was published since.
  std::shared_ptr<const Kept> Find(const std::string& key, uint64_t published) const;
  /// Answers that are no plain 200, or too large, are not kept.
  void Keep(std::string key, uint64_t published, const HttpResponse& response);

 private:
  struct Entry {
    uint64_t published;
    std::shared_ptr<const Kept> kept;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_QUICK_ANSWERS_H_
