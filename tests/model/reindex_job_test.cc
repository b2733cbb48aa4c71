#include "model/reindex_job.h"

#include <gtest/gtest.h>

namespace tapedeck {
namespace {

TEST(ReindexJob, TheEntryInTheStoreIsTheseBytes) {
  ReindexJob job;
  job.id = "01J00000000000000000000001";
  job.created = Timestamp(1'720'000'000'000'000'000);
  job.request.topic = "Finhub1";
  job.request.start = Timestamp(5);
  job.state = ReindexState::kRunning;
  job.mappings = "ab";
  job.days = {{TableId{1}, Day(19'906), 2}};
  job.ends = {{TpId{3}, 40}, {TpId{5}, 70, {{10, 12}, {20, 30}}}};
  job.result.messages = 7;
  const std::string bytes = EncodeReindexJob(job);
  EXPECT_EQ(
      bytes,
      std::string("\x01") +
          R"({"kind":"reindex","created":1720000000000000000,"ended":0,)"
          R"("request":{"topic":"Finhub1","tables":[],"start":5,"end":9223372036854775807},)"
          R"("state":"running","error":"","mappings":"ab","days":[[1,19906,2]],)"
          R"("ends":[[3,40],[5,70,[10,12],[20,30]]],)"
          R"("result":{"messages":7,"records":0,"replaced":0,"refused":0},"forgotten":false})");
  EXPECT_EQ(DecodeReindexJob(job.id, bytes).value(), job);
}

TEST(ReindexJob, OtherBytesAreDamageAndOtherKindsAreOthers) {
  const std::string good = EncodeReindexJob({.id = "x"});
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(DecodeReindexJob("x", good.substr(0, size)).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(DecodeReindexJob("x", "\x02" + good.substr(1)).status().code(),
            StatusCode::kCorruption);
  EXPECT_EQ(DecodeReindexJob("x", "\x01{\"kind\":\"reindex\"}").status().code(),
            StatusCode::kCorruption);
  EXPECT_EQ(DecodeReindexJob("x", "\x01{\"kind\":\"replay\"}").status().code(),
            StatusCode::kNotFound);
}

}  // namespace
}  // namespace tapedeck
