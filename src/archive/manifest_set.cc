#include "archive/manifest_set.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "blob/blob_name.h"

namespace tapedeck {
namespace {

// Reads at once: a bucket answers in tens of milliseconds whatever else it does.
constexpr size_t kReaders = 8;

std::string HashOf(std::string_view json, const ManifestWriter& writer) {
  return NameHash(HashBytes(json).ToString(), writer.version);
}

ArchiveOwner OwnerOf(const ManifestWriter& writer) { return {writer.node, writer.store}; }

ArchiveTape TapeOf(const TapeRange& range) {
  return {range.tape.topic, range.tape.lineage, range.tape.partition, range.from, range.to};
}

std::string NameOf(const Manifest& manifest, Day day, std::string_view json) {
  if (const auto* records = std::get_if<RecordManifest>(&manifest)) {
    return RecordManifestName(OwnerOf(records->writer), records->table, records->day,
                              records->generation, HashOf(json, records->writer));
  }
  const auto& tape = std::get<TapeManifest>(manifest);
  return TapeManifestName(OwnerOf(tape.writer), TapeOf(tape.range), day, HashOf(json, tape.writer));
}

Result<std::string> ReadAll(BlobStore* blobs, const std::string& name) {
  TD_ASSIGN_OR_RETURN(std::unique_ptr<Blob> blob, blobs->Open(name));
  if (blob->stat().bytes > kManifestBytesMax) {
    return Status::Corruption(name + " has " + std::to_string(blob->stat().bytes) +
                              " bytes, more than a manifest may have");
  }
  std::string json;
  TD_RETURN_IF_ERROR(blob->StreamAll([&](std::string_view piece) {
    json += piece;
    return Status::Ok();
  }));
  return json;
}

Result<Manifest> ParseNamed(const std::string& name, std::string_view json) {
  TD_ASSIGN_OR_RETURN(ArchiveName parsed, ParseArchiveName(name));
  Result<Manifest> manifest = ParseManifest(json);
  if (!manifest.ok()) return manifest.status().WithContext(name);
  if (NameOf(*manifest, parsed.day, json) != name) {
    return Status::Corruption(name + ": its bytes are not those that it was named after");
  }
  return manifest;
}

auto KeyOf(const RecordListing& listing) {
  const RecordManifest& m = listing.manifest;
  return std::tie(m.table, m.day, m.writer.node, m.writer.store, m.generation, listing.name);
}

auto KeyOf(const TapeId& tape) {
  return std::tie(tape.topic, tape.partition, tape.lineage, tape.cluster);
}

auto KeyOf(const TapeListing& listing) {
  const TapeManifest& m = listing.manifest;
  return std::tuple_cat(KeyOf(m.range.tape), std::tie(m.range.from, m.writer.node, m.writer.store,
                                                      m.range.to, listing.name));
}

bool IsManifest(const ArchiveName& name) {
  return name.kind == ArchiveNameKind::kRecordManifest ||
         name.kind == ArchiveNameKind::kTapeManifest;
}

// What was read of one name.
struct Read {
  std::string name;
  uint64_t bytes = 0;
  Result<Manifest> manifest;
};

}  // namespace

ManifestFile MakeManifestFile(const RecordManifest& manifest) {
  std::string json = ToJson(manifest);
  std::string name = NameOf(manifest, manifest.day, json);
  return {std::move(name), std::move(json)};
}

ManifestFile MakeManifestFile(const TapeManifest& manifest, Day day) {
  std::string json = ToJson(manifest);
  std::string name = NameOf(manifest, day, json);
  return {std::move(name), std::move(json)};
}

Result<Manifest> ReadManifest(BlobStore* blobs, const std::string& name) {
  TD_ASSIGN_OR_RETURN(std::string json, ReadAll(blobs, name));
  return ParseNamed(name, json);
}

// Makes the set that follows another.
class ManifestSetBuilder {
 public:
  ManifestSetBuilder() = default;
  explicit ManifestSetBuilder(const ManifestSet& before) {
    set_->loaded_ = before.loaded_;
    set_->bytes_ = before.bytes_;
    set_->names_ = before.names_;
    set_->all_records_ = before.all_records_;
    set_->tapes_ = before.tapes_;
    set_->mappings_ = before.mappings_;
    set_->broken_ = before.broken_;
    set_->broken_names_ = before.broken_names_;
  }

