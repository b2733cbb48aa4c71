#include "config/archive_section.h"

#include <algorithm>
#include <array>

#include "base/units.h"
#include "config/topic_section.h"

namespace tapedeck {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Status CheckUrl(const std::string& url) {
  const bool known =
      url.starts_with("file:///") || url.starts_with("s3://") || url.starts_with("az://");
  if (url.empty() || known) return Status::Ok();
  return Status::InvalidArgument(QuoteToml(url) +
                                 " is no place for an archive: write file:///folder, "
                                 "s3://bucket/prefix or az://container/prefix");
}

// Whoever writes a secret here should learn where it belongs, not that a key is unknown.
void RefuseSecrets(const ConfigValue* section, SectionReader* reader, std::string_view instead) {
  static constexpr std::array<std::string_view, 11> kSecrets = {
      "access_key",    "access_key_id", "secret_key",  "secret_access_key",
      "session_token", "key",           "account_key", "sas",
      "sas_token",     "token",         "password"};
  if (section == nullptr) return;
  for (const auto& [name, value] : section->members) {
    if (std::find(kSecrets.begin(), kSecrets.end(), name) == kSecrets.end()) continue;
    reader->Take(name);
    reader->Problem(value.where, reader->KeyPath(name) +
                                     ": credentials are not taken from the configuration: " +
                                     std::string(instead));
  }
}

void ReadFormats(SectionReader* archive, const ConfigValue* section, ArchiveConfig* out) {
  std::optional<std::vector<std::string>> names;
  const bool is_set = archive->Has("formats");
  archive->Texts("formats", &names);
  if (!is_set) archive->Note("formats", "[\"parquet\"]", nullptr);
  if (!names.has_value()) return;
  const std::string_view where = section->Find("formats")->where;
  out->formats.clear();
  for (const std::string& name : *names) {
    const bool parquet = name == "parquet";
    if (!parquet && name != "ndjson") {
      archive->Problem(where,
                       "archive.formats: " + QuoteToml(name) + " is none of parquet, ndjson");
      continue;
    }
    const auto format = parquet ? ArchiveConfig::Format::kParquet : ArchiveConfig::Format::kNdjson;
    if (std::ranges::find(out->formats, format) == out->formats.end())
      out->formats.push_back(format);
  }
  if (names->empty()) {
    archive->Problem(where, "archive.formats is empty: name parquet, ndjson or both");
  }
}

void ReadS3(const ConfigValue* section, ArchiveConfig* out, Findings* findings) {
  SectionReader s3(section, "archive.s3", findings);
  RefuseSecrets(section, &s3,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile file, or a role "
                "(docs/blob.md)");
  s3.Text("endpoint", &out->s3.endpoint);
  s3.Text("region", &out->s3.region);
  if (s3.Has("path_style")) {
    bool path_style = false;
    s3.Flag("path_style", &path_style);
    out->s3.path_style = path_style;
  } else {
    s3.Take("path_style");
  }
  s3.Text("bucket_owner", &out->s3.bucket_owner);
  s3.Text("ca_file", &out->s3.ca_file);
  s3.Flag("allow_http", &out->s3.allow_http);
  s3.Done();
}

void ReadAzure(const ConfigValue* section, ArchiveConfig* out, Findings* findings) {
  SectionReader azure(section, "archive.azure", findings);
  RefuseSecrets(section, &azure,
                "AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, a file, or a managed identity "
                "(docs/blob.md)");
  azure.Text("account", &out->azure.account);
  azure.Text("endpoint", &out->azure.endpoint);
  azure.Text("ca_file", &out->azure.ca_file);
  azure.Flag("allow_http", &out->azure.allow_http);
  azure.Done();
}

// "" for none. More often than every minute would do nothing else.
Status CheckBackup(const std::string& text) {
  if (text.empty()) return Status::Ok();
  TD_ASSIGN_OR_RETURN(const std::chrono::nanoseconds interval, ParseDuration(text));
  if (interval >= std::chrono::minutes(1) && interval <= hours(24 * 365)) return Status::Ok();
  return Status::InvalidArgument("from 1m to 365d, or empty for no backups");
}

}  // namespace

void ReadArchive(const ConfigValue& root, Config* config, Findings* findings) {
  ArchiveConfig* out = &config->archive;
  const ConfigValue* section = root.Find("archive");
  SectionReader archive(section, "archive", findings);
  archive.Text("url", &out->url, CheckUrl);
  ReadFormats(&archive, section, out);
  archive.Duration("close_after", {seconds(0), hours(24 * 365)}, &out->close_after);
  archive.Duration("keep_local", {seconds(0), hours(24 * 36500)}, &out->keep_local);
  archive.Duration("tape_ship", {seconds(1), hours(24 * 7)}, &out->tape_ship);
  if (archive.Has("scrub")) {
    archive.DurationOrEmpty("scrub", {hours(1), hours(24 * 3650)}, &out->scrub);
  } else {
    archive.Note("scrub", "\"30d\"", nullptr);
  }
  archive.Size("scrub_rate", {uint64_t{64} << 10, uint64_t{16} << 30}, &out->scrub_rate);
  std::string backup = "24h";
  archive.Text("backup", &backup, CheckBackup);
  const Result<std::chrono::nanoseconds> interval = ParseDuration(backup);
  out->backup = interval.ok() ? std::optional(*interval) : std::nullopt;
  std::optional<std::vector<std::string>> topics;
  archive.Texts("per_message", &topics);
  for (const std::string& topic : topics.value_or(std::vector<std::string>())) {
    if (Status good = CheckTopicName(topic); !good.ok())
      archive.Problem(archive.where(), "archive.per_message: " + std::string(good.message()));
    out->per_message.push_back(topic);
  }
  ReadS3(archive.Take("s3"), out, findings);
  ReadAzure(archive.Take("azure"), out, findings);
  if (section != nullptr && out->url.empty() && !section->members.empty()) {
    findings->Warn(section->where, "[archive] has no url and no effect: everything stays local");
  }
  archive.Done();
}

}  // namespace tapedeck
