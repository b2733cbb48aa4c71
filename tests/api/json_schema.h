#ifndef TAPEDECK_TESTS_API_JSON_SCHEMA_H_
#define TAPEDECK_TESTS_API_JSON_SCHEMA_H_

// What of JSON Schema docs/openapi.yaml uses: $ref, type, enum, const, pattern, minimum, maximum,
// minLength, minItems, maxItems, required, properties, additionalProperties, items. A keyword that
// it does not know fails the test: the contract must not promise what nobody checks.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tapedeck::testing {

/// What is wrong with `value`, each with its place; empty where it fits. `document` resolves $ref.
std::vector<std::string> SchemaProblems(const nlohmann::ordered_json& document,
                                        const nlohmann::ordered_json& schema,
                                        const nlohmann::ordered_json& value,
                                        const std::string& place = "$");

/// Follows $ref until there is none.
const nlohmann::ordered_json& Resolved(const nlohmann::ordered_json& document,
                                       const nlohmann::ordered_json& node);

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_API_JSON_SCHEMA_H_
