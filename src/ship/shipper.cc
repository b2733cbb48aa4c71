#include "ship/shipper.h"

#include <algorithm>
#include <filesystem>

#include "archive/object_format.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "ship/shipper_impl.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRoundEvery(1000);
constexpr milliseconds kLookEvery(50);  // for stop and requests

bool InHand(DayPhase phase) { return phase > DayPhase::kOpen && phase < DayPhase::kShipped; }

}  // namespace

Result<std::unique_ptr<Shipper>> Shipper::Make(ShipOptions options, ShipParts parts) {
  if (options.formats.empty())
    return Status::InvalidArgument("the archive needs a format: archive.formats is empty");
  for (const std::string& format : options.formats)
    TD_RETURN_IF_ERROR(ParseObjectFormat(format).status());
  if (options.work_folder.empty())
    return Status::InvalidArgument("shipping needs a folder to work in");
  return std::unique_ptr<Shipper>(new ShipperImpl(std::move(options), std::move(parts)));
}

ShipperImpl::ShipperImpl(ShipOptions options, ShipParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      journey_(&options_, &parts_),
      policy_(options_.close_after),
      pruner_(&journey_),
      random_(HashBytes64(parts_.store->meta().store_id)) {}

Status ShipperImpl::Prepare() {
  std::error_code error;
  std::filesystem::remove_all(options_.work_folder, error);
  if (!error) std::filesystem::create_directories(options_.work_folder, error);
  if (!error) return Status::Ok();
  return StatusFromErrno(error.value(), "emptying " + options_.work_folder);
}

Status ShipperImpl::Run(const std::atomic<bool>& stop) {
  journey_.stop = &stop;
  live_.running = true;
  Status end;
  bool prepared = false;
  while (!stop.load(std::memory_order_relaxed)) {
    if (!prepared && MayTry("work")) prepared = Note("work", "", Prepare());
    if (prepared) end = Round();
    if (!end.ok()) {
      TD_LOG(kError, "ship", "halted", end.ToString());
      break;
    }
    Wait();
  }
  live_.running = false;
  if (!end.ok()) live_.halted = end.ToString();
  std::lock_guard lock(mutex_);
  state_ = live_;
  return end;
}

// Until the next round: a while, or until somebody asks for something.
void ShipperImpl::Wait() {
  for (auto waited = milliseconds(0); waited < kRoundEvery; waited += kLookEvery) {
    if (!journey_.CheckStop().ok() || Asked()) return;
    parts_.clock->SleepFor(kLookEvery);
  }
}

bool ShipperImpl::Asked() const {
  std::lock_guard lock(mutex_);
  return !to_close_.empty() ||
         (all_requests_ > 0 &&
          (all_.empty() ? live_.requests_done : all_.back().number) < all_requests_);
}

Result<std::vector<DayState>> ShipperImpl::RequestClose(Day day, std::vector<std::string> tables) {
  TD_ASSIGN_OR_RETURN(const StoreState state, parts_.store->View()->LoadState());
  if (tables.empty()) {
    for (const Table& table : state.tables.tables()) tables.push_back(table.name);
  }
  std::vector<DayState> answer;
  std::vector<ShipDay> wanted;
  for (const std::string& name : tables) {
    const Table* table = state.tables.Find(name);
    if (table == nullptr) return Status::NotFound("there is no table " + Quoted(name));
    const Day first = table->DayOf(day.start());
    wanted.push_back({name, first});
    bool any = false;
    for (const auto& [key, entry] : state.days) {
      if (key.table != table->id || key.day != first || !entry.counts()) continue;
      any = true;
      answer.push_back({.table = name,
                        .day = first,
                        .generation = key.generation,
                        .phase = entry.phase,
                        .rows = entry.rows,
                        .manifest = entry.phase >= DayPhase::kShipped ? entry.manifest : "",
                        .trouble = ""});
    }
    if (!any) answer.push_back({.table = name, .day = first, .manifest = "", .trouble = ""});
  }
  std::lock_guard lock(mutex_);
  for (ShipDay& one : wanted) {
    const bool known = std::ranges::any_of(
        to_close_, [&](const ShipDay& d) { return d.table == one.table && d.day == one.day; });
    if (!known) to_close_.push_back(std::move(one));
  }
  return answer;
}

uint64_t ShipperImpl::RequestAll() {
  std::lock_guard lock(mutex_);
  return ++all_requests_;
}

ShipState ShipperImpl::State() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void ShipperImpl::PublishState(const StoreState& state) {
  live_.days.clear();
  live_.oldest_open_day.clear();
  live_.pruned_bytes = pruner_.bytes();
  for (const auto& [key, entry] : state.days) {
    const Table* table = state.tables.Find(key.table);
    if (table == nullptr || entry.phase >= DayPhase::kShipped || !entry.counts()) continue;
    if (entry.rows == 0 && !entry.rebuilt) continue;
    auto [oldest, made] = live_.oldest_open_day.try_emplace(table->name, key.day.start());
    if (!made) oldest->second = std::min(oldest->second, key.day.start());
    if (!InHand(entry.phase)) continue;
    const auto trouble = troubles_.find("day " + table->name + " " + key.day.ToString() + " " +
                                        std::to_string(key.generation));
    live_.days.push_back({.table = table->name,
                          .day = key.day,
                          .generation = key.generation,
                          .phase = entry.phase,
                          .rows = entry.rows,
                          .manifest = "",
                          .trouble = trouble == troubles_.end() ? "" : trouble->second.text});
  }
  live_.last_error.clear();
  for (const auto& [what, trouble] : troubles_) {
    if (!trouble.text.empty()) live_.last_error = what + ": " + trouble.text;
  }
  std::lock_guard lock(mutex_);
  state_ = live_;
}

}  // namespace tapedeck
