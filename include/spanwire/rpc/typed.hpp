// Codec<T>: the point where a program says how its types become payloads.
#pragma once

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::rpc {

// Specialise for a type of yours:
//   template <> struct spanwire::rpc::Codec<Question> {
//     static Result<Slice> encode(const Question& question);
//     static Result<Question> decode(ByteView payload);
//   };
// An error of decode on a server ends the call as invalid_argument, with its text.
template <class T>
struct Codec;

template <>
struct Codec<Slice> {
  static Result<Slice> encode(const Slice& payload) { return payload; }
  static Result<Slice> decode(ByteView payload) { return Slice::copy_of(payload); }
};

}  // namespace spanwire::rpc
