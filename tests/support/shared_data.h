#ifndef TAPEDECK_TESTS_SUPPORT_SHARED_DATA_H_
#define TAPEDECK_TESTS_SUPPORT_SHARED_DATA_H_

// SharedDir: the folder of test data that lies beside the project and not in it:
// TAPEDECK_SHARED_DIR, else `../shared` seen from the source tree.
//
//   TD_SKIP_WITHOUT_SHARED_DATA();          // first line of a test that needs it
//   std::string payload = ReadShared("data/payloads/s3_finnhub_ping.json");
//
// Thread-safe.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/source_dir.h"

namespace tapedeck::testing {

/// The folder, or an empty path where there is none.
inline std::filesystem::path SharedDir() {
  const char* given = std::getenv("TAPEDECK_SHARED_DIR");
  std::filesystem::path dir = given != nullptr && *given != '\0'
                                  ? std::filesystem::path(given)
                                  : std::filesystem::path(SourceDir()) / ".." / "shared";
  std::error_code error;
  return std::filesystem::is_directory(dir, error) ? dir : std::filesystem::path();
}

/// A file or folder in it, such as "data/payloads".
inline std::filesystem::path SharedPath(const std::string& name) { return SharedDir() / name; }

/// A file's content; a failure of the test, and "", where it cannot be read.
inline std::string ReadShared(const std::string& name) {
  std::ifstream file(SharedPath(name), std::ios::binary);
  if (!file) {
    ADD_FAILURE() << "cannot read " << SharedPath(name);
    return "";
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace tapedeck::testing

#define TD_SKIP_WITHOUT_SHARED_DATA()                                                    \
  do {                                                                                   \
    if (::tapedeck::testing::SharedDir().empty()) {                                      \
      GTEST_SKIP() << "the shared test data is not here; set TAPEDECK_SHARED_DIR to it"; \
    }                                                                                    \
  } while (false)

#endif  // TAPEDECK_TESTS_SUPPORT_SHARED_DATA_H_
