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

/// Whether it is certain, without asking librdkafka, that the message has no headers. Asking costs
/// an allocation per message even where there are none: a fifth of all work of a consumer of small
/// messages.
///
/// In a record batch the count of headers stands right behind the value, and the next record begins
/// behind it:
///   record := … keyLength key valueLength value headerCount header* ;  headerCount 0 is one byte
///     0x00
/// So a zero byte behind the value is a count of zero if `next`, the message that came next, lies
/// right behind it in the same buffer. In formats before record batches that byte is the first of
/// the next offset, and there are no headers. This knows librdkafka's insides (messages point into
/// its buffers), and is off for versions that were not looked at.
bool SurelyHasNoHeaders(const rd_kafka_message_s& message, const rd_kafka_message_s& next);

/// Appends the message's headers. False where they do not parse.
bool AppendHeaders(const rd_kafka_message_s& message, std::vector<HeaderView>* headers);

/// Makes `out` own a copy of everything that `message` views.
void CopyMessage(const MessageView& message, ProbedMessage* out);

}  // namespace tapedeck

#endif  // TAPEDECK_KAFKA_MESSAGE_BYTES_H_
