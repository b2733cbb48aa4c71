#include "repair/repair.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/failpoint.h"
#include "model/keys.h"
#include "record/healer.h"
#include "record/rerecord.h"
#include "repair/archived_part.h"
#include "repair/repair_decoders.h"
#include "repair/repair_plan.h"
#include "repair/repair_tables.h"
#include "repair/undone_days.h"
#include "repair/wreck_reader.h"

namespace tapedeck {
namespace {

class Repairer {
 public:
  Repairer(Salvage* salvage, const Wreck* wreck, Store* fresh, const RepairOptions* options,
           StoreState state)
      : salvage_(salvage),
        wreck_(wreck),
        fresh_(fresh),
        options_(options),
        again_(fresh,
               {.clock = options->clock,
                .flush_bytes = options->flush_bytes,
                .progress = [this](uint64_t messages,
                                   uint64_t records) { Report(messages, records); }},
               std::move(state)),
        decoders_(wreck, options, &again_.book().tables, fresh, &report_.notes,
                  [this](const MappingSpec& spec) { return CheckTables(spec); }),
        undone_(wreck),
        archived_decoders_(options->manifests, &again_.book().tables) {}

  Result<RepairReport> Run();

 private:
  /// A tape of the store, of the archive, or of both.
  struct Task {
    TapeId tape;
    TpId tp{UINT32_MAX};  // in the damaged store
    const WreckTape* local = nullptr;
    const RestoreTape* archived = nullptr;
  };

  Status CheckNames() const;
  Status CheckTapes();
  Status CheckArchive(const Task& task, const RepairPlan& plan);
  Status CheckElsewhere(const Task& task, const RepairStep& step);
  Status Doubt(const std::string& what, const std::string& way_out);
  Status DeclareTables();
  Status CheckTables(const MappingSpec& spec);
  Status PutSmall();
  Result<std::vector<Task>> FindTasks();
  Status Repair(const Task& task);
  Hash128 MappingInForce(const Task& task) const;
  static Status PassDropped(const RepairPlan& plan, WreckReader* reader);
  static Landmark LastOf(const Task& task, const RepairPlan& plan);
  Status TakeMessages(const Task& task, const RepairPlan& plan, WreckReader* reader);
  Status TakeStep(const Task& task, const RepairStep& step);
  Status TakePart(const Task& task, const RepairStep& step);
  void BeginTape(const Task& task);
  Hash128 MappingOf(const Task& task, const WreckBlock& block) const;
  Status Take(const Task& task, const MessageView& message, Timestamp received,
              const Hash128& mapping);
  void Lose(int64_t from, int64_t to, const WreckNote* note, std::string_view detail = {});
  Status NameLost(const Task& task, int64_t kafka_after_ms);
  void NameUndone();
  void Report(uint64_t messages, uint64_t records);

