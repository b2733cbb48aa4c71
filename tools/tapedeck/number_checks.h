#ifndef TAPEDECK_TOOLS_TAPEDECK_NUMBER_CHECKS_H_
#define TAPEDECK_TOOLS_TAPEDECK_NUMBER_CHECKS_H_

// Checks of numbers on the command line, with words that a person can use: CLI11's own name the
// greatest double there is.
//
//   command->add_option("--limit", limit, "at most so many")->check(WholeNumberFrom(1));
//
// Pure functions.

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/text.h"

namespace tapedeck::cli {

/// A whole number of [least, most], in digits only: of -1 the parser alone would make the greatest
/// number that there is.
inline CLI::Validator WholeNumberFrom(uint64_t least, uint64_t most = UINT64_MAX) {
  return {[least, most](std::string& text) {
            uint64_t number = 0;
            const char* end = text.data() + text.size();
            const auto [at, error] = std::from_chars(text.data(), end, number);
            if (error == std::errc() && at == end && number >= least && number <= most) {
              return std::string();
            }
            return Quoted(text) + " is no whole number from " + std::to_string(least) +
                   (most == UINT64_MAX ? " on" : " to " + std::to_string(most));
          },
          ""};
}

inline CLI::Validator NumberAboveZero() {
  return {[](std::string& text) {
            double number = 0;
            const char* end = text.data() + text.size();
            const auto [at, error] = std::from_chars(text.data(), end, number);
            const bool good = error == std::errc() && at == end && std::isfinite(number);
            return good && number > 0 ? std::string() : Quoted(text) + " is no number above 0";
          },
          ""};
}

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_NUMBER_CHECKS_H_
