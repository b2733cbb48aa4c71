#include "mapping/layout_cache.h"

#include <cstring>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"

namespace tapedeck::rules {
namespace {

constexpr uint32_t kTriesAtFirst = 16;
constexpr uint32_t kTryAgainEvery = 512;

/// Names and kinds of values in order, not the values.
uint64_t ShapeOf(const json::Tree& tree) {
  uint64_t shape = tree.size();
  for (uint32_t i = 0; i < tree.size(); ++i) {
    shape = shape * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(tree.node(i).type) + 1;
    if (tree.node(i).has_key) shape ^= HashBytes64(tree.RawKey(i));
  }
  return shape ^ (shape >> 29);
}

}  // namespace

bool LayoutCache::Decode(std::string_view text, const LayoutSink& sink) {
  taken_ = nullptr;
  if (layouts_.empty() || text.size() > limits::kLayoutBytesMax) return false;
  if (padded_.size() < text.size() + kLayoutPadding)
    padded_.resize(2 * text.size() + kLayoutPadding);
  std::memcpy(padded_.data(), text.data(), text.size());
  for (size_t i = 0; i < layouts_.size(); ++i) {
    if (layouts_[i]->Decode(padded_.data(), text.size(), &slots_, sink)) {
      taken_ = layouts_[i].get();
      if (i > 0) std::swap(layouts_[i], layouts_[i - 1]);
      return true;
    }
    if (!sink.out->records.empty() || !sink.out->marks.empty()) {
      sink.out->records.clear();
      sink.out->marks.clear();
      sink.out->refused = 0;
    }
  }
  return false;
}

const MessageShape* LayoutCache::Shape() {
  if (taken_ == nullptr || !taken_->SlotRanges(padded_.data(), slots_, &ranges_)) return nullptr;
  shape_ = {taken_->number(), ranges_};
  return &shape_;
}

bool LayoutCache::WorthLearning(const json::Tree& tree) {
  if (tree.text().size() > limits::kLayoutBytesMax) return false;
  const uint64_t shape = ShapeOf(tree);
  Seen& seen = seen_[shape % seen_.size()];
  if (seen.shape != shape) seen = {shape, 0};
  ++seen.times;
  return seen.times > 1 && (seen.times <= kTriesAtFirst || seen.times % kTryAgainEvery == 0);
}

bool LayoutCache::Add(std::unique_ptr<Layout> layout) {
  for (const std::unique_ptr<Layout>& known : layouts_) {
    if (known->SameAs(*layout)) return false;
  }
  taken_ = nullptr;
  if (layouts_.size() == limits::kLayoutsMax) layouts_.pop_back();
  layout->set_number(++numbers_);
  layouts_.push_back(std::move(layout));
  return true;
}

}  // namespace tapedeck::rules
