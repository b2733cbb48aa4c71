#ifndef TAPEDECK_KAFKA_MESSAGE_BYTES_H_
#define TAPEDECK_KAFKA_MESSAGE_BYTES_H_

// Inside this module only: librdkafka's messages as MessageViews. The views point into the message.
//
// librdkafka gives header names as C strings: one that holds a NUL byte is cut there.
//
// Thread-safe: pure functions.

#include <vector>

#include "kafka/message_source.h"
#include "kafka/rdkafka_client.h"

namespace tapedeck {

/// Everything but the headers, into a view that is as it was made.
void FillView(const rd_kafka_message_s& message, MessageView* view);

/// Appends the message's headers. False where they do not parse.
bool AppendHeaders(const rd_kafka_message_s& message, std::vector<HeaderView>* headers);

/// Makes `out` own a copy of everything that `message` views.
void CopyMessage(const MessageView& message, ProbedMessage* out);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_MESSAGE_BYTES_H_
