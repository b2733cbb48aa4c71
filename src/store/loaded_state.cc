// The helpers of StoreView: small entries, decoded.

#include "store/loaded_state.h"

#include "base/bytes.h"
#include "store/batch_rep.h"
#include "store/store.h"

namespace tapedeck {
namespace {

// Calls `take` for every entry under a prefix; a Status of it that is not OK ends the scan.
template <typename F>
Status ForEach(const StoreView& view, const std::string& prefix, F take) {
  std::unique_ptr<StoreCursor> cursor = view.Scan(prefix, keys::After(prefix), ScanKind::kPoint);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_RETURN_IF_ERROR(take(cursor->key(), cursor->value()));
  }
  return cursor->status();
}

// Names of what is no job among the `j` entries: all behind this; and, of older versions, so.
constexpr std::string_view kBesideJobs = "~";
constexpr std::string_view kBesideJob = ".offsets";

std::string PrefixOf(keys::Prefix prefix) { return std::string(1, static_cast<char>(prefix)); }

std::string Name(TpId tp) { return "topic-partition " + std::to_string(Raw(tp)); }

// Varints of an `m` entry; 0 for those that are not there because the entry was never written.
Status ReadCounters(const StoreView& view, std::string_view name,
                    std::initializer_list<uint64_t*> counters) {
  Result<std::string> value = view.Get(keys::Meta(name));
  if (value.status().code() == StatusCode::kNotFound) return Status::Ok();
  TD_RETURN_IF_ERROR(value.status());
  ByteReader reader(*value);
  for (uint64_t* counter : counters) *counter = reader.Varint();
  if (!reader.done())
    return Status::Corruption("stored counter '" + std::string(name) + "' is damaged");
  return Status::Ok();
}

Status LoadTables(const StoreView& view, TableRegistry* tables) {
  return ForEach(view, PrefixOf(keys::Prefix::kTable),
                 [&](std::string_view key, std::string_view value) -> Status {
                   if (key.size() != 3)
                     return Status::Corruption("a key of the store is not a table key");
                   TableId id{static_cast<uint16_t>(static_cast<uint8_t>(key[1]) << 8 |
                                                    static_cast<uint8_t>(key[2]))};
                   TD_ASSIGN_OR_RETURN(Table table, DecodeTable(id, value));
                   return tables->Restore(std::move(table));
                 });
}

Status LoadTapes(const StoreView& view, StoreState* state) {
  TD_RETURN_IF_ERROR(ForEach(view, PrefixOf(keys::Prefix::kTape),
                             [&](std::string_view key, std::string_view value) -> Status {
                               TD_ASSIGN_OR_RETURN(TpId tp, keys::ParseTp(key));
                               Result<TapeId> tape = DecodeTapeId(value);
                               if (!tape.ok()) return tape.status().WithContext(Name(tp));
                               state->tapes.emplace_back(tp, std::move(*tape));
                               return Status::Ok();
                             }));
  return ForEach(view, PrefixOf(keys::Prefix::kCheckpoint),
                 [&](std::string_view key, std::string_view value) -> Status {
                   TD_ASSIGN_OR_RETURN(TpId tp, keys::ParseTp(key));
                   Result<Checkpoint> checkpoint = DecodeCheckpoint(value);
                   if (!checkpoint.ok()) return checkpoint.status().WithContext(Name(tp));
                   state->checkpoints.emplace_back(tp, *checkpoint);
                   return Status::Ok();
                 });
}

Result<DayList::value_type> ParseDay(std::string_view key, std::string_view value) {
  TD_ASSIGN_OR_RETURN(keys::DayKey day, keys::ParseDayState(key));
  Result<DayEntry> entry = DecodeDay(value);
  if (!entry.ok()) {
    return entry.status().WithContext("table " + std::to_string(Raw(day.table)) + ", " +
                                      day.day.ToString());
  }
  return DayList::value_type(day, std::move(*entry));
}

}  // namespace

Result<Checkpoint> StoreView::GetCheckpoint(TpId tp) const {
  TD_ASSIGN_OR_RETURN(std::string value, Get(keys::Checkpoint(tp)));
  Result<Checkpoint> checkpoint = DecodeCheckpoint(value);
  if (!checkpoint.ok()) return checkpoint.status().WithContext(Name(tp));
  return checkpoint;
}

Result<std::string> StoreView::GetMapping(const Hash128& hash) const {
  Result<std::string> text = Get(keys::Mapping(hash));
  if (text.status().code() == StatusCode::kNotFound) {
    return Status::NotFound("mapping " + hash.ToString() + " is not in the store");
  }
  return text;
}

Result<StoreState> StoreView::LoadState() const {
  TD_ASSIGN_OR_RETURN(StoreState state, LoadStateWithoutDays(*this));
  TD_RETURN_IF_ERROR(ForEach(*this, PrefixOf(keys::Prefix::kDay),
                             [&](std::string_view key, std::string_view value) -> Status {
                               TD_ASSIGN_OR_RETURN(state.days.emplace_back(), ParseDay(key, value));
                               return Status::Ok();
                             }));
  return state;
}

