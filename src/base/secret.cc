#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace tapedeck {

Result<std::string> SecretBytes(size_t size) {
  std::string bytes(size, '\0');
  if (::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1) {
    return Status::Internal("the system gives no random bytes");
  }
  return bytes;
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tapedeck
