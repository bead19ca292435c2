#include "lib/inspect/answer.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

namespace spanwire::inspect {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSpanTraceId = "/result/resourceSpans/scopeSpans/spans/traceId";
constexpr std::string_view kResourceKey = "/result/resourceSpans/resource/attributes/key";
constexpr std::string_view kResourceText =
    "/result/resourceSpans/resource/attributes/value/stringValue";
constexpr std::string_view kResult = "/result";
constexpr std::string_view kResource = "/result/resourceSpans";

// Characters of a file or of a text, and how many were taken.
class Input {
 public:
  Input(std::FILE* file, std::string_view text) : file_(file), block_(file ? kBlockBytes : 0) {
    rest_ = text;
  }

  int peek() {
    if (rest_.empty() && file_ != nullptr) {
      const std::size_t got = std::fread(block_.data(), 1, block_.size(), file_);
      rest_ = std::string_view(block_.data(), got);
    }
    return rest_.empty() ? EOF : static_cast<unsigned char>(rest_.front());
  }
  void take() {
    rest_.remove_prefix(1);
    ++taken_;
  }
  std::uint64_t taken() const noexcept { return taken_; }

 private:
  static constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
  std::FILE* file_;
  std::vector<char> block_;
  std::string_view rest_;
  std::uint64_t taken_ = 0;
};

// The input iterator that the parser wants; the default one is the end.
class Characters {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  Characters() = default;
  explicit Characters(Input& input) : input_(&input) {}

  char operator*() const { return static_cast<char>(input_->peek()); }
  Characters& operator++() {
    input_->take();
    return *this;
  }
  Characters operator++(int) {
    Characters before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Characters& a, const Characters& b) {
    return a.at_end() == b.at_end();
  }
  friend bool operator!=(const Characters& a, const Characters& b) { return !(a == b); }

 private:
  bool at_end() const { return input_ == nullptr || input_->peek() == EOF; }
  Input* input_ = nullptr;
};

// Follows the parser and keeps the few things that matter.  Names of members are joined to a path;
// arrays leave no trace in it.
class Scanner : public nlohmann::json_sax<Json> {
 public:
  Scanner(const Input& input, std::string_view service) : input_(input), service_(service) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t number) override { return integer(number); }
  bool number_unsigned(number_unsigned_t number) override {
    return integer(static_cast<std::int64_t>(number));
  }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& text) override {
    if (path_ == kSpanTraceId) return add_span(text);
    if (path_ == kResourceKey) {
      is_service_name_ = text == "service.name";
    } else if (path_ == kResourceText) {
      if (is_service_name_ && text == service_) is_asked_ = true;
    } else if (path_ == "/services") {
      if (facts.services.size() < kAnswerTracesMax) facts.services.push_back(text);
    } else if (path_ == "/error/message") {
      facts.error_message = text;
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (is_object_.empty()) facts.is_empty = true;
    if (path_ == kResult && is_object_.size() == 1) facts.result.begin = input_.taken() - 1;
    if (path_ == kResource && is_object_.size() == 3) begin_resource();
    return push(true);
  }
  bool end_object() override {
    pop();
    if (path_ == kResult && is_object_.size() == 1) facts.result.end = input_.taken();
    if (path_ == kResource && is_object_.size() == 3) end_resource();
    return true;
  }
  bool start_array(std::size_t) override {
    if (path_ == "/services") facts.has_services = true;
    return push(false);
  }
  bool end_array() override {
    pop();
    return true;
  }
  bool key(string_t& name) override {
    path_.resize(lengths_.back());
    path_ += '/';
    path_ += name;
    facts.is_empty = false;
    if (path_ == "/error") facts.has_error = true;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception&) override {
    problem = "not JSON at byte " + std::to_string(position) +
              (token.empty() || token.size() > 40 ? std::string() : " ('" + token + "')");
    return false;
  }

  AnswerFacts facts;
  std::string problem;

 private:
  bool integer(std::int64_t number) {
    if (path_ == "/error/httpCode") facts.error_code = number;
    return true;
  }

  bool push(bool object) {
    if (is_object_.size() == kAnswerDepthMax) {
      problem = "nested deeper than " + std::to_string(kAnswerDepthMax);
      return false;
    }
    is_object_.push_back(object);
    lengths_.push_back(path_.size());
    return true;
  }
  void pop() {
    path_.resize(lengths_.back());
    lengths_.pop_back();
    is_object_.pop_back();
  }

  void begin_resource() {
    facts.resources.push_back({input_.taken() - 1, 0});
    is_asked_ = service_.empty();
    is_service_name_ = false;
    in_resource_.clear();
  }
  void end_resource() {
    facts.resources.back().end = input_.taken();
    for (const std::string& id : in_resource_) facts.traces[id] |= is_asked_;
  }

  bool add_span(const std::string& trace) {
    ++facts.spans;
    if (!in_resource_.empty() && in_resource_.back() == trace) return true;
    if (in_resource_.size() + facts.traces.size() >= kAnswerTracesMax) {
      problem = "more than " + std::to_string(kAnswerTracesMax) + " traces";
      return false;
    }
    in_resource_.push_back(trace);
    return true;
  }

  const Input& input_;
  std::string_view service_;
  std::string path_;
  std::vector<std::size_t> lengths_;
  std::vector<bool> is_object_;
  std::vector<std::string> in_resource_;
  bool is_service_name_ = false;
  bool is_asked_ = false;
};

bool looks_like_html(std::string_view head) {
  const std::size_t at = head.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && head[at] == '<';
}

Result<AnswerFacts> scan(Input& input, std::string_view service, std::string_view head) {
  if (looks_like_html(head)) {
    return fail(Errc::answer_not_understood,
                "an HTML page: this is not the API, or the path in front of it is another");
  }
  if (head.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(Errc::answer_not_understood, "an empty answer");
  }
  Scanner scanner(input, service);
  const bool good = Json::sax_parse(Characters(input), Characters(), &scanner);
  if (!good) return fail(Errc::answer_not_understood, scanner.problem);
  AnswerFacts& facts = scanner.facts;
  if (facts.result.end == 0 && !facts.has_services && !facts.has_error && !facts.is_empty) {
    return fail(Errc::answer_not_understood, "neither result nor services nor error in it");
  }
  for (const auto& [id, asked] : facts.traces) facts.foreign += asked ? 0 : 1;
  return std::move(facts);
}

}  // namespace

Result<AnswerFacts> scan_answer_text(std::string_view text, std::string_view service) {
  Input input(nullptr, text);
  return scan(input, service, text.substr(0, 256));
}

Result<AnswerFacts> scan_answer(const std::string& path, std::string_view service) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return fail(Errc::file_open_failed, path + ": " + std::strerror(errno));
  std::string head(256, '\0');
  head.resize(std::fread(head.data(), 1, head.size(), file.get()));
  std::rewind(file.get());
  Input input(file.get(), {});
  Result<AnswerFacts> facts = scan(input, service, head);
  if (std::ferror(file.get()) != 0) {
    return fail(Errc::file_read_failed, path + ": " + std::strerror(errno));
  }
  return facts;
}

}  // namespace spanwire::inspect
