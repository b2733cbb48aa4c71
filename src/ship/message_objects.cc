#include "ship/message_objects.h"

#include <algorithm>

#include "base/failpoint.h"
#include "codec/codec_buffers.h"
#include "codec/tape_block.h"
#include "query/json_rows.h"
#include "tape/tail.h"
#include "tape/tape_blocks.h"

namespace tapedeck {
namespace {

constexpr uint64_t kKeepProgressEvery = 100;

Status KeepProgress(const Journey& journey, TpId tp, int64_t next, TapeShip* ship) {
  if (next == ship->messages) return Status::Ok();
  TapeShip moved = *ship;
  moved.messages = next;
  TD_RETURN_IF_ERROR(journey.Write([&](StoreBatch* batch) {
    batch->PutTapeShip(tp, moved);
    return Status::Ok();
  }));
  *ship = std::move(moved);
  return Status::Ok();
}

Status PutMessage(const Journey& journey, TpId tp, const TapeId& tape, const TapeBlock& block,
                  size_t i, std::string* json) {
  StoredMessage message{
      .tp = tp, .tape = &tape, .message = block.At(i), .received = block.ReceivedAt(i)};
  const int64_t kafka_ns = KafkaNanosOf(message.message);
  message.time = kafka_ns == kNoKafkaTime ? message.received : Timestamp(kafka_ns);
  json->clear();
  AppendMessageJson(message, {}, json);
  const std::string name =
      MessageObjectName(tape.topic, tape.partition, message.message.offset, tape.lineage);
  TD_RETURN_IF_ERROR(
      journey.parts->blobs->Put(name, BlobContent::Bytes(*json), PutMode::kReplace).status());
  return FailpointHit("ship.message_put");
}

}  // namespace

Result<uint64_t> PutMessageObjects(const Journey& journey, TpId tp, const TapeId& tape,
                                   const Checkpoint& checkpoint, uint64_t most, TapeShip* ship) {
  const std::unique_ptr<StoreView> view = journey.parts->store->View();
  TapeBlocks blocks(view.get(), tp, tape.ToString(), ScanKind::kPoint);
  TapeBlock block;
  CodecBuffers buffers;
  uint64_t put = 0;
  int64_t next = std::max(ship->messages, ship->pruned);
  TD_RETURN_IF_ERROR(blocks.Seek(next));
  std::string json;
  while (blocks.Valid() && put < most) {
    TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
    for (size_t i = block.LowerBound(next); i < block.size() && put < most; ++i) {
      TD_RETURN_IF_ERROR(journey.CheckStop());
      TD_RETURN_IF_ERROR(PutMessage(journey, tp, tape, block, i, &json));
      next = block.offset(i) + 1;
      if (++put % kKeepProgressEvery == 0)
        TD_RETURN_IF_ERROR(KeepProgress(journey, tp, next, ship));
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  if (put < most) next = std::max(next, checkpoint.next);
  TD_RETURN_IF_ERROR(KeepProgress(journey, tp, next, ship));
  return put;
}

Result<int64_t> PutMessageObjectsOf(const Journey& journey, TpId tp, const TapeId& tape,
                                    const HealedRange& range, uint64_t most) {
  const std::unique_ptr<StoreView> view = journey.parts->store->View();
  TapeBlocks blocks(view.get(), tp, tape.ToString(), ScanKind::kPoint);
  TapeBlock block;
  CodecBuffers buffers;
  std::string json;
  uint64_t put = 0;
  TD_RETURN_IF_ERROR(blocks.Seek(range.from));
  while (blocks.Valid() && blocks.base() < range.to) {
    TD_RETURN_IF_ERROR(blocks.Load(&block, &buffers));
    for (size_t i = block.LowerBound(range.from); i < block.LowerBound(range.to); ++i) {
      if (put++ == most) return block.offset(i);
      TD_RETURN_IF_ERROR(journey.CheckStop());
      TD_RETURN_IF_ERROR(PutMessage(journey, tp, tape, block, i, &json));
    }
    TD_RETURN_IF_ERROR(blocks.Next());
  }
  return range.to;
}

}  // namespace tapedeck
