#ifndef TAPEDECK_TOOLS_TAPEDECK_JOB_DOCUMENT_H_
#define TAPEDECK_TOOLS_TAPEDECK_JOB_DOCUMENT_H_

// What the commands about jobs of a node share: a job as the node shows it, and JSON of what it is
// asked for.
//
//   TD_ASSIGN_OR_RETURN(JobDocument job, JobDocument::Parse(std::move(answer.body)));
//   job.Field("progress", "messages")
//
// Errors: kUnavailable: the answer is no JSON object. Values; thread-compatible.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mapping/json_tree.h"
#include "node/json_line.h"
#include "tapedeck/json_cells.h"

namespace tapedeck::cli {

/// A job's document with its fields by path: "progress.messages".
class JobDocument {
 public:
  static Result<JobDocument> Parse(std::string text) {
    JobDocument job;
    job.text_ = std::make_unique<const std::string>(std::move(text));
    job.tree_ = std::make_unique<json::Tree>();
    if (job.tree_->Parse(*job.text_) != json::Tree::Outcome::kOk || job.tree_->size() == 0 ||
        job.tree_->node(0).type != json::Type::kObject) {
      return Status::Unavailable("the answer is no JSON object: is this a tapedeck node?");
    }
    return job;
  }
  std::string Field(std::string_view name) const { return Member(0, name); }
  std::string Field(std::string_view outer, std::string_view name) const {
    const uint32_t at = tree_->Find(0, outer);
    return at == json::kNone ? "" : Member(at, name);
  }
  const std::string& text() const { return *text_; }

 private:
  std::string Member(uint32_t object, std::string_view name) const {
    if (tree_->node(object).type != json::Type::kObject) return "";
    const uint32_t at = tree_->Find(object, name);
    return at == json::kNone ? "" : CellOf(*tree_, at);
  }
  std::unique_ptr<const std::string> text_;  // the tree has views into it, wherever this moves
  std::unique_ptr<json::Tree> tree_;
};

/// A string of JSON, and a list of them.
inline std::string JsonText(std::string_view text) {
  JsonLine line;
  const std::string object = line.Text("x", text).Take();
  return object.substr(5, object.size() - 6);
}

inline std::string JsonTexts(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? "," : "") + JsonText(text);
  return list + "]";
}

/// Of a replay or a reindex: nothing more comes.
inline bool HasEnded(const std::string& state) {
  return state == "done" || state == "failed" || state == "cancelled";
}

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_JOB_DOCUMENT_H_
