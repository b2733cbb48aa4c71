#include "tape/archive_plan.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "archive/name_owner.h"
#include "archive/object_format.h"
#include "tape/fillers.h"

namespace tapedeck {
namespace {

// Who keeps a row that two have: the least.
using SourceName = std::pair<std::string, std::string>;  // node, store id

Status Contradicts(const RecordListing& listing, const std::string& what) {
  const RecordManifest& manifest = listing.manifest;
  return Status::FailedPrecondition(
      "the manifest " + listing.name + " of node '" + manifest.writer.node +
      "' says otherwise than this store " + what + " of table '" + manifest.table +
      "': give both nodes one mapping and one [tables." + manifest.table +
      "], or archives of their own; days without objects of that node can be read");
}

Status CheckTable(const Table& table, const RecordListing& listing) {
  const RecordManifest& manifest = listing.manifest;
  if (manifest.day_size != table.day_size) return Contradicts(listing, "how long a day is");
  if (manifest.identity != table.identity) return Contradicts(listing, "what the identity is");
  for (const Column& column : manifest.columns) {
    const int place = table.FindColumn(column.name);
    if (place < 0 || table.columns[static_cast<size_t>(place)].type != column.type) {
      return Contradicts(listing, "what column '" + column.name + "' is");
    }
  }
  return Status::Ok();
}

// The objects of one format: Parquet where there is a choice.
Result<std::vector<const ShippedObject*>> ChooseObjects(const RecordListing& listing) {
  std::vector<const ShippedObject*> chosen;
  std::string format(ObjectFormatName(ObjectFormat::kParquet));
  for (int again = 0; again < 2 && chosen.empty(); ++again) {
    for (const ShippedObject& object : listing.manifest.objects) {
      if (object.format == format) chosen.push_back(&object);
    }
    if (chosen.empty() && !listing.manifest.objects.empty()) {
      format = listing.manifest.objects.front().format;
    }
  }
  uint64_t rows = 0;
  for (const ShippedObject* object : chosen) rows += object->rows;
  if (rows == listing.manifest.rows) return chosen;
  return Status::Corruption("the objects of the manifest " + listing.name + " hold " +
                            std::to_string(rows) + " rows; it says " +
                            std::to_string(listing.manifest.rows));
}

class Planner {
 public:
  Planner(const ReadPoint* point, const Table* table)
      : point_(point), table_(table), fillers_(point, table->name) {}

  Result<ArchivePlan> Plan(Day first, Day last) {
    TD_RETURN_IF_ERROR(AddOwn(first, last));
    const ManifestSet* set = point_->manifests();
    if (set == nullptr) return std::move(plan_);
    if (point_->archive().own_only) return Finish();
    TD_ASSIGN_OR_RETURN(auto listed,
                        set->RecordsOf(table_->name, first, last, point_->archive().store));
    for (size_t from = 0; from < listed.size();) {
      size_t to = from;
      const Day day = listed[from].manifest().day;
      while (to < listed.size() && listed[to].manifest().day == day) ++to;
      TD_RETURN_IF_ERROR(AddOthers(day, listed.subspan(from, to - from)));
      from = to;
    }
    return Finish();
  }

 private:
  Result<ArchivePlan> Finish() {
    for (ManifestRows& part : plan_.parts) {
      TD_RETURN_IF_ERROR(CheckTable(*table_, *part.listing));
      TD_ASSIGN_OR_RETURN(part.objects, ChooseObjects(*part.listing));
    }
    std::stable_sort(plan_.parts.begin(), plan_.parts.end(), [](const auto& a, const auto& b) {
      return a.manifest().day < b.manifest().day;
    });
    return std::move(plan_);
  }

  // Generations of the store that are pruned.
  Status AddOwn(Day first, Day last) {
    TD_ASSIGN_OR_RETURN(const DayRange days, point_->Days(*table_, first, last));
    for (const auto& [key, entry] : days) {
      if (entry.phase != DayPhase::kPruned) continue;
      if (IsOfAnotherStore(entry.manifest, point_->archive().store)) {
        TD_RETURN_IF_ERROR(AddInherited(key.day, entry));
        continue;
      }
      const RecordListing* listing = point_->manifests() == nullptr
                                         ? nullptr
                                         : point_->manifests()->FindRecords(entry.manifest);
      if (listing == nullptr) return MissingManifest(*point_, entry.manifest);
      if (table_->upsert()) {
        TD_ASSIGN_OR_RETURN(listing, InForce(*listing));
      }
      if (own_.insert(listing).second) plan_.parts.push_back({listing, true, nullptr, {}});
    }
    return Status::Ok();
  }

