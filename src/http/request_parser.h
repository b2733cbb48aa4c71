#ifndef TAPEDECK_HTTP_REQUEST_PARSER_H_
#define TAPEDECK_HTTP_REQUEST_PARSER_H_

// Turns the bytes of one request, already passed by the gate, into an HttpRequest. The parser is
// Boost.Beast's; what it finds must agree with what the gate found, else the request is refused:
// two readers that differ are how requests are smuggled.
//
// Private to http. Thread-safe: a pure function.

#include <string_view>

#include "http/message.h"
#include "http/request_gate.h"

namespace tapedeck {

enum class MessagePart : uint8_t { kHead, kWhole };

/// Replaces method, path, query, version, headers and body of `request`. `bytes` is the head, or
/// the head and the body as sent. False where parser and gate differ, but for the end of the
/// connection: it ends after this request where either of them thinks so, which `facts` says then.
/// May throw std::bad_alloc.
bool ParseRequest(std::string_view bytes, MessagePart part, HeadFacts* facts, HttpRequest* request);

}  // namespace tapedeck

#endif  // TAPEDECK_HTTP_REQUEST_PARSER_H_
