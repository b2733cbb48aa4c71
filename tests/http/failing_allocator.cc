#include "http/failing_allocator.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr int64_t kOff = INT64_MAX;
std::atomic<int64_t> g_left{kOff};
thread_local bool g_is_exempt = false;

}  // namespace

void* operator new(size_t bytes) {
  if (g_left.load(std::memory_order_relaxed) != kOff && !g_is_exempt && g_left.fetch_sub(1) == 0) {
    throw std::bad_alloc();
  }
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace tapedeck {

void ExemptThisThread() { g_is_exempt = true; }
void FailAllocationAfter(int64_t left) { g_left = left; }
bool StopFailing() { return g_left.exchange(kOff) < 0; }

}  // namespace tapedeck
