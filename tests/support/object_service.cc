#include "support/object_service.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <stdexcept>

#include "support/source_dir.h"

namespace tapedeck::testing {
namespace {

/// Runs a script of tests/services; its exit code, and what it prints with its errors behind it.
/// The words are ours: none needs quoting.
int RunScript(const std::string& words, std::string* out) {
  const std::string command = "'" + SourceDir() + "/tests/services/'" + words + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    *out = "popen fails";
    return -1;
  }
  std::array<char, 4096> buffer{};
  for (size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    out->append(buffer.data(), got);
  return ::pclose(pipe);
}

}  // namespace

std::unique_ptr<ObjectService> ObjectService::Start(const std::string& name,
                                                    const std::vector<std::string>& options,
                                                    std::string* why) {
  std::string words = name + " start --owner " + std::to_string(::getpid());
  for (const std::string& option : options) words += " " + option;
  std::string out;
  const int code = RunScript(words, &out);
  // The line of facts is the last; a first start tells before it what it downloads.
  const size_t begin = out.find("{\"service\"");
  if (code != 0 || begin == out.npos) {
    *why = out;
    return nullptr;
  }
  return std::unique_ptr<ObjectService>(
      new ObjectService(name, nlohmann::json::parse(out.substr(begin))));
}

ObjectService::~ObjectService() {
  std::string out;
  if (!facts_.at("dir").is_null() && RunScript(name_ + " stop " + Field("dir"), &out) != 0)
    std::fprintf(stderr, "%s", out.c_str());
}

std::string ObjectService::Field(const std::string& name) const {
  const auto found = facts_.find(name);
  return found == facts_.end() || !found->is_string() ? "" : found->get<std::string>();
}

void ObjectService::Control(const std::string& command) {
  std::string out;
  if (RunScript(name_ + " " + command + " " + Field("dir"), &out) != 0)
    throw std::runtime_error(out);
}

}  // namespace tapedeck::testing
