#include "tapedeck/demo.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "kafka/mock_cluster.h"
#include "node/node.h"
#include "node/progress.h"
#include "query/json_rows.h"
#include "query/listing.h"
#include "query/series_cursor.h"
#include "tapedeck/demo_feed.h"
#include "tapedeck/demo_http.h"

namespace tapedeck::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kTopic[] = "demo.market";
constexpr char kSymbol[] = "BTC-USD";
constexpr char kTarget[] = "here";  // of replays: the same simulated broker
constexpr int kPartitions = 4;
constexpr uint64_t kRowsShown = 8;
constexpr milliseconds kLineOnTerminal(200);
constexpr seconds kLineElsewhere(2);
constexpr seconds kReadyTimeout(30);
constexpr seconds kDrainTimeout(20);
constexpr seconds kGoodbye(5);
constexpr seconds kExitLimit(10);

/// A folder that goes away with it, unless it was given.
class DataFolder {
 public:
  static Result<std::unique_ptr<DataFolder>> Make(
      const std::optional<std::filesystem::path>& given) {
    auto folder = std::unique_ptr<DataFolder>(new DataFolder());
    std::error_code error;
    if (given.has_value()) {
      if (std::filesystem::exists(*given, error) && !std::filesystem::is_empty(*given, error)) {
        return Status::InvalidArgument(
            given->string() +
            " is not empty: a demo makes a recording of its own; name another folder");
      }
      folder->path_ = *given;
      return folder;
    }
    Result<TemporaryFolder> made = TemporaryFolder::Make("demo");
    if (!made.ok()) return made.status().WithContext("name a folder with --data-dir");
    folder->temporary_ = std::move(*made);
    folder->path_ = folder->temporary_.path();
    return folder;
  }
  const std::filesystem::path& path() const { return path_; }
  bool temporary() const { return !temporary_.path().empty(); }

 private:
  DataFolder() = default;
  std::filesystem::path path_;
  TemporaryFolder temporary_;
};

Result<Config> DemoConfig(const std::filesystem::path& data_dir, const std::string& servers) {
  ConfigSources sources;
  sources.environment = {
      {"TAPEDECK_NODE__ID", "demo"},
      {"TAPEDECK_NODE__DATA_DIR", data_dir.string()},
      {"TAPEDECK_KAFKA__BOOTSTRAP_SERVERS", servers},
      {"TAPEDECK_TOPICS", "[{name = \"" + std::string(kTopic) + "\", mapping = \"generic-json\"}]"},
      {"TAPEDECK_REPLAY__TARGETS", "{" + std::string(kTarget) + " = {bootstrap_servers = \"" +
                                       servers + "\", topics = [\".*-replay\"]}}"},
      {"TAPEDECK_LIMITS__MEMORY", "512MiB"},
      {"TAPEDECK_HTTP__LISTEN", "127.0.0.1:0"},
      {"TAPEDECK_SERIES__FLUSH_INTERVAL", "5s"},
      {"TAPEDECK_STORE__BALLAST", "0B"},
      {"TAPEDECK_ARCHIVE__URL",
       "file://" + std::filesystem::absolute(data_dir / "archive").string()},
      {"TAPEDECK_LOG__LEVEL", "error"},
  };
  return Config::Load(sources);
}

class Demo {
 public:
  Demo(const DemoOptions& options, SignalWaiter* signals)
      : options_(options),
        signals_(signals),
        clock_(SystemClock()),
        meter_(clock_.Monotonic()),
        terminal_(::isatty(STDERR_FILENO) == 1) {}

  Status Run() {
    TD_RETURN_IF_ERROR(Start());
    TD_RETURN_IF_ERROR(Record());
    TD_ASSIGN_OR_RETURN(Feed::Counts sent, feed_->Stop());
    TD_RETURN_IF_ERROR(Drain(sent.messages));
    ShowProgress(/*last=*/true);
    TD_RETURN_IF_ERROR(Query());
    TD_RETURN_IF_ERROR(AskAsCurl(node_->http_url()).WithContext("asking over HTTP"));
    TD_RETURN_IF_ERROR(Replay());
    NodeState state = node_->State();
    TD_RETURN_IF_ERROR(
        ShipAsCurl(node_->http_url(), Day::Of(began_), &clock_).WithContext("shipping the day"));
    TD_RETURN_IF_ERROR(StopNode());
    return Summarize(sent, state.recorder);
  }

