#ifndef TAPEDECK_COLUMNAR_SLAB_H_
#define TAPEDECK_COLUMNAR_SLAB_H_

// Slab: a growing array of plain values that does not clear what is about to be overwritten.
//
//   int64_t* to = slab.Grow(count);        // `count` new elements, undefined until written
//
// Memory is kept by Clear. Owned by one thread.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

namespace tapedeck {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

template <typename T>
class Slab {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

  /// Room for `count` more elements; returns the first of them. Moves the others.
  T* Grow(size_t count) {
    const size_t from = size_;
    Reserve(size_ + count);
    size_ += count;
    return data_.get() + from;
  }
  void Append(const T* values, size_t count) {
    if (count > 0) std::memcpy(Grow(count), values, count * sizeof(T));
  }
  void Clear() { size_ = 0; }

 private:
  static constexpr size_t kFirst = 64;

  void Reserve(size_t count) {
    if (count <= capacity_) return;
    capacity_ = std::max({count, 2 * capacity_, kFirst});
    std::unique_ptr<T[]> larger(new T[capacity_]);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_ * sizeof(T));
    data_ = std::move(larger);
  }

  std::unique_ptr<T[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tapedeck

#endif  // TAPEDECK_COLUMNAR_SLAB_H_
