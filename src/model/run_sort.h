#ifndef TAPEDECK_MODEL_RUN_SORT_H_
#define TAPEDECK_MODEL_RUN_SORT_H_

// RunSort: a natural merge sort (Knuth, The Art of Computer Programming, vol. 3, 5.2.4).
//
// Rows of a series arrive as a few interleaved ascending runs, one for each partition that carries
// it: r runs of n keys take n log2(r) comparisons, in the order of memory. Where there is little
// order to find, std::sort does the work.
//
//   std::vector<Key> scratch;                      // kept between calls
//   RunSort(std::span(keys), &scratch, [](const Key& a, const Key& b) { return a.ts < b.ts; });
//
// `before` is a strict weak order. Equal keys may change places. Thread-safe: a pure function.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace tapedeck {

template <typename Key, typename Before>
void RunSort(std::span<Key> keys, std::vector<Key>* scratch, Before before) {
  // Runs shorter than this on average: comparing by std::sort is no worse and needs no copies.
  constexpr size_t kRunLeast = 8;
  std::vector<size_t> ends;  // of the runs
  for (size_t i = 1; i <= keys.size(); ++i) {
    if (i < keys.size() && !before(keys[i], keys[i - 1])) continue;
    ends.push_back(i);
    if (ends.size() * kRunLeast > keys.size() + kRunLeast) {
      std::sort(keys.begin(), keys.end(), before);
      return;
    }
  }
  if (ends.size() <= 1) return;
  scratch->resize(keys.size());
  Key* from = keys.data();
  Key* to = scratch->data();
  while (ends.size() > 1) {
    size_t begin = 0, kept = 0;
    for (size_t run = 0; run < ends.size(); run += 2) {
      const size_t middle = ends[run];
      const size_t end = run + 1 < ends.size() ? ends[run + 1] : middle;
      std::merge(from + begin, from + middle, from + middle, from + end, to + begin, before);
      begin = end;
      ends[kept++] = end;
    }
    ends.resize(kept);
    std::swap(from, to);
  }
  if (from != keys.data()) std::copy(from, from + keys.size(), keys.data());
}

}  // namespace tapedeck

#endif  // TAPEDECK_MODEL_RUN_SORT_H_
