#include "base/failpoint.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "base/clock.h"
#include "base/decimal.h"

namespace tapedeck {
namespace {

constexpr char kVariable[] = "TAPEDECK_FAILPOINT";

/// The names in the program. One that is hit and missing here aborts, so the list cannot fall
/// behind the code.
constexpr std::string_view kNames[] = {
    "record.after_broker_commit",
    "record.after_commit",
    "record.after_flush",
    "record.after_poll",
    "record.before_broker_commit",
    "record.before_commit",
    "record.before_flush",
    "record.before_heal",
    "record.before_publish",
    "record.merge_applied",
    "record.merge_prepared",
    "record.new_lineage",
    "record.on_assign",
    "record.on_revoke",
    "record.recover",
    "record.shutdown",
    "record.tail_check",
    "reindex.built",
    "reindex.cancelled",
    "reindex.flushed",
    "reindex.gone",
    "reindex.piece",
    "reindex.planned",
    "reindex.requested",
    "reindex.reserved",
    "reindex.swept",
    "reindex.switched",
    "repair.after_exchange",
    "repair.before_exchange",
    "repair.tape",
    "replay.after_commit",
    "replay.before_commit",
    "replay.owned",
    "replay.sent",
    "replay.start",
    "replay.started",
    "replay.verifying",
    "retain.day_batch",
    "retain.tape_batch",
    "ship.before_manifest",
    "ship.before_new_id",
    "ship.before_prune",
    "ship.collected",
    "ship.files",
    "ship.manifest_put",
    "ship.message_put",
    "ship.new_id",
    "ship.object_put",
    "ship.prune_batch",
    "ship.pruned",
    "ship.shipped",
    "ship.tape_before_manifest",
    "ship.tape_before_prune",
    "ship.tape_file",
    "ship.tape_manifest_put",
    "ship.tape_pruned",
    "ship.tape_put",
    "ship.tape_shipped",
    "ship.tape_uploaded",
    "ship.tape_verified",
    "ship.tape_written",
    "ship.uploaded",
    "ship.verified",
    "ship.written",
    "store.after_write",
    "store.before_write",
    "store.open",
};

static_assert(std::ranges::is_sorted(kNames), "names are searched by halving: keep them sorted");

enum class Action : uint8_t { kAbort = 0, kEio = 1, kSleep = 2 };

/// One "name:n:action" of the variable, and how often the place was passed.
struct Armed {
  std::string name;
  uint64_t at_hit = 0;
  Action action = Action::kAbort;
  std::chrono::milliseconds sleep{0};
  uint64_t hits = 0;
};

bool IsListed(std::string_view name) {
  return std::binary_search(std::begin(kNames), std::end(kNames), name);
}

/// A variable that cannot be meant would let a fault test pass without its fault.
[[noreturn]] void Refuse(std::string_view part, const char* why) {
  std::fprintf(stderr, "%s: \"%.*s\": %s; write <name>:<hit>:abort, eio or sleep=<ms>\n", kVariable,
               static_cast<int>(part.size()), part.data(), why);
  CheckFailed(__FILE__, __LINE__, kVariable, why);
}

std::string_view CutAt(std::string_view* rest, char separator) {
  size_t end = std::min(rest->find(separator), rest->size());
  std::string_view part = rest->substr(0, end);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return part;
}

/// False where `text` is not a whole number.
bool ParseCount(std::string_view text, uint64_t* value) {
  Decimal decimal;
  std::string unused;
  if (ParseDecimal(text, &decimal, &unused) != DecimalForm::kDecimal) return false;
  if (decimal.scale != 0 || decimal.mantissa < 0) return false;
  *value = static_cast<uint64_t>(decimal.mantissa);
  return true;
}

Armed ParseArmed(std::string_view part) {
  std::string_view rest = part;
  Armed armed;
  armed.name = std::string(CutAt(&rest, ':'));
  if (!IsListed(armed.name)) Refuse(part, "there is no failpoint of this name");
  if (!ParseCount(CutAt(&rest, ':'), &armed.at_hit) || armed.at_hit == 0) {
    Refuse(part, "the hit is a number from 1");
  }
  constexpr std::string_view kSleep = "sleep=";
  uint64_t milliseconds = 0;
  if (rest == "abort") {
    armed.action = Action::kAbort;
  } else if (rest == "eio") {
    armed.action = Action::kEio;
  } else if (rest.starts_with(kSleep) && ParseCount(rest.substr(kSleep.size()), &milliseconds)) {
    armed.action = Action::kSleep;
    armed.sleep = std::chrono::milliseconds(milliseconds);
  } else {
    Refuse(part, "there is no such action");
  }
  return armed;
}

/// What the variable asks for. Part of the process, like the variable itself; made at the first
/// hit.
class ArmedFailpoints {
 public:
  ArmedFailpoints() {
    const char* value = std::getenv(kVariable);
    std::string_view rest = value != nullptr ? value : "";
    while (!rest.empty()) armed_.push_back(ParseArmed(CutAt(&rest, ',')));
  }

  /// Counts the hit; true where an action is due, which is then in `due`.
  bool Hit(std::string_view name, Armed* due) {
    std::lock_guard lock(mutex_);
    bool found = false;
    for (Armed& armed : armed_) {
      if (armed.name != name || ++armed.hits != armed.at_hit) continue;
      *due = armed;
      found = true;
    }
    return found;
  }

 private:
  std::mutex mutex_;  // protects armed_
  std::vector<Armed> armed_;
};

bool ArmedByEnvironment() {
  const char* value = std::getenv(kVariable);
  return value != nullptr && *value != '\0';
}

}  // namespace

const bool kFailpointsArmed = ArmedByEnvironment();

Status FailpointHitSlow(std::string_view name) {
  TD_CHECK(IsListed(name), "every failpoint is listed in failpoint.cc");
  static ArmedFailpoints* const failpoints = new ArmedFailpoints;
  Armed due;
  if (!failpoints->Hit(name, &due)) return Status::Ok();
  std::fprintf(stderr, "failpoint %s: hit %llu\n", due.name.c_str(),
               static_cast<unsigned long long>(due.hits));
  std::fflush(stderr);
  switch (due.action) {
    case Action::kAbort:
      ::kill(::getpid(), SIGKILL);
      ::pause();
      break;
    case Action::kEio:
      return Status::Internal("input/output error made by failpoint " + due.name);
    case Action::kSleep:
      SystemClock().SleepFor(due.sleep);
      break;
  }
  return Status::Ok();
}

const std::vector<std::string_view>& AllFailpoints() {
  static const auto* const names =
      new std::vector<std::string_view>(std::begin(kNames), std::end(kNames));
  return *names;
}

}  // namespace tapedeck
