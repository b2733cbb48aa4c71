#ifndef TAPEDECK_TESTS_SUPPORT_TEMP_DIR_H_
#define TAPEDECK_TESTS_SUPPORT_TEMP_DIR_H_

// TempDir: an empty folder for one test, removed with all its content at the end, and kept where
// the test has failed.
//
//   TempDir dir;
//   auto store = Store::Open(dir.path() / "store", ...);
//
// In TMPDIR, else the system's place. Owned by one thread.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace tapedeck::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "tapedeck-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      std::perror(name.c_str());
      std::abort();
    }
    path_ = name;
  }
  ~TempDir() {
    if (::testing::Test::HasFailure()) {
      std::printf("[ kept ] %s\n", path_.c_str());
      return;
    }
    std::error_code ignored;  // what is left behind is in the system's temporary place anyway
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  /// Absolute, without a slash at its end.
  const std::filesystem::path& path() const { return path_; }
  /// A name in it, for interfaces that take strings.
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_TEMP_DIR_H_
