#ifndef TAPEDECK_BLOB_XML_READER_H_
#define TAPEDECK_BLOB_XML_READER_H_

// What object stores write in XML (lists, errors, results of uploads): elements in elements, text
// in the innermost. Inside blob only.
//
//   Status read = ReadXml(body, [&](std::string_view path, std::string_view text) {
//     if (path == "ListBucketResult/Contents/Key") key = text;
//     if (path == "ListBucketResult/Contents") page.push_back(...);   // its end
//     return Status::Ok();
//   });
//
// Understood: elements, attributes (skipped), text, CDATA, comments, processing instructions, the
// five named entities and numeric ones. A document type, and with it every entity of one's own, is
// refused. Names lose their prefix ("s3:Key" is "Key").
//
// Errors: kCorruption where it is not that, is deeper than 16 or has an element of more than 64 KiB
// of text; or what `visit` returned. Thread-safe.

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tapedeck {

/// `visit` is called at the end of each element with its path from the root and its own text,
/// without white space around it.
using XmlVisitor = std::function<Status(std::string_view path, std::string_view text)>;
Status ReadXml(std::string_view xml, const XmlVisitor& visit);

/// The text of the first element with this path, or empty, also where it is no XML.
std::string XmlText(std::string_view xml, std::string_view path);

}  // namespace tapedeck

#endif  // TAPEDECK_BLOB_XML_READER_H_