Result<StoreState> LoadStateWithoutDays(const StoreView& view) {
  StoreState state;
  TD_RETURN_IF_ERROR(ReadCounters(view, meta_names::kCommit, {&state.commit}));
  TD_RETURN_IF_ERROR(ReadCounters(view, meta_names::kFlush, {&state.flush, &state.flushed_commit}));
  TD_RETURN_IF_ERROR(LoadTables(view, &state.tables));
  TD_RETURN_IF_ERROR(LoadTapes(view, &state));
  TD_ASSIGN_OR_RETURN(state.ships, view.Ships());
  return state;
}

Status VisitDays(const StoreView& view, const keys::DayKey& first, const keys::DayKey& last,
                 const std::function<bool(const keys::DayKey&, DayEntry)>& use) {
  const std::string end =
      keys::DayState(last.table, last.day, last.generation) + std::string(1, '\0');
  auto cursor =
      view.Scan(keys::DayState(first.table, first.day, first.generation), end, ScanKind::kPoint);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(DayList::value_type day, ParseDay(cursor->key(), cursor->value()));
    if (!use(day.first, std::move(day.second))) return Status::Ok();
  }
  return cursor->status();
}

Result<DayList> LoadDays(const StoreView& view, const keys::DayKey& first,
                         const keys::DayKey& last) {
  DayList days;
  TD_RETURN_IF_ERROR(VisitDays(view, first, last, [&](const keys::DayKey& key, DayEntry entry) {
    days.emplace_back(key, std::move(entry));
    return true;
  }));
  return days;
}

TapeShip StoreState::ShipOf(TpId tp) const {
  for (const auto& [id, ship] : ships) {
    if (id == tp) return ship;
  }
  for (const auto& [id, checkpoint] : checkpoints) {
    if (id != tp) continue;
    return {.shipped = checkpoint.start, .pruned = checkpoint.start, .messages = checkpoint.start};
  }
  return {};
}

Result<std::vector<std::pair<TpId, TapeShip>>> StoreView::Ships() const {
  std::vector<std::pair<TpId, TapeShip>> ships;
  TD_RETURN_IF_ERROR(ForEach(*this, PrefixOf(keys::Prefix::kTapeShip),
                             [&](std::string_view key, std::string_view value) -> Status {
                               TD_ASSIGN_OR_RETURN(TpId tp, keys::ParseTp(key));
                               Result<TapeShip> ship = DecodeTapeShip(value);
                               if (!ship.ok()) return ship.status().WithContext(Name(tp));
                               ships.emplace_back(tp, std::move(*ship));
                               return Status::Ok();
                             }));
  return ships;
}

Result<std::vector<std::pair<std::string, ObjectEntry>>> StoreView::Objects() const {
  std::vector<std::pair<std::string, ObjectEntry>> objects;
  TD_RETURN_IF_ERROR(ForEach(*this, PrefixOf(keys::Prefix::kObject),
                             [&](std::string_view key, std::string_view value) -> Status {
                               TD_ASSIGN_OR_RETURN(std::string name, keys::ParseObject(key));
                               Result<ObjectEntry> entry = DecodeObject(value);
                               if (!entry.ok()) return entry.status().WithContext(name);
                               objects.emplace_back(std::move(name), *entry);
                               return Status::Ok();
                             }));
  return objects;
}

Result<std::vector<std::pair<std::string, std::string>>> StoreView::Jobs() const {
  std::vector<std::pair<std::string, std::string>> jobs;
  // What a job keeps beside its entry may be large: it is read when it is asked for.
  const std::unique_ptr<StoreCursor> cursor =
      Scan(PrefixOf(keys::Prefix::kJob), keys::Job(kBesideJobs), ScanKind::kPoint);
  for (cursor->SeekToFirst(); cursor->Valid(); cursor->Next()) {
    TD_ASSIGN_OR_RETURN(std::string id, keys::ParseJob(cursor->key()));
    if (!id.ends_with(kBesideJob)) jobs.emplace_back(std::move(id), cursor->value());
  }
  TD_RETURN_IF_ERROR(cursor->status());
  return jobs;
}

Result<std::vector<tapedeck::Gap>> StoreView::Gaps(TpId tp) const {
  std::vector<tapedeck::Gap> gaps;
  std::string prefix = keys::Gap(tp, 0);
  prefix.resize(prefix.size() - sizeof(int64_t));
  TD_RETURN_IF_ERROR(
      ForEach(*this, prefix, [&](std::string_view key, std::string_view value) -> Status {
        TD_ASSIGN_OR_RETURN(keys::TpOffsetKey at, keys::ParseTpOffset(key));
        Result<tapedeck::Gap> gap = DecodeGap(at.offset, value);
        if (!gap.ok())
          return gap.status().WithContext(Name(tp) + " gap at " + std::to_string(at.offset));
        gaps.push_back(std::move(*gap));
        return Status::Ok();
      }));
  return gaps;
}

}  // namespace tapedeck
