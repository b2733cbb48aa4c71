#include "codec/open_shapes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"

namespace tapedeck {
namespace {

constexpr size_t kBindingsMax = 2 * kTapeShapesMax;
constexpr size_t kRoomMin = 64;

__extension__ using Word16 = unsigned __int128;

template <typename Word>
bool SameEnds(const char* a, const char* b, size_t size) {
  Word first_a, first_b, last_a, last_b;
  std::memcpy(&first_a, a, sizeof(Word));
  std::memcpy(&first_b, b, sizeof(Word));
  std::memcpy(&last_a, a + size - sizeof(Word), sizeof(Word));
  std::memcpy(&last_b, b + size - sizeof(Word), sizeof(Word));
  return ((first_a ^ first_b) | (last_a ^ last_b)) == 0;
}

// memcmp without the call: pieces are short.
inline bool SameBytes(const char* a, const char* b, size_t size) {
  for (; size > 32; a += 16, b += 16, size -= 16) {
    if (!SameEnds<Word16>(a, b, 16)) return false;
  }
  if (size >= 16) return SameEnds<Word16>(a, b, size);
  if (size >= 8) return SameEnds<uint64_t>(a, b, size);
  if (size >= 4) return SameEnds<uint32_t>(a, b, size);
  if (size >= 2) return SameEnds<uint16_t>(a, b, size);
  return size == 0 || *a == *b;
}

// Whether the slots lie in order in the value.
bool InOrder(std::span<const SlotRange> slots, size_t size) {
  size_t at = 0;
  for (const SlotRange& slot : slots) {
    if (slot.begin < at || slot.begin > size || slot.size > size - slot.begin) return false;
    at = slot.begin + slot.size;
  }
  return true;
}

// Whether the value is the shape's fixed bytes with the hint's slots between them. `begin + size`
// of a slot cannot wrap: the value is far below 2^32 bytes, and a begin past it is noticed first.
bool Fits(const OpenShape& shape, std::string_view value, std::span<const SlotRange> slots) {
  const char* fixed = shape.fixed.data();
  size_t done = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const SlotRange slot = slots[i];
    const size_t piece = shape.pieces[i];
    if (slot.begin != done + piece || slot.begin > value.size() ||
        slot.size > value.size() - slot.begin || !SameBytes(value.data() + done, fixed, piece))
      return false;
    fixed += piece;
    done = slot.begin + slot.size;
  }
  const size_t piece = shape.pieces[slots.size()];
  return value.size() - done == piece && SameBytes(value.data() + done, fixed, piece);
}

// Whether the value is the shape's joined text with the hint's tokens where it varies. The other
// slots of the hint do not matter: their tokens are in the text. As above, nothing wraps.
bool FitsJoined(const OpenShape& shape, std::string_view value, std::span<const SlotRange> slots) {
  const char* text = shape.joined.data();
  size_t done = 0;
  for (const OpenShape::Varying& varying : shape.varying) {
    const SlotRange slot = slots[varying.slot];
    if (slot.begin != done + varying.before || slot.begin > value.size() ||
        slot.size > value.size() - slot.begin ||
        !SameBytes(value.data() + done, text, varying.before))
      return false;
    text += varying.before;
    done = slot.begin + slot.size;
  }
  const size_t rest = static_cast<size_t>(shape.joined.data() + shape.joined.size() - text);
  return value.size() - done == rest && SameBytes(value.data() + done, text, rest);
}

}  // namespace

void OpenShape::AppendValue(size_t i, std::string* out) const {
  size_t done = 0;
  for (size_t slot = 0; slot < slots.size(); ++slot) {
    out->append(fixed, done, pieces[slot]).append(slots[slot].Text(i));
    done += pieces[slot];
  }
  out->append(fixed, done);
}

bool OpenShapes::Take(OpenShape* shape, std::string_view value, const MessageShape& hint) {
  const size_t slots = hint.slots.size();
  if (slots != shape->slots.size()) return false;
  OpenSlot* to = shape->slots.data();
  if (shape->messages > 0 && FitsJoined(*shape, value, hint.slots)) [[likely]] {
    const size_t message = Count(shape);
    for (const OpenShape::Varying& varying : shape->varying) {
      const SlotRange slot = hint.slots[varying.slot];
      to[varying.slot].Add(message, value.data(), slot.begin, slot.size);
    }
    return true;
  }
  if (!Fits(*shape, value, hint.slots)) return false;
  const size_t message = Count(shape);
  for (size_t i = 0; i < slots; ++i)
    to[i].Add(message, value.data(), hint.slots[i].begin, hint.slots[i].size);
  Join(shape);
  return true;
}

