#ifndef TAPEDECK_TESTS_SUPPORT_OBJECT_SERVICE_H_
#define TAPEDECK_TESTS_SUPPORT_OBJECT_SERVICE_H_

// ObjectService: a real S3 or Azure server for a test (tests/services/s3 and azure).
//
//   std::string why;
//   auto service = ObjectService::Start("s3", {"--tls"}, &why);
//   if (service == nullptr) ...                      // skip, or fail where services are required
//   service->Field("endpoint"), service->Field("access_key"), ...
//   service->Control("kill"); service->Control("restart");
//
// Removed with the object, and by the script when the test program is gone, however it ended. With
// "--shared" it may be the one that TAPEDECK_S3 or TAPEDECK_AZURE names. Owned by one thread.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tapedeck::testing {

class ObjectService {
 public:
  static std::unique_ptr<ObjectService> Start(const std::string& name,
                                              const std::vector<std::string>& options,
                                              std::string* why);
  ~ObjectService();
  ObjectService(const ObjectService&) = delete;
  ObjectService& operator=(const ObjectService&) = delete;

  /// A field of what the script printed; empty where there is none.
  std::string Field(const std::string& name) const;
  /// kill, restart, pause or resume. std::runtime_error with the script's words.
  void Control(const std::string& command);

 private:
  ObjectService(std::string name, nlohmann::json facts)
      : name_(std::move(name)), facts_(std::move(facts)) {}
  const std::string name_;
  const nlohmann::json facts_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_OBJECT_SERVICE_H_
