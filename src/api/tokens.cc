#include "api/tokens.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <span>

#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/secure_hash.h"

namespace tapedeck {
namespace {

constexpr size_t kTokenBytes = 32;
constexpr size_t kSaltBytes = 16;
constexpr size_t kFileBytesMax = size_t{1} << 20;
// Each request is compared with all of them: at 300 ns each a request of a full file waits 0.3 ms.
constexpr size_t kTokensMax = 1000;
constexpr size_t kTokenTextMax = 512;
constexpr std::chrono::nanoseconds kLookInterval = std::chrono::seconds(1);
constexpr std::string_view kHashMark = "sha256:";

constexpr std::pair<std::string_view, ScopeSet> kScopes[] = {
    {"read", kScopeRead}, {"replay", kScopeReplay}, {"admin", kScopeAdmin}};

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

Result<std::string> FromHex(std::string_view digits, size_t bytes) {
  std::string out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned value = 0;
    auto [at, error] = std::from_chars(digits.data() + i, digits.data() + i + 2, value, 16);
    if (error != std::errc() || at != digits.data() + i + 2) break;
    out += static_cast<char>(value);
  }
  if (out.size() != bytes || digits.size() != 2 * bytes) {
    return Status::InvalidArgument("the hash is not as `tapedeck token new` prints it");
  }
  return out;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t\r";
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

Result<TokenLine> ParseLine(std::span<const std::string_view> words) {
  if (words.size() != 4) return Status::InvalidArgument("write: name scopes expires hash");
  TokenLine line;
  if (!IsName(words[0])) return Status::InvalidArgument("a name is 1 to 63 of A-Za-z0-9._-");
  line.name = words[0];
  TD_ASSIGN_OR_RETURN(line.scopes, ParseScopes(words[1]));
  if (words[2] != "never") {
    Result<Timestamp> expires = ParseRfc3339(words[2]);
    if (!expires.ok()) {
      return Status::InvalidArgument("it expires never, or at a time such as 2027-01-01T00:00:00Z");
    }
    line.expires = *expires;
  }
  std::string_view hash = words[3];
  const size_t colon = hash.rfind(':');
  if (!hash.starts_with(kHashMark) || colon < kHashMark.size()) {
    return Status::InvalidArgument("the hash is not as `tapedeck token new` prints it");
  }
  TD_ASSIGN_OR_RETURN(line.salt,
                      FromHex(hash.substr(kHashMark.size(), colon - kHashMark.size()), kSaltBytes));
  TD_ASSIGN_OR_RETURN(line.hash, FromHex(hash.substr(colon + 1), kSha256Bytes));
  return line;
}

}  // namespace

Result<ScopeSet> ParseScopes(std::string_view text) {
  ScopeSet scopes = 0;
  for (std::string_view rest = text;;) {
    const size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const auto* found = std::find_if(std::begin(kScopes), std::end(kScopes),
                                     [&](const auto& scope) { return scope.first == word; });
    if (found == std::end(kScopes)) {
      return Status::InvalidArgument("scopes are read, replay and admin, with commas between");
    }
    scopes = static_cast<ScopeSet>(scopes | found->second);
    if (comma == std::string_view::npos) return scopes;
    rest.remove_prefix(comma + 1);
  }
}

std::string ScopesText(ScopeSet scopes) {
  std::string out;
  for (const auto& [name, scope] : kScopes) {
    if ((scopes & scope) != 0) out += (out.empty() ? "" : ",") + std::string(name);
  }
  return out;
}

Result<std::vector<TokenLine>> ParseTokens(std::string_view text) {
  std::vector<TokenLine> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = Words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty() || words[0].starts_with('#')) continue;
    Result<TokenLine> line = ParseLine(words);
    if (!line.ok()) return line.status().WithContext("line " + std::to_string(number));
    lines.push_back(std::move(line).value());
    if (lines.size() > kTokensMax) {
      return Status::InvalidArgument("more than " + std::to_string(kTokensMax) + " tokens");
    }
  }
  return lines;
}

