#include "record/reindexer.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/job_id.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery(200);
constexpr milliseconds kFlushLook(10);
constexpr std::chrono::seconds kRetryAfter(1);
constexpr std::chrono::seconds kSweepEvery(10);
constexpr size_t kBatchKeys = 1000;

bool IsTriedAgain(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kResourceExhausted || status.code() == StatusCode::kCancelled;
}

bool HasSomethingToDo(const ReindexJob& job) {
  return !job.over() || !job.days.empty() || job.forgotten;
}

Status NoDays(ReindexJob* job) {
  job->days.clear();
  job->ends.clear();
  return Status::Ok();
}

}  // namespace

std::string_view ReindexStepName(ReindexStep step) {
  static constexpr std::string_view kNames[] = {"waiting", "flushing", "planning", "building",
                                                "switching"};
  return kNames[static_cast<size_t>(step)];
}

Reindexer::Reindexer(ReindexOptions options, ReindexParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      mappings_(options_.topics),
      time_(parts_.clock) {}

Reindexer::~Reindexer() { Stop(); }

Result<std::unique_ptr<Reindexer>> Reindexer::Make(ReindexOptions options, ReindexParts parts) {
  for (const RecordTopic& topic : options.topics) {
    if (!topic.name.starts_with('^')) continue;
    try {
      std::regex compiled(topic.name, std::regex::extended);
    } catch (const std::regex_error&) {
      return Status::InvalidArgument(Quoted(topic.name) + " is no regular expression");
    }
  }
  return std::unique_ptr<Reindexer>(new Reindexer(std::move(options), std::move(parts)));
}

Status Reindexer::Load(const StoreView& view) {
  TD_ASSIGN_OR_RETURN(const auto entries, view.Jobs());
  std::lock_guard lock(mutex_);
  for (const auto& [id, bytes] : entries) {
    if (!IsJobId(id)) continue;  // what a replay keeps beside its job
    Result<ReindexJob> job = DecodeReindexJob(id, bytes);
    if (job.status().code() == StatusCode::kNotFound) continue;  // of another journey
    if (!job.ok()) {
      TD_LOG(kError, "reindex", "job-damaged", job.status().ToString(), {{"job", id}});
      continue;
    }
    jobs_[id] = std::move(job).value();
  }
  return Status::Ok();
}

Status Reindexer::Start(const StoreView& view) {
  TD_RETURN_IF_ERROR(Load(view));
  thread_ = std::thread([this] { Loop(); });
  return Status::Ok();
}

void Reindexer::AskToStop() {
  stopping_.store(true);
  Break();
  wake_.notify_all();
}

void Reindexer::Stop() {
  AskToStop();
  if (thread_.joinable()) thread_.join();
}

void Reindexer::Break() {
  std::lock_guard lock(mutex_);
  if (reading_ != nullptr) reading_->Break();
}

void Reindexer::Loop() {
  while (!stopping_.load()) {
    if (RunOnce()) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kLookEvery, [this] { return stopping_.load(); });
  }
}

Status Reindexer::CheckStop() const {
  return stopping_.load() ? Status::Cancelled("the node stops") : Status::Ok();
}

// Rebuilt days lie beside what they replace until the grace period is over. They must not take the
// room that recording needs.
Status Reindexer::CheckRoom(double most) const {
  const Result<DiskUse> disk = parts_.disk ? parts_.disk() : parts_.store->Disk();
  if (!disk.ok() || disk->used() < most) return Status::Ok();
  return Status::Unavailable("needs room: " + std::to_string(int(disk->used() * 100)) +
                             " % of the disk are in use; it waits for less than " +
                             std::to_string(int(options_.disk_warn * 100)) + " %");
}

// Who stops or cancels says so first and then breaks what is there: either is seen, or it is there.
std::shared_ptr<const ReadStop> Reindexer::NewStop() {
  auto stop = std::make_shared<ReadStop>(parts_.clock);
  std::lock_guard lock(mutex_);
  const auto job = jobs_.find(running_);
  if (stopping_.load() || job == jobs_.end() || job->second.over()) stop->Break();
  reading_ = stop;
  return stop;
}

// Two that have written may come to this in another order than to the store: its word counts.
Status Reindexer::TakeStored(const std::string& id) {
  std::lock_guard in_turn(stored_mutex_);  // a view may be waited for, and Break must not
  const Result<std::string> bytes = parts_.store->View()->Get(keys::Job(id));
  std::lock_guard lock(mutex_);
  wake_.notify_all();
  if (bytes.status().code() == StatusCode::kNotFound) {
    jobs_.erase(id);
    return Status::Ok();
  }
  TD_RETURN_IF_ERROR(bytes.status());
  TD_ASSIGN_OR_RETURN(jobs_[id], DecodeReindexJob(id, *bytes));
  return Status::Ok();
}

