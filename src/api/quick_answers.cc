#include "api/quick_answers.h"

#include "base/hash.h"

namespace tapedeck {
namespace {

uint64_t HashOf(const HttpRequest& request) {
  uint64_t hash = HashBytes64(request.path, static_cast<uint64_t>(request.minor_version));
  hash = HashBytes64(request.query, hash);
  hash = HashBytes64(request.Header("Accept"), hash);
  return HashBytes64(request.Header("Accept-Encoding"), hash);
}

}  // namespace

bool QuickAnswers::Entry::IsOf(const HttpRequest& request) const {
  return path == request.path && query == request.query && accept == request.Header("Accept") &&
         encoding == request.Header("Accept-Encoding") && minor_version == request.minor_version;
}

std::shared_ptr<const QuickAnswers::Kept> QuickAnswers::Find(const HttpRequest& request,
                                                             uint64_t published) const {
  const uint64_t hash = HashOf(request);
  std::lock_guard lock(mutex_);
  auto found = entries_.find(hash);
  if (found == entries_.end() || found->second.published != published ||
      !found->second.IsOf(request)) {
    return nullptr;
  }
  return found->second.kept;
}

void QuickAnswers::Keep(const HttpRequest& request, uint64_t published,
                        const HttpResponse& response, std::optional<Counter> sent) {
  if (response.status != 200 || response.stream != nullptr ||
      response.body.size() > kBodyBytesMax) {
    return;
  }
  Entry entry{request.path,
              request.query,
              std::string(request.Header("Accept")),
              std::string(request.Header("Accept-Encoding")),
              request.minor_version,
              published,
              std::make_shared<const Kept>(Kept{response.headers, response.body, sent})};
  entry.bytes = sizeof(Entry) + sizeof(Kept) + entry.path.size() + entry.query.size() +
                entry.accept.size() + entry.encoding.size() + response.body.size();
  for (const HttpField& field : response.headers) {
    entry.bytes += sizeof(field) + field.name.size() + field.value.size();
  }
  const uint64_t hash = HashOf(request);
  std::lock_guard lock(mutex_);
  size_t replaced = 0;
  if (auto found = entries_.find(hash); found != entries_.end()) replaced = found->second.bytes;
  const bool is_full = entries_.size() >= kEntriesMax && replaced == 0;
  if (is_full || bytes_ - replaced + entry.bytes > kBytesMax) {
    entries_.clear();
    bytes_ = replaced = 0;
  }
  const size_t bytes = entry.bytes;
  entries_[hash] = std::move(entry);
  bytes_ = bytes_ - replaced + bytes;
}

size_t QuickAnswers::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace tapedeck
