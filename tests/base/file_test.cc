#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "support/temp_dir.h"

namespace tapedeck {
namespace {

using testing::TempDir;

size_t FilesIn(const TempDir& dir) {
  auto files = std::filesystem::directory_iterator(dir.path());
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(File, WhatIsWrittenIsReadBack) {
  TempDir dir;
  for (size_t size : {0, 1, 4096, 4097, 1'000'000}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7);
    ASSERT_TRUE(WriteFileAtomically(dir.File("f"), content).ok());
    Result<std::string> read = ReadFile(dir.File("f"), size);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, content);
  }
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(File, AFileAboveTheLimitIsRefused) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("f"), "0123456789").ok());
  EXPECT_TRUE(ReadFile(dir.File("f"), 10).ok());
  EXPECT_EQ(ReadFile(dir.File("f"), 9).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(dir.File("f"), 0).status().code(), StatusCode::kResourceExhausted);
}

TEST(File, FilesWithoutASizeAreReadToTheirEnd) {
  EXPECT_GT(ReadFile("/proc/self/status", 1 << 20)->size(), 100u);
  EXPECT_EQ(ReadFile("/proc/self/status", 100).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile("/dev/zero", 100'000).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(*ReadFile("/dev/null", 10), "");
}

TEST(File, ErrorsNameThePathAndSayWhatToDo) {
  TempDir dir;
  Status status = ReadFile(dir.File("absent"), 10).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find(dir.File("absent")), std::string::npos);
  EXPECT_EQ(ReadFile(dir.path(), 10).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically(dir.File("no/such/f"), "x").code(), StatusCode::kNotFound);
  EXPECT_EQ(SyncDirectory(dir.File("absent")).code(), StatusCode::kNotFound);
  EXPECT_TRUE(SyncDirectory(dir.path()).ok());
  EXPECT_EQ(StatusFromErrno(ENOSPC, "writing x").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(StatusFromErrno(EIO, "writing x").code(), StatusCode::kInternal);
  EXPECT_EQ(StatusFromErrno(EACCES, "writing x").code(), StatusCode::kFailedPrecondition);
}

TEST(WriteFileAtomically, AFailureLeavesTheOldFileAndNothingBesideIt) {
  TempDir dir;
  ASSERT_EQ(::mkdir(dir.File("target").c_str(), 0755), 0);
  EXPECT_FALSE(
      WriteFileAtomically(dir.File("target"), "x").ok());  // a directory cannot be replaced
  EXPECT_TRUE(std::filesystem::is_directory(dir.File("target")));
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(WriteFileAtomically, ReplacesALinkAndNotWhatItPointsTo) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("original"), "old").ok());
  std::filesystem::create_symlink(dir.File("original"), dir.File("link"));
  ASSERT_TRUE(WriteFileAtomically(dir.File("link"), "new").ok());
  EXPECT_EQ(*ReadFile(dir.File("original"), 10), "old");
  EXPECT_EQ(*ReadFile(dir.File("link"), 10), "new");
}

TEST(WriteFileAtomically, GivesTheModeThatWasAskedFor) {
  TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("secret"), "x", 0600).ok());
  struct stat about {};
  ASSERT_EQ(::stat(dir.File("secret").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777u, 0600u);
}

TEST(WriteFileAtomically, AReaderSeesTheOldOrTheNewAndNeverAMix) {
  TempDir dir;
  const std::string path = dir.File("f");
  const std::string contents[] = {std::string(50'000, 'a'), std::string(70'000, 'b')};
  ASSERT_TRUE(WriteFileAtomically(path, contents[0]).ok());
  auto write = [&](size_t which) {
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(WriteFileAtomically(path, contents[which]).ok());
  };
  std::thread a(write, 0);
  std::thread b(write, 1);
  for (int i = 0; i < 400; ++i) {
    Result<std::string> read = ReadFile(path, 100'000);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    ASSERT_TRUE(*read == contents[0] || *read == contents[1]) << read->size();
  }
  a.join();
  b.join();
  EXPECT_EQ(FilesIn(dir), 1u);
}

TEST(TemporaryFolder, GoesWithAllThatIsInItWhenItsOwnerDoes) {
  std::filesystem::path path;
  {
    Result<TemporaryFolder> made = TemporaryFolder::Make("test");
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    path = made->path();
    EXPECT_TRUE(path.filename().string().starts_with("tapedeck-test-"));
    EXPECT_TRUE(std::filesystem::create_directories(path / "a" / "b"));
    ASSERT_TRUE(WriteFileAtomically((path / "a" / "f").string(), "x").ok());
    TemporaryFolder owner = std::move(*made);
    EXPECT_EQ(owner.path(), path);
    EXPECT_EQ(made->path(), "");
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryFolder, TwoOfOneNameAreTwoFoldersThatOnlyTheirOwnerSees) {
  Result<TemporaryFolder> one = TemporaryFolder::Make("test");
  Result<TemporaryFolder> other = TemporaryFolder::Make("test");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->path(), other->path());
  EXPECT_EQ(std::filesystem::status(one->path()).permissions(), std::filesystem::perms::owner_all);
}

}  // namespace
}  // namespace tapedeck