void Reindexer::Enter(ReindexStep step, uint64_t total) {
  messages_.store(0);
  std::lock_guard lock(mutex_);
  live_.step = step;
  live_.total = total;
}

// What it names is there. Holds no view when it returns: the writer may be waited for.
Status Reindexer::CheckNamed(const ReindexRequest& request) const {
  TD_ASSIGN_OR_RETURN(const auto point, parts_.open_point());
  for (const std::string& table : request.tables) {
    if (point->state().tables.Find(table) == nullptr)
      return Status::NotFound("tables: there is no table " + Quoted(table));
  }
  const auto& tapes = point->state().tapes;
  if (!request.topic.empty() && std::ranges::none_of(tapes, [&](const auto& tape) {
        return tape.second.topic == request.topic && point->IsStored(tape.first);
      })) {
    return Status::NotFound("topic: " + Quoted(request.topic) + " was never recorded here");
  }
  return Status::Ok();
}

Result<ReindexView> Reindexer::Create(ReindexRequest request) {
  if (request.topic.empty() == request.tables.empty())
    return Status::InvalidArgument("topic: name either a topic or tables");
  if (request.end <= request.start) return Status::InvalidArgument("end: it is not after start");
  TD_RETURN_IF_ERROR(CheckNamed(request));
  TD_ASSIGN_OR_RETURN(const std::string random, SecretBytes(16));
  ByteReader reader(random);
  const uint64_t high = reader.Little64();
  ReindexJob job;
  job.created = parts_.clock->Now();
  job.id = MakeJobId(job.created, high, reader.Little64());
  job.request = std::move(request);
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= kReindexJobsMax) {
      return Status::ResourceExhausted("there are " + std::to_string(jobs_.size()) +
                                       " reindex jobs: DELETE some first");
    }
    if (stopping_.load()) return Status::Unavailable("the node is stopping");
  }
  TD_RETURN_IF_ERROR(parts_.queue->Write([&](StoreBatch* batch) {
    batch->PutJob(job.id, EncodeReindexJob(job));
    return Status::Ok();
  }));
  TD_RETURN_IF_ERROR(FailpointHit("reindex.requested"));
  std::lock_guard lock(mutex_);
  jobs_[job.id] = job;
  wake_.notify_all();
  return ReindexView{job, {}};
}

Result<ReindexView> Reindexer::Get(std::string_view id) const {
  std::lock_guard lock(mutex_);
  auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.forgotten)
    return Status::NotFound("there is no reindex job " + Quoted(id));
  ReindexView view{found->second, {}};
  if (id == running_) view.live = live_;
  if (id == running_) view.live.messages = messages_.load(std::memory_order_relaxed);
  return view;
}

std::vector<ReindexView> Reindexer::List() const {
  std::vector<std::string> ids;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_) ids.push_back(id);
  }
  std::vector<ReindexView> views;
  for (const std::string& id : ids) {
    if (Result<ReindexView> view = Get(id); view.ok()) views.push_back(std::move(view).value());
  }
  return views;
}

// The entry itself is changed, whatever has become of it meanwhile: a job may end at any moment.
Status Reindexer::ChangeStored(const std::string& id, const Change& change) {
  TD_RETURN_IF_ERROR(parts_.queue->Write(
      [&](StoreBatch* batch) { return AddChanged(*parts_.store->View(), id, change, batch); }));
  return TakeStored(id);
}

Status Reindexer::AddChanged(const StoreView& view, const std::string& id, const Change& change,
                             StoreBatch* batch) {
  Result<std::string> bytes = view.Get(keys::Job(id));
  if (bytes.status().code() == StatusCode::kNotFound) return Status::Ok();
  TD_RETURN_IF_ERROR(bytes.status());
  TD_ASSIGN_OR_RETURN(ReindexJob changed, DecodeReindexJob(id, *bytes));
  TD_RETURN_IF_ERROR(change(&changed));
  if (changed.forgotten && changed.days.empty()) {
    batch->DeleteJob(id);
  } else {
    batch->PutJob(id, EncodeReindexJob(changed));
  }
  return Status::Ok();
}

