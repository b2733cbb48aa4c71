#include "tapedeck/remote_rows.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "mapping/csv.h"
#include "tapedeck/json_cells.h"

namespace tapedeck::cli {
namespace {

// Entries of lists are asked for in pages of so many: some 100 bytes each.
constexpr uint64_t kListPage = 10'000;
// A row beyond this is no row: a message has at most 64 MiB, in CSV with every quote doubled.
constexpr size_t kLineBytesMax = size_t{256} << 20;

/// Cuts a text into lines as it comes; in CSV a line may hold line ends within quotes.
class LineCutter {
 public:
  enum class Quotes : bool { kPlain = false, kHoldLines = true };
  explicit LineCutter(Quotes quotes) : quotes_(quotes) {}

  /// `visit` gets each line with its end.
  Status Take(std::string_view bytes, const std::function<Status(std::string_view)>& visit) {
    size_t begin = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == '"' && quotes_ == Quotes::kHoldLines) inside_ = !inside_;
      if (bytes[i] != '\n' || inside_) continue;
      const std::string_view part = bytes.substr(begin, i + 1 - begin);
      begin = i + 1;
      if (held_.empty()) {
        TD_RETURN_IF_ERROR(visit(part));
        continue;
      }
      held_ += part;
      const std::string line = std::move(held_);
      held_.clear();
      TD_RETURN_IF_ERROR(visit(line));
    }
    held_ += bytes.substr(begin);
    if (held_.size() <= kLineBytesMax) return Status::Ok();
    return Status::ResourceExhausted("the node sent a line of more than 256 MiB");
  }
  bool holds() const { return !held_.empty(); }

 private:
  const Quotes quotes_;
  std::string held_;
  bool inside_ = false;
};

/// What becomes of the bytes of one page after another.
class Pages {
 public:
  virtual ~Pages() = default;
  virtual Status Begin() { return Status::Ok(); }
  virtual Status Take(std::string_view bytes) = 0;
  /// After the last one.
  virtual Status Finish(const std::string& /*next_page_token*/) { return Status::Ok(); }
};

/// The node's bytes.
class Verbatim final : public Pages {
 public:
  Status Take(std::string_view bytes) override { return WriteOut(bytes); }
};

/// CSV: the header row of later pages is left out.
class CsvPages final : public Pages {
 public:
  Status Begin() override {
    lines_ = std::make_unique<LineCutter>(LineCutter::Quotes::kHoldLines);
    header_ = ++page_ > 1;
    return Status::Ok();
  }
  Status Take(std::string_view bytes) override {
    if (page_ == 1) return WriteOut(bytes);
    std::string out;
    TD_RETURN_IF_ERROR(lines_->Take(bytes, [&](std::string_view line) {
      if (!std::exchange(header_, false)) out += line;
      return Status::Ok();
    }));
    return WriteOut(out);
  }

 private:
  std::unique_ptr<LineCutter> lines_;
  int page_ = 0;
  bool header_ = false;
};

/// CSV as a table.
class TablePages final : public Pages {
 public:
  Status Begin() override {
    lines_ = std::make_unique<LineCutter>(LineCutter::Quotes::kHoldLines);
    header_ = true;
    return Status::Ok();
  }
  Status Take(std::string_view bytes) override {
    return lines_->Take(bytes, [this](std::string_view line) { return TakeLine(line); });
  }
  Status Finish(const std::string&) override { return out_ ? out_->Finish() : Status::Ok(); }

 private:
  Status TakeLine(std::string_view line) {
    CsvReader reader(line);
    std::vector<std::string> cells;
    if (!reader.Next(&cells)) cells = {""};  // one column, and a null in it
    TD_RETURN_IF_ERROR(reader.status());
    if (std::exchange(header_, false)) {
      if (!out_) out_ = std::make_unique<AnswerOutput>(AnswerFormat::kTable, cells);
      columns_ = cells.size();
      return Status::Ok();
    }
    if (cells.size() != columns_)
      return Status::Unavailable("the node sent a row whose cells do not fit its header");
    return out_->Cells(std::move(cells));
  }

  std::unique_ptr<LineCutter> lines_;
  std::unique_ptr<AnswerOutput> out_;
  size_t columns_ = 0;
  bool header_ = true;
};

/// NDJSON as one document.
class DocumentPages final : public Pages {
 public:
  Status Take(std::string_view bytes) override {
    return lines_.Take(bytes, [this](std::string_view line) {
      line.remove_suffix(1);
      return out_.Json(line);
    });
  }
  Status Finish(const std::string&) override { return out_.Finish(); }

