#ifndef TAPEDECK_API_OPENAPI_H_
#define TAPEDECK_API_OPENAPI_H_

// docs/openapi.yaml as JSON, embedded when building (cmake/EmbedOpenApi.cmake).

#include <string_view>

namespace tapedeck {

std::string_view OpenApiJson();

}  // namespace tapedeck

#endif  // TAPEDECK_API_OPENAPI_H_