Status Reindexer::Delete(std::string_view id) {
  TD_RETURN_IF_ERROR(Get(id).status());
  const std::string key(id);
  TD_RETURN_IF_ERROR(ChangeStored(key, [&](ReindexJob* job) {
    if (!job->over()) {
      job->state = ReindexState::kCancelled;
      job->ended = time_.Now();
    }
    job->forgotten = true;
    return Status::Ok();
  }));
  TD_RETURN_IF_ERROR(FailpointHit("reindex.cancelled"));
  std::lock_guard lock(mutex_);
  if (running_ == key && reading_ != nullptr) reading_->Break();
  return Status::Ok();
}

// What was given up first, since it holds generations; then in the order of creation.
bool Reindexer::NextJob(ReindexJob* job) {
  std::lock_guard lock(mutex_);
  const ReindexJob* next = nullptr;
  for (const auto& [id, one] : jobs_) {
    if (!HasSomethingToDo(one)) continue;
    if (next == nullptr || (one.over() && !next->over()) ||
        (one.state == ReindexState::kRunning && next->state == ReindexState::kQueued)) {
      next = &one;
    }
  }
  if (next == nullptr) return false;
  *job = *next;
  running_ = job->id;
  live_ = {};
  return true;
}

bool Reindexer::RunOnce() {
  const MonotonicTime now = parts_.clock->Monotonic();
  if (now - last_sweep_ >= kSweepEvery || last_sweep_ == MonotonicTime{0}) {
    last_sweep_ = now;
    const Status swept = Sweep();
    if (!swept.ok() && swept.code() != StatusCode::kCancelled)
      TD_LOG(kError, "reindex", "sweep-failed", swept.ToString());
  }
  ReindexJob job;
  if (now < retry_at_ || stopping_.load() || !NextJob(&job)) return false;
  const Status outcome = job.over() ? CleanUp(job) : RunJob(job);
  Settle(job, outcome);
  {
    std::lock_guard lock(mutex_);
    reading_.reset();
    if (outcome.ok()) running_.clear();
  }
  return outcome.ok();
}

// What passes is tried again; anything else ends the job.
void Reindexer::Settle(const ReindexJob& job, const Status& outcome) {
  if (outcome.ok() || stopping_.load()) return;
  retry_at_ = parts_.clock->Monotonic() + kRetryAfter;
  {
    std::lock_guard lock(mutex_);
    live_.trouble = outcome.ToString();
    auto found = jobs_.find(job.id);
    if (found == jobs_.end() || (found->second.over() && !job.over())) {
      retry_at_ = MonotonicTime{0};  // somebody has cancelled it
      return;
    }
  }
  TD_LOG(kError, "reindex", "failed", outcome.ToString(), {{"job", job.id}});
  if (IsTriedAgain(outcome) || job.over()) return;
  const Status told = ChangeStored(job.id, [&](ReindexJob* stored) {
    if (stored->over()) return Status::Ok();
    stored->state = ReindexState::kFailed;
    stored->error = outcome.ToString();
    stored->ended = time_.Now();
    return Status::Ok();
  });
  if (!told.ok()) TD_LOG(kError, "reindex", "failed", told.ToString(), {{"job", job.id}});
  if (told.ok()) retry_at_ = MonotonicTime{0};
}

Status Reindexer::RunJob(ReindexJob job) {
  if (!job.days.empty() && job.mappings != mappings_.fingerprint()) {
    // Planned for other mappings: the days may be others.
    TD_RETURN_IF_ERROR(CleanUp(job));
    TD_RETURN_IF_ERROR(NoDays(&job));
  }
  if (job.days.empty()) {
    TD_RETURN_IF_ERROR(CheckRoom(options_.disk_warn));
    TD_RETURN_IF_ERROR(Flush());
    TD_RETURN_IF_ERROR(FailpointHit("reindex.flushed"));
    TD_RETURN_IF_ERROR(Reserve(&job));
    if (job.over()) return Status::Ok();  // there is nothing to rebuild
    TD_RETURN_IF_ERROR(FailpointHit("reindex.reserved"));
  }
  for (const keys::DayKey& day : job.days) {  // of an earlier attempt
    TD_RETURN_IF_ERROR(DeleteBlocks(day, [](const DayEntry& entry) { return entry.building; }));
  }
  TD_RETURN_IF_ERROR(CheckRoom(options_.disk_warn));
  TD_ASSIGN_OR_RETURN(const ReindexBuilt built, Build(job));
  TD_RETURN_IF_ERROR(FailpointHit("reindex.built"));
  TD_RETURN_IF_ERROR(SwitchTo(job, built));
  return FailpointHit("reindex.switched");
}

Status Reindexer::Flush() {
  Enter(ReindexStep::kFlushing, 0);
  const uint64_t wanted = parts_.request_flush();
  const std::shared_ptr<const ReadStop> stop = NewStop();
  while (parts_.flushes_done() < wanted) {
    TD_RETURN_IF_ERROR(stop->Check());
    parts_.clock->SleepFor(kFlushLook);
  }
  return Status::Ok();
}

