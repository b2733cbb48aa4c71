#include "node/node.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/open_files.h"
#include "node/open_files.h"
#include "node/replay_side.h"
#include "ship/retainer.h"

namespace tapedeck {
namespace {

void ApplyLogConfig(const LogConfig& log) {
  static_assert(static_cast<int>(LogLevel::kError) == static_cast<int>(LogConfig::Level::kError));
  static_assert(static_cast<int>(LogFormat::kJson) == static_cast<int>(LogConfig::Format::kJson));
  ConfigureLog(static_cast<LogLevel>(static_cast<int>(log.level)),
               static_cast<LogFormat>(static_cast<int>(log.format)));
}

// Requests in hand when the node stops may still end.
constexpr std::chrono::nanoseconds kHttpGrace = std::chrono::seconds(1);

// Retention on a thread of its own, where it is asked for. The queue is closed before it ends.
class Retaining {
 public:
  Retaining(const std::optional<std::chrono::nanoseconds>& retain, const RetainParts& parts) {
    if (!retain) return;
    retainer_.emplace(*retain, parts);
    thread_ = std::thread([this] {
      const Status end = retainer_->Run(stop_);
      if (!end.ok()) TD_LOG(kError, "node", "retention-ended", end.ToString());
    });
  }
  ~Retaining() {
    AskToStop();
    if (thread_.joinable()) thread_.join();
  }
  void AskToStop() { stop_.store(true); }

 private:
  std::atomic<bool> stop_{false};
  std::optional<Retainer> retainer_;
  std::thread thread_;
};

}  // namespace

/// The node as its routes see it.
class Node::Served final : public ServedNode {
 public:
  explicit Served(Node* node) : node_(node) {}

  ServedPhase phase() const override {
    static_assert(int(ServedPhase::kEnded) == int(NodePhase::kEnded));
    return static_cast<ServedPhase>(node_->phase());
  }
  std::chrono::nanoseconds silence() const override { return node_->pulse_.Age(); }
  ServedState State() const override {
    NodeState state = node_->State();
    return {static_cast<ServedPhase>(state.phase),
            std::string(state.end.message()),
            std::move(state.store),
            std::move(state.wal_damage),
            std::move(state.recorder),
            state.open_rows,
            state.open_row_bytes,
            state.silence,
            std::move(state.ship),
            std::move(state.archive_trouble)};
  }
  Result<std::shared_ptr<const ReadPoint>> Point() const override {
    if (node_->phase() != NodePhase::kRecording) {
      return Status::Unavailable("the node is " + std::string(NodePhaseName(node_->phase())));
    }
    Archive* archive = nullptr;
    if (node_->ship_ != nullptr) {
      archive = node_->ship_->archive();
      // Without it nobody knows what others have shipped, or where pruned days lie.
      if (archive == nullptr)
        return Status::Unavailable("the archive is not open: " + node_->ship_->trouble());
    }
    return ReadPoint::Take(node_->open_rows_, &node_->directory_, *node_->store_, archive);
  }
  uint64_t published() const override { return node_->open_rows_.changes(); }
  const Store* store() const override {
    return node_->phase() == NodePhase::kRecording ? node_->store_.get() : nullptr;
  }
  std::shared_ptr<const ManifestSet> manifests() const override {
    if (node_->phase() != NodePhase::kRecording || node_->ship_ == nullptr) return nullptr;
    Archive* const archive = node_->ship_->archive();
    // One that is not open is there all the same: it has not been listed.
    return archive == nullptr ? ManifestHolder().Take() : archive->manifests().Take();
  }
  std::string archive_place() const override { return node_->options_.config.archive.url; }
  Result<std::vector<DayState>> CloseDay(Day day, std::vector<std::string> tables) override {
    if (!node_->options_.config.archive.on()) {
      return Status::FailedPrecondition(
          "this node has no archive to close days into: [archive] url names one");
    }
    TD_ASSIGN_OR_RETURN(Shipper * shipper, ShipperOfNode());
    return shipper->RequestClose(day, std::move(tables));
  }
  ReplayRunner* replays() const override {
    return node_->phase() == NodePhase::kRecording ? node_->replays_.get() : nullptr;
  }
  Reindexer* reindexer() const override {
    return node_->phase() == NodePhase::kRecording ? node_->reindexer_.get() : nullptr;
  }
  Result<FlushTicket> FlushAll() override {
    if (node_->phase() != NodePhase::kRecording) {
      return Status::Unavailable("the node is " + std::string(NodePhaseName(node_->phase())));
    }
    if (node_->ship_ == nullptr)
      return FlushTicket{.number = node_->recorder_->RequestFlush(), .ships = false};
    TD_ASSIGN_OR_RETURN(Shipper * shipper, ShipperOfNode());
    return FlushTicket{.number = shipper->RequestAll(), .ships = true};
  }

