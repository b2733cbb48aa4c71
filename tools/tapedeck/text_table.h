#ifndef TAPEDECK_TOOLS_TAPEDECK_TEXT_TABLE_H_
#define TAPEDECK_TOOLS_TAPEDECK_TEXT_TABLE_H_

// TextTable: rows as aligned columns for a terminal.
//
// The first rows decide the columns' widths and which of them hold numbers (aligned to the right);
// later rows are written as they come. Control characters are escaped, so that data cannot command
// the terminal; long cells are cut.
//
// Owned by one thread.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tapedeck::cli {

class TextTable {
 public:
  using Sink = std::function<bool(std::string_view)>;  // false: cannot be written

  TextTable(std::vector<std::string> names, Sink sink);
  bool Add(std::vector<std::string> cells);
  /// Writes what is held back; the header alone where there were no rows.
  bool Finish();

 private:
  bool Flush();
  bool Write(const std::vector<std::string>& cells);

  std::vector<std::string> names_;
  Sink sink_;
  std::vector<std::vector<std::string>> held_;
  std::vector<size_t> widths_;
  std::vector<bool> numbers_;
  bool started_ = false;
};

}  // namespace tapedeck::cli

#endif  // TAPEDECK_TOOLS_TAPEDECK_TEXT_TABLE_H_