  // Its rows come with the manifests of the store that shipped it.
  Status AddInherited(Day day, const DayEntry& entry) {
    if (point_->manifests() == nullptr || !FindStanding(*point_->manifests(), entry.manifest))
      return MissingManifest(*point_, entry.manifest);
    for (const DayEntry::Range& range : entry.vector)
      inherited_[day].Add(range.tp, range.from, range.to);
    return Status::Ok();
  }

  // What stands for this manifest of an upsert table, if anything does: its objects stay when
  // these leave. None of a generation that the point does not see.
  Result<const RecordListing*> InForce(const RecordListing& listing) const {
    const RecordManifest& wanted = listing.manifest;
    const RecordListing* best = &listing;
    TD_ASSIGN_OR_RETURN(const DayRange days, point_->Days(*table_, wanted.day, wanted.day));
    auto sees = [&](uint32_t generation) {
      return std::ranges::any_of(
          days, [&](const auto& one) { return one.first.generation == generation; });
    };
    auto listed = point_->manifests()->RecordsOf(table_->name, wanted.day, wanted.day,
                                                 point_->archive().store);
    if (!listed.ok()) return best;
    for (const ListedRecords& other : *listed) {
      const RecordManifest& m = other.manifest();
      if (m.writer.store != wanted.writer.store || m.generation <= best->manifest.generation ||
          !sees(m.generation)) {
        continue;
      }
      const auto& replaces = m.replaces;
      if (std::find(replaces.begin(), replaces.end(), wanted.generation) != replaces.end()) {
        best = other.listing.get();
      }
    }
    return best;
  }

  // What the manifests of other stores say of one day, and who keeps what.
  Status AddOthers(Day day, std::span<const ListedRecords> listed) {
    std::map<SourceName, std::vector<const RecordListing*>> sources;
    for (const ListedRecords& one : listed) {
      const ManifestWriter& writer = one.manifest().writer;
      const bool ours = writer.store == point_->archive().store || own_.contains(one.listing.get());
      if (ours || one.replaced_by != nullptr) continue;
      sources[{writer.node, writer.store}].push_back(one.listing.get());
    }
    if (sources.empty()) return Status::Ok();
    const SourceName us{point_->archive().node, point_->archive().store};
    sources.try_emplace(us);
    TapeOffsets kept;  // by those before
    for (const auto& [name, listings] : sources) {
      TapeOffsets covered;
      if (name == us) {
        TD_ASSIGN_OR_RETURN(covered, CoveredHere(day, sources));
        if (auto found = inherited_.find(day); found != inherited_.end())
          covered.Remove(found->second);
      } else {
        for (const RecordListing* listing : listings) Cover(*listing, &covered);
      }
      std::shared_ptr<const TapeOffsets> dropped;
      if (kept.Meets(covered)) {
        TapeOffsets both = covered;
        TapeOffsets alone = covered;
        alone.Remove(kept);
        both.Remove(alone);
        dropped = std::make_shared<const TapeOffsets>(std::move(both));
      }
      if (name == us) {
        if (dropped != nullptr) DropHere(day, dropped);
      } else {
        for (const RecordListing* listing : listings) Take(*listing, dropped);
      }
      kept.Add(covered);
    }
    return Status::Ok();
  }

  void Take(const RecordListing& listing, const std::shared_ptr<const TapeOffsets>& dropped) {
    if (listing.manifest.rows == 0) return;
    std::shared_ptr<const TapeOffsets> some;
    if (dropped != nullptr) {
      TapeOffsets covered;
      Cover(listing, &covered);
      if (dropped->HasAll(covered)) return;
      if (dropped->Meets(covered)) some = dropped;
    }
    plan_.parts.push_back({&listing, false, std::move(some), {}});
  }

  void DropHere(Day day, const std::shared_ptr<const TapeOffsets>& dropped) {
    plan_.dropped[day] = dropped;
    for (ManifestRows& part : plan_.parts) {
      if (part.own && part.manifest().day == day) part.dropped = dropped;
    }
  }

  void Cover(const RecordListing& listing, TapeOffsets* covered) const {
    TapeOffsets ranges;
    for (const TapeRange& range : listing.manifest.vector) {
      if (const auto tp = point_->FindTape(range.tape)) ranges.Add(*tp, range.from, range.to);
    }
    for (const TapeGap& gap : listing.manifest.gaps) {
      if (const auto tp = point_->FindTape(gap.tape)) ranges.Remove(*tp, gap.gap.from, gap.gap.to);
    }
    covered->Add(ranges);
  }

