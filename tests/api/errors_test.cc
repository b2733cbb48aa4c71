// Problems, request ids, headers that protect, secrets, what happens without memory.

#include <execinfo.h>
#include <link.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "api/problem.h"
#include "api/read_slots.h"
#include "api_rig.h"

namespace {

// Allocations of this thread until one fails; negative: none does.
thread_local int64_t allocations_left = -1;
thread_local bool looking = false;

struct Range {
  uintptr_t from = 0, to = 0;
};

// Where RocksDB's code lies.
Range RocksDbCode() {
  Range range;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        if (std::strstr(info->dlpi_name, "librocksdb") == nullptr) return 0;
        auto* found = static_cast<Range*>(out);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
          found->from = info->dlpi_addr + header.p_vaddr;
          found->to = found->from + header.p_memsz;
        }
        return 1;
      },
      &range);
  return range;
}

// RocksDB does not survive an exception that passes through it: it leaves the thread's state marked
// as in use and aborts when it comes back. So memory does not run out there: the process would end,
// which is as safe as a crash.
bool IsInsideRocksDb() {
  static const Range rocksdb = RocksDbCode();
  std::array<void*, 64> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i) {
    const auto at = reinterpret_cast<uintptr_t>(frames[static_cast<size_t>(i)]);
    if (at >= rocksdb.from && at < rocksdb.to) return true;
  }
  return false;
}

