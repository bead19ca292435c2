// Cuts a document of OTLP JSON into small documents while it is read, so that an answer of any
// length costs the memory of a few spans.  Internal to inspect.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace spanwire::inspect {

// Where in the document the first span of a piece is.
struct PiecePlace {
  std::size_t resource = 0;
  std::size_t scope = 0;
  std::size_t span = 0;
};

// Follows brackets, strings and names of members, and keeps nothing but the resource, the scope and
// the spans of the piece at hand.  What is not inside of a span, a resource or a scope is checked
// for its structure only.  One thread at a time.
class SpanSplitter {
 public:
  // A line of OTLP for LineReader: {"resourceSpans":[one resource with some of its spans]}.
  using OnPiece = std::function<void(std::string_view piece, const PiecePlace& place)>;
  // Something was left out; the rest goes on.
  using OnProblem = std::function<void(std::string text)>;

  // A piece is handed on when it has `piece_bytes`; a longer span, resource or scope than
  // `span_bytes` is left out.
  SpanSplitter(std::size_t piece_bytes, std::size_t span_bytes, OnPiece on_piece,
               OnProblem on_problem);

  // Takes bytes up to the end of the document or to the first that cannot be; returns how many.
  std::size_t feed(std::string_view bytes);
  // The document is closed; nothing more is taken.
  bool ended() const noexcept { return ended_; }
  // What cannot be is behind what was taken; nothing more is taken.
  bool failed() const noexcept { return failed_; }
  // Whether it had a list of resources.
  bool has_resources() const noexcept { return has_resources_; }
  // Hands on what is left of a document that was cut off.
  void finish();

 private:
  enum class Role : unsigned char {
    other,      // nothing to look for in it
    traces,     // may hold resourceSpans
    list,       // of traces
    resources,  // the array
    resource_spans,
    scopes,  // the array
    scope_spans,
    spans,  // the array
    span,
    resource,
    scope,
  };
  enum class Want : unsigned char { key_or_end, key, colon, value_or_end, value, comma_or_end };
  struct Frame {
    Role role;
    bool object;
    Want want;
  };

  bool take(char c);
  bool open(char c);
  bool close(char c);
  void begin_value(char c);
  std::size_t take_string(std::string_view bytes);
  Role role_of(char c) const;
  void begin_capture(Role role);
  void end_capture(Role role);
  void end_scope();
  void end_resource();
  void keep(std::string_view bytes);
  void close_scope_segment();
  void flush();

  std::size_t piece_bytes_;
  std::size_t span_bytes_;
  OnPiece on_piece_;
  OnProblem on_problem_;

  std::vector<Frame> frames_;
  std::string key_;
  bool in_string_ = false;
  bool in_key_ = false;
  bool escaped_ = false;
  bool in_scalar_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool has_resources_ = false;

  std::string* captured_ = nullptr;  // what is being kept
  std::size_t capture_depth_ = 0;    // frames when it began
  std::size_t capture_begin_ = 0;    // bytes of *captured_ then
  bool too_long_ = false;
  std::string resource_;
  std::string scope_;
  std::string body_;         // segments {"spans":[...],"scope":...} of the resource at hand
  bool in_segment_ = false;  // the last one is open
  PiecePlace at_;            // the next span
  PiecePlace first_;         // of the piece
  std::string piece_;
};

}  // namespace spanwire::inspect
