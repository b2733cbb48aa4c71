// consume_bench SERVERS TOPIC: KafkaSource that only counts, against
//   - a plain librdkafka consumer, one rd_kafka_consumer_poll per message, with the system's
//   allocator;
//   - librdkafka's batch call with our allocator, which is the ceiling.
// Each run is a process of its own (consume_side); all read the same messages, count and checksum
// compared. Fill the topic with feedgen, 20 million messages for a serious measurement:
//   feedgen --bootstrap-servers … --topic bench100 --create 12 --partitions round-robin --generate
//   quotes --count 20000000 --symbols 500

#include <filesystem>

#include "bench/sides.h"

namespace tapedeck {
namespace {

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: consume_bench SERVERS TOPIC\n");
    return 2;
  }
  bench::Begin("Kafka source: consume and count");
  const std::string topic = std::string(argv[1]) + " " + argv[2];
  const std::filesystem::path self = argv[0];
  bench::Sides sides(self.parent_path().string());
  bench::Ratio plain =
      sides.Compare("consume_side source " + topic, "consume_side_system poll " + topic);
  bench::Ratio batch = sides.Compare("consume_side source " + topic, "consume_side batch " + topic);
  sides.PrintTopic();
  sides.PrintSide("source", plain.OurWall(), plain.OurCpu());
  sides.PrintSide("plain poll, system's allocator", plain.TheirWall(), plain.TheirCpu());
  sides.PrintSide("batch call, our allocator", batch.TheirWall(), batch.TheirCpu());
  bench::Print("speed, source over plain poll", plain.Speed(), bench::Bar::AtLeast(1.3));
  bench::Print("CPU, source over plain poll", plain.Cpu(), bench::Bar::AtMost(0.8));
  bench::Print("speed, source over batch call", batch.Speed(), bench::Bar::AtLeast(0.8));
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main(int argc, char** argv) { return tapedeck::Main(argc, argv); }
