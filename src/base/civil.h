#ifndef TAPEDECK_BASE_CIVIL_H_
#define TAPEDECK_BASE_CIVIL_H_

// Days since 1970-01-01 to year, month and day of the proleptic Gregorian calendar, and back.
// Private to base.
//
// The algorithms are Howard Hinnant's ("chrono-Compatible Low-Level Date Algorithms"): years start
// in March, so that the leap day is the last, and 400 years are one era of 146,097 days.
//
// Thread-safe: pure functions.

#include <cstdint>

namespace tapedeck {

struct CivilDate {
  int32_t year = 1970;
  uint8_t month = 1;
  uint8_t day = 1;
};

constexpr CivilDate CivilFromDays(int32_t days) {
  int64_t shifted = int64_t{days} + 719'468;  // days since 0000-03-01
  int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  uint32_t day_of_era = static_cast<uint32_t>(shifted - era * 146'097);  // [0, 146096]
  uint32_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  uint32_t month_from_march = (5 * day_of_year + 2) / 153;
  uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
  return {static_cast<int32_t>(year), static_cast<uint8_t>(month), static_cast<uint8_t>(day)};
}

constexpr int64_t DaysFromCivil(CivilDate date) {
  int64_t year = int64_t{date.year} - (date.month <= 2 ? 1 : 0);
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  uint32_t year_of_era = static_cast<uint32_t>(year - era * 400);
  uint32_t month_from_march = date.month > 2 ? date.month - 3u : date.month + 9u;
  uint32_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + int64_t{day_of_era} - 719'468;
}

constexpr bool IsLeapYear(int32_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/// 1 <= month <= 12.
constexpr uint8_t DaysInMonth(int32_t year, uint32_t month) {
  constexpr uint8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[month - 1];
}

}  // namespace tapedeck

#endif  // TAPEDECK_BASE_CIVIL_H_
