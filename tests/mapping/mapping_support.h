#ifndef TAPEDECK_TESTS_MAPPING_MAPPING_SUPPORT_H_
#define TAPEDECK_TESTS_MAPPING_MAPPING_SUPPORT_H_

// What the tests of mappings share: shared test data, decoders from presets and from TOML, decoded
// messages as JSON.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "config/presets.h"
#include "config/toml_json.h"
#include "mapping/mapping.h"
#include "model/table.h"
#include "support/source_dir.h"

namespace tapedeck::testing {

/// The folder of shared test data, or "" where it is absent.
inline std::string SharedDir() {
  const char* named = std::getenv("TAPEDECK_SHARED_DIR");
  std::string dir = named != nullptr ? named : SourceDir() + "/../shared";
  return std::filesystem::is_directory(dir + "/data/expected") ? dir : "";
}

#define TD_NEEDS_SHARED_DATA()                  \
  if (::tapedeck::testing::SharedDir().empty()) \
  GTEST_SKIP() << "the shared test data is not here: set TAPEDECK_SHARED_DIR to its folder"

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// A moment after every sample, so that none is implausible.
inline constexpr Timestamp kReceived{int64_t{1'900'000'000} * 1'000'000'000};
inline constexpr int64_t kKafkaMs = 1'700'000'000'123;

struct KafkaSide {
  std::optional<std::string> key;
  std::optional<int64_t> timestamp_ms;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  TopicPartition tp{"ticks", 3};
};

class TestDecoder {
 public:
  /// `over`: JSON keys laid over the mapping, as a mapping with `base` does it.
  static Result<TestDecoder> Make(const std::string& name, const MappingLibrary& library,
                                  nlohmann::json over = {}, TopicSettings settings = {},
                                  DecoderOptions options = {}) {
    MappingLibrary with = library;
    std::string resolved = name;
    if (!over.empty()) {
      over["base"] = name;
      resolved = "over";
      with[resolved] = over.dump();
    }
    TestDecoder out;
    TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::Resolve(resolved, with, settings));
    out.tables_ = std::make_unique<TableRegistry>();
    TD_ASSIGN_OR_RETURN(out.decoder_, Decoder::Make(spec, out.tables_.get(), options));
    return out;
  }
  /// Of the mapping "venue" in TOML text.
  static Result<TestDecoder> FromToml(const std::string& toml, TopicSettings settings = {}) {
    MappingLibrary library = PresetLibrary();
    TD_ASSIGN_OR_RETURN(auto mappings, MappingsFromToml(toml, "test.toml"));
    for (auto& [name, text] : mappings) library[name] = text;
    return Make("venue", library, {}, settings);
  }

  Decoder& decoder() { return *decoder_; }
  const TableRegistry& tables() const { return *tables_; }

  const Decoded& Run(const std::optional<std::string>& value, const KafkaSide& kafka = {},
                     Timestamp received = kReceived) {
    value_ = value;
    kafka_ = kafka;
    headers_.clear();
    for (const auto& [name, header] : kafka_.headers) {
      headers_.push_back({name, header ? OptionalBytes(*header) : std::nullopt});
    }
    MessageView message;
    message.offset = 7;
    if (kafka_.timestamp_ms) {
      message.timestamp_ms = *kafka_.timestamp_ms;
      message.timestamp_type = TimestampType::kCreate;
    }
    if (kafka_.key) message.key = *kafka_.key;
    if (value_) message.value = *value_;
    message.headers = headers_;
    decoder_->Decode(kafka_.tp, message, received, &decoded_);
    return decoded_;
  }

  /// Records and marks in message order: {"table",…}, {"refuse":…}, {"skip":…}.
  nlohmann::json Json(const Decoded& decoded) const {
    nlohmann::json out = nlohmann::json::array();
    size_t mark = 0;
    for (size_t i = 0; i <= decoded.records.size(); ++i) {
      for (; mark < decoded.marks.size() && decoded.marks[mark].position == i; ++mark) {
        bool refused = decoded.marks[mark].kind == DecodedMark::Kind::kRefused;
        out.push_back({{refused ? "refuse" : "skip", std::string(decoded.marks[mark].reason)}});
      }
      if (i < decoded.records.size()) out.push_back(Record(decoded.records[i]));
    }
    return out;
  }
  nlohmann::json RunJson(const std::optional<std::string>& value, const KafkaSide& kafka = {},
                         Timestamp received = kReceived) {
    return Json(Run(value, kafka, received));
  }

 private:
  nlohmann::json Record(const DecodedRecord& record) const {
    const Table* table = tables_->Find(record.table);
    nlohmann::json fields = nlohmann::json::object();
    for (size_t i = 0; i < table->columns.size(); ++i) {
      Value value = i < record.values.size() ? record.values[i] : Value();
      std::string text;
      value.AppendCanonical(&text);
      fields[table->columns[i].name] = value.is_null() ? nlohmann::json() : nlohmann::json(text);
    }
    return {{"table", table->name},
            {"symbol", std::string(record.symbol)},
            {"ts_ns", std::to_string(record.ts.ns())},
            {"ts_source", std::string(record.ts_source)},
            {"fields", fields}};
  }

  std::unique_ptr<TableRegistry> tables_;
  std::unique_ptr<Decoder> decoder_;
  Decoded decoded_;
  std::optional<std::string> value_;
  KafkaSide kafka_;
  std::vector<HeaderView> headers_;
};

}  // namespace tapedeck::testing

#endif  // TAPEDECK_TESTS_MAPPING_MAPPING_SUPPORT_H_