  Salvage* const salvage_;
  const Wreck* const wreck_;
  Store* const fresh_;
  const RepairOptions* const options_;
  RepairReport report_;
  Rerecorder again_;
  RepairTables tables_;
  RepairDecoders decoders_;
  UndoneDays undone_;
  ArchivedDecoders archived_decoders_;  // for the plan
  std::vector<RestoreTape> archived_;
  size_t left_to_archive_ = 0;  // tapes
  RepairProgress progress_;
  // Of the tape in hand:
  std::vector<const WreckNote*> farthest_;  // of its notes up to each
  size_t damaged_ = 0;
  bool told_ = false;        // that an archive has what is lost
  std::optional<Gap> lost_;  // that ends where the next message lies
  int64_t last_kafka_ms_ = -1;
};

void Repairer::Report(uint64_t messages, uint64_t records) {
  progress_.messages = messages;
  progress_.records = records;
  if (options_->progress) options_->progress(progress_);
}

Result<RepairReport> Repairer::Run() {
  TD_RETURN_IF_ERROR(CheckNames());
  TD_RETURN_IF_ERROR(CheckTapes());
  TD_RETURN_IF_ERROR(DeclareTables());
  TD_RETURN_IF_ERROR(PutSmall());
  TD_ASSIGN_OR_RETURN(const std::vector<Task> tasks, FindTasks());
  progress_.tapes_total = tasks.size();
  for (const Task& task : tasks) {
    if (options_->stop != nullptr) TD_RETURN_IF_ERROR(options_->stop->Check());
    TD_RETURN_IF_ERROR(Repair(task).WithContext("repairing " + task.tape.ToString()));
    ++progress_.tapes;
  }
  TD_RETURN_IF_ERROR(again_.Flush());
  if (left_to_archive_ > 0) {
    report_.notes.push_back("the archive answers for the beginning of " +
                            std::to_string(left_to_archive_) +
                            " tapes: it has their messages and records, which are not recorded "
                            "again");
  }
  NameUndone();
  report_.tapes = tasks.size();
  report_.messages = again_.messages();
  report_.records = again_.records();
  report_.damage = salvage_->damage();
  report_.damage.insert(report_.damage.end(), wreck_->damage.begin(), wreck_->damage.end());
  return std::move(report_);
}

// Whose messages they are cannot be told then, and to leave them out would be a silent hole.
Status Repairer::CheckNames() const {
  for (const auto& [tp, tape] : wreck_->tapes) {
    if (tape.tape) continue;
    return Status::Corruption("the name of tape " + std::to_string(Raw(tp)) +
                              " is lost, with the topic that it is of: restore the node from its "
                              "archive or a backup (tapedeck restore), or begin an empty folder");
  }
  if (options_->manifests != nullptr) return Status::Ok();
  for (const auto& [tp, tape] : wreck_->tapes) {
    if (!tape.ship || !tape.checkpoint || tape.ship->pruned <= tape.checkpoint->start) continue;
    return Status::FailedPrecondition("a part of " + tape.tape->ToString() +
                                      " is in an archive alone: give its url, or the node's "
                                      "configuration");
  }
  return Status::Ok();
}

Status Repairer::Doubt(const std::string& what, const std::string& way_out) {
  if (!options_->accept_loss) {
    return Status::FailedPrecondition(what + ": " + way_out +
                                      ", or say that the loss is accepted (--accept-loss)");
  }
  report_.notes.push_back(what);
  return Status::Ok();
}

// Tapes have consecutive numbers, and each has a name and a checkpoint from the start. One that
// nothing is left of would be taken for one that never was.
Status Repairer::CheckTapes() {
  uint32_t next = 1;
  auto missing = [](uint32_t tp) {
    return Status::Corruption("nothing is left of tape " + std::to_string(tp) +
                              ", not even the name of its topic: restore the node from its "
                              "archive or a backup (tapedeck restore), or begin an empty folder");
  };
  for (const auto& [tp, tape] : wreck_->tapes) {
    if (Raw(tp) != next) return missing(next);
    ++next;
  }
  const std::string name = keys::Tape(TpId{next}), checkpoint = keys::Checkpoint(TpId{next});
  if (!salvage_->MayLack(name, keys::After(name.substr(0, 1))) ||
      !salvage_->MayLack(checkpoint, keys::After(checkpoint.substr(0, 1))))
    return Status::Ok();
  if (next == 1) return missing(next);
  return Doubt(
      "damage may have taken all that was known of topic-partitions that were recorded "
      "last; " +
          std::to_string(wreck_->tapes.size()) + " are known",
      "restore the node from its archive or a backup (tapedeck restore)");
}

Status Repairer::CheckArchive(const Task& task, const RepairPlan& plan) {
  for (const OffsetSpan& span : plan.Lacking()) {
    TD_RETURN_IF_ERROR(Doubt("this store had put offsets " + std::to_string(span.from) +
                                 " to before " + std::to_string(span.to) + " of " +
                                 task.tape.ToString() +
                                 " into an archive, and no manifest of this one lists them",
                             "give the archive that has them"));
  }
  for (const Gap& gap : plan.left_behind()) {
    report_.notes.push_back(task.tape.ToString() + ": the gap of offsets " +
                            std::to_string(gap.from) + " to before " + std::to_string(gap.to) +
                            " stays one: it lies before all that is recorded again");
  }
  return Status::Ok();
}

// What is lost here an archive has that nobody gave.
Status Repairer::CheckElsewhere(const Task& task, const RepairStep& step) {
  const std::optional<TapeShip>& ship = task.local->ship;
  if (options_->manifests != nullptr || !ship || step.from >= ship->shipped || told_) return {};
  told_ = true;
  return Doubt("offset " + std::to_string(step.from) + " of " + task.tape.ToString() +
                   " is lost here, and this store had put it into an archive",
               "give its url, or the node's configuration");
}

Status Repairer::DeclareTables() {
  const std::string all(1, static_cast<char>(keys::Prefix::kTable));
  TD_ASSIGN_OR_RETURN(tables_, RepairTables::Declare(*wreck_, options_->manifests, options_->tables,
                                                     salvage_->MayLack(all, keys::After(all)),
                                                     &again_.book().tables));
  return Status::Ok();
}

// With defaults rows would be kept that replace each other, and nothing could change that.
Status Repairer::CheckTables(const MappingSpec& spec) {
  while (const std::string* name = tables_.Unknown(spec)) {
    TD_RETURN_IF_ERROR(Doubt("the day size and identity of table '" + *name +
                                 "' may be lost: without them it is an ordinary one of days",
                             "give the configuration of the node, with a topic whose mapping "
                             "fills it, and its [tables." +
                                 *name + "]"));
  }
  for (const std::string& name : tables_.AsConfigured(spec)) {
    report_.notes.push_back("the entry of table '" + name +
                            "' is lost: its day size and identity are those of the configuration");
  }
  return Status::Ok();
}

Status Repairer::PutSmall() {
  StoreBatch batch;
  for (const Table& table : again_.book().tables.tables()) batch.PutTable(table);
  if (!wreck_->cluster.empty()) batch.PutClusterId(wreck_->cluster);
  TD_RETURN_IF_ERROR(fresh_->Write(batch));
  for (const auto& [hash, text] : wreck_->mappings)
    TD_RETURN_IF_ERROR(decoders_.For(hash, "").status());
  return Status::Ok();
}

Result<std::vector<Repairer::Task>> Repairer::FindTasks() {
  if (options_->manifests != nullptr) {
    TD_ASSIGN_OR_RETURN(archived_,
                        PlanRestore(*options_->manifests, fresh_->meta().node_id, options_->blobs,
                                    &archived_decoders_, options_->stop, /*pass_damaged=*/true));
  }
  std::vector<Task> tasks;
  for (const auto& [tp, tape] : wreck_->tapes)
    tasks.push_back({.tape = *tape.tape, .tp = tp, .local = &tape});
  static const WreckTape kNothing;
  for (const RestoreTape& archived : archived_) {
    const auto found = std::ranges::find(tasks, archived.tape, &Task::tape);
    if (found != tasks.end()) {
      found->archived = &archived;
    } else {
      tasks.push_back({.tape = archived.tape, .local = &kNothing, .archived = &archived});
    }
  }
  return tasks;
}

Hash128 Repairer::MappingInForce(const Task& task) const {
  if (task.local->checkpoint) return task.local->checkpoint->mapping;
  if (again_.now().mapping != Hash128()) return again_.now().mapping;
  if (task.archived == nullptr || task.archived->last->manifest.mapping_from.empty())
    return Hash128();
  return task.archived->last->manifest.mapping_from.back().second;
}

Status Repairer::Repair(const Task& task) {
  const RepairPlan plan(task.tp, task.local, task.archived, options_->manifests, salvage_,
                        options_->clock->Now());
  if (plan.lost())
    return Status::Corruption(
        "nothing is left of it but its name: restore the node from its "
        "archive or a backup (tapedeck restore)");
  TD_RETURN_IF_ERROR(CheckArchive(task, plan));
  if (task.archived != nullptr) undone_.Archived(task.tp, INT64_MIN, plan.from());
  WreckReader reader(salvage_, task.tp, task.local);
  TD_RETURN_IF_ERROR(reader.Seek(plan.from()));
  TD_RETURN_IF_ERROR(PassDropped(plan, &reader));
  Checkpoint now;
  now.start = now.next = now.watermark = now.run_start = plan.from();
  const bool nothing =
      !reader.Valid() && (task.archived == nullptr || task.archived->parts.empty());
  if (nothing) now.last = now.anchor = LastOf(task, plan);  // Kafka is compared with it
  if (task.local->checkpoint && plan.from() > task.local->checkpoint->start) ++left_to_archive_;
  TD_RETURN_IF_ERROR(again_.Begin(task.tape, now, {}));
  BeginTape(task);
  TD_RETURN_IF_ERROR(TakeMessages(task, plan, &reader));
  Hash128 mapping = MappingInForce(task);
  if (mapping != Hash128()) {
    TD_ASSIGN_OR_RETURN(RepairDecoders::Entry * entry, decoders_.For(mapping, task.tape.topic));
    mapping = entry->spec.hash();
  }
  TD_RETURN_IF_ERROR(again_.End(plan.to(), mapping));
  return FailpointHit("repair.tape");
}

Status Repairer::PassDropped(const RepairPlan& plan, WreckReader* reader) {
  while (reader->Valid() && plan.SkipDropped(reader->offset()) != reader->offset())
    TD_RETURN_IF_ERROR(reader->Seek(plan.SkipDropped(reader->offset())));
  return Status::Ok();
}

// The last message of a tape that holds none: shipped, or one that `retain` has dropped.
Landmark Repairer::LastOf(const Task& task, const RepairPlan& plan) {
  if (task.archived != nullptr) return task.archived->last->manifest.last;
  const std::optional<Checkpoint>& checkpoint = task.local->checkpoint;
  if (!checkpoint || plan.SkipDropped(checkpoint->last.offset) == checkpoint->last.offset)
    return {};
  return checkpoint->last;
}

void Repairer::BeginTape(const Task& task) {
  last_kafka_ms_ = -1;
  damaged_ = 0;
  told_ = false;
  farthest_.clear();
  for (const WreckNote& note : task.local->notes) {
    const bool farther = farthest_.empty() || note.last > farthest_.back()->last;
    farthest_.push_back(farther ? &note : farthest_.back());
  }
}

// All messages that are left, and between them what the plan says.
Status Repairer::TakeMessages(const Task& task, const RepairPlan& plan, WreckReader* reader) {
  const WreckBlock* block = nullptr;
  Hash128 mapping;
  for (int64_t at = plan.from();;) {
    TD_RETURN_IF_ERROR(PassDropped(plan, reader));
    const int64_t next = reader->Valid() ? reader->offset() : plan.to();
    if (at < next) {
      for (const RepairStep& step : plan.Fill(at, next)) TD_RETURN_IF_ERROR(TakeStep(task, step));
    }
    if (!reader->Valid()) break;
    if (&reader->block() != block) mapping = MappingOf(task, reader->block());
    block = &reader->block();
    TD_RETURN_IF_ERROR(Take(task, reader->message(), reader->received(), mapping));
    at = reader->offset() + 1;
    TD_RETURN_IF_ERROR(reader->Next());
  }
  return NameLost(task, -1);
}

Status Repairer::TakeStep(const Task& task, const RepairStep& step) {
  if (step.part != nullptr) return TakePart(task, step);
  if (step.lost) {
    TD_RETURN_IF_ERROR(CheckElsewhere(task, step));
    Lose(step.from, step.to, step.note);
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(NameLost(task, -1));
  Gap gap = *step.gap;
  gap.from = step.from;
  gap.to = step.to;
  return again_.PutGap(gap);
}

// That of its own index entry, of one that reaches over it, or else of its neighbours.
Hash128 Repairer::MappingOf(const Task& task, const WreckBlock& block) const {
  const std::vector<WreckNote>& notes = task.local->notes;
  const auto note = std::ranges::lower_bound(notes, block.first, {}, &WreckNote::first);
  if (note != notes.end() && note->first == block.first) return note->mapping;
  if (note != notes.begin()) {
    const WreckNote& over = *farthest_[static_cast<size_t>(note - notes.begin()) - 1];
    if (block.first <= over.last) return over.mapping;
  }
  if (again_.now().mapping != Hash128()) return again_.now().mapping;
  return note != notes.end() ? note->mapping : MappingInForce(task);
}

Status Repairer::TakePart(const Task& task, const RepairStep& step) {
  undone_.Archived(task.tp, step.from, step.to);
  const ArchiveAt archive{options_->manifests, options_->blobs, options_->stop};
  const ArchivedSinks sinks{
      [&](const ArchivedMessage& archived, const Hash128& mapping) {
        ++report_.from_archive;
        return Take(task, archived.message, archived.received, mapping);
      },
      [&](int64_t from, int64_t to) { Lose(from, to, nullptr, kArchiveDamaged); }};
  return ReadArchivedPart(archive, task.tape, {step.part->listing, step.from, step.to}, sinks,
                          &report_.notes);
}

Status Repairer::Take(const Task& task, const MessageView& message, Timestamp received,
                      const Hash128& mapping) {
  constexpr uint64_t kMessagesPerLook = 1024;
  if (options_->stop != nullptr && again_.messages() % kMessagesPerLook == 0)
    TD_RETURN_IF_ERROR(options_->stop->Check());
  TD_RETURN_IF_ERROR(NameLost(task, message.timestamp_ms));
  TD_ASSIGN_OR_RETURN(RepairDecoders::Entry * entry, decoders_.For(mapping, task.tape.topic));
  last_kafka_ms_ = message.timestamp_ms;
  return again_.Take(message, received, entry->spec.hash(), entry->decoder.get());
}

void Repairer::Lose(int64_t from, int64_t to, const WreckNote* note, std::string_view detail) {
  if (from >= to) return;
  if (!lost_) {
    lost_ =
        Gap{.from = from, .to = to, .reason = GapReason::kDamaged, .detail = std::string(detail)};
    lost_->kafka_before_ms = last_kafka_ms_;
    lost_->noticed_at = options_->clock->Now();
    if (note != nullptr) {
      lost_->kafka_before_ms = note->kafka_min_ms;
      lost_->kafka_after_ms = note->kafka_max_ms;
      if (note->event_min_ns <= note->event_max_ns) {
        lost_->event_before_ns = note->event_min_ns;
        lost_->event_after_ns = note->event_max_ns;
      }
    }
    return;
  }
  lost_->to = to;
  if (!detail.empty()) lost_->detail = detail;
  // Of several pieces only what holds for all is said.
  const bool kafka = note != nullptr && lost_->kafka_after_ms >= 0;
  const bool events = note != nullptr && lost_->event_after_ns != INT64_MIN &&
                      note->event_min_ns <= note->event_max_ns;
  lost_->kafka_before_ms = kafka ? std::min(lost_->kafka_before_ms, note->kafka_min_ms) : -1;
  lost_->kafka_after_ms = kafka ? std::max(lost_->kafka_after_ms, note->kafka_max_ms) : -1;
  lost_->event_before_ns =
      events ? std::min(lost_->event_before_ns, note->event_min_ns) : INT64_MIN;
  lost_->event_after_ns = events ? std::max(lost_->event_after_ns, note->event_max_ns) : INT64_MIN;
}

Status Repairer::NameLost(const Task& task, int64_t kafka_after_ms) {
  if (!lost_) return Status::Ok();
  const Gap gap = [&] {
    Gap known = *std::exchange(lost_, std::nullopt);
    if (known.kafka_after_ms < 0) known.kafka_after_ms = kafka_after_ms;
    return known;
  }();
  if (++damaged_ > kDamagedMax) {
    return Status::Corruption(
        "more than " + std::to_string(kDamagedMax) +
        " places may lack messages, and what the damage took says nothing of them: restore the "
        "node from its archive or a backup (tapedeck restore)");
  }
  report_.damaged.push_back({task.tape, gap});
  return again_.PutGap(gap);
}

void Repairer::NameUndone() {
  for (std::string& note : undone_.Notes()) report_.notes.push_back(std::move(note));
  const std::string all(1, static_cast<char>(keys::Prefix::kDay));
  if (options_->manifests == nullptr || !salvage_->MayLack(all, keys::After(all))) return;
  report_.notes.push_back(
      "entries of days are lost: a day that was reindexed and not yet in the archive is undone, "
      "and no other note names it; reindex such a day again");
}

}  // namespace

Result<RepairReport> RepairStore(Salvage* salvage, const Wreck& wreck, Store* fresh,
                                 const RepairOptions& options) {
  TD_ASSIGN_OR_RETURN(StoreState state, fresh->View()->LoadState());
  if (!state.tapes.empty())
    return Status::FailedPrecondition("a store is repaired into an empty one");
  Repairer repairer(salvage, &wreck, fresh, &options, std::move(state));
  return repairer.Run();
}

}  // namespace tapedeck
