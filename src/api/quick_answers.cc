#include "api/quick_answers.h"

namespace tapedeck {

std::string QuickAnswers::KeyOf(const HttpRequest& request) {
  const std::string_view accept = request.Header("Accept");
  const std::string_view encoding = request.Header("Accept-Encoding");
  std::string key;
  key.reserve(request.path.size() + request.query.size() + accept.size() + encoding.size() + 4);
  key += request.path;
  key += '?';
  key += request.query;
  key += '\n';  // in none of the parts
  key += accept;
  key += '\n';
  key += encoding;
  if (request.minor_version == 0) key += "\n0";
  return key;
}

std::shared_ptr<const QuickAnswers::Kept> QuickAnswers::Find(const std::string& key,
                                                             uint64_t published) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  if (found == entries_.end() || found->second.published != published) return nullptr;
  return found->second.kept;
}

void QuickAnswers::Keep(std::string key, uint64_t published, const HttpResponse& response) {
  if (response.status != 200 || response.stream != nullptr ||
      response.body.size() > kBodyBytesMax) {
    return;
  }
  auto kept = std::make_shared<const Kept>(Kept{response.headers, response.body});
  std::lock_guard lock(mutex_);
  if (entries_.size() >= kEntriesMax && !entries_.contains(key)) entries_.clear();
  entries_[std::move(key)] = {published, std::move(kept)};
}

}  // namespace tapedeck
