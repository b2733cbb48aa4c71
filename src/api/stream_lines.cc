#include "api/stream_lines.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"
#include "query/decoded_json.h"

namespace tapedeck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A piece is handed over at this size, or when nothing more is due.
constexpr size_t kPieceBytes = size_t{64} << 10;
// The read point is given back before a wait of more.
constexpr std::chrono::nanoseconds kHeldWhileWaiting = milliseconds(200);
// Real waits are this short, so that any Clock may say when something is due.
constexpr std::chrono::nanoseconds kWaitMost = milliseconds(50);
constexpr std::chrono::nanoseconds kLookEvery = milliseconds(5);
constexpr int kLooksMost = 20;
constexpr std::chrono::nanoseconds kSilenceMax = seconds(15);
// For so long a store that is being opened again is waited for.
constexpr std::chrono::nanoseconds kPatience = seconds(30);

}  // namespace

StreamLines::StreamLines(StreamSetting setting, SelectionParts parts, StreamPlace place)
    : setting_(std::move(setting)),
      clock_(parts.clock),
      reader_(PartsOf(std::move(parts)), setting_.query, place),
      pacer_(setting_.pace, {}, clock_),
      sent_(place.sent),
      spoke_(clock_->Monotonic()) {}

SelectionParts StreamLines::PartsOf(SelectionParts parts) {
  parts.wants_records = setting_.query.records;
  parts.gone = gone_;
  return parts;
}

Result<std::unique_ptr<StreamLines>> StreamLines::Start(StreamSetting setting, SelectionParts parts,
                                                        StreamPlace place) {
  std::unique_ptr<StreamLines> lines(
      new StreamLines(std::move(setting), std::move(parts), std::move(place)));
  TD_ASSIGN_OR_RETURN(lines->thread_, StartThread([raw = lines.get()] { raw->Run(); }));
  return lines;
}

