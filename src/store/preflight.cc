#include "store/preflight.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/file.h"
#include "base/log.h"
#include "store/log_scan.h"

namespace tapedeck::rocks {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCurrentBytesMax = 4096;
constexpr std::string_view kManifest = "MANIFEST-";

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "000012.log" -> 12 for the ending ".log".
std::optional<uint64_t> NumberOf(const std::string& name, std::string_view ending) {
  if (!name.ends_with(ending)) return std::nullopt;
  std::string_view digits = std::string_view(name).substr(0, name.size() - ending.size());
  uint64_t number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    return std::nullopt;
  return number;
}

std::vector<std::string> Names(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

Status CopyDurably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error)
    return StatusFromErrno(error.value(), "copying " + from.string() + " to " + to.string());
  const int fd = ::open(to.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return StatusFromErrno(errno, "opening " + to.string());
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) return StatusFromErrno(failed, "syncing " + to.string());
  return Status::Ok();
}

Status TruncateDurably(const fs::path& file, uint64_t bytes) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return StatusFromErrno(errno, "opening " + file.string());
  const int failed =
      ::ftruncate(fd, static_cast<off_t>(bytes)) != 0 || ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) return StatusFromErrno(failed, "cutting " + file.string());
  return Status::Ok();
}

// A scan of every WAL up to the first that is not clean.
struct Suspect {
  size_t file = 0;
  LogScan scan;
};

Result<std::optional<Suspect>> FirstSuspect(const std::vector<WalFile>& wals, size_t from) {
  for (size_t i = from; i < wals.size(); ++i) {
    TD_ASSIGN_OR_RETURN(LogScan scan, ScanLogFile(wals[i].path));
    if (scan.end != LogScan::End::kClean) return std::optional<Suspect>(Suspect{i, scan});
  }
  return std::optional<Suspect>();
}

Result<bool> AnyRecordAfter(const std::vector<WalFile>& wals, size_t file) {
  for (size_t i = file + 1; i < wals.size(); ++i) {
    TD_ASSIGN_OR_RETURN(LogScan scan, ScanLogFile(wals[i].path));
    if (scan.records > 0 || scan.end != LogScan::End::kClean) return true;
  }
  return false;
}

}  // namespace

Result<fs::path> FindManifest(const fs::path& dir) {
  const fs::path current = dir / "CURRENT";
  TD_ASSIGN_OR_RETURN(std::string text, ReadFile(current.string(), kCurrentBytesMax));
  const std::string damaged = current.string() + " is damaged: ";
  if (!text.starts_with(kManifest) || !text.ends_with('\n') ||
      !AllDigits(
          std::string_view(text).substr(kManifest.size(), text.size() - kManifest.size() - 1))) {
    return Status::Corruption(damaged + "it does not name a MANIFEST");
  }
  text.pop_back();
  std::error_code error;
  if (!fs::exists(dir / text, error))
    return Status::Corruption(damaged + "it names " + text + ", which is not there");
  return dir / text;
}

Result<bool> CheckCurrent(const fs::path& dir) {
  std::error_code error;
  if (fs::exists(dir / "CURRENT", error)) {
    TD_RETURN_IF_ERROR(FindManifest(dir).status());
    return true;
  }
  for (const std::string& name : Names(dir)) {
    if (NumberOf(name, ".sst") || NumberOf(name, ".log")) {
      return Status::Corruption((dir / "CURRENT").string() +
                                " is missing beside data files such as " + name);
    }
  }
  return false;
}

std::optional<uint64_t> WalNumber(const std::string& name) { return NumberOf(name, ".log"); }

std::vector<WalFile> ListWals(const fs::path& dir) {
  std::vector<WalFile> wals;
  for (const std::string& name : Names(dir)) {
    std::optional<uint64_t> number = NumberOf(name, ".log");
    if (!number) continue;
    std::error_code error;
    const uint64_t bytes = fs::file_size(dir / name, error);
    if (!error) wals.push_back({*number, dir / name, bytes});
  }
  std::sort(wals.begin(), wals.end(),
            [](const WalFile& a, const WalFile& b) { return a.number < b.number; });
  return wals;
}

uint64_t WalBytes(const fs::path& dir) {
  uint64_t bytes = 0;
  for (const WalFile& wal : ListWals(dir)) bytes += wal.bytes;
  return bytes;
}

Result<std::optional<WalDamage>> FindWalDamage(const std::vector<WalFile>& wals,
                                               uint64_t oldest_needed) {
  for (size_t from = 0; from < wals.size();) {
    TD_ASSIGN_OR_RETURN(std::optional<Suspect> suspect, FirstSuspect(wals, from));
    if (!suspect) break;
    const WalFile& wal = wals[suspect->file];
    from = suspect->file + 1;
    std::string reason = suspect->scan.reason;
    if (suspect->scan.end == LogScan::End::kTorn) {
      TD_ASSIGN_OR_RETURN(bool followed, AnyRecordAfter(wals, suspect->file));
      if (!followed) continue;
      reason = "it ends early, and later files have records";
    }
    if (wal.number < oldest_needed) continue;
    return std::optional<WalDamage>(
        WalDamage{.file = suspect->file,
                  .whole_bytes = suspect->scan.whole_bytes,
                  .description = "write-ahead log " + wal.path.string() + " is damaged at byte " +
                                 std::to_string(suspect->scan.bad_at) + ": " + reason});
  }
  return std::optional<WalDamage>();
}

Status CutWals(const fs::path& dir, const std::vector<WalFile>& wals, const WalDamage& damage) {
  const fs::path folder = dir / "damaged";
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) return StatusFromErrno(error.value(), "making " + folder.string());
  for (size_t i = wals.size(); i-- > damage.file + 1;) {
    const fs::path target = folder / wals[i].path.filename();
    fs::rename(wals[i].path, target, error);
    if (error) return StatusFromErrno(error.value(), "moving " + wals[i].path.string());
    TD_RETURN_IF_ERROR(SyncDirectory(dir.string()));
  }
  const WalFile& wal = wals[damage.file];
  TD_RETURN_IF_ERROR(CopyDurably(wal.path, folder / wal.path.filename()));
  TD_RETURN_IF_ERROR(SyncDirectory(folder.string()));
  TD_RETURN_IF_ERROR(TruncateDurably(wal.path, damage.whole_bytes));
  TD_LOG(kError, "store", "wal-damaged",
         "opened without what follows the damage; originals are in the folder damaged",
         {{"what", damage.description},
          {"files_moved", std::to_string(wals.size() - damage.file - 1)}});
  return SyncDirectory(dir.string());
}

}  // namespace tapedeck::rocks
