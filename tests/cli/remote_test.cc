// The reading commands against a node's HTTP side, as it never should be: answers that were cut
// off, problems, other servers, pages; and what goes out: encoding, tokens. The comparison with a
// real node is in node_test.cc.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cli/fake_server.h"
#include "cli/program.h"
#include "support/temp_dir.h"

namespace tapedeck::testing {
namespace {

constexpr char kNdjson[] = "application/x-ndjson";
constexpr char kCsv[] = "text/csv; charset=utf-8";
constexpr char kJson[] = "application/json";
constexpr char kComplete[] = "Tapedeck-Rows: 2\r\nTapedeck-Status: complete\r\n";

Outcome Ask(const FakeServer& server, const std::string& command, const Variables& variables = {}) {
  std::istringstream in(command);
  Arguments words;
  for (std::string word; in >> word;) words.push_back(word);
  words.insert(words.end(), {"--url", server.url()});
  return RunTapedeck(words, variables);
}

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(RemoteNode, AWholeStreamIsPrintedAsItCame) {
  FakeServer server(
      [](const std::string&) { return Chunked(kNdjson, "{\"a\":1}\n{\"a\":2}\n", kComplete); });
  const Outcome outcome = Ask(server, "query trades -s A,B\\,C --start now-15m --end +1h");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "{\"a\":1}\n{\"a\":2}\n");
  EXPECT_EQ(outcome.err, "");
  ASSERT_EQ(server.heads().size(), 1u);
  const std::string head = server.heads()[0];
  EXPECT_TRUE(
      head.starts_with("GET /v1/trades?symbols=A%2CB%252CC&start=now-15m&end=%2B1h&"
                       "format=ndjson HTTP/1.1\r\n"))
      << head;
  EXPECT_FALSE(Holds(head, "Authorization")) << head;
}

TEST(RemoteNode, AStreamWithoutItsTrailersIsAFailure) {
  const std::string row = "{\"a\":1}\n";
  const std::vector<std::string> answers = {
      Chunked(kNdjson, row, ""),
      Chunked(kNdjson, row, "Tapedeck-Rows: 1\r\n"),
      Chunked(kNdjson, row, "Tapedeck-Status: partial\r\n"),
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n" + row,
  };
  for (const std::string& answer : answers) {
    FakeServer server([&](const std::string&) { return answer; });
    const Outcome outcome = Ask(server, "query trades");
    EXPECT_EQ(outcome.exit_code, 1) << answer;
    EXPECT_EQ(outcome.out, row);
    EXPECT_TRUE(Holds(outcome.err, "the answer is not complete")) << outcome.err;
  }
}

TEST(RemoteNode, ABodyThatBreaksOffIsAFailure) {
  const std::string whole = Chunked(kNdjson, "{\"a\":1}\n", kComplete);
  const size_t body = whole.find("\r\n\r\n") + 4;
  // libcurl takes a missing line end behind the trailers for one.
  for (size_t size = body; size + 2 < whole.size(); ++size) {
    FakeServer server([&](const std::string&) { return whole.substr(0, size); });
    const Outcome outcome = Ask(server, "query trades");
    EXPECT_EQ(outcome.exit_code, 1) << "cut after " << size << " of " << whole.size() << " bytes";
    EXPECT_FALSE(outcome.err.empty());
  }
  FakeServer server([](const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":1}\n";
  });
  EXPECT_EQ(Ask(server, "query trades --limit 5").exit_code, 1) << "a page is cut off";
}

TEST(RemoteNode, AProblemIsToldWithTitleDetailAndParameters) {
  struct Case {
    int status;
    std::string body;
    int exit_code;
    std::string said;
  };
  const std::vector<Case> cases = {
      {400,
       R"({"type":"urn:tapedeck:problem:ambiguous-time","title":"Ambiguous time","status":400,)"
       R"("detail":"start=1 has no unit; write 1ms","instance":"/v1/trades","request_id":"r1",)"
       R"("errors":[{"parameter":"start","detail":"an integer below 10^18 needs a unit"}]})",
       2,
       "tapedeck: Ambiguous time: start=1 has no unit; write 1ms\n"
       "  start: an integer below 10^18 needs a unit\n"},
      {404,
       R"({"title":"Not found","detail":"no table 'x'","errors":[{"parameter":"table",)"
       R"("detail":"no table 'x'"}]})",
       2, "tapedeck: Not found: no table 'x'\n"},
      {401, R"({"title":"Unauthorized","detail":"no token"})", 1,
       "tapedeck: Unauthorized: no token (a token comes from --token-file or TAPEDECK_TOKEN)\n"},
      {403, R"({"title":"Forbidden","detail":"it has no scope read"})", 1, "Forbidden"},
      {503, R"({"title":"Overloaded","detail":"come back","request_id":"r7"})", 1,
       "tapedeck: Overloaded: come back (request id r7)\n"},
      {500, R"({"title":"Internal error","detail":"a\u001b[31mb\nc"})", 1,
       "tapedeck: Internal error: a [31mb c\n"},
      {502, "<html>", 1, "HTTP status 502 and no problem document: is this a tapedeck node?"},
      {400, "[]", 1, "HTTP status 400 and no problem document"},
  };
  for (const Case& one : cases) {
    FakeServer server([&](const std::string&) {
      return Page("application/problem+json", one.body, "", one.status);
    });
    for (const char* command : {"query trades", "tables", "status", "query trades --count"}) {
      const Outcome outcome = Ask(server, command);
      EXPECT_EQ(outcome.exit_code, one.exit_code) << command << "\n" << outcome.err;
      EXPECT_EQ(outcome.out, "");
      EXPECT_TRUE(Holds(outcome.err, one.said)) << outcome.err;
    }
  }
}

TEST(RemoteNode, PagesAreJoinedToOneAnswer) {
  int asked = 0;
  FakeServer server([&](const std::string& head) {
    const bool first = !Holds(head, "page_token=");
    ++asked;
    if (first) {
      return Page(kCsv, "x,note\r\n1,\"a\nb\"\r\n",
                  "Tapedeck-Rows: 1\r\nLink: </v1/trades?symbols=%2A&limit=2&page_token=t%2D1>; "
                  "rel=\"next\"\r\n");
    }
    EXPECT_TRUE(Holds(head, "page_token=t-1 ")) << head;
    return Page(kCsv, "x,note\r\n2,\"c\"\"\n\"\r\n", "Tapedeck-Rows: 1\r\n");
  });
  const Outcome csv = Ask(server, "query trades --limit 100000 -o csv");
  EXPECT_EQ(csv.exit_code, 0) << csv.err;
  EXPECT_EQ(csv.out, "x,note\r\n1,\"a\nb\"\r\n2,\"c\"\"\n\"\r\n");
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(Holds(server.heads()[0], "limit=50000")) << server.heads()[0];
  const Outcome table = Ask(server, "query trades --limit 100000 -o table");
  EXPECT_EQ(table.out, "x  note\n1  a\\nb\n2  c\\\"\\n\n") << table.err;
  const Outcome json = Ask(server, "query trades --limit 100000 -o json");
  EXPECT_EQ(json.exit_code, 2);
  EXPECT_TRUE(Holds(json.err, "at most 50000")) << json.err;
}

TEST(RemoteNode, ADocumentWithoutLimitIsWholeAndOneWithLimitHasItsToken) {
  FakeServer server([](const std::string& head) {
    if (Holds(head, "limit=2"))
      return Page(kJson, "{\"data\":[{\"a\":1}],\"next_page_token\":\"t\"}\n");
    return Chunked(kNdjson, "{\"a\":1}\n{\"a\":2}\n", kComplete);
  });
  EXPECT_EQ(Ask(server, "query trades -o json").out,
            "{\"data\":[{\"a\":1},{\"a\":2}],\"next_page_token\":null}\n");
  EXPECT_EQ(Ask(server, "query trades -o json --limit 2").out,
            "{\"data\":[{\"a\":1}],\"next_page_token\":\"t\"}\n");
}

TEST(RemoteNode, ListsAreFollowedToTheirLastPage) {
  FakeServer server([](const std::string& head) {
    if (!Holds(head, "page_token=")) {
      return Page(kJson,
                  "{\"data\":[{\"symbol\":\"A\\u00e9\",\"tables\":[\"bars\",\"trades\"],"
                  "\"rows\":1}],\"next_page_token\":\"n\"}");
    }
    return Page(kJson, "{\"data\":[{\"symbol\":\"B\",\"rows\":2}],\"next_page_token\":null}");
  });
  EXPECT_EQ(Ask(server, "symbols").out,
            "{\"symbol\":\"A\\u00e9\",\"tables\":[\"bars\",\"trades\"],\"rows\":1}\n"
            "{\"symbol\":\"B\",\"rows\":2}\n");
  EXPECT_EQ(Ask(server, "symbols -o csv").out,
            "symbol,tables,first_ts,last_ts,rows\r\nAé,\"bars,trades\",,,1\r\nB,,,,2\r\n");
  EXPECT_EQ(Ask(server, "symbols --limit 1 -o csv").out,
            "symbol,tables,first_ts,last_ts,rows\r\nAé,\"bars,trades\",,,1\r\n");
  FakeServer other([](const std::string&) { return Page(kJson, "[]"); });
  const Outcome outcome = Ask(other, "symbols");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(Holds(outcome.err, "is this a tapedeck node?")) << outcome.err;
}

TEST(RemoteNode, TheTokenComesFromFileOrEnvironmentAndIsNeverShown) {
  TempDir dir;
  const std::string file = dir.File("token");
  std::ofstream(file) << "  secret-of-file\n";
  FakeServer server([](const std::string&) {
    return Page("application/problem+json", R"({"title":"Unauthorized","detail":"no"})", "", 401);
  });
  EXPECT_FALSE(Holds(Ask(server, "tables --token-file " + file).err, "secret"));
  EXPECT_FALSE(Holds(Ask(server, "tables", {{"TAPEDECK_TOKEN", "secret-of-env"}}).err, "secret"));
  ASSERT_EQ(server.heads().size(), 2u);
  EXPECT_TRUE(Holds(server.heads()[0], "\r\nAuthorization: Bearer secret-of-file\r\n"));
  EXPECT_TRUE(Holds(server.heads()[1], "\r\nAuthorization: Bearer secret-of-env\r\n"));
  std::ofstream(dir.File("empty")) << "\n";
  for (const std::string name : {"empty", "missing"}) {
    const Outcome outcome = Ask(server, "tables --token-file " + dir.File(name));
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_TRUE(Holds(outcome.err, "--token-file")) << outcome.err;
  }
  const Outcome bad = Ask(server, "tables", {{"TAPEDECK_TOKEN", "a\nX-Evil: 1"}});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_FALSE(Holds(bad.err, "Evil")) << bad.err;
}

TEST(RemoteNode, WhereNobodyListensItSaysSo) {
  std::string url;
  {
    url = FakeServer([](const std::string&) { return std::string(); }).url();
  }
  const Outcome outcome = RunTapedeck({"tables", "--url", url});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(Holds(outcome.err, url)) << outcome.err;
  for (const char* bad : {"ftp://host", "http://", "http://u:p@host", "http://host/?a=b"}) {
    const Outcome refused = RunTapedeck({"tables", "--url", bad});
    EXPECT_EQ(refused.exit_code, 2) << bad;
    EXPECT_TRUE(Holds(refused.err, "--url")) << refused.err;
  }
}

TEST(RemoteNode, MessagesAreAskedForByTopicAndOffsets) {
  FakeServer server([](const std::string&) { return Chunked(kNdjson, "", kComplete); });
  EXPECT_EQ(Ask(server, "messages -t T/1 -p 0 --offsets 184:185 --encoding base64").exit_code, 0);
  ASSERT_EQ(server.heads().size(), 1u);
  EXPECT_TRUE(server.heads()[0].starts_with(
      "GET /v1/messages?topic=T%2F1&partition=0&from_offset=184&to_offset=185&encoding=base64&"
      "format=ndjson "))
      << server.heads()[0];
  for (const char* command : {"messages", "messages -t A -t B", "messages -t A --offsets 1:2"}) {
    EXPECT_EQ(Ask(server, command).exit_code, 2) << command;
  }
}

}  // namespace
}  // namespace tapedeck::testing