 private:
  Result<Shipper*> ShipperOfNode() const {
    const NodePhase phase = node_->phase();
    if (phase != NodePhase::kRecording)
      return Status::Unavailable("the node is " + std::string(NodePhaseName(phase)));
    Shipper* const shipper = node_->ship_->shipper();
    if (shipper == nullptr)
      return Status::Unavailable("the archive is not open: " + node_->ship_->trouble());
    return shipper;
  }

  Node* const node_;
};

std::string_view NodePhaseName(NodePhase phase) {
  switch (phase) {
    case NodePhase::kOpening:
      return "opening";
    case NodePhase::kRecovering:
      return "recovering";
    case NodePhase::kRecording:
      return "recording";
    case NodePhase::kEnded:
      return "ended";
  }
  return "?";
}

Result<std::unique_ptr<Node>> Node::Make(NodeOptions options, Clock* clock) {
  TD_RETURN_IF_ERROR(CheckKafkaClient(options.config));
  TD_RETURN_IF_ERROR(CheckArchive(options.config));
  TD_RETURN_IF_ERROR(CheckReplayTargets(options.config));
  // A plan without the store finds what is wrong with the configuration before anything is opened.
  TD_ASSIGN_OR_RETURN(RecordingPlan plan, PlanRecording(options.config, TableRegistry(), NoRows));
  auto node = std::unique_ptr<Node>(new Node(std::move(options), clock));
  node->warnings_ = node->options_.config.warnings;
  node->warnings_.insert(node->warnings_.end(), plan.warnings.begin(), plan.warnings.end());
  ApplyLogConfig(node->options_.config.log);
  return node;
}

Node::Node(NodeOptions options, Clock* clock)
    : options_(std::move(options)),
      clock_(clock),
      pulse_(clock),
      served_(std::make_unique<Served>(this)) {}

Node::~Node() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  face_.reset();     // answers read the store
  replays_.reset();  // as replays do
  reindexer_.reset();
  ship_.reset();  // works with the recorder
  recorder_.reset();
  if (store_ != nullptr) {
    Status closed = store_->Close();
    if (!closed.ok()) TD_LOG(kError, "node", "close", closed.ToString());
  }
}

void Node::Start() {
  TD_CHECK(!thread_.joinable(), "a node is started once");
  for (const std::string& warning : warnings_) TD_LOG(kWarn, "config", "warning", warning);
  thread_ = std::thread([this] {
    pulse_.Bind();
    Status end = RunRecordThread();
    queue_.Close("the node has ended");  // whoever waits for its writer wakes
    std::lock_guard lock(mutex_);
    end_ = std::move(end);
    phase_ = NodePhase::kEnded;
    changed_.notify_all();
  });
}

void Node::Stop(MonotonicTime deadline) {
  HttpFace* face = nullptr;
  {
    std::lock_guard lock(mutex_);
    face = face_.get();
  }
  // Recording first: it ends while answers in hand do.
  pulse_.StopBy(deadline);
  stop_.store(true);
  // Calls to an archive that does not answer end now; Record waits for the shipper.
  if (phase() == NodePhase::kRecording && ship_ != nullptr) ship_->AskToStop();
  if (phase() == NodePhase::kRecording) replays_->AskToStop();
  if (phase() == NodePhase::kRecording) reindexer_->AskToStop();
  const std::chrono::nanoseconds left = deadline - clock_->Monotonic();
  if (face != nullptr) {
    face->Stop(std::clamp(left / 4, std::chrono::nanoseconds(0), kHttpGrace));
  }
}

bool Node::WaitEnded(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return phase_ == NodePhase::kEnded; });
}

NodeState Node::State() const {
  NodeState state;
  {
    std::lock_guard lock(mutex_);
    state.phase = phase_;
    state.end = end_;
    if (phase_ == NodePhase::kOpening) return state;
  }
  // Both were set before the phase was left, and stay. A node that ended early may lack either.
  if (store_ != nullptr) {
    state.store = store_->meta();
    state.wal_damage = store_->wal_damage();
  }
  if (recorder_ != nullptr) state.recorder = recorder_->State();
  if (ship_ != nullptr) {
    state.ship = ship_->state();
    state.archive_trouble = ship_->trouble();
  }
  state.open_rows = open_rows_.rows();
  state.open_row_bytes = open_rows_.bytes();
  state.silence = pulse_.Age();
  return state;
}