  // What the store itself has of the day on the tapes that others have, too.
  Result<TapeOffsets> CoveredHere(
      Day day, const std::map<SourceName, std::vector<const RecordListing*>>& sources) {
    TapeOffsets covered;
    std::set<TpId> seen;
    for (const auto& [name, listings] : sources) {
      for (const RecordListing* listing : listings) {
        for (const TapeRange& range : listing->manifest.vector) {
          const auto tp = point_->FindTape(range.tape);
          if (!tp || !point_->IsStored(*tp) || !seen.insert(*tp).second) continue;
          auto [known, made] = recorded_.try_emplace(*tp);
          if (made) {
            TD_ASSIGN_OR_RETURN(known->second, RecordedOffsets(*point_, *tp));
          }
          TapeOffsets here = known->second;
          TD_ASSIGN_OR_RETURN(const TapeOffsets unfilled, UnfilledHere(day, *tp));
          here.Remove(unfilled);
          covered.Add(here);
        }
      }
    }
    return covered;
  }

  // Offsets of a tape that are recorded, and of which no record is in the table: its mapping does
  // not fill it. What generations of the day cover is not among them, nor what is open.
  Result<TapeOffsets> UnfilledHere(Day day, TpId tp) {
    TapeOffsets unfilled;
    TD_ASSIGN_OR_RETURN(const bool fills, FillsNow(tp));
    if (fills || HasOpenRows(tp)) return unfilled;
    unfilled.Add(tp, INT64_MIN, INT64_MAX);
    TD_ASSIGN_OR_RETURN(const DayRange days, point_->Days(*table_, day, day));
    for (const auto& [key, entry] : days) {
      // Rows of tapes that were not noted.
      if (entry.rows > 0 && entry.vector.empty()) return TapeOffsets();
      for (const DayEntry::Range& range : entry.vector) {
        if (range.tp != tp) continue;
        unfilled.Remove(tp, range.from, entry.phase == DayPhase::kOpen ? INT64_MAX : range.to);
      }
    }
    return unfilled;
  }

  Result<bool> FillsNow(TpId tp) {
    for (const auto& [id, checkpoint] : point_->state().checkpoints) {
      if (id == tp) return fillers_.Fills(checkpoint.mapping);
    }
    return false;
  }

  // Whether rows of the table that no flush has written are from the tape.
  bool HasOpenRows(TpId tp) const {
    for (const auto& chunk : point_->chunks()) {
      for (const SeriesId series : chunk->series()) {
        if (point_->directory()->At(series).table != table_->id) continue;
        for (const uint32_t row : chunk->RowsOf(series)) {
          if (chunk->row(row).tp == tp) return true;
        }
      }
    }
    return false;
  }

  const ReadPoint* point_;
  const Table* table_;
  ArchivePlan plan_;
  std::set<const RecordListing*> own_;
  std::map<TpId, TapeOffsets> recorded_;
  std::map<Day, TapeOffsets> inherited_;  // whose rows are not here any more
  Fillers fillers_;
};

}  // namespace

bool ArchivePlan::HasOthers() const {
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) { return !part.own; });
}

bool ArchivePlan::Overlaps() const {
  return !dropped.empty() || std::any_of(parts.begin(), parts.end(),
                                         [](const auto& part) { return part.dropped != nullptr; });
}

Result<TapeOffsets> RecordedOffsets(const ReadPoint& point, TpId tp) {
  TapeOffsets offsets;
  if (!point.IsStored(tp)) return offsets;
  for (const auto& [id, checkpoint] : point.state().checkpoints) {
    if (id == tp) offsets.Add(tp, checkpoint.start, checkpoint.next);
  }
  TD_ASSIGN_OR_RETURN(std::vector<Gap> gaps, point.view().Gaps(tp));
  for (const Gap& gap : gaps) offsets.Remove(tp, gap.from, gap.to);
  return offsets;
}

const RecordListing* FindStanding(const ManifestSet& set, const std::string& name) {
  const RecordListing* best = set.FindRecords(name);
  const Result<ArchiveName> read = ParseArchiveName(name);
  if (!read.ok()) return best;
  const auto listed = set.RecordsOf(read->table, read->day, read->day, read->store);
  if (!listed.ok()) return best;
  for (const ListedRecords& one : *listed) {
    const RecordManifest& m = one.manifest();
    if (m.writer.store != read->store || one.replaced_by != nullptr) continue;
    if (std::ranges::find(m.replaces, read->generation) != m.replaces.end())
      best = one.listing.get();
  }
  return best;
}

Status MissingManifest(const ReadPoint& point, const std::string& name) {
  const std::string what = "the manifest " + name + ", which a pruned day needs, ";
  if (point.manifests() == nullptr) {
    return Status::FailedPrecondition(what + "is in an archive that this reader was not given");
  }
  for (const BrokenManifest& broken : point.manifests()->broken()) {
    if (broken.name == name) return broken.error.WithContext("a pruned day");
  }
  return Status::Unavailable(what + "has not been read yet");
}

Result<ArchivePlan> PlanArchive(const ReadPoint& point, const Table& table, int64_t start,
                                int64_t end) {
  return Planner(&point, &table).Plan(table.DayOf(Timestamp(start)), table.DayOf(Timestamp(end)));
}

}  // namespace tapedeck
