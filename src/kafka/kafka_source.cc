#include "kafka/kafka_source.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/thread.h"
#include "kafka/batch_reader.h"
#include "kafka/direct_mode.h"
#include "kafka/rdkafka_client.h"
#include "kafka/source_settings.h"

namespace tapedeck {
namespace {

constexpr size_t kNoticesMax = 64;
/// Share of Close's time that leaving the group may take before the client is ended anyway.
constexpr int kLeaveShare = 2;

/// With offsets, and with the metadata, which the list then owns.
RdkPartitions MakeCommitList(std::span<const GroupCommit> commits) {
  RdkPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(commits.size())));
  for (const GroupCommit& commit : commits) {
    rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_add(list.get(), commit.tp.topic.c_str(), commit.tp.partition);
    element->offset = commit.offset;
    if (commit.metadata.empty()) continue;
    element->metadata = rd_kafka_mem_malloc(nullptr, commit.metadata.size());
    commit.metadata.copy(static_cast<char*>(element->metadata), commit.metadata.size());
    element->metadata_size = commit.metadata.size();
  }
  return list;
}

struct RebalanceEvent {
  bool assigned = false;
  bool lost = false;
  std::vector<TopicPartition> partitions;
};

}  // namespace

struct KafkaSource::State final : ClientContext {
  State(const KafkaOptions& source_options, AssignmentListener* assignment_listener)
      : options(source_options),
        listener(assignment_listener),
        clock(source_options.clock != nullptr ? source_options.clock : &SystemClock()),
        limits(SourceLimits::Of(source_options.memory_bytes)),
        reader(source_options.batch_messages_max),
        direct(source_options.properties, {.client_id = SourceClientId(source_options),
                                           .batch_messages_max = source_options.batch_messages_max,
                                           .batch_bytes_max = limits.direct_batch_bytes,
                                           .memory_bytes = limits.direct_bytes,
                                           .clock = clock}) {
    log_name = "source";
  }
  ~State() override {
    if (wake_fd >= 0) close(wake_fd);
  }

  void OnError(int code, std::string_view detail) override;
  void OnRebalance(int code, const rd_kafka_topic_partition_list_s* partitions) override;
  void OnCommitted(int code, const rd_kafka_topic_partition_list_s* partitions) override;

  Status Start();
  bool DrainAndSettle(Status* status);
  Status SettleRebalances();
  Status StartGranted();
  void StopGranted(bool lost);
  void PollDirect();
  void WakeFetchersIfDrained();
  void WaitForEvent(std::chrono::milliseconds timeout);
  void LeaveGroup(std::chrono::milliseconds timeout);
  Status EndClient(const std::shared_ptr<State>& self, std::chrono::milliseconds timeout);

  const KafkaOptions options;
  AssignmentListener* const listener;
  Clock* const clock;
  const SourceLimits limits;
  int wake_fd = -1;
  uint64_t wake_payload = 1;

  RdkClient client;
  RdkQueue queue;
  BatchReader reader;
  DirectMode direct;
  std::vector<pollfd> waits;
  Counters counters;
  std::vector<RebalanceEvent> rebalances;  // seen by the callback, not yet acted upon
  std::vector<SourceNotice> notices;
  std::vector<TopicPartition> granted;  // by the coordinator, sorted
  bool reassign = false;
  bool closed = false;
  uint64_t wake_messages = 0;  // reader's counts at the last wake
  uint64_t wake_bytes = 0;

  // Of the thread that ends the client.
  std::mutex end_mutex;
  std::condition_variable end_done;
  bool ending = false;  // set before that thread starts
  bool ended = false;   // guarded by end_mutex
};

void KafkaSource::State::OnError(int code, std::string_view detail) {
  if (notices.size() >= kNoticesMax) return;
  notices.push_back({RdkErrorName(code), std::string(detail)});
}

void KafkaSource::State::OnRebalance(int code, const rd_kafka_topic_partition_list_s* partitions) {
  if (ending) {
    rd_kafka_assign(client.get(), nullptr);
    return;
  }
  RebalanceEvent& event = rebalances.emplace_back();
  event.assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  event.lost = rd_kafka_assignment_lost(client.get()) != 0;
  if (!event.assigned || partitions == nullptr) return;
  for (int i = 0; i < partitions->cnt; ++i) {
    event.partitions.push_back({partitions->elems[i].topic, partitions->elems[i].partition});
  }
  std::sort(event.partitions.begin(), event.partitions.end());
}

