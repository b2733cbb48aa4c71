#ifndef TAPEDECK_TESTS_BLOB_AZURE_KIND_H_
#define TAPEDECK_TESTS_BLOB_AZURE_KIND_H_

// The Azure server that the tests of a program share, and how stores are opened on it.

#include <string>

#include "blob/azure_store.h"
#include "support/object_service.h"

namespace tapedeck {

/// An environment that holds one variable and nothing else.
Environment OneVariable(const std::string& name, const std::string& value);

AzureOptions AzureOptionsFor(const testing::ObjectService& service);

/// Null and `why` where none can be started.
testing::ObjectService* SharedAzure(std::string* why);

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_BLOB_AZURE_KIND_H_
