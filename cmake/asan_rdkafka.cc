// A leak of librdkafka's own, looked away from in builds with AddressSanitizer.
//
// A transaction is given a group's progress by a request whose answer librdkafka does not wait for
// where something fatal, a fence, comes first: the call returns with that, and the producer is of
// no more use. Destroyed before the answer is there, it forgets the request, some 400 bytes:
// rd_kafka_txn_handle_TxnOffsetCommit returns on _DESTROY and frees nothing (2.0.2, and still
// 2.15.0). A caller cannot see whether the request is on its way.
//
// The stacks of such a leak end at the library's door, so that a file of suppressions could only
// name all of librdkafka, and with it what we get from it and must free. The program's own
// definition comes before that of the library: what this one call allocates on its caller's thread
// is ignored, and nothing else.

#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>

extern "C" void* rd_kafka_send_offsets_to_transaction(void* client, const void* offsets,
                                                      const void* group, int timeout_ms) {
  using Call = void*(void*, const void*, const void*, int);
  static Call* const call =
      reinterpret_cast<Call*>(dlsym(RTLD_NEXT, "rd_kafka_send_offsets_to_transaction"));
  __lsan::ScopedDisabler ignored;
  return call(client, offsets, group, timeout_ms);
}
