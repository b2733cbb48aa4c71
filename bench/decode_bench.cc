// Decode: our Decoder against simdjson On-Demand, ordered fields, on the same buffer of 8-field
// quotes; then on a mix of four layouts of which 1 % have none of them. Both sides give symbol, ts,
// four exact decimals, a sequence and a source; a hash over all rows must be equal before anything
// is timed.
//
//   cmake --build build/release --target decode_bench && build/release/bench/decode_bench

#include <simdjson.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/decimal.h"
#include "bench/bench_util.h"
#include "mapping/mapping.h"
#include "model/table.h"

namespace tapedeck {
namespace {

constexpr size_t kMessages =
    8'000;  // about a megabyte: a fetch from Kafka is in the cache when it is decoded
constexpr size_t kRounds = 25;
constexpr size_t kLayouts = 4;
constexpr uint64_t kSeed = 20'240'809;

constexpr std::string_view kMapping = R"({"format":"json","records":[{"table":"quotes",
  "symbol":["symbol","s","sym","pair"],"ts":{"path":["ts","t","time","T"],"unit":"ms"},
  "fields":{"bid_price":["bid","b","bp"],"bid_size":["bid_size","B","bs"],"ask_price":["ask","a","ap"],
            "ask_size":["ask_size","A","as"],"sequence":{"path":["seq","u","q"],"type":"integer"},
            "source":{"path":["src","x"],"type":"text"}}}]})";

/// Names of the eight fields, in the order of each layout: symbol, ts, bid, bid size, ask, ask
/// size, sequence, source.
struct Names {
  const char* key[8];
};
constexpr Names kNames[kLayouts] = {
    {{"symbol", "ts", "bid", "bid_size", "ask", "ask_size", "seq", "src"}},
    {{"s", "t", "b", "B", "a", "A", "u", "x"}},
    {{"sym", "time", "bp", "bs", "ap", "as", "q", "src"}},
    {{"pair", "T", "bid", "bid_size", "ask", "ask_size", "u", "x"}},
};

struct Row {
  std::string_view symbol;
  int64_t ts_ns = 0;
  Decimal price[4];
  int64_t sequence = 0;
  std::string_view source;
};

/// Cheap, and sees every field.
struct Checksum {
  uint64_t sum = 0;
  uint64_t rows = 0;
  void Add(const Row& row) {
    uint64_t h = static_cast<uint64_t>(row.ts_ns) ^ (static_cast<uint64_t>(row.sequence) << 7);
    for (const Decimal& d : row.price)
      h = h * 31 + static_cast<uint64_t>(d.mantissa) * 19 + d.scale;
    sum += h ^ (row.symbol.size() + static_cast<unsigned char>(row.symbol[0]) +
                row.source.size() * 256);
    ++rows;
  }
  bool operator==(const Checksum&) const = default;
};

struct Buffer {
  std::string bytes;  // with simdjson's padding at the end
  std::vector<std::pair<size_t, size_t>> messages;
};

std::string Number(std::mt19937_64* random, int64_t around, unsigned scale) {
  std::string text;
  AppendDecimal({around + static_cast<int64_t>((*random)() % 9000), static_cast<uint8_t>(scale)},
                &text);
  return text;
}

