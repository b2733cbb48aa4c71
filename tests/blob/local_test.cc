#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "blob/local_list.h"
#include "blob/local_store.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using testing::TempDir;

std::unique_ptr<BlobStore> OpenIn(const std::string& folder) {
  Result<std::unique_ptr<BlobStore>> store = OpenLocalStore(folder);
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return store.ok() ? std::move(*store) : nullptr;
}

Status PutBytes(BlobStore* store, const std::string& name, std::string_view bytes,
                PutMode mode = PutMode::kCreate) {
  return store->Put(name, BlobContent::Bytes(bytes), mode).status();
}

size_t FilesBelow(const std::filesystem::path& path) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    files += entry.is_regular_file() ? 1 : 0;
  return files;
}

/// Runs `body` in a child of its own, which ends with what it returns.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(LocalStore, AnObjectIsAFileThatOthersCanRead) {
  TempDir dir;
  auto store = OpenIn(dir.File("archive"));
  ASSERT_TRUE(PutBytes(store.get(), "trades/dt=2024-07-02/n.parquet", "PAR1").ok());
  EXPECT_EQ(*ReadFile(dir.File("archive/trades/dt=2024-07-02/n.parquet"), 10), "PAR1");
  EXPECT_EQ(FilesBelow(dir.path()), 1u);
  EXPECT_EQ(store->Describe(), "file://" + dir.File("archive"));
}

TEST(LocalStore, OnlyTheLastPartOfItsFolderIsMade) {
  TempDir dir;
  EXPECT_EQ(OpenLocalStore(dir.File("a/b")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenLocalStore("relative").status().code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomically(dir.File("f"), "x").ok());
  EXPECT_EQ(OpenLocalStore(dir.File("f")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(OpenLocalStore(dir.File("a") + "//").ok());
}

TEST(LocalStore, SymbolicLinksLeadNowhere) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("secret"), "secret").ok());
  auto store = OpenIn(dir.File("s"));
  ASSERT_TRUE(PutBytes(store.get(), "real/o", "1").ok());
  std::filesystem::create_symlink(dir.path(), dir.File("s/out"));
  std::filesystem::create_symlink(dir.File("secret"), dir.File("s/leak"));
  std::filesystem::create_symlink("real", dir.File("s/inside"));
  for (const char* name : {"out/secret", "leak", "inside/o"}) {
    EXPECT_FALSE(store->Open(name).ok()) << name;
    EXPECT_FALSE(store->Stat(name).ok()) << name;
  }
  EXPECT_FALSE(PutBytes(store.get(), "out/new", "x").ok());
  EXPECT_FALSE(std::filesystem::exists(dir.File("new")));
  EXPECT_TRUE(store->Delete("out/secret").ok());  // there is no such object
  EXPECT_EQ(*ReadFile(dir.File("secret"), 10), "secret");
  Result<BlobPage> page = store->List("", "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->blobs.size(), 1u);
  EXPECT_EQ(page->foreign, 3u);
}

TEST(LocalStore, ALinkWhereAnObjectGoesIsReplacedAndNotFollowed) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("secret"), "secret").ok());
  auto store = OpenIn(dir.File("s"));
  std::filesystem::create_symlink(dir.File("secret"), dir.File("s/o"));
  ASSERT_TRUE(PutBytes(store.get(), "o", "mine", PutMode::kReplace).ok());
  EXPECT_EQ(*ReadFile(dir.File("secret"), 10), "secret");
  EXPECT_EQ(*ReadFile(dir.File("s/o"), 10), "mine");
}

TEST(LocalStore, ANameIsNotAFolderAndAnObjectAtOnce) {
  TempDir dir;
  auto store = OpenIn(dir.File("s"));
  ASSERT_TRUE(PutBytes(store.get(), "a/b", "1").ok());
  EXPECT_FALSE(PutBytes(store.get(), "a", "2").ok());
  EXPECT_FALSE(PutBytes(store.get(), "a", "2", PutMode::kReplace).ok());
  EXPECT_FALSE(PutBytes(store.get(), "a/b/c", "3").ok());
  EXPECT_EQ(FilesBelow(dir.path()), 1u);
}

