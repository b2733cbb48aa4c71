#ifndef TAPEDECK_STORE_SST_TAIL_H_
#define TAPEDECK_STORE_SST_TAIL_H_

// Looks at the part of an SST file that RocksDB 7.8.3 reads at opening before it checks it.
//
// It parses the properties block of a file first and asks for its checksum only where that fails.
// Debian's library is built with assertions: a single bit of that block (the one that says "has a
// hash index") ends the process. It also takes sizes from the footer, which has no checksum, as
// they are. So before a store is opened, footer, metaindex and properties of each of its files are
// judged here: a few kilobytes each.
//
//   file      := block* footer            each block is followed by type:u8 check:u32
//   footer    := checksum:u8=4 metaindex:handle index:handle padding format:u32=5 magic:u64
//                                         53 bytes
//   handle    := offset:varint size:varint
//   metaindex := { shared:varint unshared:varint size:varint key value=handle } restart:u32* n:u32
//   check     := low 32 bits of XXH3-64 of the bytes, xor type * 0x6b9083d9
// (rocksdb: table/format.cc, table/block_based/block.cc)
//
// Thread-safe.

#include <filesystem>

#include "base/status.h"

namespace tapedeck::rocks {

/// kCorruption names the file. OK where the file is not there: opening says that.
Status CheckSstTail(const std::filesystem::path& file);

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_SST_TAIL_H_
