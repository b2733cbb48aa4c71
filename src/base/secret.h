#ifndef TAPEDECK_BASE_SECRET_H_
#define TAPEDECK_BASE_SECRET_H_

// What secrets need beside a hash (secure_hash.h): bytes that nobody can guess, and a comparison
// that takes the same time whatever it finds. Wraps OpenSSL.
//
//   TD_ASSIGN_OR_RETURN(std::string salt, SecretBytes(16));
//   std::string hash = Sha256(salt + token);
//   if (SameSecret(hash, stored)) …
//
// Thread-safe.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// `size` bytes of the system's generator for secrets. kInternal: it gives none.
Result<std::string> SecretBytes(size_t size);

/// Whether they are equal; the time depends on their sizes alone.
bool SameSecret(std::string_view a, std::string_view b);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_SECRET_H_
