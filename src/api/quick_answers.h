#ifndef TAPEDECK_API_QUICK_ANSWERS_H_
#define TAPEDECK_API_QUICK_ANSWERS_H_

// QuickAnswers: small answers that hold as long as nothing is published, ready to be sent again.
//
//   if (auto found = answers.Find(request, node->published())) return *found;
//   answers.Keep(request, published_before_it_was_made, response);
//
// Requests are the same where path, query, Accept, Accept-Encoding and version are. Thread-safe.
// Bounded: kEntriesMax answers of kBodyBytesMax each, kBytesMax of everything together; beyond, all
// are forgotten.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "http/message.h"

namespace tapedeck {

class QuickAnswers {
 public:
  static constexpr size_t kEntriesMax = 512;
  static constexpr size_t kBodyBytesMax = size_t{16} << 10;
  static constexpr size_t kBytesMax = size_t{4} << 20;

  struct Kept {
    std::vector<HttpField> headers;
    std::string body;
    std::optional<Counter> sent;  // counts the body's bytes each time
  };

  /// Null where there is none, or something was published since.
  std::shared_ptr<const Kept> Find(const HttpRequest& request, uint64_t published) const;
  /// Answers that are no plain 200, or too large, are not kept.
  void Keep(const HttpRequest& request, uint64_t published, const HttpResponse& response,
            std::optional<Counter> sent = std::nullopt);
  /// Of requests and answers that are kept.
  size_t bytes() const;

 private:
  struct Entry {
    std::string path, query, accept, encoding;
    int minor_version = 1;
    uint64_t published = 0;
    std::shared_ptr<const Kept> kept;
    size_t bytes = 0;  // of all that
    bool IsOf(const HttpRequest& request) const;
  };
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_;  // by hash; of two with one hash the later stays
  size_t bytes_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_QUICK_ANSWERS_H_
