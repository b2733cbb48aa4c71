#ifndef TAPEDECK_TESTS_SUPPORT_SOURCE_DIR_H_
#define TAPEDECK_TESTS_SUPPORT_SOURCE_DIR_H_

// SourceDir: where the project's source tree lies, for tests that read a document, run a script or
// start a service of it.
//
//   ReadFile(SourceDir() + "/docs/mapping.md");
//
// Only one object knows the path, so the others are the same in every clone and a compiler cache
// serves them all. Thread-safe.

#include <string>

namespace tapedeck::testing {

/// Absolute, without a slash at its end.
std::string SourceDir();

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_SUPPORT_SOURCE_DIR_H_
