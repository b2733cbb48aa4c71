#include "web/url.h"

#include <curl/curl.h>

#include <memory>

namespace tapedeck {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

std::string WebUrl::Origin() const {
  return scheme + "://" + host + (port.empty() ? "" : ":" + port);
}

Result<WebUrl> ParseWebUrl(const std::string& text) {
  if (text.find('\0') != std::string::npos) return Status::InvalidArgument("a URL holds no NUL");
  std::unique_ptr<CURLU, FreeUrl> handle(curl_url());
  if (handle == nullptr) return Status::ResourceExhausted("no memory for a URL");
  CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) {
    return Status::InvalidArgument(std::string("not a URL such as https://host/path: ") +
                                   curl_url_strerror(code));
  }
  if (!Part(handle.get(), CURLUPART_USER).empty() ||
      !Part(handle.get(), CURLUPART_PASSWORD).empty()) {
    return Status::InvalidArgument("a URL with a name or password in it; give credentials apart");
  }
  if (!Part(handle.get(), CURLUPART_FRAGMENT).empty())
    return Status::InvalidArgument("a URL with a '#': nothing of it would be sent");
  WebUrl url;
  url.scheme = Part(handle.get(), CURLUPART_SCHEME);
  url.host = Part(handle.get(), CURLUPART_HOST);
  url.port = Part(handle.get(), CURLUPART_PORT);
  url.path = Part(handle.get(), CURLUPART_PATH);
  url.query = Part(handle.get(), CURLUPART_QUERY);
  if (url.scheme != "http" && url.scheme != "https")
    return Status::InvalidArgument("the URL is neither http nor https");
  return url;
}

std::string ShownUrl(const std::string& url) { return url.substr(0, url.find('?')); }

}  // namespace tapedeck
