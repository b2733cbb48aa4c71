#include "repair/repair_decoders.h"

namespace tapedeck {

Result<RepairDecoders::Entry*> RepairDecoders::For(const Hash128& mapping,
                                                   const std::string& topic) {
  auto found = entries_.find(mapping);
  if (found != entries_.end()) return &found->second;
  Entry entry;
  TD_ASSIGN_OR_RETURN(entry.spec, SpecOf(mapping, topic));
  TD_RETURN_IF_ERROR(check_(entry.spec));
  TD_ASSIGN_OR_RETURN(entry.decoder, Decoder::Make(entry.spec, tables_));
  StoreBatch batch;
  batch.PutMapping(entry.spec.hash(), entry.spec.canonical());
  for (const Table& table : tables_->tables()) batch.PutTable(table);
  TD_RETURN_IF_ERROR(store_->Write(batch));
  return &entries_.emplace(mapping, std::move(entry)).first->second;
}

Result<MappingSpec> RepairDecoders::SpecOf(const Hash128& mapping, const std::string& topic) {
  const auto stored = wreck_->mappings.find(mapping);
  if (stored != wreck_->mappings.end()) return MappingSpec::FromCanonical(stored->second);
  const std::string* text =
      options_->manifests == nullptr ? nullptr : options_->manifests->FindMapping(mapping);
  if (text != nullptr) {
    TD_ASSIGN_OR_RETURN(MappingSpec spec, MappingSpec::FromCanonical(*text));
    if (spec.hash() == mapping) return spec;
  }
  const MappingSpec* now = in_force_.For(topic);
  if (now == nullptr) {
    return Status::Corruption("the text of mapping " + mapping.ToString() + " of topic '" + topic +
                              "' is lost: give the configuration that names one for it");
  }
  if (now->hash() != mapping) {
    notes_->push_back("the text of mapping " + mapping.ToString() + " of topic '" + topic +
                      "' is lost: '" + now->name() + "' decodes its messages");
  }
  return *now;
}

}  // namespace tapedeck
