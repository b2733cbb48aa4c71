#include "store/lock_owner.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>

namespace tapedeck {

std::optional<LockOwner> FindLockOwner(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return std::nullopt;
  // "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF"
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    int pid = 0;
    unsigned int major_number = 0, minor_number = 0;
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(), "%*d: POSIX ADVISORY WRITE %d %x:%x:%lu", &pid, &major_number,
                    &minor_number, &inode) != 4)
      continue;
    if (inode != info.st_ino || major_number != major(info.st_dev) ||
        minor_number != minor(info.st_dev))
      continue;
    LockOwner owner{.pid = pid, .command = ""};
    std::ifstream name("/proc/" + std::to_string(pid) + "/comm");
    std::getline(name, owner.command);
    return owner;
  }
  return std::nullopt;
}

}  // namespace tapedeck
