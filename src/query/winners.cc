#include "query/winners.h"

#include <utility>

#include "model/keys.h"
#include "query/row_source.h"

namespace tapedeck {
namespace {

// Beaten rows are thrown away when they are this many more than the others.
constexpr size_t kSlack = 1024;

}  // namespace

void AppendIdentityField(const std::optional<std::string>& text, std::string* out) {
  out->push_back(text ? 1 : 0);
  keys::AppendEscaped(out, text ? std::string_view(*text) : std::string_view());
}

Winners::Winners(const TapeRanks* ranks, std::vector<size_t> identity, Rows empty)
    : ranks_(ranks), identity_(std::move(identity)), empty_(std::move(empty)), rows_(empty_) {}

void Winners::Clear() {
  rows_.Clear();
  winners_.clear();
}

void Winners::Fold(const Rows& rows, uint32_t row) {
  const Winner candidate{rows.ts_kafka[row], (*ranks_)[TpId{rows.tp[row]}], rows.offset[row],
                         rows.index[row], static_cast<uint32_t>(rows_.size())};
  auto [held, made] = winners_.try_emplace(IdentityOf(rows, row), candidate);
  if (!made) {
    if (candidate < held->second) return;
    held->second = candidate;
  }
  AppendRow(rows, row, &rows_);
  if (rows_.size() > 2 * winners_.size() + kSlack) Compact();
}

std::string Winners::IdentityOf(const Rows& rows, size_t row) const {
  std::string identity;
  std::string text;
  for (size_t column : identity_) {
    const Value value = rows.columns[column].At(row);
    text.clear();
    value.AppendCanonical(&text);
    AppendIdentityField(value.is_null() ? std::nullopt : std::optional(text), &identity);
  }
  return identity;
}

void Winners::Compact() {
  Rows kept = empty_;
  for (auto& [identity, winner] : winners_) {
    AppendRow(rows_, winner.row, &kept);
    winner.row = static_cast<uint32_t>(kept.size() - 1);
  }
  rows_ = std::move(kept);
}

}  // namespace tapedeck
