// Requests that two readers might understand in two ways. Each goes over a real connection with
// another request behind it, and must give at most one answer, no call of the handler, and a closed
// connection.

#include <gtest/gtest.h>

#include <cstdio>

#include "base/random.h"
#include "http/raw_client.h"
#include "http/request_gate.h"
#include "http/request_parser.h"
#include "http/server.h"
#include "http/test_handler.h"

namespace tapedeck {
namespace {

struct Case {
  std::string name;
  std::string bytes;
  int status = 400;  // 0: closed without an answer
};

std::string Post(const std::string& fields, const std::string& body = "",
                 const std::string& version = "HTTP/1.1") {
  return "POST /echo " + version + "\r\nHost: t\r\n" + fields + "\r\n" + body;
}

std::string With(const std::string& field) {
  return "GET /echo HTTP/1.1\r\nHost: t\r\n" + field + "\r\n\r\n";
}

std::string Line(const std::string& line) { return line + "\r\nHost: t\r\n\r\n"; }

std::string Escaped(unsigned byte) {
  char text[8];
  std::snprintf(text, sizeof(text), "0x%02x", byte);
  return text;
}

const std::string kCl = "Content-Length: 5\r\n";
const std::string kTe = "Transfer-Encoding: chunked\r\n";
const std::string kEnd = "0\r\n\r\n";

std::vector<Case> LengthCases() {
  std::vector<Case> cases = {
      {"length then encoding", Post(kCl + kTe, kEnd)},
      {"encoding then length", Post(kTe + kCl, kEnd)},
      {"length 0 and encoding", Post("Content-Length: 0\r\n" + kTe, kEnd)},
      {"two lengths that differ", Post(kCl + "Content-Length: 6\r\n", "hello!")},
      {"two lengths alike", Post(kCl + kCl, "hello")},
      {"two lengths in two cases", Post(kCl + "content-length: 5\r\n", "hello")},
      {"space before the colon of the length", Post("Content-Length : 5\r\n", "hello")},
      {"tab before the colon of the length", Post("Content-Length\t: 5\r\n", "hello")},
      {"underscore in the length's name", Post("Content_Length: 5\r\n", "hello")},
      {"length in a second line", Post("Content-Length:\r\n 5\r\n", "hello")},
      {"length folded by a tab", Post("Content-Length:\r\n\t5\r\n", "hello")},
      {"length on GET", "GET /echo HTTP/1.1\r\nHost: t\r\n" + kCl + "\r\nhello"},
      {"length on HEAD", "HEAD /echo HTTP/1.1\r\nHost: t\r\n" + kCl + "\r\nhello"},
      {"length on TRACE", "TRACE /echo HTTP/1.1\r\nHost: t\r\n" + kCl + "\r\nhello"},
      {"chunks on GET", "GET /echo HTTP/1.1\r\nHost: t\r\n" + kTe + "\r\n" + kEnd},
      {"chunks on HEAD", "HEAD /echo HTTP/1.1\r\nHost: t\r\n" + kTe + "\r\n" + kEnd},
      {"a body just too large", Post("Content-Length: 1048577\r\n"), 413},
      {"a body far too large", Post("Content-Length: 99999999999999999999\r\n"), 413},
      {"a body that wraps 64 bits", Post("Content-Length: 18446744073709551621\r\n"), 413},
  };
  for (const char* value : {"",    "+5",  "-1",   "-0",   "0x5", "5 ", "5,5",  "5, 5",  "5, 6",
                            "5;",  "5.0", "5e0",  "five", "05",  "00", "0005", "\"5\"", "5 5",
                            "1_0", "５",  "5\t6", "5-",   "NaN", " ",  "%35"}) {
    bool is_sound = std::string(value) == "5 ";  // white space around a value means nothing
    if (is_sound) continue;
    cases.push_back({std::string("length '") + value + "'",
                     Post("Content-Length: " + std::string(value) + "\r\n", "hello")});
  }
  return cases;
}

std::vector<Case> EncodingCases() {
  std::vector<Case> cases = {
      {"two encodings", Post(kTe + kTe, kEnd)},
      {"chunked then identity", Post(kTe + "Transfer-Encoding: identity\r\n", kEnd)},
      {"identity then chunked", Post("Transfer-Encoding: identity\r\n" + kTe, kEnd)},
      {"space before the colon of the encoding", Post("Transfer-Encoding : chunked\r\n", kEnd)},
      {"underscore in the encoding's name", Post("Transfer_Encoding: chunked\r\n", kEnd)},
      {"encoding in a second line", Post("Transfer-Encoding:\r\n chunked\r\n", kEnd)},
      {"encoding hidden in a fold", Post("X: a\r\n Transfer-Encoding: chunked\r\n", kEnd)},
      {"encoding after a bare line feed", Post("X: a\nTransfer-Encoding: chunked\r\n", kEnd)},
      {"encoding after a bare return", Post("X: a\rTransfer-Encoding: chunked\r\n", kEnd)},
      {"encoding in HTTP/1.0", Post(kTe, kEnd, "HTTP/1.0")},
      {"encoding in HTTP/1.0 that keeps alive",
       Post("Connection: keep-alive\r\n" + kTe, kEnd, "HTTP/1.0")},
      {"a form feed in the encoding", Post("Transfer-Encoding: \x0c"
                                           "chunked\r\n",
                                           kEnd)},
      {"a vertical tab in the encoding", Post("Transfer-Encoding: \x0b"
                                              "chunked\r\n",
                                              kEnd)},
      {"a NUL behind the encoding",
       Post(std::string("Transfer-Encoding: chunked\0\r\n", 29), kEnd)},
      {"a byte order mark before the encoding",
       Post("\xef\xbb\xbfTransfer-Encoding: chunked\r\n", kEnd)},
  };
  for (const char* value : {"identity",         "gzip",     "gzip, chunked",    "chunked, gzip",
                            "chunked, chunked", "chunked,", ",chunked",         "xchunked",
                            "chunkedx",         "chunke",   "\"chunked\"",      "chunked;q=1",
                            "chunked; a=b",     "chun ked", "'chunked'",        "",
                            "deflate",          "trailers", "chunked identity", "(chunked)"}) {
    cases.push_back({std::string("encoding '") + value + "'",
                     Post("Transfer-Encoding: " + std::string(value) + "\r\n", kEnd), 501});
  }
  return cases;
}

std::vector<Case> ChunkCases() {
  std::vector<Case> cases;
  auto add = [&](const char* name, std::string body, int status = 400) {
    cases.push_back({name, Post(kTe, body), status});
  };
  add("a chunk size with an extension", "5;a=b\r\nhello\r\n" + kEnd);
  add("a chunk size with an empty extension", "5;\r\nhello\r\n" + kEnd);
  add("a last chunk with an extension", "0;a=b\r\n\r\n");
  add("an extension that ends with a line feed", "0;a\nGET /hidden HTTP/1.1\r\n\r\n");
  add("a chunk size with 0x", "0x5\r\nhello\r\n" + kEnd);
  add("a chunk size with a plus", "+5\r\nhello\r\n" + kEnd);
  add("a negative chunk size", "-5\r\nhello\r\n" + kEnd);
  add("a space before a chunk size", " 5\r\nhello\r\n" + kEnd);
  add("a space behind a chunk size", "5 \r\nhello\r\n" + kEnd);
  add("a tab behind a chunk size", "5\t\r\nhello\r\n" + kEnd);
  add("an empty chunk size", "\r\nhello\r\n" + kEnd);
  add("a chunk size that is no number", "g\r\nhello\r\n" + kEnd);
  add("a chunk size of nine digits", "000000005\r\nhello\r\n" + kEnd);
  add("a chunk size that wraps 32 bits", "100000005\r\nhello\r\n" + kEnd);
  add("a chunk size that wraps 64 bits", "10000000000000005\r\nhello\r\n" + kEnd);
  add("a chunk size with a dot", "5.\r\nhello\r\n" + kEnd);
  add("a chunk size with an underscore", "0_5\r\nhello\r\n" + kEnd);
  add("a chunk size in quotes", "\"5\"\r\nhello\r\n" + kEnd);
  add("a chunk size that ends with a line feed", "5\nhello\r\n" + kEnd);
  add("a chunk size that ends with a return", "5\rhello\r\n" + kEnd);
  add("a chunk that ends with a line feed", "5\r\nhello\n" + kEnd);
  add("a chunk that ends with a return", "5\r\nhello\r" + kEnd);
  add("a chunk longer than it says", "5\r\nhello!\r\n" + kEnd);
  add("a chunk without an end", "5\r\nhello" + kEnd);
  add("a chunk shorter than it says", "6\r\nhello\r\n" + kEnd);
  add("a last chunk that ends with a line feed", "0\n\n");
  add("a last chunk without an empty line", "0\r\nGET /hidden HTTP/1.1\r\nHost: t\r\n\r\n");
  add("a trailer", "0\r\nX: y\r\n\r\n");
  add("a trailer that says a length", "0\r\nContent-Length: 5\r\n\r\n");
  add("a trailer that is no field", "0\r\nnonsense\r\n\r\n");
  add("a bare line feed behind the last chunk", "0\r\n\n");
  add("a bare return behind the last chunk", "0\r\n\rX");
  add("a NUL in a chunk size", std::string("5\0\r\nhello\r\n", 11) + kEnd);
  add("a chunk too large", "100001\r\n", 413);
  add("a chunk far too large", "ffffffff\r\n", 413);
  std::string crumbs;
  for (int i = 0; i < 30'000; ++i) crumbs += "1\r\na\r\n";
  add("a frame far larger than its content", crumbs, 413);
  return cases;
}

std::vector<Case> HostCases() {
  std::vector<Case> cases = {
      {"no Host", "GET /echo HTTP/1.1\r\n\r\n"},
      {"two Hosts", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"two Hosts alike", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"two Hosts in two cases", "GET /echo HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n"},
      {"two Hosts in HTTP/1.0", "GET /echo HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"space before the colon of Host", "GET /echo HTTP/1.1\r\nHost : a\r\n\r\n"},
      {"space before Host", "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a fold in Host", "GET /echo HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"},
      {"another host in the target", "GET http://evil/echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"another port in the target", "GET http://t:81/echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"a user in the target", "GET http://u@t/echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"no Host for an absolute target", "GET http://t/echo HTTP/1.0\r\n\r\n"},
      {"no path in the target", "GET http://t HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"a query without a path", "GET http://t?/echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"another scheme", "GET ftp://t/echo HTTP/1.1\r\nHost: t\r\n\r\n"},
  };
  for (const char* host : {"", "a b", "a,b", "a, b", "a/b", "a@b", "a\\b", "a#b", "a?b", "a\"b",
                           "<a>", "a;b", "http://a", "a\tb", "\xff"}) {
    cases.push_back({std::string("Host '") + host + "'",
                     "GET /echo HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"});
  }
  return cases;
}

std::vector<Case> LineCases() {
  std::vector<Case> cases = {
      {"a bare line feed behind the first line", "GET /echo HTTP/1.1\nHost: t\r\n\r\n"},
      {"bare line feeds everywhere", "GET /echo HTTP/1.1\nHost: t\n\n"},
      {"a bare line feed as the empty line", "GET /echo HTTP/1.1\r\nHost: t\r\n\n"},
      {"an empty line first", "\r\nGET /echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"a line feed first", "\nGET /echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"a space first", " GET /echo HTTP/1.1\r\nHost: t\r\n\r\n"},
      {"two spaces behind the method", Line("GET  /echo HTTP/1.1")},
      {"a space behind the version", Line("GET /echo HTTP/1.1 ")},
      {"tabs for spaces", Line("GET\t/echo\tHTTP/1.1")},
      {"a space in the target", Line("GET /echo x HTTP/1.1")},
      {"no target", Line("GET HTTP/1.1")},
      {"an empty target", Line("GET  HTTP/1.1")},
      {"no version", Line("GET /echo")},
      {"HTTP/0.9", "GET /echo\r\n\r\n"},
      {"a version in lower case", Line("GET /echo http/1.1")},
      {"HTTP/0.9 in full", Line("GET /echo HTTP/0.9"), 505},
      {"HTTP/1.2", Line("GET /echo HTTP/1.2"), 505},
      {"HTTP/2.0", Line("GET /echo HTTP/2.0"), 505},
      {"HTTP/9.9", Line("GET /echo HTTP/9.9"), 505},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/1.10", Line("GET /echo HTTP/1.10")},
      {"HTTP/01.1", Line("GET /echo HTTP/01.1")},
      {"HTTP/1", Line("GET /echo HTTP/1")},
      {"HTTP/1,1", Line("GET /echo HTTP/1,1")},
      {"HTTP/1.1x", Line("GET /echo HTTP/1.1x")},
      {"XTTP/1.1", Line("GET /echo XTTP/1.1")},
      {"a method with a colon", Line("GE:T /echo HTTP/1.1")},
      {"a method with a slash", Line("GE/T /echo HTTP/1.1")},
      {"a long method", Line(std::string(33, 'A') + " /echo HTTP/1.1")},
      {"CONNECT", Line("CONNECT t:443 HTTP/1.1"), 501},
      {"CONNECT with a path", Line("CONNECT /echo HTTP/1.1"), 501},
      {"an asterisk for GET", Line("GET * HTTP/1.1")},
      {"a target without a slash", Line("GET echo HTTP/1.1")},
      {"a target with two slashes", Line("GET //evil/echo HTTP/1.1")},
      {"a target with two slashes behind its host", Line("GET http://t//x HTTP/1.1")},
      {"a fragment", Line("GET /echo#a HTTP/1.1")},
      {"a backslash", Line("GET /echo\\..\\x HTTP/1.1")},
      {"a step up", Line("GET /v1/../echo HTTP/1.1")},
      {"a step up at the end", Line("GET /v1/.. HTTP/1.1")},
      {"a step in place", Line("GET /./echo HTTP/1.1")},
      {"a step up in disguise", Line("GET /v1/%2e%2e/echo HTTP/1.1")},
      {"a step up in half a disguise", Line("GET /v1/.%2E/echo HTTP/1.1")},
      {"a step up behind a slash in disguise", Line("GET /v1%2f..%2fecho HTTP/1.1")},
      {"a NUL in disguise", Line("GET /echo%00 HTTP/1.1")},
      {"a backslash in disguise", Line("GET /v1%5c..%5cecho HTTP/1.1")},
      {"a percent sign alone", Line("GET /echo% HTTP/1.1")},
      {"a percent sign with one digit", Line("GET /echo%4 HTTP/1.1")},
      {"a percent sign with no digits", Line("GET /echo%zz HTTP/1.1")},
      {"half a character", Line("GET /echo%c3 HTTP/1.1")},
      {"an overlong slash", Line("GET /echo%c0%af HTTP/1.1")},
      {"a surrogate", Line("GET /echo%ed%a0%80 HTTP/1.1")},
      {"a target too long", Line("GET /" + std::string(8192, 'a') + " HTTP/1.1"), 414},
      {"a target without end", "GET /" + std::string(20'000, 'a'), 414},
      {"a method without end", std::string(20'000, 'A'), 414},
  };
  for (unsigned byte : {0x00u, 0x01u, 0x07u, 0x08u, 0x0bu, 0x0cu, 0x0eu, 0x1bu, 0x1fu, 0x3cu, 0x7fu,
                        0x80u, 0xa0u, 0xc3u, 0xffu}) {
    std::string text(1, static_cast<char>(byte));
    cases.push_back(
        {"byte " + Escaped(byte) + " in the target", Line("GET /ec" + text + "ho HTTP/1.1")});
  }
  for (unsigned byte : {0x00u, 0x0bu, 0x16u, 0x28u, 0x7fu, 0x80u}) {
    std::string text(1, static_cast<char>(byte));
    cases.push_back(
        {"byte " + Escaped(byte) + " in the method", Line("G" + text + "T /echo HTTP/1.1")});
  }
  return cases;
}

std::vector<Case> FieldCases() {
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  std::vector<Case> cases = {
      {"a line without a colon", With("nonsense")},
      {"an empty name", With(": x")},
      {"a fold", With("X: a\r\n b")},
      {"a fold by a tab", With("X: a\r\n\tb")},
      {"a fold of white space", With("X: a\r\n  ")},
      {"a fold first", "GET /echo HTTP/1.1\r\n X: a\r\nHost: t\r\n\r\n"},
      {"a space in a name", With("X Y: a")},
      {"a bare line feed in a value", With("X: a\nY: b")},
      {"a bare return in a value", With("X: a\rY: b")},
      {"two returns", With("X: a\r")},
      {"two Authorizations", With("Authorization: Bearer a\r\nAuthorization: Bearer b")},
      {"two Authorizations alike", With("Authorization: Bearer a\r\nauthorization: Bearer a")},
      {"two Content-Types", With("Content-Type: a\r\nContent-Type: b")},
      {"two expectations", With("Expect: 100-continue\r\nExpect: 100-continue")},
      {"an unknown expectation", With("Expect: 200-ok"), 417},
      {"a list of expectations", With("Expect: 100-continue, x"), 417},
      {"Connection removes Host", With("Connection: close, Host")},
      {"Connection removes the length", Post("Connection: Content-Length\r\n" + kCl, "hello")},
      {"Connection removes the encoding", Post("Connection: transfer-encoding\r\n" + kTe, kEnd)},
      {"Connection removes Authorization", With("Connection: keep-alive, authorization")},
      {"Connection is no list of words", With("Connection: keep alive")},
      {"a header too large", With("X: " + std::string(17'000, 'a')), 431},
      {"a header without end", "GET /echo HTTP/1.1\r\nHost: t\r\nX: " + std::string(40'000, 'a'),
       431},
      {"too many fields", With(many.substr(0, many.size() - 2)), 431},
      {"a TLS handshake",
       std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(300, 'x')},
      {"an SSH client", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
      {"random bytes", "\x8f\x01\x02\xff\xfe\x00\x00"},
      {"a SOCKS client", std::string("\x05\x01\x00", 3)},
      {"a PROXY line", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /echo HTTP/1.1\r\nHost: t\r\n\r\n"},
  };
  for (unsigned byte = 0; byte < 0x20; ++byte) {
    if (byte == '\t') continue;
    std::string text(1, static_cast<char>(byte));
    cases.push_back({"byte " + Escaped(byte) + " in a value", With("X: a" + text + "b")});
  }
  cases.push_back({"byte 0x7f in a value", With("X: a\x7f"
                                                "b")});
  for (unsigned byte :
       {0x00u, 0x01u, 0x09u, 0x0bu, 0x0cu, 0x20u, 0x22u, 0x28u, 0x29u, 0x2cu, 0x2fu, 0x3bu, 0x3cu,
        0x3du, 0x3eu, 0x3fu, 0x40u, 0x5bu, 0x5cu, 0x5du, 0x7bu, 0x7du, 0x7fu, 0x80u, 0xffu}) {
    std::string text(1, static_cast<char>(byte));
    cases.push_back({"byte " + Escaped(byte) + " in a name", With("X" + text + "Y: a")});
  }
  return cases;
}

class HttpGate : public testing::Test {
 protected:
  void SetUp() override {
    HttpServerOptions options;
    options.listen = "127.0.0.1:0";
    auto started = HttpServer::Start(options, &handler_);
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = std::move(*started);
  }

  // `before`: sound requests on the same connection, so that the case is not its first.
  void Check(const Case& each, int before) {
    SCOPED_TRACE(each.name + (before > 0 ? ", behind another request" : ""));
    int calls = handler_.calls;
    RawClient client(server_->address());
    std::string bytes;
    for (int i = 0; i < before; ++i) bytes += Get("/quick");
    client.Send(bytes + each.bytes + Get("/hidden"));
    auto answers = ParseResponses(client.ReadToEnd());
    EXPECT_NE(client.ending(), Ending::kOpen);
    EXPECT_EQ(handler_.calls - calls, before);
    ASSERT_EQ(answers.size(), static_cast<size_t>(before) + 1) << client.received();
    RawResponse& last = answers.back();
    EXPECT_EQ(last.status, each.status) << last.body;
    EXPECT_TRUE(last.is_complete || each.bytes.starts_with("HEAD"));
    EXPECT_EQ(last.headers["connection"], "close");
    EXPECT_EQ(last.headers["content-type"], "application/problem+json");
  }

  void CheckAll(const std::vector<Case>& cases) {
    for (const Case& each : cases) {
      Check(each, 0);
      Check(each, 2);
    }
    EXPECT_EQ(server_->stats().rejected_requests, cases.size() * 2);
    EXPECT_EQ(Exchange(server_->address(), GetAndClose("/quick")).size(), 1u);
  }

  TestHandler handler_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpGate, LengthsThatCanBeReadInTwoWays) { CheckAll(LengthCases()); }
TEST_F(HttpGate, EncodingsThatCanBeReadInTwoWays) { CheckAll(EncodingCases()); }
TEST_F(HttpGate, ChunksThatCanBeReadInTwoWays) { CheckAll(ChunkCases()); }
TEST_F(HttpGate, HostsThatCanBeReadInTwoWays) { CheckAll(HostCases()); }
TEST_F(HttpGate, FirstLinesThatCanBeReadInTwoWays) { CheckAll(LineCases()); }
TEST_F(HttpGate, FieldsThatCanBeReadInTwoWays) { CheckAll(FieldCases()); }

TEST_F(HttpGate, TheTablesHoldAtLeastTwoHundredCases) {
  size_t count = 0;
  for (const auto& cases :
       {LengthCases(), EncodingCases(), ChunkCases(), HostCases(), LineCases(), FieldCases()}) {
    count += cases.size();
  }
  EXPECT_GE(count, 200u);
}

// Random damage to sound heads: whatever passes the gate, the parser behind it must see alike.
TEST(HttpGateAndParser, AgreeOnWhatPasses) {
  constexpr uint64_t kSeed = 20261121;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Random random(kSeed);
  const std::vector<std::string> heads = {
      "GET /v1/trades?symbols=A&start=1 HTTP/1.1\r\nHost: t:80\r\nAccept: */*\r\n\r\n",
      "POST /e HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      "POST /e HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET http://t/x HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n\r\n",
  };
  const std::vector<std::string> fields = {
      "Connection: close\r\n", "Connection: upgrade\r\n", "Content-Length: 0\r\n",
      "Content-Length: 7\r\n", "Keep-Alive: 5\r\n",       "Transfer-Encoding: chunked\r\n"};
  const std::string bytes("\r\n :,;0\tA\xff/.%\"\0", 15);
  int passed = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text = heads[random.Uniform(heads.size())];
    for (uint64_t damage = random.Uniform(4); damage > 0; --damage) {
      size_t place = random.Uniform(text.size());
      switch (random.Uniform(3)) {
        case 0:
          text[place] = bytes[random.Uniform(bytes.size())];
          break;
        case 1:
          text.erase(place, 1);
          break;
        default:
          text.insert(text.find('\n') + 1, fields[random.Uniform(fields.size())]);
      }
    }
    HeadFinder finder;
    if (finder.Look(text) != HeadFinder::State::kFound) continue;
    std::string_view head = std::string_view(text).substr(0, finder.size());
    HeadVerdict verdict = CheckHead(head, {});
    if (verdict.fault) continue;
    ++passed;
    bool has_body = verdict.facts.chunked || verdict.facts.content_length > 0;
    HttpRequest request;
    EXPECT_TRUE(ParseRequest(head, has_body ? MessagePart::kHead : MessagePart::kWhole,
                             &verdict.facts, &request))
        << head;
  }
  EXPECT_GT(passed, 5000);
}

TEST_F(HttpGate, WhatIsOddButClearIsServed) {
  const std::string close = "Connection: close\r\n\r\n";
  std::vector<std::string> sound = {
      "GET /echo HTTP/1.1\r\nhost:t\r\n" + close,
      "GET /echo HTTP/1.1\r\nHOST: \t t \t\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: [::1]:8080\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: t\r\nX:\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: t\r\nX: caf\xc3\xa9 \xff\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n" + close,
      "GET /echo HTTP/1.1\r\nHost: t\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + close,
      "GET /echo%20x HTTP/1.1\r\nHost: t\r\n" + close,
      "GET /echo/..x/.y HTTP/1.1\r\nHost: t\r\n" + close,
      "GET /echo?a=../b&c=%00&d=%ff&e={\"x\":[1|2]}^`' HTTP/1.1\r\nHost: t\r\n" + close,
      "GET HTTP://T/echo HTTP/1.1\r\nHost: t\r\n" + close,
      "OPTIONS * HTTP/1.1\r\nHost: t\r\n" + close,
      "OPTIONS /echo HTTP/1.1\r\nHost: t\r\n" + close,
      "BREW /echo HTTP/1.1\r\nHost: t\r\n" + close,
      "DELETE /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5 \r\nConnection: close\r\n\r\nhello",
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n"
      "00000005\r\nhello\r\n000\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: t\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: t\r\nProxy-Connection: close\r\n\r\n",
      "GET /echo HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n",
      "GET /echo HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
  };
  for (const std::string& bytes : sound) {
    RawClient client(server_->address());
    client.Send(bytes);
    auto answers = ParseResponses(client.ReadToEnd());
    ASSERT_EQ(answers.size(), 1u) << bytes;
    EXPECT_EQ(answers[0].status, 200) << bytes << answers[0].body;
  }
}

}  // namespace
}  // namespace tapedeck
