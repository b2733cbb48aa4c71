// tapedeck messages

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "query/json_rows.h"
#include "tape/tape_cursor.h"
#include "tapedeck/answer_output.h"
#include "tapedeck/number_checks.h"
#include "tapedeck/read_commands.h"
#include "tapedeck/read_options.h"
#include "tapedeck/remote_rows.h"

namespace tapedeck::cli {
namespace {

struct MessagesOptions : ReadOptions {
  std::vector<std::string> topics;
  int32_t partition = -1;
  int64_t lineage = -1;
  std::string offsets;
  RangeOptions range;
  LimitOptions limit;
  std::string encoding;
  std::string time_style;
};

/// "0:100", "100:", ":100".
Status ParseOffsets(const std::string& text, MessageQuery* query) {
  const size_t colon = text.find(':');
  auto number = [](const std::string& digits, int64_t* out) {
    if (digits.empty()) return true;
    const char* end = digits.data() + digits.size();
    auto [at, error] = std::from_chars(digits.data(), end, *out);
    return error == std::errc() && at == end && *out >= 0;
  };
  if (colon == std::string::npos || !number(text.substr(0, colon), &query->from_offset) ||
      !number(text.substr(colon + 1), &query->to_offset)) {
    return Status::InvalidArgument("--offsets " + text + ": write FROM:TO, such as 0:100 or 4711:");
  }
  if (query->from_offset >= query->to_offset) {
    return Status::InvalidArgument("--offsets " + text + ": FROM must lie before TO");
  }
  return Status::Ok();
}

Result<MessageQuery> ParseQuery(const MessagesOptions& args) {
  MessageQuery query;
  query.topics = SplitList(args.topics);
  if (args.partition >= 0) query.partition = args.partition;
  if (args.lineage >= 0) query.lineage = static_cast<uint32_t>(args.lineage);
  if (!args.offsets.empty()) TD_RETURN_IF_ERROR(ParseOffsets(args.offsets, &query));
  TD_RETURN_IF_ERROR(args.range.Parse(&query.start, &query.end));
  query.limit = args.limit.limit;
  return query;
}

uint64_t HashOf(const MessagesOptions& args) {
  std::vector<std::string> parts = {std::to_string(args.partition), std::to_string(args.lineage),
                                    args.offsets, args.range.start, args.range.end};
  parts.insert(parts.end(), args.topics.begin(), args.topics.end());
  return HashOfQuery(parts);
}

Status Print(const StoredMessage& message, MessageStyle style, AnswerOutput* out) {
  std::string text;
  if (out->format() == AnswerFormat::kTable) return out->Cells(MessageCells(message, style));
  if (out->format() == AnswerFormat::kCsv) {
    AppendMessageCsv(message, style, &text);
    return out->Csv(text);
  }
  AppendMessageJson(message, style, &text);
  return out->Json(text);
}

Status MessagesOfStore(const MessagesOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(MessageQuery query, ParseQuery(args));
  if (args.limit.has_limit()) ++query.limit;  // whether there is a next page
  TD_ASSIGN_OR_RETURN(const std::optional<PageToken> token, args.limit.Token(HashOf(args)));
  if (token) {
    query.start = token->start;
    query.end = token->end;
    TD_ASSIGN_OR_RETURN(query.after, MessagePosition::Decode(token->position));
  }
  PageToken next{HashOf(args), query.start, query.end, {}};
  const MessageStyle style{StyleOf(args.time_style, "").time, args.encoding == "base64"
                                                                  ? MessageEncoding::kBase64
                                                                  : MessageEncoding::kText};
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, args.OpenReader());
  TD_ASSIGN_OR_RETURN(std::unique_ptr<MessageCursor> cursor, reader->Messages(std::move(query)));
  const auto names = MessageColumns();
  AnswerOutput out(format, {names.begin(), names.end()});
  for (;;) {
    TD_ASSIGN_OR_RETURN(const StoredMessage* message, cursor->Next());
    if (message == nullptr) break;
    if (out.rows() == args.limit.limit) {
      std::string foot = "],\"next_page_token\":";
      AppendJsonString(EncodePageToken(next), &foot);
      out.set_foot(foot + "}");
      break;
    }
    TD_RETURN_IF_ERROR(Print(*message, style, &out));
    if (out.rows() == args.limit.limit) next.position = cursor->position().Encode();
  }
  *rows = out.rows();
  return out.Finish();
}

/// A node merges the partitions of one topic at a time.
Status MessagesOfNode(const MessagesOptions& args, AnswerFormat format, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(const MessageQuery query, ParseQuery(args));
  if (query.topics.size() != 1)
    return Status::InvalidArgument("--topic: a node is asked for the messages of one topic");
  if (!args.offsets.empty() && !query.partition)
    return Status::InvalidArgument("--offsets: those of which --partition?");
  TD_ASSIGN_OR_RETURN(std::unique_ptr<RemoteNode> node, RemoteNode::Open(args));
  auto number = [](bool given, int64_t value) {
    return given ? std::to_string(value) : std::string();
  };
  const RemoteRequest request{
      "/v1/messages",
      {{"topic", query.topics[0]},
       {"partition", number(query.partition.has_value(), args.partition)},
       {"lineage", number(query.lineage.has_value(), args.lineage)},
       {"from_offset", number(query.from_offset != INT64_MIN, query.from_offset)},
       {"to_offset", number(query.to_offset != INT64_MAX, query.to_offset)},
       {"start", args.range.start},
       {"end", args.range.end},
       {"encoding", args.encoding},
       {"ts", args.time_style}}};
  return PrintRemoteRows(node.get(), request, format, args.limit, rows);
}

Status RunMessages(const MessagesOptions& args, uint64_t* rows) {
  TD_ASSIGN_OR_RETURN(const AnswerFormat format, ParseFormat(args.output, Forms::kText));
  return args.is_remote() ? MessagesOfNode(args, format, rows)
                          : MessagesOfStore(args, format, rows);
}

}  // namespace

