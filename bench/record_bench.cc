// record_bench SERVERS TOPIC [MAPPING]: Kafka to a synced, queryable store, against
//   - a plain librdkafka consumer that only counts, one rd_kafka_consumer_poll per message, with
//     the system's allocator;
//   - librdkafka's batch call that only counts, with our allocator.
// Each run is a process of its own; record_side checks that its store holds every message, and
// counts until the last message is durable and queryable. `scripts/bench ingest` starts a broker
// and fills topics.

#include <unistd.h>

#include <filesystem>

#include "bench/sides.h"

namespace tapedeck {
namespace {

int Main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: record_bench SERVERS TOPIC [MAPPING]\n");
    return 2;
  }
  bench::Begin("record: Kafka to a synced store");
  const std::string topic = std::string(argv[1]) + " " + argv[2];
  const std::string store = (std::filesystem::temp_directory_path() /
                             ("tapedeck-record-bench-" + std::to_string(getpid())))
                                .string();
  const std::string record =
      "record_side " + topic + " " + (argc == 4 ? argv[3] : "generic-json") + " " + store;
  const std::filesystem::path self = argv[0];
  bench::Sides sides(self.parent_path().string());
  bench::Ratio plain = sides.Compare(record, "consume_side_system poll " + topic);
  bench::Ratio batch = sides.Compare(record, "consume_side batch " + topic);
  sides.PrintTopic();
  sides.PrintSide("record", plain.OurWall(), plain.OurCpu());
  sides.PrintSide("plain poll, system's allocator", plain.TheirWall(), plain.TheirCpu());
  sides.PrintSide("batch call, our allocator", batch.TheirWall(), batch.TheirCpu());
  bench::Print("speed, record over plain poll", plain.Speed(), bench::Bar::AtLeast(1.0));
  bench::Print("speed, record over batch call", batch.Speed(), bench::Bar::AtLeast(0.5));
  bench::Print("CPU, record over plain poll", plain.Cpu());
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { return tapedeck::Main(argc, argv); }