NodePhase Node::phase() const {
  std::lock_guard lock(mutex_);
  return phase_;
}

void Node::Enter(NodePhase phase) {
  pulse_.Beat();
  std::lock_guard lock(mutex_);
  phase_ = phase;
  changed_.notify_all();
}

Status Node::Listen() {
  const bool listens = !options_.config.http.listen.empty();
  TD_ASSIGN_OR_RETURN(
      const OpenFilesPlan files,
      PlanOpenFiles(RaiseOpenFilesLimit(), StoredFilesOf(options_.config.node.data_dir), listens));
  if (!files.warning.empty()) TD_LOG(kWarn, "node", "open-files", files.warning);
  if (!listens) return Status::Ok();
  TD_ASSIGN_OR_RETURN(std::unique_ptr<HttpFace> face,
                      HttpFace::Start(options_.config, {.served = served_.get(),
                                                        .clock = clock_,
                                                        .metrics = &metrics_,
                                                        .version = options_.version,
                                                        .connections = files.connections}));
  TD_LOG(kInfo, "node", "listening", face->url());
  std::lock_guard lock(mutex_);
  face_ = std::move(face);
  return Status::Ok();
}

std::string Node::http_address() const {
  std::lock_guard lock(mutex_);
  return face_ == nullptr ? "" : face_->address();
}

std::string Node::metrics_address() const {
  std::lock_guard lock(mutex_);
  return face_ == nullptr ? "" : face_->metrics_address();
}

std::string Node::http_url() const {
  std::lock_guard lock(mutex_);
  return face_ == nullptr ? "" : face_->url();
}

Status Node::RunRecordThread() {
  TD_RETURN_IF_ERROR(Listen());
  TD_RETURN_IF_ERROR(OpenStore());
  TD_ASSIGN_OR_RETURN(RecordingPlan plan, PlanOnStore());
  std::vector<RecordTopic> topics = plan.topics;
  TD_RETURN_IF_ERROR(MakeRecorder(std::move(plan)));
  TD_RETURN_IF_ERROR(MakeShipSide());
  TD_RETURN_IF_ERROR(MakeReplays());
  TD_RETURN_IF_ERROR(MakeReindexer(std::move(topics)));
  if (stop_.load()) return Status::Ok();
  Enter(NodePhase::kRecovering);
  TD_RETURN_IF_ERROR(recorder_->Recover().WithContext("decoding the tail"));
  if (stop_.load()) return Status::Ok();
  Enter(NodePhase::kRecording);
  TD_RETURN_IF_ERROR(replays_->Start(*store_->View()).WithContext("finding replays"));
  TD_RETURN_IF_ERROR(reindexer_->Start(*store_->View()).WithContext("finding reindexes"));
  TD_RETURN_IF_ERROR(Record());
  // Not needed for safety: it spares the next start the replay of the log.
  Status flushed = store_->FlushMemtables();
  if (!flushed.ok()) TD_LOG(kWarn, "node", "flush-memtables", flushed.ToString());
  return Status::Ok();
}

// Records until the end. What the shipper has in hand is carried out, or ends without being done,
// before the last writer of the store goes. Replays know by the target how far they came.
Status Node::Record() {
  if (ship_ != nullptr) ship_->Start();
  Retaining retaining(options_.config.store.retain, {store_.get(), &queue_, clock_});
  Status end = recorder_->Run(stop_);
  retaining.AskToStop();
  replays_->AskToStop();
  reindexer_->AskToStop();
  if (ship_ != nullptr) ship_->AskToStop();
  const bool can_write =
      end.code() != StatusCode::kInternal && end.code() != StatusCode::kCorruption;
  if (!can_write) queue_.Close("the store cannot be written to");
  if (can_write && ship_ != nullptr) queue_.ServeUntil(ship_->ended(), store_.get(), clock_);
  queue_.Close("the node stops");
  // Replays may wait for a target for as long as they like: nothing of the recording does.
  if (end.ok()) pulse_.Stored();
  replays_->Stop();  // what they still ask of the store is refused
  reindexer_->Stop();
  return end;
}

}  // namespace tapedeck