  void SetLoaded() { set_->loaded_ = true; }
  // Broken ones that were not there when they were opened, and are listed no more.
  void ForgetVanished(const std::set<std::string, std::less<>>& listed) {
    for (size_t i = set_->broken_.size(); i-- > 0;) {
      const BrokenManifest& one = set_->broken_[i];
      if (one.error.code() == StatusCode::kNotFound && !listed.contains(one.name)) ForgetAt(i);
    }
  }
  // False where it was there.
  bool Add(Read read) {
    if (set_->names_.contains(read.name)) return false;
    Forget(read.name);
    if (!read.manifest.ok()) {
      Result<ArchiveName> parsed = ParseArchiveName(read.name);
      set_->broken_.push_back({read.name, read.manifest.status()});
      set_->broken_names_.push_back(parsed.ok() ? *parsed : ArchiveName{});
      return false;
    }
    set_->names_.emplace(read.name, read.bytes);
    set_->bytes_ += read.bytes;
    if (auto* records = std::get_if<RecordManifest>(&*read.manifest)) {
      TakeMappings(&records->mappings);
      set_->all_records_.push_back(std::make_shared<const RecordListing>(
          RecordListing{std::move(read.name), std::move(*records)}));
      return true;
    }
    auto& tape = std::get<TapeManifest>(*read.manifest);
    TakeMappings(&tape.mappings);
    const uint64_t refusals = tape.refusals.size();
    tape.refusals = {};
    set_->tapes_.push_back(std::make_shared<const TapeListing>(
        TapeListing{std::move(read.name), std::move(tape), refusals}));
    return true;
  }

  std::shared_ptr<const ManifestSet> Finish() {
    auto& all = set_->all_records_;
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return KeyOf(*a) < KeyOf(*b); });
    auto& tapes = set_->tapes_;
    std::sort(tapes.begin(), tapes.end(),
              [](const auto& a, const auto& b) { return KeyOf(*a) < KeyOf(*b); });
    MarkReplaced();
    FindHoles();
    NameTapes();
    DescribeTables();
    return std::move(set_);
  }

 private:
  void Forget(std::string_view name) {
    for (size_t i = 0; i < set_->broken_.size(); ++i) {
      if (set_->broken_[i].name == name) return ForgetAt(i);
    }
  }
  void ForgetAt(size_t i) {
    set_->broken_.erase(set_->broken_.begin() + static_cast<ptrdiff_t>(i));
    set_->broken_names_.erase(set_->broken_names_.begin() + static_cast<ptrdiff_t>(i));
  }

  void TakeMappings(std::map<std::string, std::string>* mappings) {
    for (auto& [hash, text] : *mappings) set_->mappings_.try_emplace(hash, std::move(text));
    mappings->clear();
  }

  // Manifests of one store for one day lie together, by generation.
  void MarkReplaced() {
    auto place = [](const RecordListing& l) {
      const RecordManifest& m = l.manifest;
      return std::tie(m.table, m.day, m.writer.node, m.writer.store);
    };
    const auto& all = set_->all_records_;
    for (size_t from = 0; from < all.size();) {
      size_t to = from;
      const size_t first = set_->records_.size();
      for (; to < all.size() && place(*all[to]) == place(*all[from]); ++to) {
        const bool again =
            to > from && all[to]->manifest.generation == all[to - 1]->manifest.generation;
        if (!again) set_->records_.push_back({all[to], nullptr});
      }
      for (size_t by = first; by < set_->records_.size(); ++by) {
        const RecordListing* listing = set_->records_[by].listing.get();
        for (uint32_t generation : listing->manifest.replaces) {
          if (generation == listing->manifest.generation) continue;
          for (size_t i = first; i < set_->records_.size(); ++i) {
            ListedRecords& one = set_->records_[i];
            if (one.manifest().generation == generation) one.replaced_by = listing;
          }
        }
      }
      from = to;
    }
  }

  void FindHoles() {
    const auto& all = set_->tapes_;
    for (size_t from = 0; from < all.size();) {
      const TapeId& tape = all[from]->manifest.range.tape;
      size_t to = from;
      while (to < all.size() && all[to]->manifest.range.tape == tape) ++to;
      std::vector<TapeHole> holes = tapedeck::HolesOf(std::span(all).subspan(from, to - from));
      if (!holes.empty()) set_->holes_.emplace_back(tape, std::move(holes));
      from = to;
    }
  }

  void NameTapes() {
    std::vector<TapeId>& ids = set_->tape_ids_;
    auto add = [&](const TapeId& tape) {
      if (ids.empty() || ids.back() != tape) ids.push_back(tape);
    };
    for (const auto& listing : set_->tapes_) add(listing->manifest.range.tape);
    for (const auto& listing : set_->all_records_) {
      for (const TapeRange& range : listing->manifest.vector) add(range.tape);
      for (const ShippedObject& object : listing->manifest.objects) {
        for (const TapeRange& range : object.offsets) add(range.tape);
      }
      if (ids.size() > 4096) Unique(&ids);
    }
    Unique(&ids);
  }
  static void Unique(std::vector<TapeId>* ids) {
    std::sort(ids->begin(), ids->end(),
              [](const TapeId& a, const TapeId& b) { return KeyOf(a) < KeyOf(b); });
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }

  void DescribeTables() {
    for (const auto& listing : set_->all_records_) {
      const RecordManifest& manifest = listing->manifest;
      std::vector<Table>& tables = set_->tables_;
      if (tables.empty() || tables.back().name != manifest.table) {
        tables.push_back({{}, manifest.table, {}, manifest.identity, manifest.day_size});
      }
      for (const Column& column : manifest.columns) {
        if (tables.back().FindColumn(column.name) < 0) tables.back().columns.push_back(column);
      }
    }
  }

  std::shared_ptr<ManifestSet> set_{new ManifestSet};
};

