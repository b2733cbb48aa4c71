#include "api/media_type.h"

#include <algorithm>
#include <string>

namespace tapedeck {
namespace {

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

struct Weighed {
  std::string name;  // lower case, parameters left out
  int thousandths = 1000;
};

// "0.8" in thousandths; what cannot be read counts as 0.
int WeightOf(std::string_view q) {
  if (q == "1" || q.starts_with("1.")) return 1000;
  if (!q.starts_with("0")) return 0;
  int value = 0;
  int unit = 100;
  for (size_t i = 2; i < q.size() && i < 5 && q[1] == '.'; ++i, unit /= 10) {
    if (q[i] < '0' || q[i] > '9') return 0;
    value += (q[i] - '0') * unit;
  }
  return value;
}

// Takes the next element of a list like "a;q=0.5, b" off its front.
Weighed TakeElement(std::string_view* list) {
  const size_t comma = list->find(',');
  std::string_view element = list->substr(0, comma);
  *list = comma == std::string_view::npos ? std::string_view() : list->substr(comma + 1);
  const size_t semicolon = element.find(';');
  Weighed out{Lower(Trimmed(element.substr(0, semicolon))), 1000};
  while (element.find(';') != std::string_view::npos) {
    element.remove_prefix(element.find(';') + 1);
    const std::string parameter = Lower(Trimmed(element.substr(0, element.find(';'))));
    if (parameter.starts_with("q=")) out.thousandths = WeightOf(Trimmed(parameter).substr(2));
  }
  return out;
}

// How exactly a range of Accept names the form: 0 not at all, 1 */*, 2 text/*, 3 itself.
int Match(const std::string& range, AnswerForm form) {
  if (range == "*/*" || range == "*") return 1;
  const std::string_view type = ContentTypeOf(form);
  const std::string_view plain = type.substr(0, type.find(';'));
  if (range == plain) return 3;
  if (form == AnswerForm::kNdjson &&
      (range == "application/ndjson" || range == "application/jsonl" ||
       range == "application/x-jsonlines")) {
    return 3;
  }
  return range.ends_with("/*") && plain.starts_with(range.substr(0, range.size() - 1)) ? 2 : 0;
}

int WeightFor(std::string_view accept, AnswerForm form) {
  int best_match = 0;
  int weight = 0;
  while (!accept.empty()) {
    const Weighed element = TakeElement(&accept);
    const int match = Match(element.name, form);
    if (match <= best_match) continue;
    best_match = match;
    weight = element.thousandths;
  }
  return weight;
}

}  // namespace

std::string_view FormName(AnswerForm form) {
  static constexpr std::string_view kNames[] = {"json", "ndjson", "csv", "arrow", "parquet"};
  return kNames[static_cast<size_t>(form)];
}

std::string_view ContentTypeOf(AnswerForm form) {
  static constexpr std::string_view kTypes[] = {
      "application/json", "application/x-ndjson", "text/csv; charset=utf-8; header=present",
      "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"};
  return kTypes[static_cast<size_t>(form)];
}

bool IsText(AnswerForm form) { return form != AnswerForm::kArrow && form != AnswerForm::kParquet; }

std::optional<AnswerForm> NegotiateForm(std::string_view accept,
                                        std::span<const AnswerForm> offered) {
  if (Trimmed(accept).empty() || Trimmed(accept) == "*/*") return offered[0];
  std::optional<AnswerForm> best;
  int best_weight = 0;
  for (AnswerForm form : offered) {
    const int weight = WeightFor(accept, form);
    if (weight <= best_weight) continue;
    best_weight = weight;
    best = form;
  }
  return best;
}

std::optional<StreamCoding> NegotiateCoding(std::string_view accept_encoding) {
  int gzip = -1;
  int zstd = -1;
  int any = 0;
  while (!accept_encoding.empty()) {
    const Weighed element = TakeElement(&accept_encoding);
    if (element.name == "gzip" || element.name == "x-gzip") gzip = element.thousandths;
    if (element.name == "zstd") zstd = element.thousandths;
    if (element.name == "*") any = element.thousandths;
  }
  if (gzip < 0) gzip = any;
  if (zstd < 0) zstd = any;
  if (gzip == 0 && zstd == 0) return std::nullopt;
  return zstd >= gzip ? StreamCoding::kZstd : StreamCoding::kGzip;
}

std::string_view CodingName(StreamCoding coding) {
  return coding == StreamCoding::kGzip ? "gzip" : "zstd";
}

}  // namespace tapedeck
