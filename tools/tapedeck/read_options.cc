#include "tapedeck/read_options.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "base/clock.h"
#include "base/hash.h"
#include "blob/open_store.h"
#include "model/time_text.h"
#include "tapedeck/number_checks.h"

namespace tapedeck::cli {

namespace {

CLI::Option* AddUrl(CLI::App* command, ReadOptions* options) {
  return command
      ->add_option("--url,-u", options->url,
                   "a running node, http or https; default: " + std::string(kDefaultUrl))
      ->type_name("URL");
}

std::vector<CLI::Option*> AddSecrets(CLI::App* command, ReadOptions* options) {
  return {command
              ->add_option("--token-file", options->token_file,
                           "file that holds the token for --url; default: the variable " +
                               std::string(kTokenVariable))
              ->type_name("FILE"),
          command
              ->add_option("--ca-file", options->ca_file,
                           "certificates (PEM) to trust for --url https://…")
              ->type_name("FILE")};
}

void AddOutput(CLI::App* command, ReadOptions* options, std::vector<std::string> names) {
  command
      ->add_option("-o,--output", options->output,
                   "form of the answer; default: a table on a terminal, else ndjson")
      ->check(CLI::IsMember(std::move(names)));
}

}  // namespace

void ReadOptions::AddTo(CLI::App* command, Forms forms) {
  CLI::Option* at = AddUrl(command, this);
  CLI::Option* in = command
                        ->add_option("--data-dir,-d", data_dir,
                                     "instead: folder of a node's store; the node may be running")
                        ->type_name("DIR");
  in->excludes(at);
  for (CLI::Option* secret : AddSecrets(command, this)) secret->excludes(in);
  std::vector<std::string> names = {"ndjson", "json", "csv", "table"};
  if (forms == Forms::kColumnar) names.insert(names.end(), {"arrow", "parquet"});
  AddOutput(command, this, std::move(names));
  command->add_flag("--fail-empty", fail_empty, "exit with 3 where nothing was found");
}

void ReadOptions::AddNodeTo(CLI::App* command) {
  AddUrl(command, this);
  AddSecrets(command, this);
  AddOutput(command, this, {"ndjson", "json", "csv", "table"});
}

void ReadOptions::AddArchiveTo(CLI::App* command) {
  CLI::Option* option = command->add_option(
      "--archive", archive,
      "with --data-dir: where its pruned days are, and what others have shipped: file://, s3:// or "
      "az://");
  option->type_name("URL")->needs(command->get_option("--data-dir"));
  command->add_option("--endpoint", endpoint, "of --archive, where it is not the provider's own")
      ->type_name("URL")
      ->needs(option);
}

Result<std::unique_ptr<BlobStore>> ReadOptions::OpenBlobs() const {
  BlobStoreOptions options;
  options.s3.endpoint = endpoint;
  options.azure.endpoint = endpoint;
  Result<std::unique_ptr<BlobStore>> blobs = OpenBlobStore(archive, options);
  if (!blobs.ok()) return blobs.status().WithContext("--archive");
  return blobs;
}

Status ReadOptions::OpenGivenArchive() const {
  TD_ASSIGN_OR_RETURN(blobs_, OpenBlobs());
  opened_ = std::make_shared<Archive>(blobs_.get(), ObjectCacheOptions());
  return opened_->manifests().Refresh(blobs_.get(), nullptr).status().WithContext("--archive");
}

Result<std::unique_ptr<Reader>> ReadOptions::OpenReader() const {
  if (!archive.empty()) TD_RETURN_IF_ERROR(OpenGivenArchive());
  Result<std::unique_ptr<Reader>> reader =
      Reader::Open({.dir = data_dir, .archive = opened_.get()});
  if (!reader.ok()) return reader.status().WithContext("--data-dir " + data_dir);
  return reader;
}

void RangeOptions::AddTo(CLI::App* command) {
  command
      ->add_option("--start", start,
                   "first time: RFC 3339, a date, 1712877306113ms (s, us, ns), now-15m")
      ->type_name("TIME");
  command->add_option("--end", end, "time before which to end; also +1h after --start")
      ->type_name("TIME");
}

Status RangeOptions::Parse(Timestamp* from, Timestamp* to) const {
  const Timestamp now = SystemClock().Now();
  std::optional<Timestamp> first;
  if (!start.empty()) {
    Result<Timestamp> time = ParseTimeText(start, now);
    if (!time.ok()) return time.status().WithContext("--start");
    first = *from = *time;
  }
  if (!end.empty()) {
    Result<Timestamp> time = ParseTimeText(end, now, first);
    if (!time.ok()) return time.status().WithContext("--end");
    *to = *time;
  }
  return Status::Ok();
}

void LimitOptions::AddTo(CLI::App* command, Pages pages) {
  // Of -1 the parser alone would make the greatest number there is.
  CLI::Option* most =
      command->add_option("--limit", limit, "at most so many")->check(WholeNumberFrom(1));
  if (pages == Pages::kNo) return;
  command
      ->add_option("--page-token", page_token,
                   "go on behind a page; of the next_page_token that -o json gave")
      ->type_name("TOKEN")
      ->needs(most);
}

Result<std::optional<PageToken>> LimitOptions::Token(uint64_t query) const {
  if (page_token.empty()) return std::optional<PageToken>();
  Result<PageToken> token = DecodePageToken(page_token);
  if (!token.ok()) return token.status().WithContext("--page-token");
  if (token->query != query) {
    return Status::InvalidArgument(
        "--page-token: it belongs to another query or another source: only --limit may change");
  }
  return std::optional<PageToken>(std::move(token).value());
}

uint64_t HashOfQuery(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += std::to_string(part.size()) + ":" + part;
  return HashBytes64(text);
}

CLI::Option* AddListOption(CLI::App* command, const std::string& name,
                           std::vector<std::string>* values, const std::string& what) {
  return command->add_option(name, *values, what)->allow_extra_args(false);
}

std::vector<std::string> SplitList(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    words.emplace_back();
    for (size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == ',') {
        words.back() += value[++i];
      } else if (value[i] == ',') {
        words.emplace_back();
      } else {
        words.back() += value[i];
      }
    }
  }
  return words;
}

RowStyle StyleOf(const std::string& ts, const std::string& numbers) {
  TimeStyle time = TimeStyle::kIso;
  if (ts == "ns") time = TimeStyle::kNanoseconds;
  if (ts == "us") time = TimeStyle::kMicroseconds;
  if (ts == "ms") time = TimeStyle::kMilliseconds;
  if (ts == "s") time = TimeStyle::kSeconds;
  return {time, numbers == "string" ? NumberStyle::kString : NumberStyle::kJson};
}

Status AsUsage(const Status& status) {
  if (status.code() != StatusCode::kNotFound) return status;
  return Status::InvalidArgument(std::string(status.message()));
}

int RunReading(const ReadOptions& options, const std::function<Status(uint64_t* rows)>& command) {
  uint64_t rows = 0;
  Status status = command(&rows);
  if (!status.ok()) return Fail(status);
  return rows == 0 && options.fail_empty ? kExitNothingFound : kExitOk;
}

}  // namespace tapedeck::cli
