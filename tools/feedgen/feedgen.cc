// feedgen: sends NDJSON files or made-up feeds into Kafka. For users, tests and benches.
//
//   feedgen --bootstrap-servers 127.0.0.1:9092 --topic quotes --create 12 --generate quotes --count
//   20000000 feedgen --bootstrap-servers … --topic binance capture.ndjson.zst --recv-ns
//   capture.recv_ns.txt.zst
//           --timestamp recv --key-field s --pace recorded
//
// Progress on stderr, one JSON line at the end on stdout. Exit 0 when everything was delivered, 1
// when not, 2 for wrong usage.

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

#include "kafka/topic_admin.h"
#include "pump.h"

namespace tapedeck {
namespace {

struct Flags {
  std::string bootstrap_servers;
  std::string topic;
  int create = 0;
  std::string partitions = "key";
  std::string file;
  std::string generate;
  uint64_t count = 1'000'000;
  FeedOptions feed;
  int size = 100;
  std::string ts_unit = "ms";
  std::string pace = "max";
  std::string recv_ns;
  uint64_t rate = 0;
  std::string timestamp = "now";
  KeyRule key;
  std::vector<std::string> headers;
  uint64_t limit = UINT64_MAX;
  std::vector<std::string> properties;
};

void DeclareFlags(CLI::App* app, Flags* flags) {
  app->add_option("--bootstrap-servers", flags->bootstrap_servers, "host:port,host:port")
      ->required();
  app->add_option("--topic", flags->topic)->required();
  app->add_option("--create", flags->create,
                  "Make the topic with this many partitions if it is not there")
      ->check(CLI::Range(1, 100'000));
  app->add_option("--partitions", flags->partitions,
                  "key: by the hash of the key; round-robin; or the number of one partition")
      ->capture_default_str();
  app->add_option("file", flags->file, "One message per line; .zst is decompressed");
  app->add_option("--generate", flags->generate, "Make messages up instead of reading a file")
      ->check(CLI::IsMember({"quotes", "trades", "mixed"}));
  app->add_option("--count", flags->count, "Messages to make up")->capture_default_str();
  app->add_option("--symbols", flags->feed.symbols)
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app->add_option("--size", flags->size, "Bytes per message, about")
      ->check(CLI::IsMember({100, 250}))
      ->capture_default_str();
  app->add_option("--seed", flags->feed.seed, "The same seed makes the same messages")
      ->capture_default_str();
  app->add_option("--ts-unit", flags->ts_unit, "Unit of the made-up event times")
      ->check(CLI::IsMember({"ms", "ns"}))
      ->capture_default_str();
  app->add_option("--late-ppm", flags->feed.late_ppm,
                  "Of a million made-up messages, how many are late")
      ->check(CLI::Range(0, 1'000'000));
  app->add_option("--malformed-ppm", flags->feed.malformed_ppm, "and how many cannot be decoded")
      ->check(CLI::Range(0, 1'000'000));
  app->add_option("--pace", flags->pace,
                  "max, or recorded: at the times of --recv-ns or of the made-up feed")
      ->check(CLI::IsMember({"max", "recorded"}))
      ->capture_default_str();
  app->add_option("--recv-ns", flags->recv_ns,
                  "Time of each line of the file, ns since 1970, one per line");
  app->add_option("--rate", flags->rate, "Messages per second at most; 0 is no limit");
  app->add_option("--timestamp", flags->timestamp,
                  "Kafka timestamp: now, recv (recorded times) or event")
      ->check(CLI::IsMember({"now", "recv", "event"}))
      ->capture_default_str();
  app->add_option("--key", flags->key.constant, "The key of every message");
  app->add_option("--key-field", flags->key.field,
                  "Key: the first member of this name whose value is a string");
  app->add_option("--header", flags->headers, "name=value, on every message; may be repeated");
  app->add_option("--limit", flags->limit, "Stop after this many messages");
  app->add_option("-X", flags->properties, "property=value for librdkafka; may be repeated");
}

Result<std::pair<std::string, std::string>> SplitPair(const std::string& text, const char* flag) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Status::InvalidArgument(std::string(flag) + " takes name=value");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<std::unique_ptr<Input>> OpenInput(Flags* flags) {
  if (flags->file.empty() == flags->generate.empty()) {
    return Status::InvalidArgument("give either a file or --generate");
  }
  if (!flags->file.empty()) return OpenFileInput(flags->file, flags->recv_ns, flags->key);
  flags->feed.kind = flags->generate == "quotes"   ? FeedKind::kQuotes
                     : flags->generate == "trades" ? FeedKind::kTrades
                                                   : FeedKind::kMixed;
  flags->feed.width = flags->size == 250 ? FeedWidth::k250 : FeedWidth::k100;
  flags->feed.ts_unit = flags->ts_unit == "ns" ? TimeUnit::kNanoseconds : TimeUnit::kMilliseconds;
  return MakeFeedInput(flags->feed, flags->count, flags->key);
}

Status PrepareTopic(const Flags& flags, const KafkaProperties& properties, PumpOptions* options) {
  TopicAdminOptions admin_options;
  admin_options.bootstrap_servers = flags.bootstrap_servers;
  admin_options.properties = properties;
  TD_ASSIGN_OR_RETURN(auto admin, TopicAdmin::Open(admin_options));
  if (flags.create > 0) {
    Status created = admin->CreateTopic(flags.topic, flags.create);
    if (!created.ok() && created.code() != StatusCode::kAlreadyExists) return created;
  }
  if (flags.partitions == "key") return Status::Ok();
  if (flags.partitions == "round-robin") {
    options->partitioning = Partitioning::kRoundRobin;
    TD_ASSIGN_OR_RETURN(options->partition_count, admin->PartitionCount(flags.topic));
    if (options->partition_count > 0) return Status::Ok();
    return Status::NotFound("topic " + flags.topic + " has no partitions");
  }
  options->partitioning = Partitioning::kFixed;
  const char* end = flags.partitions.data() + flags.partitions.size();
  auto [stop, error] = std::from_chars(flags.partitions.data(), end, options->partition);
  if (error == std::errc() && stop == end && options->partition >= 0) return Status::Ok();
  return Status::InvalidArgument("--partitions takes key, round-robin or a number");
}

Result<PumpOptions> MakePumpOptions(const Flags& flags) {
  PumpOptions options;
  options.topic = flags.topic;
  options.pace = flags.pace == "recorded" ? Pace::kRecorded : Pace::kMax;
  options.rate = flags.rate;
  options.timestamp = flags.timestamp == "recv"    ? KafkaTime::kRecorded
                      : flags.timestamp == "event" ? KafkaTime::kEvent
                                                   : KafkaTime::kNow;
  options.limit = flags.limit;
  for (const std::string& header : flags.headers) {
    TD_ASSIGN_OR_RETURN(auto pair, SplitPair(header, "--header"));
    options.headers.push_back(std::move(pair));
  }
  return options;
}

void PrintProgress(const PumpResult& result) {
  std::fprintf(stderr, "feedgen: %llu messages, %.1f MB, %.0f/s\n",
               static_cast<unsigned long long>(result.messages),
               static_cast<double>(result.bytes) / 1e6,
               static_cast<double>(result.messages) / result.seconds);
}

void PrintSummary(const PumpResult& result, const Producer& producer, const Input& input) {
  const Producer::Counters& counters = producer.counters();
  std::printf(
      "{\"messages\":%llu,\"bytes\":%llu,\"delivered\":%llu,\"failed\":%llu,\"enqueue_seconds\":%."
      "3f,"
      "\"seconds\":%.3f,\"messages_per_second\":%.0f%s}\n",
      static_cast<unsigned long long>(result.messages),
      static_cast<unsigned long long>(result.bytes),
      static_cast<unsigned long long>(counters.delivered),
      static_cast<unsigned long long>(counters.failed), result.enqueue_seconds, result.seconds,
      result.seconds > 0 ? static_cast<double>(result.messages) / result.seconds : 0.0,
      input.SummaryMembers().c_str());
}

Status Run(Flags* flags) {
  KafkaProperties properties;
  for (const std::string& property : flags->properties) {
    TD_ASSIGN_OR_RETURN(auto pair, SplitPair(property, "-X"));
    properties.insert_or_assign(pair.first, pair.second);
  }
  TD_ASSIGN_OR_RETURN(PumpOptions options, MakePumpOptions(*flags));
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Input> input, OpenInput(flags));
  TD_RETURN_IF_ERROR(PrepareTopic(*flags, properties, &options));
  ProducerOptions producer_options;
  producer_options.bootstrap_servers = flags->bootstrap_servers;
  producer_options.properties = properties;
  TD_ASSIGN_OR_RETURN(auto producer, Producer::Open(producer_options));
  TD_ASSIGN_OR_RETURN(PumpResult result,
                      RunPump(options, input.get(), producer.get(), &SystemClock(), PrintProgress));
  PrintSummary(result, *producer, *input);
  if (producer->counters().failed == 0) return Status::Ok();
  return Status::Unavailable(
      std::to_string(producer->counters().failed) +
      " messages were not delivered; the first: " + producer->first_failure());
}

int Main(int argc, char** argv) {
  CLI::App app{"Sends NDJSON files or made-up market data into Kafka", "feedgen"};
  Flags flags;
  DeclareFlags(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  Status status = Run(&flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "feedgen: %s\n", status.ToString().c_str());
  return status.code() == StatusCode::kInvalidArgument ? 2 : 1;
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { return tapedeck::Main(argc, argv); }
