#include "ship/scrub.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/secure_hash.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kRoundEvery(10);
constexpr milliseconds kLookEvery(50);  // for stop

bool NoAnswer(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kResourceExhausted || status.code() == StatusCode::kCancelled;
}

}  // namespace

Scrub::Scrub(ScrubOptions options, ScrubParts parts)
    : options_(options), parts_(std::move(parts)), time_(parts_.clock) {}

Status Scrub::Run(const std::atomic<bool>& stop) {
  stop_ = &stop;
  while (!Stopped()) {
    Round();
    const MonotonicTime next = parts_.clock->Monotonic() + kRoundEvery;
    while (!Stopped() && parts_.clock->Monotonic() < next) parts_.clock->SleepFor(kLookEvery);
  }
  return Status::Ok();
}

ScrubState Scrub::State() const {
  std::lock_guard lock(mutex_);
  return state_;
}

// Tapes and records alike. What was replaced leaves by itself.
Scrub::ListedByName Scrub::ListOf(const ManifestSet& set) {
  ListedByName list;
  for (const ListedRecords& records : set.records()) {
    if (records.replaced_by != nullptr) continue;
    list[records.listing->name] = {nullptr, &records.listing->name};
    for (const ShippedObject& object : records.manifest().objects)
      list[object.name] = {&object, &records.listing->name};
  }
  for (const std::shared_ptr<const TapeListing>& tape : set.tapes()) {
    list[tape->name] = {nullptr, &tape->name};
    for (const ShippedObject& object : tape->manifest.objects)
      list[object.name] = {&object, &tape->name};
  }
  return list;
}

Timestamp Scrub::MomentAfter(const std::string& name, Timestamp after) const {
  const int64_t period = options_.period.count();
  const auto phase = static_cast<int64_t>(HashBytes64(name) % static_cast<uint64_t>(period));
  int64_t since = (after.ns() - phase) % period;  // of its last moment
  if (since < 0) since += period;
  return after.SaturatingAdd(period - since);
}

void Scrub::Round() {
  const Timestamp now = time_.Now();
  if (!done_to_) done_to_ = now;
  const std::shared_ptr<const ManifestSet> set = parts_.manifests();
  if (set == nullptr || !set->loaded()) return;
  const ListedByName listed = ListOf(*set);
  live_.objects = listed.size();
  live_.last_error.clear();
  LookAgain(listed);
  // More than a period of moments holds nothing that one does not.
  done_to_ = std::max(*done_to_, now.SaturatingAdd(-options_.period.count()));
  std::vector<std::pair<Timestamp, const ListedByName::value_type*>> due;
  for (const auto& one : listed) {
    const Timestamp moment = MomentAfter(one.first, *done_to_);
    if (moment <= now) due.emplace_back(moment, &one);
  }
  std::ranges::sort(due);
  for (size_t i = 0; i < due.size() && !Stopped() && live_.last_error.empty(); ++i) {
    const auto& [moment, one] = due[i];
    live_.behind = nanoseconds(time_.Now().ns() - moment.ns());
    const Status checked = Check(one->first, one->second);
    if (!checked.ok()) {
      live_.last_error = checked.ToString();
      break;
    }
    if (i + 1 == due.size() || due[i + 1].first != moment) done_to_ = moment;
    Publish();
  }
  if (live_.last_error.empty() && !Stopped()) {
    done_to_ = now;
    live_.behind = nanoseconds(0);
  }
  Publish();
}

void Scrub::LookAgain(const ListedByName& listed) {
  std::erase_if(damaged_, [&](const auto& one) { return !listed.contains(one.first); });
  std::vector<std::string> names;
  for (const auto& [name, damage] : damaged_) {
    if (time_.Now() >= looked_[name].SaturatingAdd(options_.again.count())) names.push_back(name);
  }
  for (const std::string& name : names) {
    if (Stopped()) return;
    const Status checked = Check(name, listed.at(name));
    if (!checked.ok()) live_.last_error = checked.ToString();
  }
}

Status Scrub::Check(const std::string& name, const Listed& listed) {
  TD_ASSIGN_OR_RETURN(const std::string what,
                      listed.object == nullptr ? LookAtManifest(name) : Look(*listed.object));
  ++live_.checked;
  looked_[name] = time_.Now();
  if (what.empty()) {
    if (damaged_.erase(name) > 0)
      TD_LOG(kInfo, "scrub", "whole-again", "an object is as it was shipped", {{"name", name}});
    looked_.erase(name);
    return Status::Ok();
  }
  // It may have been replaced, and collected, since the list was made.
  const std::shared_ptr<const ManifestSet> set = parts_.manifests();
  if (set != nullptr && !ListOf(*set).contains(name)) return Status::Ok();
  auto [known, made] = damaged_.try_emplace(
      name, DamagedObject{
                .name = name, .manifest = *listed.manifest, .what = what, .found_at = time_.Now()});
  known->second.what = what;
  if (made) {
    TD_LOG(kError, "scrub", "damaged", "an object of the archive is not what was shipped",
           {{"name", name}, {"manifest", *listed.manifest}, {"what", what}});
  }
  return Status::Ok();
}

Result<std::string> Scrub::LookAtManifest(const std::string& name) {
  const Status read = ReadManifest(parts_.blobs, name).status();
  if (read.code() == StatusCode::kNotFound) return std::string("it is missing");
  if (NoAnswer(read)) return read;
  return read.ok() ? std::string() : "it cannot be read: " + read.ToString();
}

Result<std::string> Scrub::Look(const ShippedObject& object) {
  Result<std::unique_ptr<Blob>> blob = parts_.blobs->Open(object.name);
  if (blob.status().code() == StatusCode::kNotFound) return std::string("it is missing");
  if (NoAnswer(blob.status())) return blob.status();
  if (!blob.ok()) return "it cannot be opened: " + blob.status().ToString();
  const uint64_t bytes = (*blob)->stat().bytes;
  if (bytes != object.bytes) {
    return "it has " + std::to_string(bytes) + " bytes; the manifest says " +
           std::to_string(object.bytes);
  }
  SecureHash sum(SecureHash::Kind::kSha256);
  const Status read = (*blob)->StreamAll([&](std::string_view piece) -> Status {
    if (Stopped()) return Status::Cancelled("the node stops");
    sum.Update(piece);
    live_.checked_bytes += piece.size();
    Pace(piece.size());
    return Status::Ok();
  });
  if (NoAnswer(read)) return read;
  if (!read.ok()) return "it cannot be read: " + read.ToString();
  const std::string sha256 = ToHex(sum.Finish());
  if (sha256 == object.sha256) return std::string();
  return "its SHA-256 is " + sha256 + "; the manifest says " + object.sha256;
}

// Waits as long as the bytes take at the greatest rate.
void Scrub::Pace(uint64_t bytes) {
  const double wait_s = double(bytes) / double(std::max<uint64_t>(options_.bytes_per_second, 1));
  const MonotonicTime until =
      parts_.clock->Monotonic() + nanoseconds(static_cast<int64_t>(wait_s * 1e9));
  for (MonotonicTime now = parts_.clock->Monotonic(); now < until && !Stopped();
       now = parts_.clock->Monotonic()) {
    parts_.clock->SleepFor(std::min<nanoseconds>(until - now, kLookEvery));
  }
}

void Scrub::Publish() {
  live_.damaged.clear();
  for (const auto& [name, damage] : damaged_) live_.damaged.push_back(damage);
  std::lock_guard lock(mutex_);
  state_ = live_;
}

}  // namespace tapedeck