// One message more; its number. There is room for it.
size_t OpenShapes::Count(OpenShape* shape) {
  if (shape->messages == shape->room) {
    shape->room = std::max(kRoomMin, 2 * shape->room);
    for (OpenSlot& slot : shape->slots) slot.Reserve(shape->room);
  }
  return shape->messages++;
}

// Joins what was the same in all messages of the block. A slot that varied once is left apart in
// later blocks too: so this happens once for a block and once more for each slot that begins to.
void OpenShapes::Join(OpenShape* shape) {
  shape->has_varied.resize(shape->slots.size());
  shape->joined.clear();
  shape->varying.clear();
  size_t done = 0, before = 0;
  for (size_t i = 0; i < shape->slots.size(); ++i) {
    shape->joined.append(shape->fixed, done, shape->pieces[i]);
    done += shape->pieces[i];
    if (!shape->slots[i].Same()) shape->has_varied[i] = true;
    if (shape->has_varied[i]) {
      shape->varying.push_back(
          {static_cast<uint32_t>(i), static_cast<uint32_t>(shape->joined.size() - before)});
      before = shape->joined.size();
    } else {
      shape->joined.append(shape->slots[i].Entry(0));
    }
  }
  shape->joined.append(shape->fixed, done);
}

uint8_t OpenShapes::Add(std::string_view value, const MessageShape& hint) {
  if (tokens_ + hint.slots.size() > kTapeTokensMax) return 0;
  for (size_t i = 0; i < bindings_.size(); ++i) {
    if (bindings_[i].id != hint.id) continue;
    const uint8_t shape = bindings_[i].shape;
    if (!Take(&shapes_[shape], value, hint)) break;
    if (i > 0) std::swap(bindings_[i], bindings_[i - 1]);
    tokens_ += hint.slots.size();
    return static_cast<uint8_t>(shape + 1);
  }
  return AddNew(value, hint);
}

// The id is new, or stands for something else now.
uint8_t OpenShapes::AddNew(std::string_view value, const MessageShape& hint) {
  if (hint.slots.size() > kTapeSlotsMax || value.size() > kTapeShapedBytesMax ||
      !InOrder(hint.slots, value.size()))
    return 0;
  size_t found = 0;
  while (found < shapes_.size() && !Take(&shapes_[found], value, hint)) ++found;
  if (found == shapes_.size()) {
    if (found == kTapeShapesMax) return 0;
    OpenShape& shape = shapes_.emplace_back();
    size_t done = 0;
    for (const SlotRange& slot : hint.slots) {
      shape.pieces.push_back(static_cast<uint32_t>(slot.begin - done));
      shape.fixed.append(value.substr(done, slot.begin - done));
      done = slot.begin + slot.size;
    }
    shape.pieces.push_back(static_cast<uint32_t>(value.size() - done));
    shape.fixed.append(value.substr(done));
    shape.slots.resize(hint.slots.size());
    Take(&shape, value, hint);
  }
  tokens_ += hint.slots.size();
  Bind(hint.id, found);
  return static_cast<uint8_t>(found + 1);
}

void OpenShapes::Bind(uint64_t id, size_t shape) {
  std::erase_if(bindings_, [&](const Binding& binding) { return binding.id == id; });
  if (bindings_.size() == kBindingsMax) bindings_.pop_back();
  bindings_.push_back({id, static_cast<uint8_t>(shape)});
}

size_t OpenShapes::memory_bytes() const {
  size_t bytes = 0;
  for (const OpenShape& shape : shapes_) {
    bytes += shape.fixed.capacity() + shape.pieces.capacity() * sizeof(uint32_t) +
             shape.slots.capacity() * sizeof(OpenSlot) + shape.joined.capacity() +
             shape.varying.capacity() * sizeof(OpenShape::Varying);
    for (const OpenSlot& slot : shape.slots) bytes += slot.memory_bytes();
  }
  return bytes;
}

void OpenShapes::Clear() {
  tokens_ = 0;
  if (std::ranges::any_of(shapes_, [](const OpenShape& shape) { return shape.messages == 0; })) {
    std::erase_if(shapes_, [](const OpenShape& shape) { return shape.messages == 0; });
    bindings_.clear();
  }
  for (OpenShape& shape : shapes_) {
    shape.messages = 0;
    shape.room = 0;
    for (OpenSlot& slot : shape.slots)
      slot.Clear(2 * limits::kTapeBlockSealBytes / shape.slots.size());
  }
}

}  // namespace tapedeck