StreamLines::~StreamLines() {
  gone_->store(true);
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  reader_.Break();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<bool> StreamLines::Take(std::string* out) {
  std::lock_guard lock(mutex_);
  if (!ready_.empty()) {
    if (out->empty()) {
      out->swap(ready_);
    } else {
      out->append(ready_);
    }
    ready_.clear();
    changed_.notify_all();
    return true;
  }
  if (!ended_) return true;
  TD_RETURN_IF_ERROR(end_);
  return false;
}

void StreamLines::LetGo() {
  reader_.Break();
  std::lock_guard lock(mutex_);
  let_go_ = true;
  changed_.notify_all();
}

void StreamLines::Run() {
  Status status;
  while (status.ok()) {
    status = Step();
    if (status.code() == StatusCode::kUnavailable && patience_ < kPatience) {
      reader_.Release();  // the store is being opened again: the next step goes on
      patience_ += kWaitMost;
      status = Wait(kWaitMost, Until::kTime);
    }
  }
  reader_.Release();
  Give();
  std::lock_guard lock(mutex_);
  ended_ = true;
  end_ = status.code() == StatusCode::kCancelled ? Status::Ok() : status;
  changed_.notify_all();
}

// kCancelled: nothing follows.
Status StreamLines::Step() {
  TD_RETURN_IF_ERROR(WaitForRoom());
  TD_ASSIGN_OR_RETURN(const StreamReader::Step step, reader_.Next());
  patience_ = {};
  switch (step) {
    case StreamReader::Step::kMessage:
      return SendMessage();
    case StreamReader::Step::kCaughtUp:
      Line("{\"_caught_up\":true}", "caught-up", reader_.place());
      return Status::Ok();
    case StreamReader::Step::kNothing:
      return WaitForMore();
    case StreamReader::Step::kEnd:
      break;
  }
  return Status::Cancelled("the selection has ended");
}

Status StreamLines::SendMessage() {
  const SelectedMessage& message = reader_.message();
  const Timestamp time = message.greatest_time;
  const size_t bytes = message.stored->message.value ? message.stored->message.value->size() : 0;
  json_.clear();
  if (setting_.query.records) {
    // Made before the wait, which gives the message back.
    std::string before = std::exchange(made_, {});
    SendRecords(message);
    before.swap(made_);
    json_ = std::move(before);
  } else {
    AppendMessageJson(*message.stored, {setting_.style.time, setting_.encoding}, &json_);
  }
  if (!reader_.live()) {
    const MonotonicTime due = pacer_.Due(time, bytes);
    TD_RETURN_IF_ERROR(WaitUntilDue(due));
    pacer_.Sent(time, bytes, due);
  }
  if (setting_.query.records) {
    made_ += json_;
  } else {
    Line(json_, "", reader_.place());
    ++lines_;
  }
  return Status::Ok();
}

void StreamLines::SendRecords(const SelectedMessage& message) {
  const uint64_t already = std::exchange(sent_, 0);
  StreamPlace place = reader_.place_before();
  for (size_t i = 0; i < message.matching.size(); ++i) {
    if (i < already) continue;
    const uint32_t index = message.matching[i];
    const DecodedRecord& record = message.decoded->records[index];
    const Table& table = *message.tables->Find(record.table);
    json_.clear();
    if (setting_.origin) {
      AppendDecodedJsonWithOrigin(table, record, index, *message.stored, setting_.style, &json_);
    } else {
      AppendDecodedJson(table, record, setting_.style, &json_);
    }
    place.sent = i + 1;
    Line(json_, "", i + 1 < message.matching.size() ? place : reader_.place());
    ++lines_;
  }
}

void StreamLines::Line(std::string_view json, std::string_view event, const StreamPlace& place) {
  const std::string cursor = EncodeStreamPlace(place);
  if (setting_.events) {
    made_.append("id: ").append(cursor).append("\n");
    if (!event.empty()) made_.append("event: ").append(event).append("\n");
    made_.append("data: ").append(json).append("\n\n");
  } else {
    made_.append(json.substr(0, json.size() - 1));
    made_.append(",\"cursor\":\"").append(cursor).append("\"}\n");
  }
}

void StreamLines::Give() {
  if (made_.empty()) return;
  spoke_ = clock_->Monotonic();
  std::lock_guard lock(mutex_);
  if (ready_.empty()) {
    ready_.swap(made_);
  } else {
    ready_ += made_;
  }
  made_.clear();
}

// Real time, at most kWaitMost. kCancelled: nobody wants more.
Status StreamLines::Wait(std::chrono::nanoseconds time, Until until) {
  bool let_go = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::min(time, kWaitMost), [&] {
      return stop_ || let_go_ || (until == Until::kRoom && ready_.size() < kLinesBytesMax);
    });
    if (stop_) return Status::Cancelled("nobody reads");
    let_go = std::exchange(let_go_, false);
  }
  if (let_go) reader_.Release();
  return Status::Ok();
}

Status StreamLines::WaitForRoom() {
  if (made_.size() >= kPieceBytes) Give();
  const MonotonicTime since = clock_->Monotonic();
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (!stop_ && !let_go_ && ready_.size() < kLinesBytesMax) return Status::Ok();
    }
    if (clock_->Monotonic() - since > kHeldWhileWaiting) reader_.Release();
    TD_RETURN_IF_ERROR(Wait(kWaitMost, Until::kRoom));
  }
}

Status StreamLines::WaitUntilDue(MonotonicTime due) {
  MonotonicTime left = due - clock_->Monotonic();
  if (left <= kPaceQuantum) return Status::Ok();
  Give();
  if (left > kHeldWhileWaiting) reader_.Release();
  for (; left > std::chrono::nanoseconds(0); left = due - clock_->Monotonic()) {
    TD_RETURN_IF_ERROR(Wait(left, Until::kTime));
  }
  return Status::Ok();
}

// A commit without rows changes nothing that is published: so now and then it is looked anyway.
Status StreamLines::WaitForMore() {
  Give();
  reader_.Release();
  if (setting_.events && clock_->Monotonic() - spoke_ > kSilenceMax) {
    made_ += ":\n\n";
    Give();
  }
  for (int looks = 0; looks < kLooksMost; ++looks) {
    TD_RETURN_IF_ERROR(Wait(kLookEvery, Until::kTime));
    const uint64_t changes = setting_.changes ? setting_.changes() : 0;
    if (std::exchange(seen_changes_, changes) != changes) break;
  }
  return Status::Ok();
}

}  // namespace tapedeck