Result<MadeToken> MakeToken(const std::string& name, ScopeSet scopes, Timestamp expires) {
  if (!IsName(name)) return Status::InvalidArgument("a name is 1 to 63 of A-Za-z0-9._-");
  if (scopes == 0) return Status::InvalidArgument("a token needs a scope");
  TD_ASSIGN_OR_RETURN(const std::string secret, SecretBytes(kTokenBytes));
  TD_ASSIGN_OR_RETURN(const std::string salt, SecretBytes(kSaltBytes));
  MadeToken made;
  made.token = "td_" + ToHex(secret);
  made.line = name + " " + ScopesText(scopes) + " " +
              (expires == Timestamp::Max() ? "never" : FormatRfc3339(expires)) + " " +
              std::string(kHashMark) + ToHex(salt) + ":" + ToHex(Sha256(salt + made.token));
  return made;
}

Result<std::unique_ptr<TokenFile>> TokenFile::Open(std::string path, const Clock* clock) {
  auto file = std::unique_ptr<TokenFile>(new TokenFile(std::move(path), clock));
  TD_RETURN_IF_ERROR(file->Load());
  file->looked_ns_ = clock->Monotonic().count();
  return file;
}

Result<TokenFile::Seen> TokenFile::Look(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return StatusFromErrno(errno, "looking at " + path);
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return Status::FailedPrecondition(path + " can be read or changed by everybody: chmod 600");
  }
  return Seen{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
              static_cast<uint64_t>(status.st_size), static_cast<uint64_t>(status.st_ino)};
}

Status TokenFile::Load() {
  TD_ASSIGN_OR_RETURN(const Seen seen, Look(path_));
  {
    std::lock_guard lock(mutex_);
    if (seen == in_force_) {
      trouble_.clear();  // whatever was wrong has passed
      return Status::Ok();
    }
    if (seen == mistaken_) return Status::Ok();  // not read again until it changes; trouble_ stays
  }
  TD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kFileBytesMax));
  Result<Lines> lines = ParseTokens(text);
  std::lock_guard lock(mutex_);
  if (!lines.ok()) {
    mistaken_ = seen;
    return lines.status().WithContext(path_);
  }
  lines_ = std::make_shared<const Lines>(std::move(lines).value());
  in_force_ = seen;
  trouble_.clear();
  return Status::Ok();
}

void TokenFile::LoadIfChanged() {
  const int64_t now = clock_->Monotonic().count();
  int64_t looked = looked_ns_.load(std::memory_order_relaxed);
  if (now - looked < kLookInterval.count()) return;
  if (!looked_ns_.compare_exchange_strong(looked, now)) return;  // somebody else looks
  Status loaded = Load();
  if (loaded.ok()) return;
  TD_LOG(kError, "api", "tokens-file", "the tokens stay as they were",
         {{"cause", std::string(loaded.message())}});
  std::lock_guard lock(mutex_);
  trouble_ = "the tokens file cannot be taken as it is now; the tokens before it are in force";
}

std::shared_ptr<const TokenFile::Lines> TokenFile::lines() const {
  std::lock_guard lock(mutex_);
  return lines_;
}

TokenFile::Verdict TokenFile::Check(std::string_view token, ScopeSet wanted) {
  LoadIfChanged();
  if (token.empty() || token.size() > kTokenTextMax) return Verdict::kUnknown;
  const std::shared_ptr<const Lines> lines = this->lines();
  const Timestamp now = clock_->Now();
  Verdict best = Verdict::kUnknown;
  for (const TokenLine& line : *lines) {
    const bool same = SameSecret(Sha256(line.salt + std::string(token)), line.hash);
    if (!same) continue;
    const Verdict verdict = now >= line.expires                ? Verdict::kExpired
                            : (line.scopes & wanted) == wanted ? Verdict::kAllowed
                                                               : Verdict::kOtherScope;
    // Nobody lists one token twice; if so, the better line counts.
    if (verdict == Verdict::kAllowed || best == Verdict::kUnknown) best = verdict;
  }
  return best;
}

std::string TokenFile::trouble() const {
  std::lock_guard lock(mutex_);
  return trouble_;
}

size_t TokenFile::size() const { return lines()->size(); }

}  // namespace tapedeck