std::string Message(std::mt19937_64* random, size_t layout, bool odd) {
  static constexpr const char* kSymbols[] = {"BTCUSDT", "ETHUSDT", "BNBBTC", "SOLUSDT", "XRPUSDC"};
  const Names& names = kNames[layout];
  std::string values[8] = {
      std::string("\"") + kSymbols[(*random)() % 5] + "\"",
      std::to_string(1'723'161'256'310 + static_cast<int64_t>((*random)() % 1'000'000)),
      Number(random, 6'180'020, 2),
      Number(random, 2'507, 3),
      Number(random, 6'181'020, 2),
      Number(random, 12'510, 3),
      std::to_string(5'123'107'839 + (*random)() % 100'000),
      "\"binance\""};
  std::string out = "{";
  for (size_t i = 0; i < 8; ++i) {
    const size_t at = odd ? 7 - i : i;
    if (i > 0) out += odd ? ", " : ",";
    // odd: an escape in the source, which no layout takes
    if (odd && at == 7) values[at] = "\"bin\\u0061nce\"";
    out += std::string("\"") + names.key[at] + "\":" + values[at];
  }
  return out + "}";
}

Buffer MakeBuffer(size_t layouts, unsigned odd_percent) {
  std::mt19937_64 random(kSeed);
  Buffer buffer;
  for (size_t i = 0; i < kMessages; ++i) {
    std::string message = Message(&random, random() % layouts, random() % 100 < odd_percent);
    buffer.messages.emplace_back(buffer.bytes.size(), message.size());
    buffer.bytes += message;
  }
  buffer.bytes.append(simdjson::SIMDJSON_PADDING, ' ');
  return buffer;
}

/// As exact as ours: a digit loop over the raw token; false sends it to the general parser.
bool Scaled(std::string_view token, Decimal* out) {
  int64_t mantissa = 0;
  size_t digits = 0, point = std::string_view::npos;
  for (size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    if (c >= '0' && c <= '9') {
      mantissa = mantissa * 10 + (c - '0');
      ++digits;
    } else if (c == '.' && point == std::string_view::npos) {
      point = i;
    } else if (c == ' ') {
      token = token.substr(0, i);
    } else {
      std::string text;
      return ParseDecimal(token, out, &text) == DecimalForm::kDecimal;
    }
  }
  if (digits == 0 || digits > 18) return false;
  *out = {mantissa,
          static_cast<uint8_t>(point == std::string_view::npos ? 0 : token.size() - point - 1)};
  return true;
}

template <typename Find>
bool ReadFields(const Names& names, Find find, Row* row) {
  int64_t ms = 0;
  if (find(names.key[0]).get_string().get(row->symbol) != simdjson::SUCCESS) return false;
  if (find(names.key[1]).get_int64().get(ms) != simdjson::SUCCESS) return false;
  row->ts_ns = ms * 1'000'000;
  for (size_t i = 0; i < 4; ++i) {
    simdjson::ondemand::value value;
    if (find(names.key[2 + i]).get(value) != simdjson::SUCCESS) return false;
    if (!Scaled(value.raw_json_token(), &row->price[i])) return false;
  }
  return find(names.key[6]).get_int64().get(row->sequence) == simdjson::SUCCESS &&
         find(names.key[7]).get_string().get(row->source) == simdjson::SUCCESS;
}

size_t LayoutOf(const char* message) {
  if (message[2] == 'p') return 3;
  if (message[3] == '"') return 1;
  return message[5] == '"' ? 2 : 0;
}

Checksum Theirs(const Buffer& buffer, bool mixed, simdjson::ondemand::parser* parser) {
  Checksum checksum;
  for (const auto& [at, size] : buffer.messages) {
    const char* text = buffer.bytes.data() + at;
    Row row;
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    auto start = [&] {
      return parser->iterate(text, size, buffer.bytes.size() - at).get(document) ==
                 simdjson::SUCCESS &&
             document.get_object().get(object) == simdjson::SUCCESS;
    };
    bool read = start() && ReadFields(
                               kNames[mixed ? LayoutOf(text) : 0],
                               [&](const char* key) { return object.find_field(key); }, &row);
    for (size_t i = 0; i < kLayouts && !read; ++i) {
      read =
          start() &&
          ReadFields(
              kNames[i], [&](const char* key) { return object.find_field_unordered(key); }, &row);
    }
    if (read) checksum.Add(row);
  }
  return checksum;
}

struct Columns {
  size_t price[4];
  size_t sequence;
  size_t source;
};

Checksum Ours(const Buffer& buffer, Decoder* decoder, const Columns& columns) {
  const TopicPartition tp{"quotes", 0};
  const Timestamp received(int64_t{1'900'000'000} * 1'000'000'000);
  Checksum checksum;
  Decoded decoded;
  MessageView message;
  for (const auto& [at, size] : buffer.messages) {
    message.value = std::string_view(buffer.bytes).substr(at, size);
    decoder->Decode(tp, message, received, &decoded);
    for (const DecodedRecord& record : decoded.records) {
      Row row;
      row.symbol = record.symbol;
      row.ts_ns = record.ts.ns();
      for (size_t i = 0; i < 4; ++i) row.price[i] = record.values[columns.price[i]].decimal();
      row.sequence = record.values[columns.sequence].integer();
      row.source = record.values[columns.source].text();
      checksum.Add(row);
    }
  }
  return checksum;
}

int Run() {
  bench::Begin("decode: 8-field quotes");
  MappingLibrary library = {{"quotes", std::string(kMapping)}};
  Result<MappingSpec> spec = MappingSpec::Resolve("quotes", library, {});
  if (!spec.ok()) return std::fprintf(stderr, "%s\n", spec.status().ToString().c_str()), 2;
  TableRegistry tables;
  std::unique_ptr<Decoder> decoder = Decoder::Make(*spec, &tables).value();
  std::unique_ptr<Decoder> tree = Decoder::Make(*spec, &tables, {.learn_layouts = false}).value();
  const Table& table = *tables.Find("quotes");
  auto column = [&](const char* name) { return static_cast<size_t>(table.FindColumn(name)); };
  const Columns columns{
      {column("bid_price"), column("bid_size"), column("ask_price"), column("ask_size")},
      column("sequence"),
      column("source")};
  simdjson::ondemand::parser parser;
  struct Case {
    const char* name;
    size_t layouts;
    unsigned odd_percent;
  };
  for (const Case& c : {Case{"one layout", 1, 0}, Case{"four layouts, 1 % unlike", kLayouts, 1}}) {
    const Buffer buffer = MakeBuffer(c.layouts, c.odd_percent);
    const bool mixed = c.layouts > 1;
    const Checksum expected = Theirs(buffer, mixed, &parser),
                   actual = Ours(buffer, decoder.get(), columns);
    std::printf("%s: %zu messages of %zu bytes, %llu rows, checksum %016llx\n", c.name,
                buffer.messages.size(), buffer.bytes.size() / buffer.messages.size(),
                static_cast<unsigned long long>(actual.rows),
                static_cast<unsigned long long>(actual.sum));
    if (!(expected == actual) || actual.rows != kMessages ||
        !(Ours(buffer, tree.get(), columns) == expected)) {
      std::fprintf(stderr, "the two sides read different rows\n");
      return 1;
    }
    volatile uint64_t sink = 0;
    auto ours = [&](Decoder* with) {
      for (size_t i = 0; i < kRounds; ++i) sink = sink + Ours(buffer, with, columns).sum;
    };
    auto theirs = [&] {
      for (size_t i = 0; i < kRounds; ++i) sink = sink + Theirs(buffer, mixed, &parser).sum;
    };
    bench::Ratio ratio = bench::Interleave([&] { ours(decoder.get()); }, theirs, 9);
    std::printf("  ours %.1f ns, On-Demand %.1f ns a message\n",
                ratio.OurWall() * 1e9 / (kMessages * kRounds),
                ratio.TheirWall() * 1e9 / (kMessages * kRounds));
    bench::Print(std::string("decode speed, ours over On-Demand, ") + c.name, ratio.Speed(),
                 bench::Bar::AtLeast(1.0));
    bench::Print(std::string("CPU seconds, ours over On-Demand, ") + c.name, ratio.Cpu());
    bench::Ratio slow = bench::Interleave([&] { ours(tree.get()); }, theirs);
    std::printf("  the tree alone: %.1f ns a message, %.2f of On-Demand's speed\n",
                slow.OurWall() * 1e9 / (kMessages * kRounds), slow.Speed().median);
  }
  DecoderStats stats = decoder->stats();
  std::printf("layouts took %llu of %llu messages\n", static_cast<unsigned long long>(stats.fast),
              static_cast<unsigned long long>(stats.messages));
  return bench::End();
}

}  // namespace
}  // namespace tapedeck

int main() { return tapedeck::Run(); }
