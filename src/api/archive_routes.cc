// /v1/days, /v1/objects: what is closed, and what lies in the archive.

#include <algorithm>

#include "api/list_text.h"
#include "api/row_answer.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "query/archive_listing.h"

namespace tapedeck {
namespace {

struct Ask {
  DayQuery query;
  uint64_t limit = 0;
  std::optional<PageToken> token;
};

Ask ReadAsk(Call* call) {
  Ask ask;
  Parameters& parameters = call->parameters;
  ask.query.table = parameters.Text("table", limits::kSymbolBytesMax);
  const std::optional<Timestamp> start = parameters.Time("start", call->now);
  const std::optional<Timestamp> end = parameters.Time("end", call->now, start);
  ask.limit = LimitOf(&parameters);
  ask.token = TokenOf(call);
  if (!ask.token && start && end && *end < *start) parameters.Bad("end", "it is before start");
  ask.query.start = ask.token ? ask.token->start : start.value_or(Timestamp::Min());
  ask.query.end = ask.token ? ask.token->end : end.value_or(Timestamp::Max());
  return ask;
}

std::string NextToken(const Call& call, const Ask& ask, std::string place) {
  return EncodePageToken({call.QueryHash(), ask.query.start, ask.query.end, std::move(place)});
}

// Manifests that cannot be read: what they list is missing here, and that is said.
std::string BrokenText(const ManifestSet* manifests) {
  if (manifests == nullptr || manifests->broken().empty()) return "";
  JsonArray names;
  for (const BrokenManifest& broken : manifests->broken()) names.Text(broken.name);
  return ",\"broken_manifests\":" + names.Take();
}

Problem NotListedYet(const ServedNode& node) {
  const std::string why = node.State().archive_trouble;
  return {ProblemType::kNotReady,
          "the archive has not been listed yet" + (why.empty() ? why : ": " + why),
          {},
          0,
          {},
          {}};
}

bool KnowsTable(const ReadPoint& point, const ManifestSet* manifests, const std::string& table) {
  const auto named = [&](const Table& t) { return t.name == table; };
  return std::ranges::any_of(point.state().tables.tables(), named) ||
         (manifests != nullptr && std::ranges::any_of(manifests->tables(), named));
}

}  // namespace

Answer AnswerDays(Call* call) {
  const Ask ask = ReadAsk(call);
  if (!call->parameters.ok()) return call->parameters.problem();
  const ServedNode& node = *call->context->node;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, node.Point());
  // Of the store as it is: a point leaves out what was replaced. And before the manifests, so that
  // each one that an entry names is among them.
  TD_ASSIGN_OR_RETURN(const StoreState state, node.store()->View()->LoadState());
  const std::shared_ptr<const ManifestSet> manifests = node.manifests();
  if (!ask.query.table.empty() && !KnowsTable(*point, manifests.get(), ask.query.table)) {
    return NotFoundName("table", "there is no such table; /v1/tables lists them");
  }
  const StoreMeta& meta = node.store()->meta();
  const std::vector<DayListing> days =
      ListDays(state, {meta.node_id, meta.store_id}, manifests.get(), ask.query);
  ListText list;
  uint64_t taken = 0;
  std::string last;
  std::string next;
  for (const DayListing& day : days) {
    const std::string place = day.Place();
    if (ask.token && place <= ask.token->position) continue;
    if (taken == ask.limit) {
      next = NextToken(*call, ask, last);
      break;
    }
    list.Add(DayText(day).json);
    if (list.is_too_large()) return PageTooLarge("limit", "a page of more than 64 MiB");
    last = place;
    ++taken;
  }
  return JsonAnswer(*call, list.Take(next, BrokenText(manifests.get())));
}

Answer AnswerObjects(Call* call) {
  const Ask ask = ReadAsk(call);
  if (!call->parameters.ok()) return call->parameters.problem();
  const ServedNode& node = *call->context->node;
  TD_ASSIGN_OR_RETURN(std::shared_ptr<const ReadPoint> point, node.Point());
  const std::shared_ptr<const ManifestSet> manifests = node.manifests();
  if (!ask.query.table.empty() && ask.query.table != kTapeListing &&
      !KnowsTable(*point, manifests.get(), ask.query.table)) {
    return NotFoundName("table", "there is no such table; /v1/tables lists them");
  }
  ListText list;
  if (manifests == nullptr) return JsonAnswer(*call, list.Take({}));  // there is no archive
  if (!manifests->loaded()) return NotListedYet(node);
  const std::vector<ObjectListing> objects = ListObjects(*manifests, ask.query);
  auto at = objects.begin();
  if (ask.token.has_value()) {
    // Names are never used twice, and what a set knows stays in it.
    at = std::ranges::find(objects, ask.token->position,
                           [](const ObjectListing& o) { return o.object->name; });
    if (at == objects.end()) {
      call->parameters.Bad("page_token", "the object that the page before ended with is not there");
      return call->parameters.problem();
    }
    ++at;
  }
  const std::string place = node.archive_place();
  uint64_t taken = 0;
  for (; at != objects.end() && taken < ask.limit; ++at, ++taken) {
    list.Add(ObjectText(*at, place).json);
    if (list.is_too_large()) return PageTooLarge("limit", "a page of more than 64 MiB");
  }
  std::string next;
  if (at != objects.end()) next = NextToken(*call, ask, std::prev(at)->object->name);
  return JsonAnswer(*call, list.Take(next, BrokenText(manifests.get())));
}

}  // namespace tapedeck
