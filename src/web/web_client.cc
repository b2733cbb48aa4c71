#include "web/web_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <mutex>

#include "base/check.h"
#include "base/file.h"
#include "web/address.h"
#include "web/transfer.h"
#include "web/url.h"

namespace tapedeck {
namespace {

// Connections kept open for later requests: some parts of an upload and a few readers at a time.
constexpr size_t kIdleHandlesMax = 16;

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, FreeHandle>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

/// Sets options one after the other and remembers the first that libcurl refused.
class Options {
 public:
  explicit Options(CURL* handle) : handle_(handle) {}
  template <typename T>
  void Set(CURLoption option, T value) {
    CURLcode code = curl_easy_setopt(handle_, option, value);
    if (code != CURLE_OK && first_ == CURLE_OK) first_ = code;
  }
  CURLcode first() const { return first_; }

 private:
  CURL* const handle_;
  CURLcode first_ = CURLE_OK;
};

bool IsHeaderSafe(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) != 0x7f;
  });
}

Result<HeaderList> MakeHeaders(const WebRequest& request) {
  HeaderList list;
  for (const auto& [name, value] : request.headers) {
    if (!IsHeaderSafe(name) || !IsHeaderSafe(value) || name.empty())
      return Status::InvalidArgument("a header with a line end or another control character");
    // "name;" is libcurl's way to send a header without a value.
    std::string line = value.empty() ? name + ";" : name + ": " + value;
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return Status::ResourceExhausted("no memory for headers");
    (void)list.release();  // it is the head of, or the same as, the longer one
    list.reset(longer);
  }
  return list;
}

void SetSafety(const WebClientOptions& client, const WebRequest& request, Options* options) {
  options->Set(CURLOPT_NOSIGNAL, 1L);
  options->Set(CURLOPT_PROTOCOLS_STR, "http,https");
  options->Set(CURLOPT_FOLLOWLOCATION, 0L);
  options->Set(CURLOPT_PROXY, "");
  options->Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  options->Set(CURLOPT_PATH_AS_IS, 1L);
  options->Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  options->Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  options->Set(CURLOPT_SSL_VERIFYPEER, 1L);
  options->Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!client.ca_file.empty()) {
    options->Set(CURLOPT_CAINFO, client.ca_file.c_str());
    options->Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  options->Set(CURLOPT_USERAGENT, client.user_agent.c_str());
  options->Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  options->Set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  options->Set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(request.low_speed));
  options->Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.low_speed_time.count()));
  options->Set(CURLOPT_TCP_NODELAY, 1L);
  options->Set(CURLOPT_BUFFERSIZE, 256L << 10);
  options->Set(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
}

void SetMethodAndBody(const WebRequest& request, Options* options) {
  const bool has_body = request.method == "PUT" || request.body.size > 0;
  if (request.method == "HEAD") {
    options->Set(CURLOPT_NOBODY, 1L);
  } else if (has_body) {
    options->Set(CURLOPT_UPLOAD, 1L);
    options->Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    options->Set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size));
  } else if (request.method == "POST") {
    options->Set(CURLOPT_POST, 1L);
    options->Set(CURLOPT_POSTFIELDS, "");
    options->Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(0));
  } else if (request.method != "GET") {
    options->Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

Status ToStatus(CURLcode code, const Transfer& transfer, const WebRequest& request) {
  if (!transfer.failed.ok()) return transfer.failed;
  std::string message = request.method + " " + ShownUrl(request.url) + ": ";
  message += transfer.error[0] != '\0' ? transfer.error.data() : curl_easy_strerror(code);
  // libcurl's text may repeat the query of the URL, which may be a signature.
  size_t query = request.url.find('?');
  if (query != std::string::npos) {
    const std::string secret = request.url.substr(query);
    for (size_t at = 0; (at = message.find(secret)) != std::string::npos;)
      message.replace(at, secret.size(), "");
  }
  switch (code) {
    case CURLE_URL_MALFORMAT:
      return Status::InvalidArgument(std::move(message));
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_UNSUPPORTED_PROTOCOL:  // the answer is not HTTP; the URL was looked at before
      return Status::Unavailable(std::move(message));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return Status::FailedPrecondition(std::move(message));
    case CURLE_OUT_OF_MEMORY:
      return Status::ResourceExhausted(std::move(message));
    default:
      return Status::Internal(std::move(message));
  }
}

}  // namespace