 private:
  Status Start() {
    TD_ASSIGN_OR_RETURN(folder_, DataFolder::Make(options_.data_dir));
    TD_ASSIGN_OR_RETURN(cluster_, MockCluster::Start({.brokers = 1}));
    TD_RETURN_IF_ERROR(cluster_->CreateTopic(kTopic, kPartitions));
    TD_RETURN_IF_ERROR(cluster_->CreateTopic(std::string(kTopic) + "-replay", kPartitions));
    TD_ASSIGN_OR_RETURN(Config config, DemoConfig(folder_->path(), cluster_->bootstrap_servers()));
    TD_ASSIGN_OR_RETURN(
        node_, Node::Make({.config = std::move(config), .version = TAPEDECK_VERSION}, &clock_));
    std::fprintf(stderr,
                 "tapedeck demo: a simulated broker on %s, topic %s with %d partitions, seed %llu, "
                 "data in %s, archive in %s\n",
                 cluster_->bootstrap_servers().c_str(), kTopic, kPartitions,
                 static_cast<unsigned long long>(options_.seed), folder_->path().c_str(),
                 (folder_->path() / "archive").c_str());
    node_->Start();
    MonotonicTime limit = clock_.Monotonic() + kReadyTimeout;
    while (!node_->State().recorder.assigned) {
      TD_RETURN_IF_ERROR(CheckNode());
      if (clock_.Monotonic() > limit)
        return Status::Unavailable("the node got no partitions from the simulated broker");
      if (Interrupted(milliseconds(20)))
        return Status::Cancelled("stopped before anything was recorded");
    }
    ShowCurlLines(node_->http_url());
    began_ = clock_.Now();
    TD_ASSIGN_OR_RETURN(
        feed_, DemoFeed::Start({.bootstrap_servers = cluster_->bootstrap_servers(),
                                .topic = kTopic,
                                .seed = options_.seed,
                                .recorded = [this] { return node_->State().recorder.messages; }},
                               &clock_));
    return Status::Ok();
  }

  Status Record() {
    MonotonicTime end = clock_.Monotonic() + options_.duration;
    while (clock_.Monotonic() < end) {
      TD_RETURN_IF_ERROR(CheckNode());
      ShowProgress(/*last=*/false);
      if (Interrupted(
              std::min<std::chrono::nanoseconds>(milliseconds(50), end - clock_.Monotonic())))
        break;
    }
    return Status::Ok();
  }

  /// Waits until everything that was sent is in the store.
  Status Drain(uint64_t messages) {
    MonotonicTime limit = clock_.Monotonic() + kDrainTimeout;
    while (node_->State().recorder.messages < messages) {
      TD_RETURN_IF_ERROR(CheckNode());
      if (clock_.Monotonic() > limit) {
        return Status::Internal(
            "of " + std::to_string(messages) + " messages that were sent, only " +
            std::to_string(node_->State().recorder.messages) + " were recorded");
      }
      clock_.SleepFor(milliseconds(10));
    }
    return Status::Ok();
  }

  Status CheckNode() {
    NodeState state = node_->State();
    if (state.phase != NodePhase::kEnded) return Status::Ok();
    return state.end.ok() ? Status::Internal("the node ended by itself") : state.end;
  }

  bool Interrupted(std::chrono::nanoseconds wait) {
    std::optional<int> signal = signals_->Wait(std::max(wait, std::chrono::nanoseconds(0)));
    return signal.has_value() && *signal != SIGHUP;
  }

  void ShowProgress(bool last) {
    MonotonicTime now = clock_.Monotonic();
    std::chrono::nanoseconds interval = terminal_ ? std::chrono::nanoseconds(kLineOnTerminal)
                                                  : std::chrono::nanoseconds(kLineElsewhere);
    if (!last && now - last_line_ < interval) return;
    last_line_ = now;
    Progress progress = meter_.Next(node_->State(), now);
    // The feed knows what was sent sooner than the recorder asks the broker.
    uint64_t sent = feed_->sent();
    progress.lag = static_cast<int64_t>(sent > progress.messages ? sent - progress.messages : 0);
    std::string text = ProgressText(progress);
    std::fprintf(stderr, terminal_ ? "\r\x1b[K%s%s" : "%s%s", text.c_str(),
                 !terminal_ || last ? "\n" : "");
    std::fflush(stderr);
  }

