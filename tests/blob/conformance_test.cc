#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "blob/blob_name.h"
#include "blob/store_conformance.h"
#include "support/seed.h"

namespace tapedeck {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string Bytes(size_t size, uint64_t seed) { return Random(seed).Bytes(size); }

Status PutBytes(BlobStore* store, const std::string& name, const std::string& bytes,
                PutMode mode = PutMode::kCreate) {
  return store->Put(name, BlobContent::Bytes(bytes), mode).status();
}

/// EXPECT_EQ would print megabytes.
void ExpectSame(const std::string& got, const std::string& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  EXPECT_TRUE(got == wanted) << "the bytes differ: " << got.substr(0, 200);
}

TEST_P(StoreConformance, BytesOfEverySizeAreReadBack) {
  // 5 MiB is the least part of S3, and the part that these stores are opened with; from twice that
  // on an object goes up in parts.
  for (size_t size : {size_t{0}, size_t{1}, 5 * kMiB - 1, 5 * kMiB, 5 * kMiB + 1, 12 * kMiB + 7}) {
    SCOPED_TRACE(size);
    const std::string bytes = Bytes(size, size);
    const std::string name = "sizes/s" + std::to_string(size);
    Result<PutReport> put = store_->Put(name, BlobContent::Bytes(bytes), PutMode::kCreate);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_EQ(put->bytes, size);
    EXPECT_FALSE(put->was_there);
    ExpectSame(Content(name), bytes);
    Result<BlobStat> stat = store_->Stat(name);
    ASSERT_TRUE(stat.ok()) << stat.status().ToString();
    EXPECT_EQ(stat->bytes, size);
    EXPECT_EQ(stat->name, name);
    EXPECT_NE(stat->version, "");
    EXPECT_GT(stat->modified.ns(), Timestamp(1'600'000'000'000'000'000).ns());
  }
}

TEST_P(StoreConformance, FilesAreReadBack) {
  for (size_t size : {size_t{0}, 3 * kMiB, 11 * kMiB}) {
    SCOPED_TRACE(size);
    const std::string bytes = Bytes(size, size + 1);
    const std::string path = MakeFile("f" + std::to_string(size), bytes);
    const std::string name = "files/s" + std::to_string(size);
    Result<PutReport> put = store_->Put(name, BlobContent::File(path), PutMode::kCreate);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    ExpectSame(Content(name), bytes);
  }
  EXPECT_EQ(store_->Put("x", BlobContent::File(dir_.File("no")), PutMode::kCreate).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(store_->Put("x", BlobContent::File(dir_.path()), PutMode::kCreate).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Stat("x").status().code(), StatusCode::kNotFound);
}

TEST_P(StoreConformance, WhatIsNotThereIsNotFoundAndDeletedInPeace) {
  EXPECT_EQ(store_->Open("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Stat("none/at/all").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_->Delete("none").ok());
  EXPECT_TRUE(store_->Delete("none/at/all").ok());
  ASSERT_TRUE(PutBytes(store_.get(), "a/b", "1").ok());
  EXPECT_EQ(store_->Stat("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Stat("a/b/c").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_->Delete("a/b/c").ok());
  EXPECT_TRUE(store_->Delete("a").ok());
  ASSERT_TRUE(store_->Delete("a/b").ok());
  EXPECT_EQ(store_->Open("a/b").status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(PutBytes(store_.get(), "a/b", "2").ok());
  EXPECT_EQ(Content("a/b"), "2");
}

TEST_P(StoreConformance, CreateAgainWithTheSameBytesIsDoneAndWithOthersRefused) {
  for (size_t size : {size_t{0}, size_t{5}, 11 * kMiB}) {
    SCOPED_TRACE(size);
    const std::string bytes = Bytes(size, 7), name = "o" + std::to_string(size);
    ASSERT_TRUE(PutBytes(store_.get(), name, bytes).ok());
    Result<PutReport> again = store_->Put(name, BlobContent::Bytes(bytes), PutMode::kCreate);
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    EXPECT_TRUE(again->was_there);
    std::string other = bytes;
    other.append("x");
    EXPECT_EQ(PutBytes(store_.get(), name, other).code(), StatusCode::kAlreadyExists);
    if (size > 0) {
      other = bytes;
      other.back() ^= 1;  // of the same size
      EXPECT_EQ(PutBytes(store_.get(), name, other).code(), StatusCode::kAlreadyExists);
    }
    ExpectSame(Content(name), bytes);
  }
}

TEST_P(StoreConformance, ReplaceReplacesAndTheVersionTells) {
  ASSERT_TRUE(PutBytes(store_.get(), "r", "old", PutMode::kReplace).ok());
  const std::string version = store_->Stat("r")->version;
  ASSERT_TRUE(PutBytes(store_.get(), "r", "new!", PutMode::kReplace).ok());
  EXPECT_EQ(Content("r"), "new!");
  EXPECT_NE(store_->Stat("r")->version, version);
  const std::string large = Bytes(11 * kMiB, 3);
  ASSERT_TRUE(PutBytes(store_.get(), "r", large, PutMode::kReplace).ok());
  ExpectSame(Content("r"), large);
}

TEST_P(StoreConformance, RangesAreExact) {
  const std::string bytes = Bytes(3 * kMiB + 11, 5);
  ASSERT_TRUE(PutBytes(store_.get(), "ranges", bytes).ok());
  Result<std::unique_ptr<Blob>> blob = store_->Open("ranges");
  ASSERT_TRUE(blob.ok()) << blob.status().ToString();
  const uint64_t size = bytes.size();
  const std::pair<uint64_t, uint64_t> ranges[] = {
      {0, 1}, {0, size}, {size - 1, 1}, {size - 8, 8}, {1, kMiB}, {kMiB - 1, 2}, {size, 0}, {7, 0}};
  for (auto [offset, count] : ranges) {
    Result<std::string> read = (*blob)->Read(offset, count);
    ASSERT_TRUE(read.ok()) << offset << " " << count << ": " << read.status().ToString();
    ExpectSame(*read, bytes.substr(offset, count));
  }
  const std::pair<uint64_t, uint64_t> outside[] = {
      {0, size + 1}, {size, 1}, {size + 1, 0}, {UINT64_MAX, 2}, {1, UINT64_MAX}};
  for (auto [offset, count] : outside)
    EXPECT_EQ((*blob)->Read(offset, count).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, ASinkThatFailsEndsTheReadWithItsError) {
  ASSERT_TRUE(PutBytes(store_.get(), "s", Bytes(2 * kMiB, 1)).ok());
  Result<std::unique_ptr<Blob>> blob = store_->Open("s");
  ASSERT_TRUE(blob.ok());
  int pieces = 0;
  Status read = (*blob)->StreamAll([&](std::string_view) {
    ++pieces;
    return Status::ResourceExhausted("the local disk is full");
  });
  EXPECT_EQ(read.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(pieces, 1);
  EXPECT_EQ((*blob)->Read(0, 10)->size(), 10u);
}

TEST_P(StoreConformance, AReaderOfAReplacedObjectNeverSeesAMix) {
  const std::string old_bytes(kMiB, 'a'), new_bytes(kMiB, 'b');
  ASSERT_TRUE(PutBytes(store_.get(), "m", old_bytes).ok());
  Result<std::unique_ptr<Blob>> blob = store_->Open("m");
  ASSERT_TRUE(blob.ok());
  ExpectSame(*(*blob)->Read(0, 100), std::string(100, 'a'));
  ASSERT_TRUE(PutBytes(store_.get(), "m", new_bytes, PutMode::kReplace).ok());
  Result<std::string> rest = (*blob)->Read(100, 1000);
  if (rest.ok()) {
    ExpectSame(*rest, std::string(1000, 'a'));
  } else {
    EXPECT_EQ(rest.status().code(), StatusCode::kFailedPrecondition) << rest.status().ToString();
  }
  ASSERT_TRUE(store_->Delete("m").ok());
  rest = (*blob)->Read(100, 1000);
  if (rest.ok()) {
    ExpectSame(*rest, std::string(1000, 'a'));
  } else {
    EXPECT_TRUE(rest.status().code() == StatusCode::kNotFound ||
                rest.status().code() == StatusCode::kFailedPrecondition)
        << rest.status().ToString();
  }
}

TEST_P(StoreConformance, AListOfMoreThanAThousandNamesIsComplete) {
  constexpr int kCount = 1012;
  std::set<std::string> wanted;
  for (int i = 0; i < kCount; ++i) {
    const std::string number = std::to_string(i);
    wanted.insert(i % 3 == 0 ? "many/d" + std::to_string(i % 7) + "/" + number : "many/" + number);
  }
  const std::vector<std::string> names(wanted.begin(), wanted.end());
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (size_t i = next++; i < names.size(); i = next++)
        EXPECT_TRUE(PutBytes(store_.get(), names[i], names[i], PutMode::kReplace).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(PutBytes(store_.get(), "many-others", "x").ok());
  Result<std::vector<BlobStat>> all = store_->ListAll("many/");
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  ASSERT_EQ(all->size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ((*all)[i].name, names[i]);
    EXPECT_EQ((*all)[i].bytes, names[i].size());
  }
  Result<BlobPage> page = store_->List("many/", "");
  ASSERT_TRUE(page.ok());
  if (GetParam().name != "local") {  // its pages are larger; local_test.cc has small ones
    EXPECT_LE(page->blobs.size(), 1000u);
    EXPECT_NE(page->next, "");
  }
}

TEST_P(StoreConformance, AListHasWhatBeginsWithThePrefixAndNothingElse) {
  for (const char* name : {"p/a", "p/ab", "p/a-b/c", "p/a=1/x.y", "p%2F", "pq", "q/p/a"})
    ASSERT_TRUE(PutBytes(store_.get(), name, name).ok()) << name;
  auto names = [&](const std::string& prefix) {
    std::string text;
    Result<std::vector<BlobStat>> all = store_->ListAll(prefix);
    if (!all.ok()) return all.status().ToString();
    for (const BlobStat& stat : *all) text += stat.name + " ";
    return text;
  };
  EXPECT_EQ(names("p/"), "p/a p/a-b/c p/a=1/x.y p/ab ");
  EXPECT_EQ(names("p/a"), "p/a p/a-b/c p/a=1/x.y p/ab ");
  EXPECT_EQ(names("p/a-"), "p/a-b/c ");
  EXPECT_EQ(names("p%"), "p%2F ");
  EXPECT_EQ(names("p"), "p%2F p/a p/a-b/c p/a=1/x.y p/ab pq ");
  EXPECT_EQ(names(""), "p%2F p/a p/a-b/c p/a=1/x.y p/ab pq q/p/a ");
  EXPECT_EQ(names("none/"), "");
  EXPECT_EQ(Content("p/a=1/x.y"), "p/a=1/x.y");
  EXPECT_EQ(Content("p%2F"), "p%2F");
}

TEST_P(StoreConformance, HostileNamesAreRefusedByAll) {
  const std::string hostile[] = {"",
                                 "/",
                                 "/a",
                                 "a/",
                                 "a//b",
                                 "..",
                                 "../a",
                                 "a/../b",
                                 "a/..",
                                 ".",
                                 "a/./b",
                                 ".a",
                                 "a b",
                                 "a\\b",
                                 "a\nb",
                                 "a?b",
                                 "a#b",
                                 "a&b",
                                 "a+b",
                                 "a*b",
                                 "a:b",
                                 "a\"b",
                                 "a'b",
                                 "a;b",
                                 "a\xff",
                                 "\xe2\x80\xae",
                                 "a~",
                                 std::string("a\0b", 3),
                                 "a|b",
                                 "$a",
                                 std::string(241, 'a'),
                                 std::string(400, 'a') + "/" + std::string(400, 'b')};
  for (const std::string& name : hostile) {
    EXPECT_EQ(PutBytes(store_.get(), name, "x").code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->Open(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->Stat(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->Delete(name).code(), StatusCode::kInvalidArgument) << name;
  }
  for (const char* prefix : {"../", "/", "a//", "a b"})
    EXPECT_EQ(store_->List(prefix, "").status().code(), StatusCode::kInvalidArgument) << prefix;
  EXPECT_EQ(store_->ListAll("")->size(), 0u);
}

TEST_P(StoreConformance, HostileBytesTravelAsPartsOfNames) {
  uint64_t seed = testing::TestSeed();
  SCOPED_TRACE(testing::RepeatWith(seed));
  Random random(seed);
  std::vector<std::string> parts = {"",
                                    ".",
                                    "..",
                                    "../",
                                    "%2e%2e",
                                    "CON",
                                    "a\\b",
                                    "-rf",
                                    "a.",
                                    "//",
                                    "\xff\xfe",
                                    " ",
                                    "=",
                                    "\xe2\x80\xaexslx",
                                    std::string("a\0b", 3),
                                    std::string(4096, 'x'),
                                    std::string(4096, '/')};
  for (int i = 0; i < 20; ++i) parts.push_back(random.Bytes(random.Uniform(60)));
  std::set<std::string> names;
  for (const std::string& part : parts) {
    const std::string name = "h/" + EncodeNamePart(part) + "/o.json";
    names.insert(name);
    ASSERT_TRUE(PutBytes(store_.get(), name, part, PutMode::kReplace).ok()) << name;
    EXPECT_EQ(Content(name), part);
  }
  std::set<std::string> listed;
  Result<std::vector<BlobStat>> all = store_->ListAll("h/");
  ASSERT_TRUE(all.ok());
  for (const BlobStat& stat : *all) listed.insert(stat.name);
  EXPECT_EQ(listed, names);
}

/// Writers with contents of their own race for one name; how many were told OK, and of whom the
/// object is.
void Race(const std::vector<std::unique_ptr<BlobStore>>& stores,
          const std::vector<std::string>& contents, PutMode mode, std::vector<StatusCode>* codes) {
  codes->resize(contents.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < contents.size(); ++i) {
    threads.emplace_back(
        [&, i] { (*codes)[i] = PutBytes(stores[i].get(), "race", contents[i], mode).code(); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(StoreConformance, OfTwoWritersOfOneNameOneWinsAndTheOtherIsTold) {
  if (!site_->has_conditions()) GTEST_SKIP() << "this server ignores If-None-Match";
  for (size_t size : {64 * kMiB / 1024, 11 * kMiB}) {
    SCOPED_TRACE(size);
    std::vector<std::unique_ptr<BlobStore>> stores;
    std::vector<std::string> contents;
    for (uint64_t i = 0; i < 3; ++i) {
      stores.push_back(OpenAnother());
      contents.push_back(Bytes(size, 100 + i));
    }
    std::vector<StatusCode> codes;
    ASSERT_TRUE(store_->Delete("race").ok());
    Race(stores, contents, PutMode::kCreate, &codes);
    EXPECT_EQ(std::count(codes.begin(), codes.end(), StatusCode::kOk), 1);
    EXPECT_EQ(std::count(codes.begin(), codes.end(), StatusCode::kAlreadyExists), 2);
    const auto winner =
        static_cast<size_t>(std::find(codes.begin(), codes.end(), StatusCode::kOk) - codes.begin());
    if (winner < contents.size()) ExpectSame(Content("race"), contents[winner]);
  }
}

TEST_P(StoreConformance, WritersOfTheSameBytesAllSucceed) {
  std::vector<std::unique_ptr<BlobStore>> stores;
  const std::vector<std::string> contents(3, Bytes(11 * kMiB, 9));
  for (size_t i = 0; i < contents.size(); ++i) stores.push_back(OpenAnother());
  for (PutMode mode : {PutMode::kCreate, PutMode::kReplace}) {
    std::vector<StatusCode> codes;
    Race(stores, contents, mode, &codes);
    EXPECT_EQ(codes, std::vector<StatusCode>(3, StatusCode::kOk));
    ExpectSame(Content("race"), contents[0]);
  }
}

TEST_P(StoreConformance, OfManyReplacementsOneIsThereWhole) {
  std::vector<std::unique_ptr<BlobStore>> stores;
  std::vector<std::string> contents;
  for (uint64_t i = 0; i < 3; ++i) {
    stores.push_back(OpenAnother());
    contents.push_back(Bytes(11 * kMiB + i, 200 + i));
  }
  std::vector<StatusCode> codes;
  Race(stores, contents, PutMode::kReplace, &codes);
  EXPECT_EQ(codes, std::vector<StatusCode>(3, StatusCode::kOk));
  const std::string content = Content("race");
  EXPECT_TRUE(std::find(contents.begin(), contents.end(), content) != contents.end())
      << content.size();
}

TEST_P(StoreConformance, CleaningTouchesNoObject) {
  ASSERT_TRUE(PutBytes(store_.get(), "c/1", "1").ok());
  ASSERT_TRUE(PutBytes(store_.get(), "c/2", Bytes(11 * kMiB, 2)).ok());
  Result<uint64_t> removed = store_->RemoveUnfinished("c/", std::chrono::seconds(0));
  ASSERT_TRUE(removed.ok()) << removed.status().ToString();
  EXPECT_EQ(*removed, 0u);
  EXPECT_EQ(store_->ListAll("c/")->size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance,
                         ::testing::Values(LocalKind(), FakeKind(), S3Kind(), AzureKind()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tapedeck
