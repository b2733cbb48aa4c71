#include "record/restore_plan.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "archive/object_source.h"
#include "archive/tape_object.h"
#include "tape/tape_offsets.h"

namespace tapedeck {
namespace {

// Event times of one range that lie further apart are rather decoded than looked up day by day.
constexpr int64_t kDaysMax = 400;
// One tape at a time is looked at, whatever its number is in the new store.
constexpr TpId kTape{0};

/// What record manifests cover of one tape, looked up day by day.
class Coverage {
 public:
  Coverage(const ManifestSet* manifests, const TapeId* tape) : manifests_(manifests), tape_(tape) {}

  Result<bool> Holds(const Table& table, Day day, int64_t from, int64_t to) {
    auto [found, made] = days_.try_emplace({table.name, day});
    if (made) TD_RETURN_IF_ERROR(Load(table, day, &found->second));
    return found->second.HasAll(kTape, from, to);
  }

 private:
  Status Load(const Table& table, Day day, TapeOffsets* covered) {
    TD_ASSIGN_OR_RETURN(auto listed, manifests_->RecordsOf(table.name, day, day));
    for (const ListedRecords& records : listed) {
      if (records.replaced_by != nullptr) continue;
      // A vector reaches over what its store never had: that is listed as gaps.
      TapeOffsets had;
      for (const TapeRange& range : records.manifest().vector) {
        if (range.tape == *tape_) had.Add(kTape, range.from, range.to);
      }
      for (const TapeGap& gap : records.manifest().gaps) {
        if (gap.tape == *tape_) had.Remove(kTape, gap.gap.from, gap.gap.to);
      }
      covered->Add(had);
    }
    return Status::Ok();
  }

  const ManifestSet* manifests_;
  const TapeId* tape_;
  std::map<std::pair<std::string, Day>, TapeOffsets> days_;
};

/// Finds the first offset of a tape whose records are not all covered.
class FirstUncovered {
 public:
  FirstUncovered(const ManifestSet* manifests, const TapeId* tape, BlobStore* blobs,
                 ArchivedDecoders* decoders, const ReadStop* stop)
      : tape_(tape),
        blobs_(blobs),
        decoders_(decoders),
        stop_(stop),
        coverage_(manifests, tape),
        partition_{tape->topic, tape->partition} {}

  /// Within the part; nullopt: all of it is covered.
  Result<std::optional<int64_t>> In(const RestorePart& part) {
    TD_ASSIGN_OR_RETURN(const bool plainly, PlainlyCovered(part));
    if (plainly) return std::optional<int64_t>();
    std::optional<int64_t> first;
    const Status found = Status::Cancelled("found");
    const Status read = ReadPart(blobs_, *tape_, part, stop_, [&](const ArchivedMessage& m) {
      Result<bool> covered = IsCovered(*part.listing, m);
      TD_RETURN_IF_ERROR(covered.status());
      if (*covered) return Status::Ok();
      first = m.message.offset;
      return found;
    });
    if (!first) TD_RETURN_IF_ERROR(read);
    return first;
  }

 private:
  Result<bool> PlainlyCovered(const RestorePart& part) {
    const TapeManifest& manifest = part.listing->manifest;
    if (manifest.event_min_ns > manifest.event_max_ns) return true;  // no records
    for (const auto& [offset, mapping] : manifest.mapping_from) {
      TD_ASSIGN_OR_RETURN(ArchivedDecoders::Entry * entry, decoders_->For(mapping));
      for (const std::string& name : entry->spec.tables()) {
        const Table* table = decoders_->tables().Find(name);
        if (table == nullptr) return false;
        const Day last = table->DayOf(Timestamp(manifest.event_max_ns));
        Day day = table->DayOf(Timestamp(manifest.event_min_ns));
        if (last.days() - day.days() > kDaysMax) return false;
        while (day <= last) {
          TD_ASSIGN_OR_RETURN(const bool held, coverage_.Holds(*table, day, part.from, part.to));
          if (!held) return false;
          day = NextDay(*table, day);
        }
      }
    }
    return true;
  }

  // The first day of the following period. 400 days on is within the next year, 40 the next month.
  static Day NextDay(const Table& table, Day day) {
    for (int32_t step = 1;; ++step) {
      const Day next = table.DayOf(Day(day.days() + step).start());
      if (next > day) return next;
    }
  }

