#include "http/message.h"

#include <algorithm>

namespace tapedeck {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return x == y || Lower(x) == Lower(y);
         });
}

}  // namespace

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const HttpField& field : headers) {
    if (SameName(field.name, name)) return field.value;
  }
  return {};
}

void HttpResponse::Set(std::string_view name, std::string_view value) {
  for (HttpField& field : headers) {
    if (!SameName(field.name, name)) continue;
    field.value = value;
    return;
  }
  headers.push_back({std::string(name), std::string(value)});
}

HttpResponse HttpResponse::Text(int status, std::string_view content_type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.Set("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

}  // namespace tapedeck