void KafkaSource::State::OnCommitted(int code, const rd_kafka_topic_partition_list_s*) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
  ++counters.commit_failures;
  TD_LOG(kWarn, "kafka", "commit-failed",
         "the group did not take a commit; the store is not affected",
         {{"code", RdkErrorName(code)}});
}

Status KafkaSource::State::Start() {
  wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) return Status::ResourceExhausted("no file descriptor for the Kafka client");
  TD_ASSIGN_OR_RETURN(client, MakeClient(SourceSettings(options), this));
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_poll_set_consumer(client.get()), "making a consumer"));
  queue.reset(rd_kafka_queue_get_consumer(client.get()));
  if (queue == nullptr) return Status::Internal("the Kafka client has no consumer queue");
  rd_kafka_queue_io_event_enable(queue.get(), wake_fd, &wake_payload, sizeof(wake_payload));
  RdkPartitions topics(rd_kafka_topic_partition_list_new(static_cast<int>(options.topics.size())));
  for (const std::string& topic : options.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  return RdkStatus(rd_kafka_subscribe(client.get(), topics.get()), "subscribing");
}

/// Takes what waits. False, with an empty batch, where nothing was there to take.
bool KafkaSource::State::DrainAndSettle(Status* status) {
  size_t count = reader.Drain(queue.get());
  if (!rebalances.empty()) {
    reader.Discard();
    *status = SettleRebalances();
    reader.batch().reassigned = true;
  } else {
    reader.Translate();
    PollDirect();
  }
  SourceBatch& batch = reader.batch();
  for (SourceNotice& notice : notices) batch.notices.push_back(std::move(notice));
  notices.clear();
  return count > 0 || batch.reassigned || !batch.notices.empty() || !batch.messages.empty() ||
         !batch.ends.empty();
}

Status KafkaSource::State::SettleRebalances() {
  std::vector<RebalanceEvent> events;
  events.swap(rebalances);
  Status status;
  for (RebalanceEvent& event : events) {
    ++counters.rebalances;
    if (event.assigned) {
      granted = std::move(event.partitions);
      status = StartGranted();
    } else {
      StopGranted(event.lost);
    }
  }
  return status;
}

Status KafkaSource::State::StartGranted() {
  reassign = false;
  reader.Unassign();
  direct.Stop(client.get());
  Result<std::vector<StartOffset>> starts = listener->OnAssigned(granted);
  Status status = starts.status();
  if (status.ok() && starts->size() != granted.size()) {
    status = Status::Internal("the listener gave not one start for each partition");
  }
  if (!status.ok()) {
    rd_kafka_assign(client.get(), nullptr);
    return status;
  }
  RdkPartitions list = MakePartitions(granted);
  for (size_t i = 0; i < granted.size(); ++i) list->elems[i].offset = (*starts)[i].offset;
  TD_RETURN_IF_ERROR(RdkStatus(rd_kafka_assign(client.get(), list.get()), "assigning partitions"));
  reader.Assign(granted, *starts);
  direct.Start(client.get(), granted, *starts);
  if (direct.on()) reader.OnlyErrors();
  wake_messages = reader.messages();
  wake_bytes = reader.payload_bytes();
  return Status::Ok();
}

void KafkaSource::State::StopGranted(bool lost) {
  listener->OnRevoked(lost);
  reader.Unassign();
  direct.Stop(client.get());
  granted.clear();
  reassign = false;
  rd_kafka_assign(client.get(), nullptr);
}

/// Beside what librdkafka gave: what was fetched without it.
void KafkaSource::State::PollDirect() {
  if (direct.on()) {
    if (direct.Poll(&reader.batch()).ok()) return;
    Result<std::vector<StartOffset>> positions = direct.GiveBack(client.get(), granted);
    if (positions.ok()) {
      reader.Assign(granted, *positions);
    } else {
      TD_LOG(kError, "kafka", "not-direct", positions.status().ToString());
      reassign = true;
    }
    return;
  }
  if (!direct.IsDue() || granted.empty() || reader.any_damaged()) return;
  direct.Start(client.get(), granted, reader.positions());
  if (direct.on()) reader.OnlyErrors();
}