  Status Query() {
    TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point,
                        ReadPoint::Take(*node_->open_rows(), node_->directory(), *node_->store()));
    TD_ASSIGN_OR_RETURN(const Table* table, point->FindTable("trades"));
    const std::vector<std::string> wanted = {"ts", "symbol", "price", "size", "side", "trade_id"};
    TD_ASSIGN_OR_RETURN(RowFields fields, RowFields::Choose(*table, wanted, Origins::kLeftOut));
    RecordQuery query;
    query.table = "trades";
    query.symbols = {kSymbol};
    query.limit = kRowsShown;
    query.columns = fields.columns();
    std::vector<std::vector<std::string>> rows;
    MonotonicTime asked{0};
    // From the middle of the recording on; on a machine so busy that the feed did not come so far,
    // from its beginning.
    for (int64_t part : {2, 1000}) {
      query.start = began_.SaturatingAdd((clock_.Now().ns() - began_.ns()) / part);
      asked = clock_.Monotonic();
      TD_ASSIGN_OR_RETURN(std::unique_ptr<RecordCursor> cursor, RecordCursor::Open(point, query));
      RecordWriter writer(fields, *cursor, {});
      rows = {writer.names()};
      for (RowRun run;;) {
        TD_RETURN_IF_ERROR(cursor->Next(&run));
        if (run.count == 0) break;
        for (uint32_t n = 0; n < run.count; ++n) writer.Cells(run, n, &rows.emplace_back());
      }
      if (rows.size() > kRowsShown) break;
    }
    double ms = std::chrono::duration<double, std::milli>(clock_.Monotonic() - asked).count();
    question_ = "query trades --symbols " + std::string(kSymbol) + " --start " +
                FormatRfc3339(query.start) + " --limit " + std::to_string(kRowsShown);
    std::printf("\n$ tapedeck %s\n", question_.c_str());
    PrintTable(rows);
    std::printf("%zu rows in %.1f ms\n", rows.size() - 1, ms);
    return PrintSymbols(*point);
  }

  Status PrintSymbols(const ReadPoint& point) {
    TD_ASSIGN_OR_RETURN(std::vector<SymbolEntry> symbols, ListSymbols(point, {}));
    std::vector<std::vector<std::string>> rows = {{"symbol", "tables", "rows", "first", "last"}};
    for (const SymbolEntry& entry : symbols) {
      std::string tables;
      for (const std::string& name : entry.tables) tables += (tables.empty() ? "" : ",") + name;
      rows.push_back({entry.symbol, tables, std::to_string(entry.rows),
                      FormatRfc3339(entry.first_ts), FormatRfc3339(entry.last_ts)});
    }
    std::printf("\n$ tapedeck symbols\n");
    PrintTable(rows);
    std::fflush(stdout);
    return Status::Ok();
  }

  /// Into a topic of its own, in about two seconds.
  Status Replay() {
    const double recorded = static_cast<double>(clock_.Now().ns() - began_.ns()) / 1e9;
    return ReplayAsCurl(node_->http_url(),
                        {.topic = kTopic,
                         .symbol = kSymbol,
                         .target = kTarget,
                         .speed = std::max(10.0, std::round(recorded / 2))},
                        &clock_)
        .WithContext("replaying");
  }

  static void PrintTable(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths;
    for (const std::vector<std::string>& row : rows) {
      widths.resize(std::max(widths.size(), row.size()));
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const std::vector<std::string>& row : rows) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
      }
      std::printf("%s\n", line.c_str());
    }
  }

  Status StopNode() {
    node_->Stop(clock_.Monotonic() + kGoodbye);
    if (!node_->WaitEnded(kExitLimit)) return Status::Internal("the record thread did not end");
    Status end = node_->State().end;
    node_.reset();
    return end;
  }

  Status Summarize(const Feed::Counts& sent, const RecorderState& recorded) {
    std::printf("\nsent      %s messages: %s quotes, %s trades, %s malformed, %s late\n",
                GroupedDigits(sent.messages).c_str(), GroupedDigits(sent.quotes).c_str(),
                GroupedDigits(sent.trades).c_str(), GroupedDigits(sent.malformed).c_str(),
                GroupedDigits(sent.late).c_str());
    std::printf(
        "recorded  %s messages: %s records, %s refused; %s of messages in %s of tape (%.1fx)\n",
        GroupedDigits(recorded.messages).c_str(), GroupedDigits(recorded.records).c_str(),
        GroupedDigits(recorded.refused).c_str(), RoughBytes(double(recorded.raw_bytes)).c_str(),
        RoughBytes(double(recorded.tape_bytes)).c_str(),
        recorded.tape_bytes == 0 ? 0.0 : double(recorded.raw_bytes) / double(recorded.tape_bytes));
    if (folder_->temporary()) {
      std::printf("The data is gone with this demo; to keep it: tapedeck demo --data-dir DIR\n");
    } else {
      std::string dir = folder_->path().string();
      std::printf(
          "Ask again: tapedeck %s --data-dir %s\nCheck it:  tapedeck verify --data-dir %s\n",
          question_.c_str(), dir.c_str(), dir.c_str());
    }
    std::fflush(stdout);
    bool same = recorded.messages == sent.messages &&
                recorded.records == sent.quotes + sent.trades && recorded.refused == sent.malformed;
    return same ? Status::Ok()
                : Status::Internal("what was recorded is not what was sent (seed " +
                                   std::to_string(options_.seed) + ")");
  }

  const DemoOptions options_;
  SignalWaiter* const signals_;
  Clock& clock_;
  ProgressMeter meter_;
  const bool terminal_;
  MonotonicTime last_line_{0};
  Timestamp began_;
  std::string question_;
  // Destroyed from below: the feed, the node, the broker, the folder.
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<MockCluster> cluster_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<DemoFeed> feed_;
};

}  // namespace

Status RunDemo(const DemoOptions& options, SignalWaiter* signals) {
  return Demo(options, signals).Run();
}

}  // namespace tapedeck::cli
