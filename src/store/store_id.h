#ifndef TAPEDECK_STORE_STORE_ID_H_
#define TAPEDECK_STORE_STORE_ID_H_

// The id of a store: a random name that it gets when it is made, and another one where its past is
// no longer its own (ship/new_store_id.h, which writes all that goes with it).
//
//   PutStoreId(MakeStoreId(), &batch);
//   TD_RETURN_IF_ERROR(store->Write(batch));         // store->meta().store_id is the new one
//
// Thread-safe: functions on values.

#include <string>
#include <string_view>

#include "store/store.h"

namespace tapedeck {

/// 64 random bits in hexadecimal: a name that no other store has.
std::string MakeStoreId();

/// The store goes by this id once the batch is written.
void PutStoreId(std::string_view store_id, StoreBatch* batch);

}  // namespace tapedeck

#endif  // TAPEDECK_STORE_STORE_ID_H_
