#include "model/origin.h"

namespace tapedeck {

std::string TapeId::ToString() const {
  std::string text = topic + "[" + std::to_string(partition) + "]";
  if (lineage != 0) text += " lineage " + std::to_string(lineage);
  return text;
}

}  // namespace tapedeck
