#include "lib/inspect/otlp_copy.hpp"

#include "spanwire/inspect/tempo.hpp"

namespace spanwire::inspect {
namespace {

// No line is held as a whole: each becomes pieces of one form.
ReadLimits in_pieces() {
  ReadLimits limits;
  limits.line_bytes = 0;
  return limits;
}

}  // namespace

OtlpCopy::OtlpCopy(WholeFile& to) : SpanReader(in_pieces()), to_(to) {}

void OtlpCopy::on_piece(std::string_view piece) {
  if (written_) written_ = to_.write(piece);
  if (written_) written_ = to_.write("\n");
}

void OtlpCopy::on_span(Span& span) {
  ++spans_;
  traces_seen_.insert(span.trace);
}

Result<Fetched> copy_as_otlp(const std::vector<std::string>& files, const std::string& to,
                             ReadReport& report) {
  SPANWIRE_TRY(WholeFile whole, WholeFile::create(to));
  OtlpCopy copy(whole);
  for (const std::string& file : files) SPANWIRE_TRY_VOID(copy.read_file(file));
  if (!copy.written()) return fail(copy.written().error());
  SPANWIRE_TRY_VOID(whole.keep());
  report = copy.report();
  Fetched fetched;
  fetched.spans = copy.spans();
  fetched.traces = copy.traces().size();
  fetched.merged = true;
  return fetched;
}

}  // namespace spanwire::inspect
