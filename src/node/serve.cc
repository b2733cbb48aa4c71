#include "node/serve.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <utility>

#include "base/log.h"
#include "node/json_line.h"
#include "node/progress.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;

// How often a node is looked at: soon ready while it starts, cheap while it runs.
constexpr milliseconds kLookStarting(10);
constexpr milliseconds kLookRunning(100);

class Server {
 public:
  Server(std::unique_ptr<Node> node, const ServeOptions& options, SignalWaiter* signals)
      : node_(std::move(node)),
        options_(options),
        signals_(signals),
        clock_(SystemClock()),
        meter_(clock_.Monotonic()) {}

  int Run() {
    node_->Start();
    last_progress_ = clock_.Monotonic();
    NodeState state = node_->State();
    while (state.phase != NodePhase::kEnded) {
      Tell(state);
      Watch(state);
      std::optional<int> signal = signals_->Wait(ready_ ? kLookRunning : kLookStarting);
      if (signal.has_value()) TakeSignal(*signal);
      state = node_->State();
    }
    Tell(state);
    return End(state);
  }

 private:
  void Print(JsonLine* line) {
    std::string text = line->Take();
    std::fprintf(options_.out, "%s\n", text.c_str());
    std::fflush(options_.out);
  }

  void Tell(const NodeState& state) {
    if (!ready_ && state.phase == NodePhase::kRecording) TellReady(state);
    if (ready_ && !assigned_ && state.recorder.assigned) {
      assigned_ = true;
      JsonLine line;
      line.Text("event", "recording")
          .Text("ts", FormatRfc3339(clock_.Now()))
          .Count("partitions", state.recorder.partitions.size());
      Print(&line);
    }
    MonotonicTime now = clock_.Monotonic();
    if (!ready_ ||
        (now - last_progress_ < options_.progress_interval && state.phase != NodePhase::kEnded))
      return;
    last_progress_ = now;
    std::string text = ProgressJson(meter_.Next(state, now), clock_.Now());
    std::fprintf(options_.out, "%s\n", text.c_str());
    std::fflush(options_.out);
  }

  void TellReady(const NodeState& state) {
    ready_ = true;
    last_progress_ = clock_.Monotonic();
    JsonLine line;
    line.Text("event", "ready")
        .Text("ts", FormatRfc3339(clock_.Now()))
        .Text("version", options_.version);
    line.Text("node", state.store.node_id).Text("store", state.store.store_id);
    line.Text("data_dir", node_->config().node.data_dir.string())
        .Count("topics", node_->config().topics.size());
    line.Count("recovered_rows", state.open_rows).Number("pid", getpid());
    if (std::string url = node_->http_url(); !url.empty()) {
      line.Text("http", node_->http_address()).Text("url", url);
    }
    if (std::string metrics = node_->metrics_address(); !metrics.empty()) {
      line.Text("metrics", metrics);
    }
    if (!state.wal_damage.empty()) line.Text("wal_damaged", state.wal_damage);
    Print(&line);
  }

  void TakeSignal(int signal) {
    if (signal == SIGHUP) {
      TD_LOG(kInfo, "node", "sighup", "changes of the configuration take effect at a restart");
      return;
    }
    if (stopping_) {
      TD_LOG(kWarn, "node", "second-signal",
             "ends at once; what is not stored is read again from Kafka");
      _exit(ExitCodeNow());
    }
    stopping_ = true;
    TD_LOG(kInfo, "node", "stopping", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    node_->Stop(clock_.Monotonic() + options_.goodbye_limit);
    deadline_.Arm(options_.exit_limit, [this] { return ExitCodeNow(); });
  }

  /// 0 where everything that was received is stored, or nothing was.
  int ExitCodeNow() const {
    if (int code = final_code_.load(); code >= 0) return code;
    NodePhase phase = node_->phase();
    return node_->stored() || phase == NodePhase::kOpening || phase == NodePhase::kRecovering ? 0
                                                                                              : 1;
  }

  void Watch(const NodeState& state) {
    bool stuck = state.phase == NodePhase::kRecording && state.recorder.stall.empty() &&
                 state.silence > options_.silence_warn && !stopping_;
    if (!stuck) {
      silence_told_ = std::chrono::nanoseconds(0);
      return;
    }
    if (state.silence - silence_told_ < options_.silence_warn) return;
    silence_told_ = state.silence;
    std::string seconds =
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(state.silence).count());
    TD_LOG(kError, "node", "record-thread-stuck", "the record thread has not been seen",
           {{"seconds", seconds}});
    if (state.silence < options_.silence_exit) return;
    TD_LOG(kError, "node", "watchdog", "the process ends, to be started again");
    std::fflush(options_.out);
    _exit(1);
  }

  int End(const NodeState& state) {
    int code = state.end.ok() ? 0 : state.end.code() == StatusCode::kInvalidArgument ? 2 : 1;
    JsonLine line;
    line.Text("event", "stopped").Text("ts", FormatRfc3339(clock_.Now())).Number("exit", code);
    if (!state.end.ok()) {
      line.Text("error", state.end.message()).Text("code", StatusCodeName(state.end.code()));
      TD_LOG(kError, "node", "stopped", std::string(state.end.message()));
    }
    final_code_.store(code);
    // A store that may not have synced is left as it is: closing would write to it.
    if (state.end.code() != StatusCode::kInternal) {
      node_.reset();
    } else {
      node_.release();  // NOLINT: the process ends, its threads and files with it
    }
    Print(&line);
    return code;
  }

  std::unique_ptr<Node> node_;
  const ServeOptions options_;
  SignalWaiter* const signals_;
  Clock& clock_;
  ProgressMeter meter_;
  MonotonicTime last_progress_{0};
  std::chrono::nanoseconds silence_told_{0};
  std::atomic<int> final_code_{-1};  // once known: from then on only the store has to be closed
  bool ready_ = false;
  bool assigned_ = false;
  bool stopping_ = false;
  ExitDeadline deadline_;
};

}  // namespace

int Serve(std::unique_ptr<Node> node, const ServeOptions& options, SignalWaiter* signals) {
  // Never destroyed: its deadline guards the process to its very end, which is the caller's _exit.
  auto* server = new Server(std::move(node), options, signals);  // NOLINT: see above
  return server->Run();
}

}  // namespace tapedeck