void KafkaSource::State::WakeFetchersIfDrained() {
  bool moved = reader.messages() - wake_messages >= limits.messages / 4 ||
               reader.payload_bytes() - wake_bytes >= limits.payload_bytes / 4;
  if (!moved || granted.empty() || direct.on()) return;
  if (rd_kafka_queue_length(queue.get()) > limits.messages / 2) return;
  wake_messages = reader.messages();
  wake_bytes = reader.payload_bytes();
  ++counters.fetcher_wakes;
  WakeFetchers(client.get(), granted);
}

void KafkaSource::State::WaitForEvent(std::chrono::milliseconds timeout) {
  waits.assign(1, {wake_fd, POLLIN, 0});
  direct.AddWaits(&waits);
  if (poll(waits.data(), waits.size(), static_cast<int>(timeout.count())) <= 0) return;
  if (waits[0].revents == 0) return;
  uint64_t count = 0;
  if (read(wake_fd, &count, sizeof(count)) < 0) return;  // somebody else's signal: nothing to clear
}

void KafkaSource::State::LeaveGroup(std::chrono::milliseconds timeout) {
  // A static member sends no LeaveGroup when its client is closed, but it does when it
  // unsubscribes; its member id is emptied when the request has been handed over.
  MonotonicTime deadline = clock->Monotonic() + timeout;
  if (rd_kafka_unsubscribe(client.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  while (clock->Monotonic() < deadline) {
    reader.Release();
    reader.Drain(queue.get());
    reader.Discard();
    if (!rebalances.empty()) {
      rebalances.clear();
      rd_kafka_assign(client.get(), nullptr);
    }
    char* member = rd_kafka_memberid(client.get());
    bool left = member == nullptr || *member == '\0';
    if (member != nullptr) rd_kafka_mem_free(client.get(), member);
    if (left) return;
    WaitForEvent(std::chrono::milliseconds(10));
  }
}

Status KafkaSource::State::EndClient(const std::shared_ptr<State>& self,
                                     std::chrono::milliseconds timeout) {
  ending = true;
  rebalances.clear();
  auto end = [self] {
    rd_kafka_consumer_close(self->client.get());
    self->queue.reset();
    self->client.reset();
    std::lock_guard lock(self->end_mutex);
    self->ended = true;
    self->end_done.notify_all();
  };
  Result<std::thread> ending_thread = StartThread(end);
  if (ending_thread.ok()) {
    ending_thread->detach();
  } else {
    end();  // for as long as it takes
  }
  std::unique_lock lock(end_mutex);
  if (end_done.wait_for(lock, timeout, [this] { return ended; })) return Status::Ok();
  TD_LOG(kWarn, "kafka", "close-abandoned",
         "the Kafka client did not end in time; it is left behind");
  return Status::Unavailable("the Kafka client did not end in time");
}

Result<std::unique_ptr<KafkaSource>> KafkaSource::Open(const KafkaOptions& options,
                                                       AssignmentListener* listener) {
  TD_RETURN_IF_ERROR(CheckSourceOptions(options));
  auto state = std::make_shared<State>(options, listener);
  TD_RETURN_IF_ERROR(state->Start());
  return std::unique_ptr<KafkaSource>(new KafkaSource(std::move(state)));
}

KafkaSource::KafkaSource(std::shared_ptr<State> state) : state_(std::move(state)) {}

KafkaSource::~KafkaSource() {
  Status status = Close(false, std::chrono::seconds(5));
  if (!status.ok() && status.code() != StatusCode::kCancelled) {
    TD_LOG(kWarn, "kafka", "close-failed", status.message());
  }
}

Result<const SourceBatch*> KafkaSource::Poll(std::chrono::milliseconds timeout) {
  State& state = *state_;
  if (state.closed) return Status::Cancelled("the Kafka source is closed");
  state.reader.Release();
  Status status;
  if (state.reassign && !state.granted.empty()) {
    state.reader.batch().reassigned = true;
    TD_RETURN_IF_ERROR(state.StartGranted());
    return &state.reader.batch();
  }
  if (!state.DrainAndSettle(&status)) {
    state.WaitForEvent(timeout);
    state.DrainAndSettle(&status);
  }
  TD_RETURN_IF_ERROR(RdkFatalStatus(state.client.get()));
  TD_RETURN_IF_ERROR(std::move(status));
  state.counters.direct = state.direct.messages();
  state.counters.messages = state.reader.messages() + state.counters.direct;
  state.counters.below_position = state.reader.below_position();
  state.counters.discarded = state.reader.discarded();
  state.WakeFetchersIfDrained();
  return &state.reader.batch();
}

Status KafkaSource::Commit(std::span<const GroupCommit> commits,
                           std::chrono::milliseconds timeout) {
  State& state = *state_;
  if (state.closed) return Status::Cancelled("the Kafka source is closed");
  if (commits.empty()) return Status::Ok();
  struct Outcome {
    bool done = false;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  } outcome;
  auto record = [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                   void* opaque) {
    auto* result = static_cast<Outcome*>(opaque);
    *result = {true, code};
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
      if (result->code == RD_KAFKA_RESP_ERR_NO_ERROR) result->code = list->elems[i].err;
    }
  };
  RdkPartitions list = MakeCommitList(commits);
  RdkQueue replies(rd_kafka_queue_new(state.client.get()));
  TD_RETURN_IF_ERROR(RdkStatus(
      rd_kafka_commit_queue(state.client.get(), list.get(), replies.get(), record, &outcome),
      "committing to the group"));
  MonotonicTime deadline = state.clock->Monotonic() + timeout;
  while (!outcome.done) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - state.clock->Monotonic());
    if (left.count() <= 0) break;
    rd_kafka_queue_poll_callback(replies.get(), static_cast<int>(left.count()));
  }
  if (outcome.code == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  return Status::Unavailable(
      std::string(RdkStatus(outcome.code, "committing to the group").message()));
}