std::string_view WebAnswer::Header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

/// Handles that are not in use; each keeps its connections open.
struct WebClient::Connections {
  std::mutex mutex;
  std::vector<Handle> idle;

  Handle Take() {
    {
      std::lock_guard lock(mutex);
      if (!idle.empty()) {
        Handle handle = std::move(idle.back());
        idle.pop_back();
        return handle;
      }
    }
    return Handle(curl_easy_init());
  }
  void GiveBack(Handle handle) {
    curl_easy_reset(handle.get());
    std::lock_guard lock(mutex);
    if (idle.size() < kIdleHandlesMax) idle.push_back(std::move(handle));
  }
};

Result<std::unique_ptr<WebClient>> WebClient::Open(WebClientOptions options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK)
    return Status::Internal(std::string("libcurl: ") + curl_easy_strerror(global));
  if (!options.ca_file.empty() && ::access(options.ca_file.c_str(), R_OK) != 0)
    return StatusFromErrno(errno, "reading certificates from " + options.ca_file);
  return std::unique_ptr<WebClient>(
      new WebClient(std::move(options), std::make_unique<Connections>()));
}

WebClient::WebClient(WebClientOptions options, std::unique_ptr<Connections> connections)
    : options_(std::move(options)), connections_(std::move(connections)) {}

WebClient::~WebClient() = default;

Result<WebAnswer> WebClient::Send(const WebRequest& request) {
  if (options_.stop != nullptr && options_.stop->load())
    return Status::Cancelled(request.method + " " + ShownUrl(request.url) + ": stopping");
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://"))
    return Status::InvalidArgument("only http:// and https:// are asked");
  Handle handle = connections_->Take();
  if (handle == nullptr) return Status::ResourceExhausted("no memory for a request");
  TD_ASSIGN_OR_RETURN(HeaderList headers, MakeHeaders(request));
  Transfer transfer{.request = &request, .stop = options_.stop};
  Options options(handle.get());
  SetSafety(options_, request, &options);
  SetMethodAndBody(request, &options);
  options.Set(CURLOPT_URL, request.url.c_str());
  options.Set(CURLOPT_HTTPHEADER, headers.get());
  std::string provider = "aws:amz:" + request.signature.region + ":" + request.signature.service;
  if (!request.signature.service.empty()) {
    options.Set(CURLOPT_AWS_SIGV4, provider.c_str());
    options.Set(CURLOPT_USERNAME, request.signature.access_key.c_str());
    options.Set(CURLOPT_PASSWORD, request.signature.secret_key.c_str());
  }
  options.Set(CURLOPT_ERRORBUFFER, transfer.error.data());
  options.Set(CURLOPT_READFUNCTION, &Transfer::OnRead);
  options.Set(CURLOPT_READDATA, &transfer);
  options.Set(CURLOPT_SEEKFUNCTION, &Transfer::OnSeek);
  options.Set(CURLOPT_SEEKDATA, &transfer);
  options.Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  options.Set(CURLOPT_WRITEDATA, &transfer);
  options.Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  options.Set(CURLOPT_HEADERDATA, &transfer);
  options.Set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnOpenSocket);
  options.Set(CURLOPT_OPENSOCKETDATA, &transfer);
  options.Set(CURLOPT_NOPROGRESS, 0L);
  options.Set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
  options.Set(CURLOPT_XFERINFODATA, &transfer);
  if (options.first() != CURLE_OK) return ToStatus(options.first(), transfer, request);
  CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) return ToStatus(code, transfer, request);
  if (!transfer.is_head_whole) {
    return Status::Unavailable(request.method + " " + ShownUrl(request.url) +
                               ": the answer ends within its headers");
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.answer.status = static_cast<int>(status);
  connections_->GiveBack(std::move(handle));
  return std::move(transfer.answer);
}

}  // namespace tapedeck
