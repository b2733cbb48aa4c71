#ifndef TAPEDECK_STORE_ROCKS_VIEW_H_
#define TAPEDECK_STORE_ROCKS_VIEW_H_

// The StoreView of an Engine. Inside this module only.

#include <memory>

#include "store/engine.h"
#include "store/store.h"

namespace tapedeck::rocks {

/// A view of what the engine holds now. It keeps the engine open.
std::unique_ptr<StoreView> MakeView(std::shared_ptr<Engine> engine);

/// A view that answers everything with `why`: for the time in which there is no engine.
std::unique_ptr<StoreView> MakeClosedView(Status why);

}  // namespace tapedeck::rocks

#endif  // TAPEDECK_STORE_ROCKS_VIEW_H_