Status ManifestSet::CheckBroken(std::string_view table, Day first, Day last,
                                std::string_view own_store) const {
  for (size_t i = 0; i < broken_.size(); ++i) {
    const ArchiveName& name = broken_names_[i];
    if (name.kind == ArchiveNameKind::kRecordManifest && name.table == table && name.day >= first &&
        name.day <= last && name.store != own_store) {
      return broken_[i].error.WithContext("a manifest of these days cannot be read");
    }
  }
  return Status::Ok();
}

std::vector<BrokenTape> ManifestSet::BrokenOf(const TapeId& tape) const {
  std::vector<BrokenTape> found;
  if (broken_.empty()) return found;
  const std::string topic = EncodeNamePart(tape.topic);
  for (size_t i = 0; i < broken_.size(); ++i) {
    const ArchiveName& name = broken_names_[i];
    if (name.kind == ArchiveNameKind::kTapeManifest && name.topic_part == topic &&
        name.partition == tape.partition && name.lineage == tape.lineage) {
      found.push_back({name.from, name.to, broken_[i].error});
    }
  }
  return found;
}

Result<std::span<const ListedRecords>> ManifestSet::RecordsOf(std::string_view table, Day first,
                                                              Day last,
                                                              std::string_view own_store) const {
  TD_RETURN_IF_ERROR(CheckBroken(table, first, last, own_store));
  auto key = [](const ListedRecords& r) {
    return std::tuple(std::string_view(r.manifest().table), r.manifest().day);
  };
  auto from =
      std::lower_bound(records_.begin(), records_.end(), std::tuple(table, first),
                       [&](const ListedRecords& r, const auto& wanted) { return key(r) < wanted; });
  auto to =
      std::upper_bound(from, records_.end(), std::tuple(table, last),
                       [&](const auto& wanted, const ListedRecords& r) { return wanted < key(r); });
  return std::span<const ListedRecords>(from, first <= last ? to : from);
}

const RecordListing* ManifestSet::FindRecords(std::string_view name) const {
  Result<ArchiveName> parsed = ParseArchiveName(name);
  if (!parsed.ok() || parsed->kind != ArchiveNameKind::kRecordManifest) return nullptr;
  auto before = [&](const auto& listing, const auto& wanted) {
    return std::tie(listing->manifest.table, listing->manifest.day) < wanted;
  };
  auto at = std::lower_bound(all_records_.begin(), all_records_.end(),
                             std::tie(parsed->table, parsed->day), before);
  for (; at != all_records_.end(); ++at) {
    const RecordManifest& manifest = (*at)->manifest;
    if (manifest.table != parsed->table || manifest.day != parsed->day) break;
    if ((*at)->name == name) return at->get();
  }
  return nullptr;
}

std::span<const std::shared_ptr<const TapeListing>> ManifestSet::TapesOf(const TapeId& tape) const {
  auto before = [](const auto& listing, const TapeId& wanted) {
    return KeyOf(listing->manifest.range.tape) < KeyOf(wanted);
  };
  auto from = std::lower_bound(tapes_.begin(), tapes_.end(), tape, before);
  auto to = from;
  while (to != tapes_.end() && (*to)->manifest.range.tape == tape) ++to;
  return {from, to};
}

std::span<const TapeHole> ManifestSet::HolesOf(const TapeId& tape) const {
  auto before = [](const auto& holes, const TapeId& wanted) {
    return KeyOf(holes.first) < KeyOf(wanted);
  };
  auto at = std::lower_bound(holes_.begin(), holes_.end(), tape, before);
  if (at == holes_.end() || at->first != tape) return {};
  return at->second;
}