TEST(LocalStore, NamesThatNoPutMadeAreForeignAndHiddenOnesUnseen) {
  TempDir dir;
  auto store = OpenIn(dir.File("s"));
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/with space"), "x").ok());
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/.hidden"), "x").ok());
  std::filesystem::create_directory(dir.File("s/.hidden-folder"));
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/.hidden-folder/f"), "x").ok());
  Result<BlobPage> page = store->List("", "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->blobs.size(), 0u);
  EXPECT_EQ(page->foreign, 1u);
}

TEST(LocalStore, PagesOfAnySizeHaveTheSameNamesInOrder) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  auto store = OpenIn(dir.File("s"));
  std::set<std::string> names;
  const std::string pieces[] = {"a", "a-b", "a.b", "a=1", "b", "ab", "%2F", "Z", "_"};
  while (names.size() < 120) {
    std::string name;
    for (uint64_t depth = random.Uniform(3); depth > 0; --depth)
      name += pieces[random.Uniform(9)] + "/";
    name += pieces[random.Uniform(9)] + ".o" + std::to_string(random.Uniform(3));
    names.insert(name);
    ASSERT_TRUE(PutBytes(store.get(), name, "", PutMode::kReplace).ok()) << name;
  }
  const int root = ::open(dir.File("s").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (const char* prefix : {"", "a", "a/", "a-", "b/a"}) {
    for (size_t page_max : {1, 2, 7, 119, 120, 121}) {
      std::vector<std::string> listed, wanted;
      for (const std::string& name : names)
        if (name.starts_with(prefix)) wanted.push_back(name);
      std::string after;
      do {
        Result<BlobPage> page = ListFolder(root, prefix, after, page_max);
        ASSERT_TRUE(page.ok()) << page.status().ToString();
        ASSERT_LE(page->blobs.size(), page_max);
        for (const BlobStat& stat : page->blobs) listed.push_back(stat.name);
        after = page->next;
      } while (!after.empty());
      EXPECT_EQ(listed, wanted) << prefix << " in pages of " << page_max;
    }
  }
  ::close(root);
}

TEST(LocalStore, ADiskThatTakesNoMoreLeavesNothing) {
  TempDir dir;
  ASSERT_TRUE(OpenIn(dir.File("s")) != nullptr);
  const int code = InChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto store = OpenLocalStore(dir.File("s"));
    Status put = PutBytes(store->get(), "o", std::string(200'000, 'x'));
    return static_cast<int>(put.code());
  });
  EXPECT_EQ(code, static_cast<int>(StatusCode::kResourceExhausted));
  EXPECT_EQ(FilesBelow(dir.path()), 0u);
}

TEST(LocalStore, WhereTheKernelCannotResolveBeneathItIsDoneStepByStep) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("secret"), "secret").ok());
  ASSERT_TRUE(OpenIn(dir.File("s")) != nullptr);
  std::filesystem::create_symlink(dir.path(), dir.File("s/out"));
  const int code = InChild([&] {
    // openat2 is answered by ENOSYS, as by old kernels and some sandboxes.
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{4, filter};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
      return 77;
    }
    auto store = OpenLocalStore(dir.File("s"));
    if (!store.ok() || !PutBytes(store->get(), "a/b/c", "1").ok()) return 1;
    if (*(*(*store)->Open("a/b/c"))->Read(0, 1) != "1") return 2;
    if ((*store)->Open("out/secret").ok() || PutBytes(store->get(), "out/new", "x").ok()) return 3;
    if ((*store)->ListAll("a/")->size() != 1) return 4;
    return (*store)->Delete("a/b/c").ok() ? 0 : 5;
  });
  if (code == 77) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(code, 0);
  EXPECT_FALSE(std::filesystem::exists(dir.File("new")));
}

TEST(LocalStore, UnfinishedFilesAreRemovedWhenOldAndNobodysAny) {
  TempDir dir;
  auto store = OpenIn(dir.File("s"));
  ASSERT_TRUE(PutBytes(store.get(), "a/o", "1").ok());
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/a/.1-2.unfinished"), "dead").ok());
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/a/.3-4.unfinished"), "alive").ok());
  ASSERT_TRUE(WriteFileAtomically(dir.File("s/.5-6.unfinished"), "elsewhere").ok());
  const int alive = ::open(dir.File("s/a/.3-4.unfinished").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(alive, LOCK_EX), 0);
  EXPECT_EQ(store->ListAll("")->size(), 1u);
  EXPECT_EQ(*store->RemoveUnfinished("", std::chrono::hours(1)), 0u);
  EXPECT_EQ(*store->RemoveUnfinished("", std::chrono::seconds(0)), 2u);
  EXPECT_TRUE(std::filesystem::exists(dir.File("s/a/.3-4.unfinished")));
  ::close(alive);
  EXPECT_EQ(*store->RemoveUnfinished("a/", std::chrono::seconds(0)), 1u);
  EXPECT_EQ(FilesBelow(dir.path()), 1u);
}

TEST(LocalStore, APutKilledAtAnyMomentLeavesNothingHalfVisible) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  TempDir dir;
  auto store = OpenIn(dir.File("s"));
  const std::string bytes = random.Bytes(3 << 20);
  int finished = 0;
  for (int round = 0; round < 40; ++round) {
    const std::string name = "d" + std::to_string(round) + "/o";
    const pid_t child = ::fork();
    if (child == 0) {
      // Replaces, so that later rounds die with an object there, too.
      for (;;) {
        if (!PutBytes(store.get(), name, bytes, PutMode::kReplace).ok()) ::_exit(1);
      }
    }
    SystemClock().SleepFor(std::chrono::microseconds(random.Uniform(12'000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    Result<std::unique_ptr<Blob>> blob = store->Open(name);
    if (!blob.ok()) {
      ASSERT_EQ(blob.status().code(), StatusCode::kNotFound);
    } else {
      ++finished;
      ASSERT_TRUE(*(*blob)->Read(0, (*blob)->stat().bytes) == bytes);
    }
    ASSERT_EQ(store->ListAll("")->size(), static_cast<size_t>(finished));
    // The next Put of that name is not disturbed by what the dead one left.
    if (round % 8 == 0) {
      finished += blob.ok() ? 0 : 1;
      ASSERT_TRUE(PutBytes(store.get(), name, bytes).ok());
    }
  }
  ASSERT_TRUE(store->RemoveUnfinished("", std::chrono::seconds(0)).ok());
  EXPECT_EQ(FilesBelow(dir.path()), static_cast<size_t>(finished));
}

}  // namespace
}  // namespace tapedeck
