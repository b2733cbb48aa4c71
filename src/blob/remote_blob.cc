#include "blob/remote_blob.h"

#include <charconv>
#include <utility>

#include "blob/blob_name.h"

namespace tapedeck {
namespace {

Result<uint64_t> ParseSizeText(std::string_view text) {
  uint64_t value = 0;
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc() || end != last) return Status::Internal("a size that is no number");
  return value;
}

}  // namespace

Status RemoteBlob::DoStream(uint64_t offset, uint64_t size, const BlobSink& sink) {
  const uint64_t end = offset + size;
  uint64_t at = offset;
  uint64_t asked_from = offset;  // by the try that is under way
  RangeRequest range;
  range.adjust = [&](WebRequest* request) {
    asked_from = at;
    request->headers.emplace_back("Range",
                                  "bytes=" + std::to_string(at) + "-" + std::to_string(end - 1));
    request->headers.emplace_back("If-Match", stat().version);
    request->timeout = TransferTime(end - at);
    request->sink_status = 206;
    request->sink = [&](std::string_view piece) {
      Status taken = sink(piece);
      if (taken.ok()) at += piece.size();
      return taken;
    };
  };
  range.judge = [&](const WebAnswer& answer) -> std::optional<Verdict> {
    if (answer.status == 412 || answer.status == 416)
      return Verdict::Final(Status::FailedPrecondition("it was replaced since it was opened"));
    if (answer.ok() && answer.status != 206)
      return Verdict::Final(Status::Internal("the store does not answer with the range asked for"));
    const std::string_view range_given = answer.Header("content-range");
    if (answer.status == 206 && !range_given.empty() &&
        !range_given.starts_with("bytes " + std::to_string(asked_from) + "-")) {
      return Verdict::Final(Status::Internal("the store answers with another range"));
    }
    if (answer.status == 206 && at < end)
      return Verdict::Again(Status::Unavailable("fewer bytes arrived than were asked for"));
    return std::nullopt;
  };
  // Tries are counted anew for every stretch that arrived: a long read over a bad line ends.
  for (;;) {
    const uint64_t before = at;
    Status read = get_("reading " + stat().name, range).status();
    if (at == end) return Status::Ok();
    if (read.code() != StatusCode::kUnavailable || at == before) return read;
  }
}

Result<BlobStat> StatFromHeaders(const std::string& name, const WebAnswer& answer) {
  BlobStat stat;
  stat.name = name;
  Result<uint64_t> bytes = ParseSizeText(answer.Header("content-length"));
  stat.version = answer.Header("etag");
  if (!bytes.ok() || stat.version.empty())
    return Status::Internal(name + ": an answer without Content-Length or ETag");
  stat.bytes = *bytes;
  stat.modified = ParseHttpDate(answer.Header("last-modified")).value_or(Timestamp());
  return stat;
}

Status AddListed(const ListedObject& object, const std::string& store_prefix, BlobPage* page) {
  const bool is_ours = object.key.starts_with(store_prefix);
  const std::string name = is_ours ? object.key.substr(store_prefix.size()) : "";
  if (!CheckBlobName(name).ok()) {
    ++page->foreign;
    return Status::Ok();
  }
  BlobStat stat;
  stat.name = name;
  TD_ASSIGN_OR_RETURN(stat.bytes, ParseSizeText(object.size));
  stat.version = object.version;
  if (Result<Timestamp> iso = ParseRfc3339(object.modified); iso.ok()) {
    stat.modified = *iso;
  } else {
    stat.modified = ParseHttpDate(object.modified).value_or(Timestamp());
  }
  page->blobs.push_back(std::move(stat));
  return Status::Ok();
}

Result<PutReport> PutComparing(BlobStore* store, const std::string& name, const Source& source,
                               PutMode mode, const std::function<Status()>& upload) {
  // Something that comes and goes between looking and writing is somebody else's game.
  constexpr int kRoundsMax = 4;
  bool must_look = mode == PutMode::kCreate;
  Status unread;  // why what is there could not be compared
  for (int round = 0; round < kRoundsMax; ++round) {
    if (must_look) {
      Result<std::unique_ptr<Blob>> present = store->Open(name);
      if (!present.ok() && present.status().code() != StatusCode::kNotFound)
        return std::move(present).status();
      Result<bool> is_equal = false;
      if (present.ok()) {
        is_equal = source.Equals(present->get());
        const StatusCode code = is_equal.status().code();
        const bool is_changed =
            code == StatusCode::kNotFound || code == StatusCode::kFailedPrecondition;
        if (is_changed) {
          unread = std::move(is_equal).status();
          continue;
        }
        if (!is_equal.ok()) return std::move(is_equal).status();
        if (*is_equal) return PutReport{.bytes = source.size(), .was_there = true};
        if (mode == PutMode::kCreate) {
          return Status::AlreadyExists(store->Describe() + " has an object " + name +
                                       " with other content");
        }
      }
    }
    Status done = upload();
    if (done.ok()) return PutReport{.bytes = source.size()};
    if (done.code() != StatusCode::kAlreadyExists) return done;
    must_look = true;
  }
  if (unread.code() == StatusCode::kFailedPrecondition)
    return unread.WithContext("comparing what is there");
  return Status::Unavailable(store->Describe() + ": " + name +
                             " comes and goes while it is put; is there another writer?");
}

}  // namespace tapedeck