const std::string* ManifestSet::FindMapping(const Hash128& hash) const {
  auto found = mappings_.find(hash.ToString());
  return found == mappings_.end() ? nullptr : &found->second;
}

ManifestHolder::ManifestHolder() : set_(ManifestSetBuilder().Finish()) {}

std::shared_ptr<const ManifestSet> ManifestHolder::Take() const {
  std::lock_guard lock(mutex_);
  return set_;
}

void ManifestHolder::Swap(std::shared_ptr<const ManifestSet> set) {
  std::lock_guard lock(mutex_);
  set_.swap(set);
}

void ManifestHolder::Add(const ManifestFile& file, const Manifest& manifest) {
  std::lock_guard one(adding_);
  ManifestSetBuilder builder(*Take());
  builder.Add({file.name, file.json.size(), manifest});
  Swap(builder.Finish());
}

namespace {

// Reads the manifests of `names`, in any order, until one of them says that it should end.
std::vector<Read> ReadMany(BlobStore* blobs, const std::vector<std::string>& names,
                           const ReadStop* stop) {
  std::vector<Read> reads(names.size(), Read{"", 0, Status::Unavailable("not read")});
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i = next++; i < names.size(); i = next++) {
      if (stop != nullptr && !stop->Check().ok()) return;
      Result<std::string> json = ReadAll(blobs, names[i]);
      reads[i].name = names[i];
      if (json.ok()) {
        reads[i].bytes = json->size();
        reads[i].manifest = ParseNamed(names[i], *json);
      } else {
        reads[i].manifest = json.status().WithContext(names[i]);
      }
    }
  };
  std::vector<std::thread> readers;
  for (size_t i = 1; i < std::min(kReaders, names.size()); ++i) readers.emplace_back(work);
  work();
  for (std::thread& reader : readers) reader.join();
  std::erase_if(reads, [](const Read& read) { return read.name.empty(); });
  return reads;
}

}  // namespace

Result<RefreshReport> ManifestHolder::Refresh(BlobStore* blobs, const ReadStop* stop) {
  // Read in parts, so that a list of any length takes bounded memory beside the set.
  constexpr size_t kPart = 1024;
  std::lock_guard one(refreshing_);
  RefreshReport report;
  std::vector<std::string> names;
  auto read_names = [&]() -> Status {
    std::vector<Read> reads = ReadMany(blobs, names, stop);
    names.clear();
    std::lock_guard adding(adding_);
    ManifestSetBuilder builder(*Take());
    for (Read& read : reads) {
      const bool broken = !read.manifest.ok();
      if (builder.Add(std::move(read))) ++report.added;
      report.broken += broken ? 1 : 0;
    }
    Swap(builder.Finish());
    return stop == nullptr ? Status::Ok() : stop->Check();
  };
  std::set<std::string, std::less<>> tried;
  std::string after;
  do {
    if (stop != nullptr) TD_RETURN_IF_ERROR(stop->Check());
    TD_ASSIGN_OR_RETURN(BlobPage page, blobs->List(std::string(kManifestsPrefix), after));
    report.foreign += page.foreign;
    const std::shared_ptr<const ManifestSet> known = Take();
    if (known->bytes() > kManifestSetBytesMax) {
      return Status::ResourceExhausted("the manifests of " + blobs->Describe() +
                                       " take more than " +
                                       std::to_string(kManifestSetBytesMax >> 20) + " MiB");
    }
    for (const BlobStat& stat : page.blobs) {
      Result<ArchiveName> parsed = ParseArchiveName(stat.name);
      if (!parsed.ok()) ++report.foreign;
      if (!parsed.ok() || !IsManifest(*parsed)) continue;
      ++report.listed;
      if (known->Has(stat.name)) continue;
      names.push_back(stat.name);
      tried.insert(stat.name);
    }
    if (!page.next.empty() && page.next == after) {
      return Status::Internal(blobs->Describe() + ": the list does not come to an end");
    }
    after = std::move(page.next);
    if (names.size() >= kPart) TD_RETURN_IF_ERROR(read_names());
  } while (!after.empty());
  TD_RETURN_IF_ERROR(read_names());
  std::lock_guard adding(adding_);
  ManifestSetBuilder builder(*Take());
  builder.ForgetVanished(tried);
  builder.SetLoaded();
  Swap(builder.Finish());
  return report;
}

}  // namespace tapedeck
