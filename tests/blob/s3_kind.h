#ifndef TAPEDECK_TESTS_BLOB_S3_KIND_H_
#define TAPEDECK_TESTS_BLOB_S3_KIND_H_

// The S3 server that the tests of a program share, and how stores are opened on it.

#include <string>

#include "blob/s3_store.h"
#include "support/object_service.h"

namespace tapedeck {

/// An environment that holds these keys and nothing else.
Environment KeysOnly(const std::string& access_key, const std::string& secret_key);

S3Options S3OptionsFor(const testing::ObjectService& service);

/// Null and `why` where none can be started.
testing::ObjectService* SharedS3(std::string* why);

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_BLOB_S3_KIND_H_
