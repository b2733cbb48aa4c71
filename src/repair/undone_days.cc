#include "repair/undone_days.h"

#include <algorithm>

namespace tapedeck {

// Messages of a mixed one go by a mapping of before, while those of its rows that share their
// blocks do not.
UndoneDays::UndoneDays(const Wreck* wreck) : wreck_(wreck) {
  for (const auto& [key, entry] : wreck_->rebuilt) {
    if (entry.mixed) found_.emplace(key.table, key.day);
  }
}

void UndoneDays::Archived(TpId tp, int64_t from, int64_t to) {
  for (const auto& [key, entry] : wreck_->rebuilt) {
    const bool meets = std::ranges::any_of(entry.vector, [&](const DayEntry::Range& range) {
      return range.tp == tp && range.from < to && from < range.to;
    });
    if (meets) found_.emplace(key.table, key.day);
  }
}

std::vector<std::string> UndoneDays::Notes() const {
  std::vector<std::string> notes;
  for (const auto& [id, day] : found_) {
    const auto table = wreck_->tables.find(id);
    const std::string name =
        table != wreck_->tables.end() ? table->second.name : "table " + std::to_string(Raw(id));
    notes.push_back("a reindex of " + name + " " + day.ToString() +
                    " had ended and was not in the archive yet: it is undone, in whole or in "
                    "part; reindex that day again");
  }
  return notes;
}

}  // namespace tapedeck
