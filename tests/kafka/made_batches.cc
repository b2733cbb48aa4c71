#include "kafka/made_batches.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace tapedeck::testing {
namespace {

constexpr size_t kCrcAt = 17, kCrcFrom = 21;

void PutNumber(std::string* out, int64_t value) { PutVarint(out, ZigZag(value)); }

void PutBig16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value));
}

void PutNullable(std::string* out, const std::optional<std::string>& bytes) {
  PutNumber(out, bytes ? static_cast<int64_t>(bytes->size()) : -1);
  out->append(bytes.value_or(""));
}

std::string RecordBytes(const MadeBatch& batch, const MadeRecord& record) {
  std::string body(1, '\0');
  PutNumber(&body, record.time_ms - batch.base_ms);
  PutNumber(&body, record.offset - batch.base);
  PutNullable(&body, record.key);
  PutNullable(&body, record.value);
  PutNumber(&body, static_cast<int64_t>(record.headers.size()));
  for (const auto& [name, value] : record.headers) {
    PutNullable(&body, name);
    PutNullable(&body, value);
  }
  std::string bytes;
  PutNumber(&bytes, static_cast<int64_t>(body.size()));
  return bytes + body;
}

bool ReadWhole(int fd, size_t size, std::string* out) {
  out->resize(size);
  for (size_t at = 0; at < size;) {
    const ssize_t got = recv(fd, out->data() + at, size - at, 0);
    if (got <= 0) return false;
    at += static_cast<size_t>(got);
  }
  return true;
}

bool SendWhole(int fd, std::string_view bytes, size_t part) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), std::min(part, bytes.size()), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

void Reseal(std::string* batch) {
  std::string crc;
  PutBig32(&crc, Crc32cByTable(std::string_view(*batch).substr(kCrcFrom)));
  batch->replace(kCrcAt, crc.size(), crc);
}

std::string BatchBytes(const MadeBatch& batch) {
  std::string rest;
  PutBig32(&rest, 0);  // leader epoch
  rest.push_back(2);
  PutBig32(&rest, 0);  // checksum, below
  PutBig16(&rest, batch.attributes);
  PutBig32(&rest, static_cast<uint32_t>(batch.next - batch.base - 1));
  PutBig64(&rest, static_cast<uint64_t>(batch.base_ms));
  PutBig64(&rest, static_cast<uint64_t>(batch.max_ms));
  PutBig64(&rest, UINT64_MAX);  // no producer
  PutBig16(&rest, UINT16_MAX);
  PutBig32(&rest, UINT32_MAX);
  PutBig32(&rest, static_cast<uint32_t>(batch.records.size()));
  for (const MadeRecord& record : batch.records) rest += RecordBytes(batch, record);
  std::string bytes;
  PutBig64(&bytes, static_cast<uint64_t>(batch.base));
  PutBig32(&bytes, static_cast<uint32_t>(rest.size()));
  bytes += rest;
  Reseal(&bytes);
  return bytes;
}

FakeBroker::FakeBroker() {
  listen_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listen_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listen_, 16), 0);
  EXPECT_EQ(getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] {
    for (int fd = accept(listen_, nullptr, nullptr); fd >= 0;
         fd = accept(listen_, nullptr, nullptr)) {
      std::lock_guard lock(mutex_);
      connections_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  });
}

FakeBroker::~FakeBroker() {
  stop_ = true;
  shutdown(listen_, SHUT_RDWR);
  accepting_.join();
  close(listen_);
  for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
  for (std::thread& thread : threads_) thread.join();
  for (const int fd : connections_) close(fd);
}

void FakeBroker::Add(int32_t partition, const MadeBatch& batch) {
  std::lock_guard lock(mutex_);
  logs_[partition].push_back({batch.next, BatchBytes(batch)});
}

void FakeBroker::Serve(int fd) {
  std::string size, request;
  while (!stop_ && ReadWhole(fd, 4, &size)) {
    if (!ReadWhole(fd, ByteReader(size).Big32(), &request)) break;
    ++fetches_;
    if (hang_up_) break;
    if (!SendWhole(fd, Answer(request), part_)) break;
  }
  shutdown(fd, SHUT_RDWR);
}

std::string FakeBroker::Answer(const std::string& request) {
  ByteReader reader(request);
  EXPECT_EQ(reader.Big32(), 1u << 16 | 4) << "Fetch, version 4";
  std::string answer;
  PutBig32(&answer, reader.Big32());  // correlation
  PutBig32(&answer, 0);               // throttle
  const size_t client = static_cast<size_t>(reader.Byte()) << 8;
  reader.Bytes(client | reader.Byte());
  reader.Bytes(17);  // replica, waiting, least and most bytes, isolation
  PutBig32(&answer, reader.Big32());
  const size_t high = static_cast<size_t>(reader.Byte()) << 8;
  const size_t name = high | reader.Byte();
  PutBig16(&answer, static_cast<uint16_t>(name));
  answer += reader.Bytes(name);
  const uint32_t count = reader.Big32();
  PutBig32(&answer, count);
  bool any = false;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t partition = reader.Big32();
    const auto offset = static_cast<int64_t>(reader.Big64());
    reader.Big32();
    std::string set;
    int64_t end = 0;
    {
      std::lock_guard lock(mutex_);
      for (const Stored& stored : logs_[static_cast<int32_t>(partition)]) {
        end = stored.next;
        if (stored.next <= offset || set.size() > cut_) continue;
        set += stored.bytes;
        // As brokers do: only the first batch of an answer is sent however large it is.
        if (any || set.size() > stored.bytes.size()) set.resize(std::min<size_t>(set.size(), cut_));
        if (!any) any = true;
      }
    }
    end = std::max<int64_t>(0, end - late_);
    PutBig32(&answer, partition);
    PutBig16(&answer, static_cast<uint16_t>(error_.load()));
    PutBig64(&answer, static_cast<uint64_t>(end));
    PutBig64(&answer, static_cast<uint64_t>(end));
    PutBig32(&answer, UINT32_MAX);  // no list of aborted transactions
    PutBig32(&answer, static_cast<uint32_t>(set.size()));
    answer += set;
  }
  EXPECT_TRUE(reader.done());
  std::string size;
  PutBig32(&size, static_cast<uint32_t>(answer.size()));
  return size + answer;
}

}  // namespace tapedeck::testing
