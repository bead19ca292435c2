// One table of headers on carriers of every kind.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context_counters.hpp"
#include "spanwire/trace/frames_carrier.hpp"
#include "spanwire/trace/grpc_carrier.hpp"
#include "spanwire/trace/nats_carrier.hpp"
#include "spanwire/trace/wire_carrier.hpp"
#include "tests/trace/vectors.hpp"

namespace spanwire::trace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Map = std::map<std::string, std::string>;
using MultiMap = std::multimap<std::string, std::string>;
using Fields = std::map<std::string, std::vector<std::string>>;
using nlohmann::json;

// As gRPC's: no std::string_view, and length() instead of size().
struct StringRef {
  std::string text;
  const char* data() const { return text.data(); }
  std::size_t length() const { return text.size(); }
  friend bool operator<(const StringRef& a, const StringRef& b) { return a.text < b.text; }
};
using Metadata = std::multimap<StringRef, StringRef>;
struct ClientContext {
  void AddMetadata(const std::string& key, const std::string& value) { metadata[key] = value; }
  Map metadata;
};

inline Pairs headers_of(const json& vector) {
  Pairs headers;
  for (const json& header : vector.at("headers")) headers.emplace_back(header.at(0), header.at(1));
  return headers;
}

// Several fields whose names differ in case alone lose their order in containers that sort.
inline bool order_survives_sorting(const Pairs& headers) {
  Map names;
  for (const auto& [header, value] : headers) {
    Field field;
    if (!field_of(header, field)) continue;
    const auto [at, added] = names.emplace(name(field), header);
    if (!added && at->second != header) return false;
  }
  return true;
}

inline std::string block_of(const Pairs& headers) {
  std::string block = "{";
  for (const auto& [header, value] : headers) {
    if (block.size() > 1) block += ',';
    block += json(header).dump() + ":" + json(value).dump();
  }
  return block + "}";
}

// What goes out when nothing but the context is passed on, over a carrier of its own kind.
inline Map forwarded(const Context& context) {
  Pairs pairs;
  inject(context, pairs);
  const Map expected(pairs.begin(), pairs.end());
  EXPECT_EQ(pairs.size(), expected.size());

  Map map;
  inject(context, map);
  EXPECT_EQ(map, expected);
  MultiMap multi_map;
  inject(context, multi_map);
  EXPECT_EQ(Map(multi_map.begin(), multi_map.end()), expected);
  Fields fields;
  inject(context, fields);
  Map of_fields;
  for (const auto& [header, values] : fields) of_fields[header] = values.at(0);
  EXPECT_EQ(of_fields, expected);

  Buffer buffer;
  wire::HeaderWriter writer(buffer);
  inject(context, writer);
  const json block = json::parse(text_of(writer.finish()));
  EXPECT_EQ(block, json(expected));

  ClientContext client;
  GrpcMetadataOut metadata(client);
  inject(context, metadata);
  std::array<std::byte, 32768> room;
  wire::NatsHeaderWriter lines{MutableByteView(room)};
  inject(context, lines);
  wire::NatsHeaders nats;
  EXPECT_EQ(nats.parse(lines.finish()), Errc::ok);
  Map of_lines;
  for (const wire::NatsHeader& line : nats) of_lines[std::string(line.name)] = line.value;
  EXPECT_EQ(of_lines, expected);
  Map printable;  // what metadata can hold
  for (const auto& [header, value] : expected) {
    if (detail::is_metadata_value(value)) printable[header] = value;
  }
  EXPECT_EQ(client.metadata, printable);
  return expected;
}

// A block of NATS lines; empty if a value has what a line cannot hold.
inline std::string nats_block_of(const Pairs& headers) {
  std::string room(65536, '\0');
  wire::NatsHeaderWriter writer{
      MutableByteView(reinterpret_cast<std::byte*>(room.data()), room.size())};
  for (const auto& [header, value] : headers) {
    if (writer.add(header, value) != Errc::ok) return {};
  }
  return std::string(text_of(writer.finish()));
}

struct Refusals {
  std::map<std::string, std::uint64_t> counts;
  static Refusals now() {
    Refusals all;
    for (int code = 160; code <= 175; ++code) {
      const auto cause = static_cast<Errc>(code);
      all.counts[std::string(name(cause))] = refused(cause);
    }
    return all;
  }
  std::vector<std::string> since(const Refusals& before) const {
    std::vector<std::string> causes;
    for (const auto& [cause, count] : counts) {
      for (auto n = before.counts.at(cause); n < count; ++n) causes.push_back(cause);
    }
    return causes;
  }
};

// Calls check(carrier, whether it is a header block) with each kind of carrier that can hold the
// headers as they are.
template <class Check>
void on_every_carrier(const Pairs& headers, Check check) {
  {
    SCOPED_TRACE("pairs");
    check(headers, false);
  }
  if (order_survives_sorting(headers)) {
    SCOPED_TRACE("containers that sort");
    MultiMap multi_map;
    Fields fields;
    Metadata metadata;
    for (const auto& [header, value] : headers) {
      multi_map.emplace(header, value);
      fields[header].push_back(value);
      metadata.emplace(StringRef{header}, StringRef{value});
    }
    check(multi_map, false);
    check(fields, false);
    check(GrpcMetadata(metadata), false);
    const Map map(headers.begin(), headers.end());
    if (map.size() == headers.size()) check(map, false);
  }
  if (const std::string nats = nats_block_of(headers); !nats.empty()) {
    SCOPED_TRACE("nats");
    wire::NatsHeaders lines;
    ASSERT_EQ(lines.parse(bytes_of(nats)), Errc::ok);
    check(lines, false);
  }
  SCOPED_TRACE("header block");
  const std::string block = block_of(headers);
  wire::HeaderList list;
  ASSERT_EQ(list.parse(bytes_of(block)), Errc::ok);
  check(list, true);
  SCOPED_TRACE("frames");
  const ByteView parts[] = {bytes_of("llm/generate"), bytes_of(block), bytes_of("payload")};
  FramesCarrier frames;
  ASSERT_EQ(frames.parse(parts, 1), Errc::ok);
  check(frames, true);
}

}  // namespace spanwire::trace
