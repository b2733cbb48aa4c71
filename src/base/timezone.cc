#include "base/timezone.h"

// The library as Debian builds it: the system's compiled database, nothing downloaded.
#define USE_OS_TZDB 1
#define ONLY_C_LOCALE 1
#define HAS_STRING_VIEW 1
#include <date/tz.h>

#include <algorithm>
#include <exception>

namespace tapedeck {
namespace {

constexpr size_t kZoneNameMax = 64;

bool LooksLikeZone(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= kZoneNameMax && std::ranges::all_of(name, allowed);
}

date::local_seconds LocalSeconds(const CivilTime& local) {
  date::local_days day{date::year{local.year} / date::month{local.month} / date::day{local.day}};
  return day + std::chrono::hours(local.hour) + std::chrono::minutes(local.minute) +
         std::chrono::seconds(local.second);
}

}  // namespace

Result<TimeZone> TimeZone::Find(std::string_view name) {
  // What is not of a name's shape is not echoed: it can hold anything.
  if (!LooksLikeZone(name)) {
    return Status::InvalidArgument("not a time zone; zones are named like \"Europe/Warsaw\"");
  }
  try {
    const date::time_zone* zone = date::locate_zone(name);
    (void)zone->get_info(date::sys_seconds{});  // reads the zone's file now, not at the first use
    return TimeZone(std::string(name), zone);
  } catch (const std::exception&) {
    return Status::InvalidArgument("the system's time zone database does not know \"" +
                                   std::string(name) + "\"");
  }
}

Result<Timestamp> TimeZone::ToTimestamp(const CivilTime& local) const {
  CivilTime utc = local;
  utc.has_offset = true;
  try {
    auto zone = static_cast<const date::time_zone*>(zone_);
    date::local_info info = zone->get_info(LocalSeconds(local));
    if (info.result == date::local_info::nonexistent) {
      return TimestampFromUnits(info.first.end.time_since_epoch().count(), TimeUnit::kSeconds);
    }
    // Of two candidates `first` has the offset before the change, which is the earlier moment.
    utc.offset_seconds = static_cast<int32_t>(info.first.offset.count());
  } catch (const std::exception& error) {
    return Status::Internal("time zone " + name_ + ": " + error.what());
  }
  return CivilToTimestamp(utc);
}

}  // namespace tapedeck
