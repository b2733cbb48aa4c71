#include "tape/tape_offsets.h"

#include <algorithm>

namespace tapedeck {

void TapeOffsets::Add(TpId tp, int64_t from, int64_t to) {
  if (from >= to) return;
  std::vector<OffsetSpan>& spans = spans_[tp];
  auto first = std::lower_bound(spans.begin(), spans.end(), from,
                                [](const OffsetSpan& s, int64_t at) { return s.to < at; });
  auto last = first;
  for (; last != spans.end() && last->from <= to; ++last) {
    from = std::min(from, last->from);
    to = std::max(to, last->to);
  }
  first = spans.erase(first, last);
  spans.insert(first, {from, to});
}

void TapeOffsets::Add(const TapeOffsets& other) {
  for (const auto& [tp, spans] : other.spans_) {
    for (const OffsetSpan& span : spans) Add(tp, span.from, span.to);
  }
}

void TapeOffsets::Remove(TpId tp, int64_t from, int64_t to) {
  auto found = spans_.find(tp);
  if (found == spans_.end() || from >= to) return;
  std::vector<OffsetSpan> left;
  for (const OffsetSpan& span : found->second) {
    if (span.from < std::min(span.to, from)) left.push_back({span.from, std::min(span.to, from)});
    if (std::max(span.from, to) < span.to) left.push_back({std::max(span.from, to), span.to});
  }
  found->second = std::move(left);
  if (found->second.empty()) spans_.erase(found);
}

void TapeOffsets::Remove(const TapeOffsets& other) {
  for (const auto& [tp, spans] : other.spans_) {
    for (const OffsetSpan& span : spans) Remove(tp, span.from, span.to);
  }
}

std::span<const OffsetSpan> TapeOffsets::Of(TpId tp) const {
  auto found = spans_.find(tp);
  if (found == spans_.end()) return {};
  return found->second;
}

bool TapeOffsets::HasAll(TpId tp, int64_t from, int64_t to) const {
  if (from >= to) return true;
  const std::span<const OffsetSpan> spans = Of(tp);
  auto at = std::upper_bound(spans.begin(), spans.end(), from,
                             [](int64_t offset, const OffsetSpan& s) { return offset < s.to; });
  return at != spans.end() && at->from <= from && at->to >= to;
}

bool TapeOffsets::Has(TpId tp, int64_t offset) const {
  const std::span<const OffsetSpan> spans = Of(tp);
  auto at = std::upper_bound(spans.begin(), spans.end(), offset,
                             [](int64_t wanted, const OffsetSpan& s) { return wanted < s.to; });
  return at != spans.end() && at->from <= offset;
}

bool TapeOffsets::Meets(const TapeOffsets& other) const {
  for (const auto& [tp, spans] : other.spans_) {
    const std::span<const OffsetSpan> ours = Of(tp);
    for (const OffsetSpan& span : spans) {
      auto at = std::upper_bound(ours.begin(), ours.end(), span.from,
                                 [](int64_t wanted, const OffsetSpan& s) { return wanted < s.to; });
      if (at != ours.end() && at->from < span.to) return true;
    }
  }
  return false;
}

bool TapeOffsets::HasAll(const TapeOffsets& other) const {
  for (const auto& [tp, spans] : other.spans_) {
    for (const OffsetSpan& span : spans) {
      if (!HasAll(tp, span.from, span.to)) return false;
    }
  }
  return true;
}

}  // namespace tapedeck
