#ifndef TAPEDECK_TESTS_HTTP_FAILING_ALLOCATOR_H_
#define TAPEDECK_TESTS_HTTP_FAILING_ALLOCATOR_H_

// Makes one allocation of the program fail: operator new is this test program's own.
//
// Thread-safe.

#include <cstdint>

namespace tapedeck {

/// The calling thread's allocations neither count nor fail.
void ExemptThisThread();
/// `left` more allocations succeed, and the next one throws std::bad_alloc.
void FailAllocationAfter(int64_t left);
/// No allocation fails from now on. Whether one has failed.
bool StopFailing();

}  // namespace tapedeck

#endif  // TAPEDECK_TESTS_HTTP_FAILING_ALLOCATOR_H_
