#include "base/secure_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/check.h"

namespace tapedeck {
namespace {

const EVP_MD* Algorithm(SecureHash::Kind kind) {
  return kind == SecureHash::Kind::kSha256 ? EVP_sha256() : EVP_md5();
}

std::string HashOf(SecureHash::Kind kind, std::string_view bytes) {
  SecureHash hash(kind);
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace

struct SecureHash::State {
  EVP_MD_CTX* context = nullptr;
};

SecureHash::SecureHash(Kind kind) : state_(std::make_unique<State>()) {
  state_->context = EVP_MD_CTX_new();
  TD_CHECK(state_->context != nullptr, "there is memory for a hash");
  TD_CHECK(EVP_DigestInit_ex(state_->context, Algorithm(kind), nullptr) == 1,
           "OpenSSL has this hash");
}

SecureHash::~SecureHash() { EVP_MD_CTX_free(state_->context); }

void SecureHash::Update(std::string_view bytes) {
  TD_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
           "a hash takes any bytes");
}

std::string SecureHash::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  TD_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1,
           "a hash is finished once");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Sha256(std::string_view bytes) { return HashOf(SecureHash::Kind::kSha256, bytes); }

std::string Md5(std::string_view bytes) { return HashOf(SecureHash::Kind::kMd5, bytes); }

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const unsigned char* made = HMAC(
      EVP_sha256(), key.data() == nullptr ? "" : key.data(), static_cast<int>(key.size()),
      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(), &size);
  TD_CHECK(made != nullptr, "OpenSSL has HMAC with SHA-256");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace tapedeck