  Result<bool> IsCovered(const TapeListing& listing, const ArchivedMessage& m) {
    TD_ASSIGN_OR_RETURN(const Hash128 mapping, MappingAt(listing, m.message.offset));
    TD_ASSIGN_OR_RETURN(ArchivedDecoders::Entry * entry, decoders_->For(mapping));
    entry->decoder->Decode(partition_, m.message, m.received, &decoded_);
    for (const DecodedRecord& record : decoded_.records) {
      const Table& table = *decoders_->tables().Find(record.table);
      TD_ASSIGN_OR_RETURN(const bool held, coverage_.Holds(table, table.DayOf(record.ts),
                                                           m.message.offset, m.message.offset + 1));
      if (!held) return false;
    }
    return true;
  }

  const TapeId* tape_;
  BlobStore* blobs_;
  ArchivedDecoders* decoders_;
  const ReadStop* stop_;
  Coverage coverage_;
  const TopicPartition partition_;
  Decoded decoded_;
};

// What is left of the tape's range: as gaps where a manifest says why, else as holes.
void NameRest(const TapeOffsets& taken,
              const std::vector<std::shared_ptr<const TapeListing>>& listings, RestoreTape* chain) {
  TapeOffsets left;
  left.Add(kTape, chain->from, chain->to);
  left.Remove(taken);
  for (const auto& listing : listings) {
    for (const Gap& named : listing->manifest.gaps) {
      for (const OffsetSpan& span : left.Of(kTape)) {
        Gap gap = named;
        gap.from = std::max(gap.from, span.from);
        gap.to = std::min(gap.to, span.to);
        if (gap.from < gap.to) chain->gaps.push_back(std::move(gap));
      }
      left.Remove(kTape, named.from, named.to);
    }
  }
  for (const OffsetSpan& span : left.Of(kTape))
    chain->holes.push_back({chain->tape, span.from, span.to});
}

// The tape's ranges from its first manifest on, each offset from one of them: what one lists as a
// gap another may have, that was shipped when it was healed.
RestoreTape Chain(const TapeId& tape, std::vector<std::shared_ptr<const TapeListing>> listings) {
  std::sort(listings.begin(), listings.end(), [](const auto& a, const auto& b) {
    const TapeRange& x = a->manifest.range;
    const TapeRange& y = b->manifest.range;
    return std::tie(x.from, y.to, a->name) < std::tie(y.from, x.to, b->name);
  });
  RestoreTape chain;
  chain.tape = tape;
  chain.from = chain.to = listings.front()->manifest.range.from;
  TapeOffsets taken;
  for (const auto& listing : listings) {
    const TapeRange& range = listing->manifest.range;
    TapeOffsets had;
    had.Add(kTape, range.from, range.to);
    for (const Gap& gap : listing->manifest.gaps) had.Remove(kTape, gap.from, gap.to);
    had.Remove(taken);
    for (const OffsetSpan& span : had.Of(kTape))
      chain.parts.push_back({listing, span.from, span.to});
    taken.Add(had);
    if (chain.last == nullptr || range.to > chain.to) chain.last = listing;
    chain.to = std::max(chain.to, range.to);
  }
  std::sort(chain.parts.begin(), chain.parts.end(),
            [](const RestorePart& a, const RestorePart& b) { return a.from < b.from; });
  NameRest(taken, listings, &chain);
  return chain;
}

Status CutToUncovered(FirstUncovered* uncovered, bool pass_damaged, RestoreTape* chain) {
  for (size_t i = 0; i < chain->parts.size(); ++i) {
    Result<std::optional<int64_t>> found = uncovered->In(chain->parts[i]);
    if (pass_damaged && found.status().code() == StatusCode::kCorruption)
      found = std::optional<int64_t>(chain->parts[i].from);
    TD_ASSIGN_OR_RETURN(const std::optional<int64_t> first, std::move(found));
    if (!first) continue;
    chain->from = *first;
    const auto cut = chain->parts.begin() + static_cast<int64_t>(i);
    chain->covered.assign(chain->parts.begin(), cut);
    if (cut->from < *first) chain->covered.push_back({cut->listing, cut->from, *first});
    chain->parts.erase(chain->parts.begin(), cut);
    chain->parts.front().from = *first;
    std::erase_if(chain->holes, [&](const TapeRange& hole) { return hole.to <= *first; });
    return Status::Ok();
  }
  chain->from = chain->to;
  chain->covered = std::exchange(chain->parts, {});
  chain->holes.clear();
  return Status::Ok();
}

}  // namespace

Result<ArchivedDecoders::Entry*> ArchivedDecoders::For(const Hash128& mapping) {
  auto found = entries_.find(mapping);
  if (found != entries_.end()) return &found->second;
  const std::string* text = manifests_->FindMapping(mapping);
  if (text == nullptr) {
    return Status::Corruption("no manifest has the text of mapping " + mapping.ToString());
  }
  Entry entry;
  TD_ASSIGN_OR_RETURN(entry.spec, MappingSpec::FromCanonical(*text));
  if (entry.spec.hash() != mapping) {
    return Status::Corruption("a manifest gives another text for mapping " + mapping.ToString());
  }
  TD_ASSIGN_OR_RETURN(entry.decoder, Decoder::Make(entry.spec, tables_));
  return &entries_.emplace(mapping, std::move(entry)).first->second;
}

Result<Hash128> MappingAt(const TapeListing& listing, int64_t offset) {
  const auto& from = listing.manifest.mapping_from;
  auto after = std::upper_bound(from.begin(), from.end(), offset,
                                [](int64_t at, const auto& entry) { return at < entry.first; });
  if (after != from.begin()) return std::prev(after)->second;
  return Status::Corruption(listing.name + " names no mapping for offset " +
                            std::to_string(offset));
}

Status ReadPart(BlobStore* blobs, const TapeId& tape, const RestorePart& part, const ReadStop* stop,
                const std::function<Status(const ArchivedMessage&)>& sink) {
  for (const ShippedObject& object : part.listing->manifest.objects) {
    Result<std::unique_ptr<Blob>> blob = blobs->Open(object.name);
    if (blob.status().code() == StatusCode::kNotFound) {
      return Status::Corruption("the archive lacks " + object.name + ", which " +
                                part.listing->name + " lists");
    }
    TD_RETURN_IF_ERROR(blob.status());
    const std::unique_ptr<ObjectSource> source = OpenBlobObject(std::move(blob).value());
    TD_ASSIGN_OR_RETURN(auto footer, TapeObjectFooter::Read(*source));
    TD_ASSIGN_OR_RETURN(auto reader, TapeObjectReader::Open(source.get(), footer, tape));
    TD_RETURN_IF_ERROR(reader->Seek(part.from));
    for (;;) {
      if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
      TD_RETURN_IF_ERROR(reader->Next());
      if (reader->empty()) break;
      for (size_t i = 0; i < reader->size(); ++i) {
        if (reader->offset(i) < part.from) continue;
        if (reader->offset(i) >= part.to) return Status::Ok();
        TD_RETURN_IF_ERROR(sink({reader->At(i), reader->ReceivedAt(i)}));
      }
    }
  }
  return Status::Ok();
}

Result<std::vector<RestoreTape>> PlanRestore(const ManifestSet& manifests, const std::string& node,
                                             BlobStore* blobs, ArchivedDecoders* decoders,
                                             const ReadStop* stop, bool pass_damaged) {
  std::vector<RestoreTape> plan;
  for (const TapeId& tape : manifests.tape_ids()) {
    // What cannot be read may hold anything of this tape: nothing is restored past it.
    for (const BrokenTape& broken : manifests.BrokenOf(tape)) return broken.error;
    const auto listed = manifests.TapesOf(tape);
    std::vector<std::shared_ptr<const TapeListing>> ours;
    for (const auto& listing : listed) {
      if (listing->manifest.writer.node == node) ours.push_back(listing);
    }
    if (ours.empty()) continue;
    RestoreTape chain = Chain(tape, std::move(ours));
    FirstUncovered uncovered(&manifests, &tape, blobs, decoders, stop);
    TD_RETURN_IF_ERROR(CutToUncovered(&uncovered, pass_damaged, &chain));
    plan.push_back(std::move(chain));
  }
  return plan;
}

}  // namespace tapedeck
