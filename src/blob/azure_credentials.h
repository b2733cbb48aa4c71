#ifndef TAPEDECK_BLOB_AZURE_CREDENTIALS_H_
#define TAPEDECK_BLOB_AZURE_CREDENTIALS_H_

// Credentials of Azure Blob Storage, and how a request carries them.
//
// The first of these that is there counts:
//   1. the key of the account: AZURE_STORAGE_KEY, or the file AZURE_STORAGE_KEY_FILE
//   2. a SAS token: AZURE_STORAGE_SAS_TOKEN, or the file AZURE_STORAGE_SAS_TOKEN_FILE
//   3. the managed identity: of App Service and Container Apps (IDENTITY_ENDPOINT, IDENTITY_HEADER)
//      or of the machine (the metadata service); AZURE_CLIENT_ID names one of several
// Tokens of an identity are fetched again 5 minutes before they expire; while that fails, the old
// one serves as long as it is good. Files are read again after 5 minutes.
//
// Errors: kFailedPrecondition (there are none, or they make no sense), kUnavailable (a service that
// hands them out does not answer). No message holds a secret. Thread-safe.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "blob/environment.h"
#include "blob/kept_credentials.h"
#include "web/web_client.h"

namespace tapedeck {

/// One of the three is not empty.
struct AzureCredentials {
  std::string key;    // decoded
  std::string sas;    // without '?'
  std::string token;  // bearer
  std::optional<Timestamp> expires;
};

class AzureCredentialChain {
 public:
  /// `client` and `clock` outlive it.
  AzureCredentialChain(Environment environment, WebClient* client, Clock* clock);
  Result<AzureCredentials> Get();
  /// The store refused them: the next Get fetches new ones.
  void Forget();

 private:
  Result<AzureCredentials> Fetch();
  Result<AzureCredentials> FromIdentity() const;
  /// The variable, or the content of the file that <name>_FILE names.
  Result<std::string> Secret(const char* name) const;
  std::string Variable(const char* name) const { return environment_(name).value_or(""); }

  const Environment environment_;
  WebClient* const client_;
  KeptCredentials<AzureCredentials> kept_;
};

/// What a SharedKey signature is made over: the lines of
/// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key (2015-02-21 and
/// later). `path` is that of the URL, as sent; `query` is not encoded; header names may have any
/// case.
std::string AzureStringToSign(const std::string& method, const std::string& account,
                              const std::string& path,
                              const std::map<std::string, std::string>& query,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              uint64_t body_bytes);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_AZURE_CREDENTIALS_H_
