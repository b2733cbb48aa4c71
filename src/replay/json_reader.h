#ifndef TAPEDECK_REPLAY_JSON_READER_H_
#define TAPEDECK_REPLAY_JSON_READER_H_

// JsonReader: the fields of a JSON object, read strictly: bodies of requests. For .cc files.
//
//   JsonReader reader(json, "pace");
//   pace.speed = reader.Number("speed", 1.0);
//   TD_RETURN_IF_ERROR(reader.Finish());         // a field that nobody read is an error, too
//
// The first mistake is kept: kInvalidArgument, "pace.speed: a number is needed". What is read after
// it has its default. Owned by one thread; the JSON outlives it.

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "base/time.h"
#include "model/doubled_name.h"

namespace tapedeck {

/// JSON as it is taken from clients: no member twice in an object, at most kJsonDepthMax deep.
/// kInvalidArgument "name: what is wrong", of a member or of the "body".
inline constexpr int kJsonDepthMax = 32;
inline Result<nlohmann::ordered_json> ParseStrictJson(std::string_view text) {
  using Json = nlohmann::ordered_json;
  bool deep = false;
  auto look = [&](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kJsonDepthMax;
    return !deep;
  };
  Json json = Json::parse(text, look, false);
  if (deep) return Status::InvalidArgument("body: it is nested too deeply");
  if (json.is_discarded()) return Status::InvalidArgument("body: it is no JSON");
  if (const auto name = DoubledNameOf(text))
    return Status::InvalidArgument(name->substr(0, 64) + ": it is there twice");
  return json;
}

class JsonReader {
 public:
  using Json = nlohmann::ordered_json;

  JsonReader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object()) Fail("", "an object is needed");
  }

  const Json* Find(std::string_view name) {
    read_.insert(std::string(name));
    if (!json_.is_object()) return nullptr;
    auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  bool Has(std::string_view name) { return Find(name) != nullptr; }

  std::string Text(std::string_view name, std::string otherwise = {}) {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    if (value->is_string()) return value->get<std::string>();
    Fail(name, "a string is needed");
    return otherwise;
  }
  bool Flag(std::string_view name, bool otherwise) {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    Fail(name, "true or false is needed");
    return otherwise;
  }
  double Number(std::string_view name, double otherwise) {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    if (value->is_number()) return value->get<double>();
    Fail(name, "a number is needed");
    return otherwise;
  }
  int64_t Whole(std::string_view name, int64_t otherwise, int64_t least, int64_t most) {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    const bool fits = value->is_number_integer() &&
                      !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX);
    if (fits && value->get<int64_t>() >= least && value->get<int64_t>() <= most) {
      return value->get<int64_t>();
    }
    Fail(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                   " is needed");
    return otherwise;
  }
  std::vector<std::string> Texts(std::string_view name, size_t most) {
    std::vector<std::string> texts;
    const Json* value = Find(name);
    if (value == nullptr) return texts;
    bool good = value->is_array() && value->size() <= most;
    for (const Json& one : good ? *value : Json::array()) {
      good = good && one.is_string() && !one.get_ref<const std::string&>().empty();
      if (good) texts.push_back(one.get<std::string>());
    }
    if (!good) Fail(name, "a list of at most " + std::to_string(most) + " strings is needed");
    return texts;
  }
  /// The position of the text in `choices`.
  size_t Choose(std::string_view name, std::span<const std::string_view> choices,
                size_t otherwise) {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (value->is_string() && value->get_ref<const std::string&>() == choices[i]) return i;
    }
    std::string known;
    for (std::string_view choice : choices)
      known += (known.empty() ? "" : ", ") + std::string(choice);
    Fail(name, "one of " + known + " is needed");
    return otherwise;
  }

  void Fail(std::string_view name, const std::string& what) {
    if (!status_.ok()) return;
    status_ = Status::InvalidArgument(PathOf(name) + ": " + what);
  }
  void Keep(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  std::string PathOf(std::string_view name) const {
    if (path_.empty()) return name.empty() ? "body" : std::string(name);
    return name.empty() ? path_ : path_ + "." + std::string(name);
  }

  Status Finish() {
    if (!status_.ok()) return status_;
    for (auto it = json_.begin(); it != json_.end(); ++it) {
      if (read_.contains(it.key())) continue;
      std::vector<std::string_view> names(read_.begin(), read_.end());
      const std::string_view near = NearestName(it.key(), names);
      Fail(it.key(), near.empty() ? "there is no such field"
                                  : "there is no such field; is " + std::string(near) + " meant?");
    }
    return status_;
  }

 private:
  const Json& json_;
  const std::string path_;
  std::set<std::string> read_;
  Status status_;
};

}  // namespace tapedeck

#endif  // TAPEDECK_REPLAY_JSON_READER_H_