Result<std::unique_ptr<ReindexScope>> Reindexer::MakeScope(const ReindexRequest& request) {
  std::shared_ptr<const ReadStop> stop = NewStop();
  TD_ASSIGN_OR_RETURN(auto point, parts_.open_point());
  if (IsUnlisted(*point)) return Status::Unavailable("the archive was not listed yet");
  return ReindexScope::Make(std::move(point), &mappings_, request, std::move(stop));
}

// In one batch at the end: a number that is free again may be a flush's the next moment.
Status Reindexer::CleanUp(const ReindexJob& job) {
  auto building = [](const DayEntry& entry) { return entry.building; };
  TD_ASSIGN_OR_RETURN(const StoreState state, parts_.store->View()->LoadState());
  for (const auto& [key, entry] : state.days) {
    if (entry.building && std::ranges::find(job.days, key) != job.days.end())
      TD_RETURN_IF_ERROR(DeleteBlocks(key, building));
  }
  TD_RETURN_IF_ERROR(parts_.queue->WriteQuiet([&](StoreBatch* batch) -> Status {
    const std::unique_ptr<StoreView> view = parts_.store->View();
    TD_ASSIGN_OR_RETURN(const StoreState now, view->LoadState());
    for (const auto& [key, entry] : now.days) {
      if (entry.building && std::ranges::find(job.days, key) != job.days.end())
        batch->DeleteDay(key);
    }
    return AddChanged(*view, job.id, NoDays, batch);
  }));
  return TakeStored(job.id);
}

// All blocks of a generation, as long as its entry says that they may go.
Status Reindexer::DeleteBlocks(const keys::DayKey& day,
                               const std::function<bool(const DayEntry&)>& may) {
  const std::string prefix = keys::SeriesPrefix(day.table, day.day, day.generation);
  std::unique_ptr<StoreView> view = parts_.store->View();
  auto cursor = view->Scan(prefix, keys::After(prefix), ScanKind::kLong);
  for (cursor->SeekToFirst(); cursor->Valid();) {
    TD_RETURN_IF_ERROR(CheckStop());
    std::vector<keys::SeriesKey> blocks;
    for (; cursor->Valid() && blocks.size() < kBatchKeys; cursor->Next()) {
      TD_ASSIGN_OR_RETURN(keys::SeriesKey block, keys::ParseSeries(cursor->key()));
      blocks.push_back(std::move(block));
    }
    TD_RETURN_IF_ERROR(parts_.queue->Write([&](StoreBatch* batch) -> Status {
      TD_ASSIGN_OR_RETURN(const std::string bytes, parts_.store->View()->Get(keys::DayState(
                                                       day.table, day.day, day.generation)));
      TD_ASSIGN_OR_RETURN(const DayEntry entry, DecodeDay(bytes));
      if (!may(entry)) return Status::FailedPrecondition("the day is in use");
      for (const keys::SeriesKey& block : blocks) batch->DeleteSeriesBlock(block);
      return Status::Ok();
    }));
    TD_RETURN_IF_ERROR(FailpointHit("reindex.swept"));
  }
  return cursor->status();
}

// What was replaced before the grace period leaves.
Status Reindexer::Sweep() {
  TD_ASSIGN_OR_RETURN(const StoreState state, parts_.store->View()->LoadState());
  for (const auto& [key, known] : state.days) {
    if (known.replaced == 0 || swept_.contains(key)) continue;
    const Timestamp until = known.replaced_at.SaturatingAdd(options_.grace.count());
    if (!known.gone && time_.Now() < until) continue;
    TD_RETURN_IF_ERROR(CheckStop());
    if (!known.gone) {
      TD_RETURN_IF_ERROR(parts_.queue->Write([&, &key = key](StoreBatch* batch) -> Status {
        TD_ASSIGN_OR_RETURN(const std::string bytes, parts_.store->View()->Get(keys::DayState(
                                                         key.table, key.day, key.generation)));
        TD_ASSIGN_OR_RETURN(DayEntry entry, DecodeDay(bytes));
        entry.gone = true;
        batch->PutDay(key, entry);
        return Status::Ok();
      }));
      TD_RETURN_IF_ERROR(FailpointHit("reindex.gone"));
    }
    TD_RETURN_IF_ERROR(DeleteBlocks(key, [](const DayEntry& entry) { return entry.gone; }));
    swept_.insert(key);
  }
  return Status::Ok();
}

}  // namespace tapedeck
