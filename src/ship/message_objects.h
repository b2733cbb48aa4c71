#ifndef TAPEDECK_SHIP_MESSAGE_OBJECTS_H_
#define TAPEDECK_SHIP_MESSAGE_OBJECTS_H_

// One object per message, for consumers that are triggered by objects.
//
// messages/<topic>/p<partition>/<offset>-l<lineage>.json holds the message as GET /v1/messages
// shows it. Name and content follow from the message alone: putting it twice changes nothing, so
// progress may be kept coarsely.
//
// Owned by the shipper's thread.

#include "ship/journey.h"
#include "store/healed.h"

namespace tapedeck {

/// Puts at most `most` messages from ship->messages on, and moves it. The number that was put.
Result<uint64_t> PutMessageObjects(const Journey& journey, TpId tp, const TapeId& tape,
                                   const Checkpoint& checkpoint, uint64_t most, TapeShip* ship);

/// Puts at most `most` of those of a range that was recorded after what lies behind it. The offset
/// below which all of the range have their objects; its end where that is all.
Result<int64_t> PutMessageObjectsOf(const Journey& journey, TpId tp, const TapeId& tape,
                                    const HealedRange& range, uint64_t most);

}  // namespace tapedeck

#endif  // TAPEDECK_SHIP_MESSAGE_OBJECTS_H_
