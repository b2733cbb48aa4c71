// consume_bench SERVERS TOPIC: KafkaSource that only counts, against
//   - a plain librdkafka consumer, one rd_kafka_consumer_poll per message, with the system's
//   allocator;
//   - librdkafka's batch call with our allocator, which is the ceiling.
// Each run is a process of its own (consume_side); all read the same messages, count and checksum
// compared. Fill the topic with feedgen, 20 million messages for a serious measurement:
//   feedgen --bootstrap-servers … --topic bench100 --create 12 --partitions round-robin --generate
//   quotes --count 20000000 --symbols 500

#include <array>
#include <filesystem>

#include "bench/bench_util.h"

namespace tapedeck {
namespace {

struct Run {
  bench::Cost cost;
  unsigned long long messages = 0;
  unsigned long long bytes = 0;
  unsigned long long checksum = 0;
};

class Sides {
 public:
  Sides(std::string folder, std::string rest)
      : folder_(std::move(folder)), rest_(std::move(rest)) {}

  bench::Cost Measure(const char* program, const char* side) {
    std::string command = folder_ + "/" + program + " " + side + " " + rest_;
    FILE* pipe = popen(command.c_str(), "r");
    Run run;
    int fields = pipe == nullptr
                     ? 0
                     : std::fscanf(pipe, "%llu %llu %llu %lf %lf", &run.messages, &run.bytes,
                                   &run.checksum, &run.cost.wall_s, &run.cost.cpu_s);
    if (pipe == nullptr || pclose(pipe) != 0 || fields != 5) {
      std::fprintf(stderr, "consume_bench: '%s' failed\n", command.c_str());
      std::exit(2);
    }
    if (first_.messages == 0) first_ = run;
    if (run.messages != first_.messages || run.checksum != first_.checksum) {
      std::fprintf(stderr, "consume_bench: the sides did not read the same messages\n");
      std::exit(2);
    }
    return run.cost;
  }
  const Run& first() const { return first_; }

 private:
  std::string folder_;
  std::string rest_;
  Run first_;
};

bench::Ratio Compare(Sides* sides, const char* program, const char* side) {
  bench::Ratio ratio;
  sides->Measure("consume_side", "source");  // warms the page cache
  for (int pair = 0; pair < bench::kPairs; ++pair) {
    if (pair % 2 == 0) ratio.ours.push_back(sides->Measure("consume_side", "source"));
    ratio.theirs.push_back(sides->Measure(program, side));
    if (pair % 2 == 1) ratio.ours.push_back(sides->Measure("consume_side", "source"));
  }
  return ratio;
}

void PrintSide(const char* name, double wall_s, double cpu_s, double messages) {
  std::printf("  %-34s %6.2f M msg/s, %5.0f ns CPU per message\n", name, messages / wall_s / 1e6,
              cpu_s / messages * 1e9);
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: consume_bench SERVERS TOPIC\n");
    return 2;
  }
  bench::Begin("Kafka source: consume and count");
  std::string folder = std::filesystem::path(argv[0]).parent_path().string();
  Sides sides(folder.empty() ? "." : folder, std::string(argv[1]) + " " + argv[2]);
  bench::Ratio plain = Compare(&sides, "consume_side_system", "poll");
  bench::Ratio batch = Compare(&sides, "consume_side", "batch");
  auto messages = static_cast<double>(sides.first().messages);
  std::printf("%.0f messages of %.0f bytes\n", messages,
              static_cast<double>(sides.first().bytes) / messages);
  PrintSide("source", plain.OurWall(), plain.OurCpu(), messages);
  PrintSide("plain poll, system's allocator", plain.TheirWall(), plain.TheirCpu(), messages);
  PrintSide("batch call, our allocator", batch.TheirWall(), batch.TheirCpu(), messages);
  bench::Print("speed, source over plain poll", plain.Speed(), bench::Bar::AtLeast(1.3));
  bench::Print("CPU, source over plain poll", plain.Cpu(), bench::Bar::AtMost(0.8));
  bench::Print("speed, source over batch call", batch.Speed(), bench::Bar::AtLeast(0.8));
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { return tapedeck::Main(argc, argv); }