void* Allocate(std::size_t size) {
  if (allocations_left > 0) {
    --allocations_left;
  } else if (allocations_left == 0 && !looking) {
    looking = true;
    const bool inside = IsInsideRocksDb();
    looking = false;
    if (!inside) throw std::bad_alloc();
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* AllocateOrNone(std::size_t size) noexcept {
  try {
    return Allocate(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

// All forms: one that is left out is a sanitizer's own, and its memory is not malloc's.
void* operator new(std::size_t size) { return Allocate(size); }
void* operator new[](std::size_t size) { return Allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return AllocateOrNone(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return AllocateOrNone(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace tapedeck::testing {
namespace {

TEST(Errors, EveryTypeHasItsStatus) {
  EXPECT_EQ(HttpCode(ProblemType::kAmbiguousTime), 400);
  EXPECT_EQ(HttpCode(ProblemType::kUnauthorized), 401);
  EXPECT_EQ(HttpCode(ProblemType::kRangeTooLarge), 422);
  EXPECT_EQ(HttpCode(ProblemType::kNotReady), 503);
}

TEST(Errors, AProblemHasAllItsMembers) {
  ApiRig rig;
  const Reply reply = rig.Get("/v1/nothing?symbols=*", {{"X-Request-Id", "abc-123"}});
  EXPECT_EQ(reply.status, 404);
  const Json json = reply.json();
  EXPECT_EQ(json["type"], "urn:tapedeck:problem:not-found");
  EXPECT_EQ(json["title"], "Not found");
  EXPECT_EQ(json["status"], 404);
  EXPECT_EQ(json["instance"], "/v1/nothing");
  EXPECT_EQ(json["request_id"], "abc-123");
  EXPECT_EQ(reply.named(), std::vector<std::string>{"table"});
  EXPECT_NE(json["detail"].get<std::string>().find("trades"), std::string::npos)
      << "it lists the tables there are";
}

TEST(Errors, RequestIdsAreEchoedOrMade) {
  ApiRig rig;
  EXPECT_EQ(rig.Get("/livez", {{"x-request-id", "mine"}}).Header("X-Request-Id"), "mine");
  const std::string first = rig.Get("/livez").Header("X-Request-Id");
  const std::string second = rig.Get("/livez").Header("X-Request-Id");
  EXPECT_EQ(first.size(), 16u);
  EXPECT_NE(first, second);
  for (const std::string& bad :
       {std::string("a b"), std::string(500, 'x'), std::string("a\"b"), std::string("<x>")}) {
    EXPECT_NE(rig.Get("/livez", {{"X-Request-Id", bad}}).Header("X-Request-Id"), bad);
  }
}

TEST(Errors, EveryAnswerHasTheHeadersThatProtect) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  for (const char* target : {"/livez", "/v1/trades?symbols=BTC", "/nothing", "/", "/metrics",
                             "/v1/trades?symbols=BTC&format=csv", "/openapi.json"}) {
    const Reply reply = rig.Get(target);
    EXPECT_EQ(reply.Header("X-Content-Type-Options"), "nosniff") << target;
    EXPECT_NE(reply.Header("Cache-Control"), "") << target;
    EXPECT_NE(reply.Header("X-Request-Id"), "") << target;
    EXPECT_EQ(reply.Header("Access-Control-Allow-Origin"), "") << target;
  }
  const std::string policy = rig.Get("/").Header("Content-Security-Policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
}

TEST(Errors, WhatIsInsideStaysInside) {
  ApiRig rig;
  rig.FillTrades("BTC", 1);
  rig.node.FailWith(Status::Corruption("/secret/path/000123.sst: bad block at 0x7f00"));
  for (const char* target :
       {"/v1/trades?symbols=BTC", "/v1/trades/latest?symbols=BTC", "/v1/trades/count?symbols=BTC",
        "/v1/messages?topic=ticks", "/v1/tables", "/v1/symbols", "/v1/topics", "/v1/coverage",
        "/v1/refused", "/"}) {
    const Reply reply = rig.Get(target);
    EXPECT_EQ(reply.status, 500) << target;
    EXPECT_EQ(reply.problem(), "internal");
    for (const char* inside : {"secret", "sst", "0x7f00", "bad block"}) {
      EXPECT_EQ(reply.body.find(inside), std::string::npos) << target << reply.body;
    }
  }
  EXPECT_EQ(rig.Get("/livez").status, 200);
  EXPECT_EQ(rig.Get("/metrics").status, 200);
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

TEST(Errors, HostileNamesAreEscapedInAnswers) {
  ApiRig rig;
  const Reply reply = rig.Get("/%1b%5b31m%0d%0aX:%20y%e2%80%a8");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body.find('\x1b'), std::string::npos);
  EXPECT_EQ(reply.body.find('\r'), std::string::npos);
  EXPECT_EQ(reply.body.find("\xe2\x80\xa8"), std::string::npos) << "U+2028";
  rig.FillTrades("<script>", 1);
  EXPECT_EQ(rig.Get("/").body.find("<script>"), std::string::npos);
  EXPECT_NE(rig.Get("/").body.find("&lt;script&gt;"), std::string::npos);
}

TEST(Errors, NotReadyIsSaidWithATimeToComeBack) {
  ApiRig rig;
  rig.node.SetPhase(ServedPhase::kRecovering);
  for (const char* target : {"/v1/trades?symbols=BTC", "/v1/tables", "/v1/messages?topic=x"}) {
    const Reply reply = rig.Get(target);
    EXPECT_EQ(reply.status, 503) << target;
    EXPECT_EQ(reply.problem(), "not-ready");
    EXPECT_EQ(reply.Header("Retry-After"), "1");
  }
  EXPECT_EQ(rig.Get("/readyz").status, 503);
  EXPECT_EQ(rig.Get("/livez").status, 200);
  EXPECT_EQ(rig.Get("/v1/status").json()["phase"], "recovering");
  EXPECT_EQ(rig.Get("/").status, 200) << "the page says what there is to say";
}

TEST(Errors, WithoutASlotAReadIsToldToComeBack) {
  ApiRig rig(nullptr, ReadSlots::kLeastBytes);  // four streams
  rig.FillTrades("BTC", 2'000);
  std::vector<HttpResponse> open;
  HttpRequest request = ApiRig::RequestOf("/v1/trades?symbols=BTC&format=ndjson");
  for (int i = 0; i < 3; ++i) {  // of four, one is left for short reads
    request.peer = "192.0.2." + std::to_string(i);
    open.push_back(rig.api->Handle(request));
    ASSERT_EQ(open.back().status, 200);
  }
  const Reply refused = rig.Get("/v1/trades?symbols=BTC&format=ndjson");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.problem(), "overloaded");
  EXPECT_EQ(refused.Header("Retry-After"), "1");
  for (const char* still : {"/livez", "/readyz", "/healthz", "/metrics", "/v1/status"}) {
    EXPECT_EQ(rig.Get(still).status, 200) << still;
  }
  open.pop_back();  // a client leaves
  EXPECT_EQ(rig.Get("/v1/trades?symbols=BTC&format=ndjson").status, 200);
  open.clear();
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

// A client that does not read must not hold up a store that has to be opened again.
TEST(Errors, StreamsLetGoOfTheStoreWhenItMustBeOpenedAgain) {
  ApiRig rig;
  rig.FillTrades("BTC", 30'000);
  const HttpRequest request = ApiRig::RequestOf("/v1/trades?symbols=BTC&format=ndjson");
  HttpResponse untouched = rig.api->Handle(request);
  HttpResponse begun = rig.api->Handle(request);
  std::string out;
  ASSERT_TRUE(begun.stream->Next(&out).ok());
  EXPECT_EQ(rig.api->reads_open(), 2u);
  rig.api->BreakStreams();
  EXPECT_EQ(rig.api->reads_open(), 0u) << "although both are still there";
  for (HttpResponse* response : {&untouched, &begun}) {
    EXPECT_EQ(response->stream->Next(&out).status().code(), StatusCode::kUnavailable);
    EXPECT_TRUE(response->stream->Trailers().empty());
  }
  EXPECT_EQ(out.find("_end"), std::string::npos);
  const Reply again = rig.Get("/v1/trades?symbols=BTC&format=ndjson");
  EXPECT_EQ(again.Trailer("Tapedeck-Rows"), "30000");
}

TEST(Errors, APageIsHeldUntilItHasLeft) {
  ApiRig rig(nullptr, ReadSlots::kLeastBytes);
  rig.FillTrades("BTC", 1'000);
  HttpResponse page = rig.api->Handle(ApiRig::RequestOf("/v1/trades?symbols=BTC"));
  EXPECT_EQ(rig.api->reads_open(), 1u);
  page = HttpResponse();
  EXPECT_EQ(rig.api->reads_open(), 0u);
}

TEST(Errors, TheServersOwnProblemsLookLikeOurs) {
  ApiRig rig;
  struct Case {
    int status;
    const char* type;
  };
  for (const Case& c :
       {Case{400, "malformed-request"}, Case{408, "timeout"}, Case{413, "too-large"},
        Case{414, "too-large"}, Case{431, "too-large"}, Case{500, "internal"},
        Case{501, "not-implemented"}, Case{503, "overloaded"}, Case{505, "http-version"}}) {
    const Reply reply = Drain(rig.api->Problem(c.status, "why", ApiRig::RequestOf("/x")));
    EXPECT_EQ(reply.status, c.status);
    EXPECT_EQ(reply.problem(), c.type);
    EXPECT_EQ(reply.json()["status"], c.status);
    EXPECT_NE(reply.Header("X-Request-Id"), "");
  }
}

// F6: memory runs out at each allocation of a request in turn. Each time the answer is whole or an
// exception reaches the server (which makes it a 500), and the next request is answered.
TEST(Errors, MemoryThatRunsOutAtAnyAllocationHarmsNothingElse) {
  ApiRig rig;
  rig.FillTrades("BTC", 50);
  rig.filler.Flush();
  rig.FillTrades("BTC", 50, 1'719'900'000);
  for (const char* target :
       {"/v1/trades?symbols=BTC&limit=20", "/v1/trades?symbols=BTC&format=ndjson",
        "/v1/trades/latest?symbols=BTC&fields=ts", "/v1/trades?symbols=BTC&limit=nonsense",
        "/v1/symbols?prefix=B", "/v1/status", "/nothing"}) {
    const HttpRequest request = ApiRig::RequestOf(target);
    const std::string whole = Drain(rig.api->Handle(request)).body;
    const size_t open = rig.api->reads_open();
    bool came_through = false;
    int failed = 0;
    for (int64_t n = 0; n < 100'000 && !came_through; ++n) {
      Reply reply;
      try {
        allocations_left = n;
        HttpResponse response = rig.api->Handle(request);
        reply = Drain(std::move(response));
        came_through = allocations_left > 0;
      } catch (const std::bad_alloc&) {
        ++failed;
      }
      allocations_left = -1;
      ASSERT_EQ(rig.api->reads_open(), open) << target << " allocation " << n;
    }
    EXPECT_TRUE(came_through) << target;
    EXPECT_GT(failed, 5) << target;
    const Reply after = Drain(rig.api->Handle(request));
    if (std::string_view(target).find("status") == std::string_view::npos && after.status == 200) {
      EXPECT_EQ(after.body, whole) << target;
    }
  }
  // Even the answer that there is no memory.
  for (int64_t n = 0; n < 50; ++n) {
    allocations_left = n;
    const HttpResponse problem = rig.api->Problem(500, "", HttpRequest());
    allocations_left = -1;
    EXPECT_EQ(problem.status, 500);
  }
}

}  // namespace
}  // namespace tapedeck::testing