void AddMessagesCommand(CLI::App* app, Choice* choice) {
  auto args = std::make_shared<MessagesOptions>();
  CLI::App* messages =
      app->add_subcommand("messages", "Messages as they were recorded, byte for byte");
  AddListOption(messages, "--topic,-t", &args->topics,
                "topics; of a data directory several, default: all")
      ->type_name("TOPIC");
  messages->add_option("--partition,-p", args->partition, "one partition")
      ->check(WholeNumberFrom(0, INT32_MAX));
  messages->add_option("--lineage", args->lineage, "one lineage; default: all")
      ->check(WholeNumberFrom(0, UINT32_MAX));
  messages->add_option("--offsets", args->offsets, "FROM:TO, such as 0:100; TO is not included")
      ->type_name("FROM:TO");
  args->range.AddTo(messages);
  args->limit.AddTo(messages, LimitOptions::Pages::kYes);
  messages->add_option("--encoding", args->encoding, "keys and values as text or base64")
      ->check(CLI::IsMember({"text", "base64"}));
  messages->add_option("--ts", args->time_style, "times as iso, ns, us, ms or s; default: iso")
      ->check(CLI::IsMember({"iso", "ns", "us", "ms", "s"}));
  args->AddTo(messages);
  args->AddArchiveTo(messages);
  messages->footer(
      "Partitions are merged by time, each in its own order.\n"
      "Examples:\n"
      "  tapedeck messages -t Finhub1 --start now-5m\n"
      "  tapedeck messages -t Finhub1 -p 0 --offsets 184:185 -d /var/lib/tapedeck");
  messages->callback([=] {
    choice->run = [=] {
      return RunReading(*args, [&](uint64_t* rows) { return RunMessages(*args, rows); });
    };
  });
}

}  // namespace tapedeck::cli