void KafkaSource::CommitAsync(std::span<const GroupCommit> commits) {
  if (state_->closed || commits.empty()) return;
  RdkPartitions list = MakeCommitList(commits);
  rd_kafka_resp_err_t code = rd_kafka_commit(state_->client.get(), list.get(), 1);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) state_->OnCommitted(code, nullptr);
}

Result<std::vector<GroupCommit>> KafkaSource::Committed(std::span<const TopicPartition> partitions,
                                                        std::chrono::milliseconds timeout) {
  if (state_->closed) return Status::Cancelled("the Kafka source is closed");
  std::vector<GroupCommit> commits;
  if (partitions.empty()) return commits;
  RdkPartitions list = MakePartitions(partitions);
  TD_RETURN_IF_ERROR(RdkStatus(
      rd_kafka_committed(state_->client.get(), list.get(), static_cast<int>(timeout.count())),
      "reading the group's offsets"));
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    GroupCommit& commit = commits.emplace_back();
    commit.tp = {element.topic, element.partition};
    TD_RETURN_IF_ERROR(
        RdkStatus(element.err, "reading the group's offset of " + commit.tp.ToString()));
    commit.offset = element.offset >= 0 ? element.offset : -1;
    if (element.metadata != nullptr) {
      commit.metadata.assign(static_cast<const char*>(element.metadata), element.metadata_size);
    }
  }
  return commits;
}

std::string KafkaSource::ClusterId(std::chrono::milliseconds timeout) {
  if (state_->closed) return "";
  char* id = rd_kafka_clusterid(state_->client.get(), static_cast<int>(timeout.count()));
  if (id == nullptr) return "";
  std::string result = id;
  rd_kafka_mem_free(state_->client.get(), id);
  return result;
}

void KafkaSource::Reassign() { state_->reassign = true; }

Status KafkaSource::Close(bool leave, std::chrono::milliseconds timeout) {
  State& state = *state_;
  if (state.closed) return Status::Cancelled("the Kafka source is closed");
  state.closed = true;
  MonotonicTime deadline = state.clock->Monotonic() + timeout;
  state.reader.Release();
  state.direct.Stop(state.client.get());
  if (leave) state.LeaveGroup(timeout / kLeaveShare);
  auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - state.clock->Monotonic());
  return state.EndClient(state_, std::max(left, std::chrono::milliseconds(0)));
}

const KafkaSource::Counters& KafkaSource::counters() const { return state_->counters; }

}  // namespace tapedeck
