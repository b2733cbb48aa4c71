#ifndef TAPEDECK_API_LIST_TEXT_H_
#define TAPEDECK_API_LIST_TEXT_H_

// What list routes have in common: the envelope of a page, its limit, the token of the page before.
//
//   ListText list;
//   for (…) list.Add(entry_json);
//   return JsonAnswer(*call, list.Take(next_page_token));   // {"data":[…],"next_page_token":…}
//
// Inside this module only. Owned by one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/call.h"
#include "api/page_token.h"

namespace tapedeck {

class ListText {
 public:
  void Add(std::string_view json);
  size_t size() const { return out_.size(); }
  bool is_too_large() const;
  bool empty() const;
  /// `more`: further members, with their comma.
  std::string Take(std::string_view next_page_token, std::string_view more = {});

 private:
  std::string out_ = "{\"data\":[";
};

/// `limit`, or that of a page where nothing is said.
uint64_t LimitOf(Parameters* parameters);
/// Of the page before; nullopt where there was none, or it is wrong.
std::optional<PageToken> TokenOf(Call* call);
/// Something that a parameter names is not there.
Problem NotFoundName(std::string parameter, std::string detail);

}  // namespace tapedeck

#endif  // TAPEDECK_API_LIST_TEXT_H_
