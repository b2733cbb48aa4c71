#ifndef TAPEDECK_MODEL_DOUBLED_NAME_H_
#define TAPEDECK_MODEL_DOUBLED_NAME_H_

// Names that a JSON object has twice: parsers keep one of the values without a word, and two
// readers of one body may keep different ones.
//
//   if (const auto name = DoubledNameOf(body)) return Status::InvalidArgument(*name + ": twice");
//
// Thread-safe pure function.

#include <optional>
#include <string>
#include <string_view>

namespace tapedeck {

/// A name that some object of the text has twice, valid UTF-8; nullopt: none does, or the text is
/// no JSON. Memory: the names of the objects that are open; bound the text.
std::optional<std::string> DoubledNameOf(std::string_view json);

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_DOUBLED_NAME_H_
