#include "blob/local_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/file.h"
#include "blob/blob_name.h"
#include "blob/folder.h"

namespace tapedeck {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

struct Entry {
  std::string name;  // of a folder: with '/' at its end, so that entries sort as whole names do
  bool is_folder = false;
};

/// What is known of a name in a folder; nullopt where it is gone. A link is not followed.
Result<std::optional<struct stat>> LookAt(int folder, const std::string& name) {
  struct stat about {};
  if (::fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0)
    return std::optional(about);
  if (errno == ENOENT) return std::optional<struct stat>();
  return StatusFromErrno(errno, "looking at " + name);
}

/// The entries of the folder `path` below `root`, sorted. One that is gone has none.
Result<std::vector<Entry>> ReadFolder(int root, const std::string& path) {
  Result<OpenFile> opened = OpenBeneath(root, path, O_RDONLY | O_DIRECTORY);
  if (!opened.ok() && opened.status().code() == StatusCode::kNotFound) return std::vector<Entry>();
  if (!opened.ok()) return std::move(opened).status();
  std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(::dup(opened->fd())));
  if (folder == nullptr) return StatusFromErrno(errno, "reading the folder " + path);
  std::vector<Entry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(folder.get());
    if (found == nullptr && errno != 0) return StatusFromErrno(errno, "reading the folder " + path);
    if (found == nullptr) break;
    Entry entry{.name = found->d_name, .is_folder = found->d_type == DT_DIR};
    if (entry.name == "." || entry.name == "..") continue;
    if (found->d_type == DT_UNKNOWN) {  // some file systems do not say
      TD_ASSIGN_OR_RETURN(auto about, LookAt(opened->fd(), entry.name));
      if (!about) continue;
      entry.is_folder = S_ISDIR(about->st_mode);
    }
    if (entry.is_folder) entry.name += '/';
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

/// Visits the files whose names can begin with `prefix`, in byte order of their names, until
/// `visit` says false. `is_wanted` decides on a folder ("a/b/").
struct Walk {
  int root;
  const std::string& prefix;
  std::function<bool(const std::string& folder)> is_wanted;
  std::function<Result<bool>(const std::string& folder, const Entry& entry)> visit;

  /// `folder` is "" or ends with '/'.
  Result<bool> Run(const std::string& folder) {
    TD_ASSIGN_OR_RETURN(
        std::vector<Entry> entries,
        ReadFolder(root, folder.empty() ? folder : folder.substr(0, folder.size() - 1)));
    for (const Entry& entry : entries) {
      const std::string name = folder + entry.name;
      Result<bool> goes_on = true;
      if (entry.is_folder) {
        if (entry.name.front() == '.' || !(name.starts_with(prefix) || prefix.starts_with(name)) ||
            !is_wanted(name)) {
          continue;
        }
        goes_on = Run(name);
      } else {
        goes_on = visit(folder, entry);
      }
      if (!goes_on.ok() || !*goes_on) return goes_on;
    }
    return true;
  }
};

}  // namespace

BlobStat LocalStat(const std::string& name, const struct stat& about) {
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  const int64_t modified_ns =
      int64_t{about.st_mtim.tv_sec} * kNanosPerSecond + about.st_mtim.tv_nsec;
  BlobStat stat;
  stat.name = name;
  stat.bytes = static_cast<uint64_t>(about.st_size);
  stat.version = std::to_string(about.st_ino) + "-" + std::to_string(modified_ns) + "-" +
                 std::to_string(stat.bytes);
  stat.modified = Timestamp(modified_ns);
  return stat;
}

Result<BlobPage> ListFolder(int root, const std::string& prefix, const std::string& after,
                            size_t page_max) {
  BlobPage page;
  Walk walk{root,
            prefix,
            [&](const std::string& folder) { return after < folder || after.starts_with(folder); },
            {}};
  walk.visit = [&](const std::string& folder, const Entry& entry) -> Result<bool> {
    const std::string name = folder + entry.name;
    if (!name.starts_with(prefix) || name <= after || entry.name.front() == '.') return true;
    if (page.blobs.size() == page_max) {
      page.next = page.blobs.back().name;
      return false;
    }
    // A link that takes the place of a folder at this very moment could show the size of what it
    // leads to, and no more: Open does not follow it.
    TD_ASSIGN_OR_RETURN(auto about, LookAt(root, name));
    if (!about) return true;
    if (!S_ISREG(about->st_mode) || !CheckBlobName(name).ok()) {
      ++page.foreign;
      return true;
    }
    page.blobs.push_back(LocalStat(name, *about));
    return true;
  };
  TD_RETURN_IF_ERROR(walk.Run("").status());
  return page;
}

Result<uint64_t> RemoveUnfinishedBeneath(int root, const std::string& prefix, Timestamp before) {
  uint64_t removed = 0;
  Walk walk{root, prefix, [](const std::string&) { return true; }, {}};
  walk.visit = [&](const std::string& folder, const Entry& entry) -> Result<bool> {
    if (entry.name.front() != '.' || !entry.name.ends_with(kUnfinishedEnding)) return true;
    TD_ASSIGN_OR_RETURN(auto about, LookAt(root, folder + entry.name));
    if (!about || !S_ISREG(about->st_mode) || LocalStat(entry.name, *about).modified > before)
      return true;
    // "a/.1.unfinished" is under "a/" and under "a/b": what it was to become is not known.
    Result<OpenFile> file = OpenBeneath(root, folder + entry.name, O_RDONLY);
    if (!file.ok() || ::flock(file->fd(), LOCK_EX | LOCK_NB) != 0) return true;  // gone, or alive
    TD_ASSIGN_OR_RETURN(
        OpenFile parent,
        OpenBeneath(root, folder.empty() ? folder : folder.substr(0, folder.size() - 1),
                    O_RDONLY | O_DIRECTORY));
    if (::unlinkat(parent.fd(), entry.name.c_str(), 0) == 0) ++removed;
    return true;
  };
  TD_RETURN_IF_ERROR(walk.Run("").status());
  return removed;
}

}  // namespace tapedeck
