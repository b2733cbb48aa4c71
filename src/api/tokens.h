#ifndef TAPEDECK_API_TOKENS_H_
#define TAPEDECK_API_TOKENS_H_

// TokenFile: who may ask, from a file of salted hashes; the tokens themselves are nowhere.
//
//   # name    scopes        expires                hash
//   grafana   read          2027-01-01T00:00:00Z   sha256:9f3c…:77ab…
//   ops       read,admin    never                  sha256:…
//
//   TD_ASSIGN_OR_RETURN(MadeToken made, MakeToken("grafana", kScopeRead, expires));
//   made.token    // td_…: shown once, to its owner
//   made.line     // for the file
//
// A token is 32 random bytes, so one round of SHA-256 over salt and token is as good as any number:
// there is nothing to guess. Every line is compared in constant time, whichever fits. Scopes do not
// contain each other.
//
// The file is looked at again at most once a second; a change takes effect then. One that cannot be
// read or has a mistake leaves the tokens as they were, and says so in the log and in trouble().
// Two lines may have one name: the new token and the old one while it is being replaced.
//
// Thread-safe.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace tapedeck {

using ScopeSet = uint8_t;
inline constexpr ScopeSet kScopeRead = 1;
inline constexpr ScopeSet kScopeReplay = 2;
inline constexpr ScopeSet kScopeAdmin = 4;
/// "read,admin". kInvalidArgument.
Result<ScopeSet> ParseScopes(std::string_view text);
std::string ScopesText(ScopeSet scopes);

struct TokenLine {
  std::string name;
  ScopeSet scopes = 0;
  Timestamp expires = Timestamp::Max();
  std::string salt;
  std::string hash;  // of salt and token, SHA-256
};
/// kInvalidArgument names the line, and nothing that it holds.
Result<std::vector<TokenLine>> ParseTokens(std::string_view text);

struct MadeToken {
  std::string token;
  std::string line;  // without a line end
};
Result<MadeToken> MakeToken(const std::string& name, ScopeSet scopes, Timestamp expires);

class TokenFile {
 public:
  /// kInvalidArgument: a mistake in it; kFailedPrecondition: everybody may read it; errors of
  /// base/file.h.
  static Result<std::unique_ptr<TokenFile>> Open(std::string path, const Clock* clock);

  enum class Verdict : uint8_t { kAllowed, kUnknown, kExpired, kOtherScope };
  Verdict Check(std::string_view token, ScopeSet wanted);
  /// "" or why the file as it is now is not in force.
  std::string trouble() const;
  /// Lines in force.
  size_t size() const;

 private:
  using Lines = std::vector<TokenLine>;
  struct Seen {  // of the file, to notice a change
    int64_t modified_ns = 0;
    uint64_t size = 0;
    uint64_t inode = 0;
    bool operator==(const Seen&) const = default;
  };
  TokenFile(std::string path, const Clock* clock) : path_(std::move(path)), clock_(clock) {}
  static Result<Seen> Look(const std::string& path);
  Status Load();
  void LoadIfChanged();
  std::shared_ptr<const Lines> lines() const;

  const std::string path_;
  const Clock* const clock_;
  std::atomic<int64_t> looked_ns_{0};
  mutable std::mutex mutex_;  // of what follows
  Seen in_force_;             // the file that lines_ are of
  Seen mistaken_;             // the last one with a mistake
  std::shared_ptr<const Lines> lines_;
  std::string trouble_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_API_TOKENS_H_