 private:
  LineCutter lines_{LineCutter::Quotes::kPlain};
  AnswerOutput out_{AnswerFormat::kJson, {}};
};

std::unique_ptr<Pages> MakePages(AnswerFormat format, bool has_limit) {
  if (format == AnswerFormat::kCsv) return std::make_unique<CsvPages>();
  if (format == AnswerFormat::kTable) return std::make_unique<TablePages>();
  if (format == AnswerFormat::kJson && !has_limit) return std::make_unique<DocumentPages>();
  return std::make_unique<Verbatim>();
}

/// What to ask the node for.
AnswerFormat AskedFormat(AnswerFormat format, bool has_limit) {
  if (format == AnswerFormat::kTable) return AnswerFormat::kCsv;
  if (format == AnswerFormat::kJson && !has_limit) return AnswerFormat::kNdjson;
  return format;
}

}  // namespace

void TellNextPage(const std::string& page_token) {
  if (page_token.empty() || isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "tapedeck: there are more; go on with --page-token %s\n",
               page_token.c_str());
}

Status PrintRemoteRows(RemoteNode* node, const RemoteRequest& request, AnswerFormat format,
                       const LimitOptions& limit, uint64_t* rows) {
  const bool joins = format == AnswerFormat::kNdjson || format == AnswerFormat::kCsv ||
                     format == AnswerFormat::kTable;
  if (limit.has_limit() && limit.limit > kPageRowsAtMost && !joins) {
    return Status::InvalidArgument("--limit: with -o " + FormatName(format) + " at most " +
                                   std::to_string(kPageRowsAtMost) +
                                   "; without --limit everything comes");
  }
  const std::unique_ptr<Pages> pages = MakePages(format, limit.has_limit());
  const std::string asked = FormatName(AskedFormat(format, limit.has_limit()));
  std::string page_token = limit.page_token;
  for (uint64_t left = limit.limit;;) {
    RemoteRequest page = request;
    page.parameters.emplace_back("format", asked);
    if (limit.has_limit())
      page.parameters.emplace_back("limit", std::to_string(std::min(left, kPageRowsAtMost)));
    page.parameters.emplace_back("page_token", page_token);
    TD_RETURN_IF_ERROR(pages->Begin());
    TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Stream(page, [&](std::string_view bytes) {
      return pages->Take(bytes);
    }));
    *rows += answer.rows;
    left -= std::min(left, answer.rows);
    page_token = answer.next_page_token;
    if (limit.has_limit() && left > 0 && !page_token.empty() && answer.rows > 0) continue;
    TD_RETURN_IF_ERROR(pages->Finish(page_token));
    if (format != AnswerFormat::kJson) TellNextPage(page_token);
    return Status::Ok();
  }
}

Status VisitRemoteList(RemoteNode* node, const RemoteList& list, uint64_t limit,
                       const ListEntry& visit) {
  const std::string where = node->base() + list.request.path;
  std::string page_token;
  do {
    RemoteRequest page = list.request;
    if (list.paged == RemoteList::Paged::kYes)
      page.parameters.emplace_back("limit", std::to_string(std::min(limit, kListPage)));
    page.parameters.emplace_back("page_token", page_token);
    TD_ASSIGN_OR_RETURN(RemoteAnswer answer, node->Get(page));
    json::Tree tree;
    const bool is_object = tree.Parse(answer.body) == json::Tree::Outcome::kOk && tree.size() > 0 &&
                           tree.node(0).type == json::Type::kObject;
    const uint32_t entries = is_object ? tree.Find(0, list.member) : json::kNone;
    if (entries == json::kNone || tree.node(entries).type != json::Type::kArray) {
      return Status::Unavailable(where +
                                 ": not a list as tapedeck gives it: is this a tapedeck node?");
    }
    for (uint32_t e = tree.First(entries); e != json::kNone && limit > 0;
         e = tree.Next(entries, e)) {
      if (tree.node(e).type != json::Type::kObject)
        return Status::Unavailable(where + ": an entry of the list is no object");
      TD_RETURN_IF_ERROR(visit(tree, e));
      if (limit != UINT64_MAX) --limit;
    }
    const uint32_t next = tree.Find(0, "next_page_token");
    page_token = next == json::kNone ? "" : CellOf(tree, next);
  } while (!page_token.empty() && limit > 0);
  return Status::Ok();
}

}  // namespace tapedeck::cli
