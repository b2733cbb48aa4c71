// D15: what a power cut can take from a folder that is an archive. A Put runs in a child whose
// system calls are followed: bytes that were not synced, and names of which the folder was not, are
// what a power cut takes. So no name may lead to bytes that are not synced, and when a Put says OK,
// neither its name nor a folder above it may be left to luck.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "blob/local_store.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using testing::TempDir;

/// What a power cut would take, from the system calls of one process.
class CutModel {
 public:
  explicit CutModel(pid_t pid) : pid_(pid) {}

  /// A call that went well.
  void See(const __ptrace_syscall_info& call) {
    const auto arg = [&](int n) { return call.entry.args[n]; };
    switch (call.entry.nr) {
      case SYS_write:
      case SYS_pwrite64:
        unsynced_.insert(PathOf(arg(0)));
        break;
      case SYS_fsync:
      case SYS_fdatasync:
        Sync(PathOf(arg(0)));
        break;
      case SYS_mkdirat:
        names_.insert(Join(arg(0), arg(1)));
        break;
      case SYS_mkdir:
        names_.insert(TextAt(arg(0)));
        break;
      case SYS_renameat:
      case SYS_renameat2:
      case SYS_linkat:
        Rename(Join(arg(0), arg(1)), Join(arg(2), arg(3)));
        break;
      default:
        break;
    }
  }
  const std::vector<std::string>& mistakes() const { return mistakes_; }
  size_t renames() const { return renames_; }
  /// Names that are not durable.
  const std::set<std::string>& names() const { return names_; }

 private:
  std::string PathOf(uint64_t fd) const {
    std::error_code error;
    const auto link = "/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(int(fd));
    return std::filesystem::read_symlink(link, error).string();
  }
  std::string TextAt(uint64_t address) const {
    std::string text(4096, '\0');
    iovec to{text.data(), text.size()};
    iovec from{reinterpret_cast<void*>(address), text.size()};
    ssize_t got = ::process_vm_readv(pid_, &to, 1, &from, 1, 0);
    // It may end where the page does.
    for (size_t size = 4096 - address % 4096; got < 0 && size > 0; size = 0) {
      from.iov_len = to.iov_len = size;
      got = ::process_vm_readv(pid_, &to, 1, &from, 1, 0);
    }
    return got <= 0 ? "" : std::string(text.c_str());
  }
  std::string Join(uint64_t folder, uint64_t address) const {
    const std::string name = TextAt(address);
    return name.starts_with('/') ? name : PathOf(folder) + "/" + name;
  }
  void Sync(const std::string& path) {
    unsynced_.erase(path);
    std::erase_if(names_,
                  [&](const std::string& name) { return name.substr(0, name.rfind('/')) == path; });
  }
  void Rename(const std::string& from, const std::string& to) {
    ++renames_;
    if (unsynced_.contains(from)) mistakes_.push_back(to + " leads to bytes that are not synced");
    names_.insert(to);
  }

  const pid_t pid_;
  std::set<std::string> unsynced_;  // files with such bytes
  std::set<std::string> names_;
  std::vector<std::string> mistakes_;
  size_t renames_ = 0;
};

/// Runs `body` in a child and follows its calls. -1: it cannot be followed here.
int Follow(const std::function<int()>& body, const std::function<void(CutModel*)>& look) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(255);
    ::raise(SIGSTOP);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return -1;
  if (::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return -1;
  }
  CutModel model(child);
  __ptrace_syscall_info entry{};
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    if (::waitpid(child, &status, 0) != child || WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return -1;
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) entry = info;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && !info.exit.is_error) model.See(entry);
  }
  look(&model);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int PutOne(const std::string& folder, const std::string& name, PutMode mode) {
  auto store = OpenLocalStore(folder);
  if (!store.ok()) return 2;
  const std::string bytes(3 << 20, 'x');
  return (*store)->Put(name, BlobContent::Bytes(bytes), mode).ok() ? 0 : 1;
}

TEST(PowerCut, D15_WhatAPutHasSaidIsThereAfterItAndNothingLeadsToHalfAnObject) {
  TempDir dir;
  for (const PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
    for (const char* name : {"o", "a/o", "a/b/c/o", "a/b/d/o"}) {
      const std::string folder = dir.File(mode == PutMode::kCreate ? "made" : "replaced");
      const int code = Follow([&] { return PutOne(folder, name, mode); },
                              [&](CutModel* model) {
                                EXPECT_EQ(model->mistakes(), std::vector<std::string>()) << name;
                                EXPECT_EQ(model->names(), std::set<std::string>()) << name;
                                EXPECT_EQ(model->renames(), 1u) << name;
                              });
      if (code == -1) GTEST_SKIP() << "system calls cannot be followed here";
      EXPECT_EQ(code, 0) << name;
    }
  }
}

// Whoever made the folders died before their names were durable: the next Put sees to it.
TEST(PowerCut, D15_FoldersThatADeadProcessMadeAreSyncedBeforeAnObjectIsSaidToBeThere) {
  TempDir dir;
  const std::string folder = dir.File("s");
  std::set<std::string> synced;
  std::filesystem::create_directories(folder + "/a/b");
  const int code = Follow(
      [&] {
        // As the dead process did it, in the eyes of the model.
        for (const char* path : {"/again", "/again/a", "/again/a/b"}) {
          if (::mkdir((folder + path).c_str(), 0755) != 0) return 3;
        }
        return PutOne(folder + "/again", "a/b/o", PutMode::kCreate);
      },
      [&](CutModel* model) { synced = model->names(); });
  if (code == -1) GTEST_SKIP() << "system calls cannot be followed here";
  EXPECT_EQ(code, 0);
  EXPECT_EQ(synced, std::set<std::string>());
}

// The same eyes see it where it is done wrong.
TEST(PowerCut, AWriterThatSyncsNothingIsCaught) {
  TempDir dir;
  const std::string folder = dir.path().string();
  size_t mistakes = 0;
  size_t names = 0;
  const int code = Follow(
      [&] {
        const int at = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
        const int fd = ::openat(at, "half", O_WRONLY | O_CREAT, 0644);
        if (::write(fd, "bytes", 5) != 5) return 1;
        return ::renameat(at, "half", at, "whole") == 0 ? 0 : 2;
      },
      [&](CutModel* model) {
        mistakes = model->mistakes().size();
        names = model->names().size();
      });
  if (code == -1) GTEST_SKIP() << "system calls cannot be followed here";
  EXPECT_EQ(code, 0);
  EXPECT_EQ(mistakes, 1u);
  EXPECT_EQ(names, 1u);
}

}  // namespace
}  // namespace tapedeck
