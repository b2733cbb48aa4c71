#ifndef TAPEDECK_BLOB_S3_CREDENTIALS_H_
#define TAPEDECK_BLOB_S3_CREDENTIALS_H_

// Credentials of S3: where they come from, and that they are good when a request is signed.
//
//   S3CredentialChain chain(options, client.get(), &clock);
//   TD_ASSIGN_OR_RETURN(S3Credentials credentials, chain.Get());
//
// The first of these that is there counts, and an error in it is the result (no quiet falling
// through to somebody else's rights):
//   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   2. the section AWS_PROFILE (default: "default") of AWS_SHARED_CREDENTIALS_FILE
//      (~/.aws/credentials); skipped where there is no such file, or no such section and
//      AWS_PROFILE is not set
//   3. a container's role: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with
//      AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE
//   4. the instance's role, by the metadata service, version 2 only; not with
//      AWS_EC2_METADATA_DISABLED=true
// Those that expire are fetched again 5 minutes before they do; while that fails, the old ones
// serve as long as they are good. Files are read again after 5 minutes.
//
// Errors: kFailedPrecondition (there are none, or they make no sense), kUnavailable (a service that
// hands them out does not answer). No message holds a secret. Thread-safe.

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "blob/environment.h"
#include "blob/kept_credentials.h"
#include "web/web_client.h"

namespace tapedeck {

struct S3Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::optional<Timestamp> expires;
};

class S3CredentialChain {
 public:
  /// `client` and `clock` outlive it.
  S3CredentialChain(Environment environment, WebClient* client, Clock* clock);
  Result<S3Credentials> Get();
  /// The store refused them: the next Get fetches new ones.
  void Forget();

 private:
  Result<S3Credentials> Fetch();
  std::optional<Result<S3Credentials>> FromEnvironment() const;
  std::optional<Result<S3Credentials>> FromProfile() const;
  std::optional<Result<S3Credentials>> FromContainer() const;
  Result<S3Credentials> FromInstance() const;
  std::string Variable(const char* name) const { return environment_(name).value_or(""); }

  const Environment environment_;
  WebClient* const client_;
  KeptCredentials<S3Credentials> kept_;
};

/// A value of "[section] key = value" text, as AWS's files are; nullopt where it is missing.
std::optional<std::string> IniValue(const std::string& text, const std::string& section,
                                    const std::string& key);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_S3_CREDENTIALS_H_
