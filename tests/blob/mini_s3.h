#ifndef TAPEDECK_TESTS_BLOB_MINI_S3_H_
#define TAPEDECK_TESTS_BLOB_MINI_S3_H_

// MiniS3: just enough of S3 for the faults that no real server has on demand: objects of one bucket
// by path, HEAD, GET with a range, PUT with If-None-Match, DELETE, uploads in parts. It checks no
// signature; real servers do that in the conformance suite.
//
//   MiniS3 s3;
//   s3.before = [&](const StubRequest& request) -> std::optional<StubAnswer> {
//     if (request.method == "PUT" && ++puts == 1) return S3Error(503, "SlowDown");
//     return std::nullopt;                          // as always
//   };
//   s3.after = [&](const StubRequest& request, StubAnswer answer) {
//     return request.method == "PUT" ? StubAnswer::Reset() : answer;    // done, and the answer
//       lost
//   };
//   auto store = s3.OpenStore(&clock);
//
// Owned by one thread, but for the server's own.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blob/s3_store.h"
#include "support/stub_server.h"

namespace tapedeck {

testing::StubAnswer S3Error(int status, const std::string& code,
                            testing::StubAnswer::Headers headers = {});

class MiniS3 {
 public:
  MiniS3();

  std::function<std::optional<testing::StubAnswer>(const testing::StubRequest&)> before;
  std::function<testing::StubAnswer(const testing::StubRequest&, testing::StubAnswer)> after;
  bool ignores_conditions = false;

  /// Options with a clock that the test owns; credentials "key" and "secret" from the environment.
  S3Options Options(Clock* clock) const;
  std::unique_ptr<BlobStore> OpenStore(Clock* clock) const;
  /// Requests of this method whose target holds `part`.
  size_t Count(const std::string& method, const std::string& part = "") const;
  testing::StubServer& server() { return *server_; }

  // Only while no request is under way.
  std::map<std::string, std::string> objects;                 // path -> bytes
  std::map<std::string, std::map<int, std::string>> uploads;  // id -> parts

 private:
  testing::StubAnswer Answer(const testing::StubRequest& request);
  testing::StubAnswer Get(const testing::StubRequest& request, const std::string& path);
  testing::StubAnswer Put(const testing::StubRequest& request, const std::string& path);
  testing::StubAnswer Upload(const testing::StubRequest& request, const std::string& path,
                             const std::string& id);

  int next_upload_ = 1;
  std::unique_ptr<testing::StubServer> server_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_BLOB_MINI_S3_H_
