#ifndef TAPEDECK_BASE_SECURE_HASH_H_
#define TAPEDECK_BASE_SECURE_HASH_H_

// SHA-256, MD5 and HMAC-SHA-256 (OpenSSL's), for what others define: checksums and signatures of
// object stores, sums in manifests. Inside tapedeck base/hash.h is twenty times faster.
//
//   SecureHash sum(SecureHash::Kind::kSha256);
//   while (more) sum.Update(bytes);
//   std::string digest = sum.Finish();     // 32 bytes; ToHex(digest) for people
//
// MD5 is there because Content-MD5 is what some stores check on receipt; it protects from accidents
// only.
//
// Thread-safe: pure functions; a SecureHash is owned by one thread.

#include <memory>
#include <string>
#include <string_view>

namespace tapedeck {

inline constexpr size_t kSha256Bytes = 32;
inline constexpr size_t kMd5Bytes = 16;

/// Hashes a concatenation of parts, one after the other. Used once: nothing after Finish.
class SecureHash {
 public:
  enum class Kind : int { kSha256 = 0, kMd5 = 1 };
  explicit SecureHash(Kind kind);
  ~SecureHash();
  SecureHash(const SecureHash&) = delete;
  SecureHash& operator=(const SecureHash&) = delete;
  void Update(std::string_view bytes);
  /// The raw bytes of the digest.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 32 raw bytes.
std::string Sha256(std::string_view bytes);
/// 16 raw bytes.
std::string Md5(std::string_view bytes);
/// 32 raw bytes (RFC 2104). `key` may be empty.
std::string HmacSha256(std::string_view key, std::string_view bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_SECURE_HASH_H_
