#include "api/list_text.h"

#include <utility>

#include "api/row_answer.h"
#include "base/text.h"

namespace tapedeck {
namespace {

constexpr std::string_view kHead = "{\"data\":[";

}  // namespace

void ListText::Add(std::string_view json) {
  if (out_.size() > kHead.size()) out_ += ',';
  out_ += json;
}

bool ListText::is_too_large() const { return out_.size() > kPageBytesMax; }

bool ListText::empty() const { return out_.size() == kHead.size(); }

std::string ListText::Take(std::string_view next_page_token, std::string_view more) {
  out_ += "],\"next_page_token\":";
  if (next_page_token.empty()) {
    out_ += "null";
  } else {
    AppendJsonString(next_page_token, &out_);
  }
  return std::move(out_) + std::string(more) + "}\n";
}

uint64_t LimitOf(Parameters* parameters) {
  return static_cast<uint64_t>(
      parameters->Number("limit", 1, kPageRowsMax).value_or(int64_t{kPageRowsDefault}));
}

std::optional<PageToken> TokenOf(Call* call) {
  const std::string* text = call->parameters.Find("page_token");
  if (text == nullptr) return std::nullopt;
  Result<PageToken> token = DecodePageToken(*text);
  if (!token.ok()) {
    call->parameters.Bad("page_token", std::string(token.status().message()));
  } else if (token->query != call->QueryHash()) {
    call->parameters.Bad("page_token", "it belongs to another query: only limit may change");
  } else {
    return std::move(token).value();
  }
  return std::nullopt;
}

Problem NotFoundName(std::string parameter, std::string detail) {
  return {ProblemType::kNotFound,
          parameter + ": " + detail,
          {{std::move(parameter), detail}},
          0,
          {},
          {}};
}

}  // namespace tapedeck
