#ifndef TAPEDECK_BASE_TIMEZONE_H_
#define TAPEDECK_BASE_TIMEZONE_H_

// TimeZone: an IANA zone ("Europe/Warsaw") that turns local dates and times into moments.
//
// An ambiguous local time (the hour that happens twice) is the earlier moment; one that does not
// exist (the hour that is left out) is the moment at which the clocks were put forward. Wraps
// Howard Hinnant's date library.
//
// Thread-safe after construction.

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace tapedeck {

class TimeZone {
 public:
  /// kInvalidArgument, naming the zone, where the system's database does not know it.
  static Result<TimeZone> Find(std::string_view name);

  /// The moment of a local time; its own offset, if it has one, is ignored here: test has_offset
  /// first.
  Result<Timestamp> ToTimestamp(const CivilTime& local) const;
  std::string_view name() const { return name_; }

 private:
  TimeZone(std::string name, const void* zone) : name_(std::move(name)), zone_(zone) {}
  std::string name_;
  const void* zone_;  // date::time_zone; lives as long as the process
};

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_TIMEZONE_H_
