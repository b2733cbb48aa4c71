// One process, many libraries: the wheel's libparquet must not catch calls that are meant for the
// system's OpenSSL and simdjson (docs/decisions/0011-arrow-from-a-wheel.md).

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

#include "base/secure_hash.h"
#include "columnar/writer.h"
#include "support/source_dir.h"
#include "support/temp_dir.h"
#include "tests/columnar/shell.h"

namespace tapedeck::testing {
namespace {

// The file name of the library whose definition of `symbol` this process uses; "" where none.
std::string HomeOf(const char* symbol) {
  void* address = dlsym(RTLD_DEFAULT, symbol);
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string path = info.dli_fname;
  return path.substr(path.rfind('/') + 1);
}

const std::string kScript = SourceDir() + "/scripts/arrow";

TEST(ArrowLibraries, CallsOfOpenSslAndSimdjsonGoToTheSystems) {
  ColumnarLayout layout;
  layout.fields.emplace_back().name = "price";
  ASSERT_TRUE(MakeParquetWriter(layout, {}).ok());  // libparquet is loaded, not merely named
  EXPECT_EQ(Sha256("").size(), kSha256Bytes);
  for (const char* symbol : {"EVP_MD_CTX_new", "EVP_DigestInit_ex", "CRYPTO_malloc", "RAND_bytes",
                             "EVP_MAC_CTX_new", "HMAC", "ERR_get_error"}) {
    EXPECT_TRUE(HomeOf(symbol).starts_with("libcrypto.so")) << symbol << ": " << HomeOf(symbol);
  }
  for (const char* symbol :
       {"_ZN8simdjson25get_active_implementationEv", "_ZN8simdjson13validate_utf8EPKcm"}) {
    EXPECT_TRUE(HomeOf(symbol).starts_with("libsimdjson.so")) << symbol << ": " << HomeOf(symbol);
  }
}

TEST(ArrowLibraries, SecondRunOfTheSetUpNeedsNoNetworkAndIsQuick) {
  const auto [code, folder] = Shell("PIP_NO_INDEX=1 PIP_FIND_LINKS=/nowhere timeout 5 " + kScript);
  EXPECT_EQ(code, 0) << folder;
}

// A cache of its own, in which no registry can be reached: nothing is left behind.
TEST(ArrowLibraries, DownloadThatFailsLeavesNothingBehind) {
  if (Shell(kScript).second == "system\n") GTEST_SKIP() << "Arrow C++ is the system's here";
  TempDir dir;
  const auto [code, output] =
      Shell("XDG_CACHE_HOME=" + dir.path().string() + " PIP_NO_INDEX=1 PIP_FIND_LINKS= " + kScript);
  EXPECT_EQ(code, 1) << output;
  EXPECT_NE(output.find("cannot download pyarrow"), std::string::npos) << output;
  const std::string left =
      Shell("find " + dir.path().string() + " -type f ! -name '*.lock'").second;
  EXPECT_EQ(left, "");
}

// A file of the right name with other bytes, as a broken proxy or worse would give.
TEST(ArrowLibraries, WheelWithOtherBytesIsRefused) {
  if (Shell(kScript).second == "system\n") GTEST_SKIP() << "Arrow C++ is the system's here";
  TempDir dir;
  const std::string wheel = Shell("basename $(" + kScript + " --wheel)").second;
  const std::string fake = R"(
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "pyarrow-26.0.1.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: pyarrow\nVersion: 26.0.1\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
    wheel.writestr(info + "RECORD", "")
)";
  const std::string links = dir.File("links");
  const auto made =
      Shell("mkdir " + links + " && python3 -c '" + fake + "' " + links + "/" + wheel);
  ASSERT_EQ(made.first, 0) << made.second;
  const auto [code, output] = Shell("XDG_CACHE_HOME=" + dir.File("cache") +
                                    " PIP_NO_INDEX=1 PIP_FIND_LINKS=" + links + " " + kScript);
  EXPECT_EQ(code, 1) << output;
  EXPECT_NE(output.find("sha256"), std::string::npos) << output;
}

// What the build would say of the wheel's libraries as they come.
TEST(ArrowLibraries, LibrariesAsTheyComeAreFoundToLeak) {
  const std::string folder = Shell(kScript).second;
  if (folder == "system\n") GTEST_SKIP() << "Arrow C++ is the system's here";
  TempDir dir;
  const std::string extract = R"(
import pathlib, sys, zipfile
pathlib.Path("lib").mkdir()
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name.startswith(("pyarrow/libarrow.so.", "pyarrow/libparquet.so.")):
            pathlib.Path("lib", pathlib.Path(name).name).write_bytes(wheel.read(name))
)";
  const auto copied = Shell("cd " + dir.path().string() + " && python3 -c '" + extract + "' $(" +
                            kScript + " --wheel)");
  ASSERT_EQ(copied.first, 0) << copied.second;
  const auto leaky = Shell(kScript + " --check " + dir.path().string());
  EXPECT_EQ(leaky.first, 1) << leaky.second;
  EXPECT_NE(leaky.second.find("symbols of OpenSSL or simdjson"), std::string::npos) << leaky.second;
  const auto made = Shell(kScript + " --check " + folder);
  EXPECT_EQ(made.first, 0) << made.second;
}

}  // namespace
}  // namespace tapedeck::testing
