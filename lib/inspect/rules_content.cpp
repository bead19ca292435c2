// Rules about names, values and resources.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "lib/inspect/case.hpp"
#include "lib/inspect/names.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kLongValueBytes = 60'000;
constexpr std::size_t kAlikeMax = 10;  // names that differ in their numbers only

constexpr std::array<std::string_view, 9> kMethods = {"GET",     "POST",  "PUT",   "DELETE", "HEAD",
                                                      "OPTIONS", "PATCH", "TRACE", "CONNECT"};

bool is_generic(std::string_view name) {
  if (name.starts_with("HTTP ")) name.remove_prefix(5);
  return std::find(kMethods.begin(), kMethods.end(), name) != kMethods.end();
}

bool is_empty_name(std::string_view name) { return name.empty() || name == "empty-span-name"; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool is_secret_key(std::string_view key) {
  const std::string_view last = key.substr(key.find_last_of("./") + 1);
  std::string plain;
  for (const char c : last) {
    if (c == '-' || c == '_') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return is_one_of(plain, {"password", "passwd", "secret", "clientsecret", "apikey", "xapikey",
                           "authorization", "proxyauthorization", "cookie", "setcookie",
                           "privatekey", "accesstoken", "refreshtoken", "authtoken"});
}

bool is_masked(std::string_view value) {
  if (value.find_first_not_of("*x[]\"") == std::string_view::npos) return true;
  return is_one_of(value, {"REDACTED", "[REDACTED]", "<redacted>", "redacted", "[\"REDACTED\"]"});
}

bool is_token_character(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '+' || c == '/';
}

// Long enough, and with a digit: prose that begins alike has none.
bool is_token(std::string_view text, std::size_t bytes_min) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_token_character);
  return end - text.begin() >= static_cast<std::ptrdiff_t>(bytes_min) &&
         std::any_of(text.begin(), end, is_digit);
}

struct SecretShape {
  std::string_view begins;
  std::size_t bytes_min;  // of what follows
  std::string_view what;
};
constexpr SecretShape kSecretShapes[] = {
    {"Bearer ", 16, "a bearer token"},
    {"Basic ", 12, "basic credentials"},
    {"sk-", 20, "an API key"},
    {"ghp_", 30, "a GitHub token"},
    {"github_pat_", 30, "a GitHub token"},
    {"xoxb-", 20, "a Slack token"},
    {"AKIA", 16, "an AWS key"},
    {"hf_", 30, "a Hugging Face token"},
    {"nvapi-", 30, "an NVIDIA API key"},
    {"eyJ", 60, "a JSON web token"},
};

// "user:password@" in front of a host.
bool has_password(std::string_view url) {
  for (std::size_t at = url.find("://"); at != std::string_view::npos; at = url.find("://", at)) {
    at += 3;
    const std::string_view authority = url.substr(at, url.find_first_of("/?# \"'", at) - at);
    const std::size_t end = authority.rfind('@');
    const std::size_t colon = authority.substr(0, end).find(':');
    if (end == std::string_view::npos || colon == std::string_view::npos) continue;
    const std::string_view password = authority.substr(colon + 1, end - colon - 1);
    if (!password.empty() && !is_masked(password)) return true;
  }
  return false;
}

bool is_secret(std::string_view name, std::string_view value) {
  return !value.empty() && is_secret_key(name) && !is_masked(value);
}

// "name=value" of URLs, "--name value" of command lines, also as a list of words.
bool has_secret_argument(std::string_view text) {
  constexpr std::string_view kEnds = "&;, \t\"'";
  const auto word_at = [&](std::size_t at) {
    return text.substr(at, text.find_first_of(kEnds, at) - at);
  };
  for (std::size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    const std::size_t begin = text.find_last_of("?&;, \t\"'", at) + 1;
    if (is_secret(text.substr(begin, at - begin), word_at(at + 1))) return true;
  }
  for (std::size_t at = text.find("--"); at != std::string_view::npos; at = text.find("--", at)) {
    const std::string_view name = word_at(at);
    at += name.size();
    const std::size_t begin = text.find_first_not_of(kEnds, at);
    if (begin != std::string_view::npos && text[begin] != '-' && is_secret(name, word_at(begin))) {
      return true;
    }
  }
  return false;
}

// What kind of secret stands in the value; empty for none.  The value itself is never told.
std::string_view secret_in(std::string_view value) {
  if (value.find("PRIVATE KEY-----") != std::string_view::npos) return "a private key";
  for (const SecretShape& shape : kSecretShapes) {
    for (std::size_t at = value.find(shape.begins); at != std::string_view::npos;
         at = value.find(shape.begins, at + 1)) {
      const bool word = at == 0 || !is_token_character(value[at - 1]);
      if (word && is_token(value.substr(at + shape.begins.size()), shape.bytes_min)) {
        return shape.what;
      }
    }
  }
  if (has_password(value)) return "a password in a URL";
  if (has_secret_argument(value)) return "a secret, by its name";
  return {};
}

bool is_prompt_key(std::string_view key) {
  return is_one_of(key, {"gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages",
                         "gen_ai.output.messages", "gen_ai.system_instructions", "llm.prompts",
                         "llm.completions", "input.value", "output.value", "traceloop.entity.input",
                         "traceloop.entity.output", "gen_ai.event.content",
                         "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"}) ||
         key.starts_with("gen_ai.prompt.") || key.starts_with("gen_ai.completion.");
}

bool has(const Span& span, std::string_view key) { return find(span.attributes, key) != nullptr; }

void check_conventions(Case& of, const Span& span) {
  const auto begins = [&span](std::string_view prefix) {
    return std::any_of(span.attributes.begin(), span.attributes.end(),
                       [&](const Attribute& a) { return a.key.starts_with(prefix); });
  };
  if (begins("rpc.") && !has(span, "rpc.system") && !has(span, "rpc.system.name")) {
    of.add(Rule::content_conventions, span, "rpc.* without rpc.system.name");
  }
  if (span.kind != SpanKind::client || !begins("gen_ai.")) return;
  if (!has(span, "gen_ai.operation.name")) {
    of.add(Rule::content_conventions, span, "gen_ai.* without gen_ai.operation.name");
  }
  if (!has(span, "gen_ai.provider.name") && !has(span, "gen_ai.system")) {
    of.add(Rule::content_conventions, span, "gen_ai.* without gen_ai.provider.name");
  }
}

// `found(key, what)` for each value that looks like a secret, however deep in maps it is.
template <class Found>
void find_secrets(const std::string& key, const Value& value, const Found& found) {
  if (const auto* members = std::get_if<Value::Map>(&value.data)) {
    for (const Attribute& member : *members)
      find_secrets(key + '.' + member.key, member.value, found);
    return;
  }
  const auto* string = std::get_if<std::string>(&value.data);
  const std::string text = string != nullptr ? std::string() : value.text();
  const std::string_view view = string != nullptr ? std::string_view(*string) : text;
  std::string_view what = secret_in(view);
  if (is_secret_key(key) && !is_masked(view)) what = "a secret, by its name";
  if (!what.empty()) found(key, what);
}

void check_attributes(Case& of, const Span& span, const std::vector<Attribute>& attributes) {
  for (const Attribute& attribute : attributes) {
    find_secrets(attribute.key, attribute.value,
                 [&](const std::string& key, std::string_view what) {
                   of.add(Rule::content_secret, span, key + " holds " + std::string(what));
                 });
    const auto* string = std::get_if<std::string>(&attribute.value.data);
    const std::size_t bytes = string != nullptr ? string->size() : attribute.value.text().size();
    if (bytes >= kLongValueBytes) {
      of.add(Rule::content_value_long, span, attribute.key + " has " + counted(bytes, "byte"),
             "less than " + std::to_string(kLongValueBytes));
    }
    if (is_prompt_key(attribute.key) && bytes > 0) {
      of.add(Rule::content_prompt, span, attribute.key + " has " + counted(bytes, "byte"));
    }
  }
}

void check_texts(Case& of, const Span& span) {
  for (const auto& [what, text] :
       {std::pair<std::string_view, const std::string&>{"the status", span.status_message},
        {"the name", span.name}}) {
    if (const std::string_view secret = secret_in(text); !secret.empty()) {
      of.add(Rule::content_secret, span, std::string(what) + " holds " + std::string(secret));
    }
  }
}

struct ServiceNames {
  std::size_t spans = 0;
  std::size_t generic = 0;
  std::map<std::string, std::set<std::string>> alike;  // by what is the same but for numbers
};

// Of names that differ in their numbers only, a few are no more than steps that somebody counted.
void check_alike(Case& of, const Span& span, ServiceNames& names) {
  std::string same = without_numbers(span.name);
  if (same == span.name) return;
  std::set<std::string>& alike = names.alike[std::move(same)];
  if (alike.size() > kAlikeMax || !alike.insert(span.name).second) return;
  if (alike.size() <= kAlikeMax) return;
  of.add(Rule::content_name_variable, span,
         "one of more than " + std::to_string(kAlikeMax) + " names that differ in their numbers");
}

}  // namespace

void check_names(Case& of) {
  std::map<std::string, ServiceNames> services;
  for (const Span& span : of.spans()) {
    ServiceNames& names = services[of.service(span)];
    ++names.spans;
    if (is_empty_name(span.name)) {
      of.add(Rule::content_name_empty, span, span.name.empty() ? "no name" : span.name);
    } else if (is_generic(span.name)) {
      ++names.generic;
      of.add(Rule::content_name_generic, span, span.name);
    } else if (varying_part(span.name) != std::string_view::npos) {
      of.add(Rule::content_name_variable, span, span.name);
    } else {
      check_alike(of, span, names);
    }
  }
  for (const auto& [service, names] : services) {
    if (names.generic < names.spans) continue;
    of.add(Rule::content_only_generic, service,
           "all of its " + counted(names.spans, "span") + " are named after HTTP methods");
  }
}

void check_values(Case& of) {
  if (of.expected().prompts) of.skip(Rule::content_prompt, "prompts are expected");
  for (const Span& span : of.spans()) {
    check_attributes(of, span, span.attributes);
    for (const SpanEvent& event : span.events) check_attributes(of, span, event.attributes);
    for (const SpanLink& link : span.links) check_attributes(of, span, link.attributes);
    check_texts(of, span);
    check_conventions(of, span);
  }
}

namespace {

void check_resource_secrets(Case& of, const Process& process) {
  for (const Attribute& attribute : process.attributes) {
    find_secrets(attribute.key, attribute.value,
                 [&](const std::string& key, std::string_view what) {
                   of.add(Rule::content_secret, process.service,
                          "the resource's " + key + " holds " + std::string(what));
                 });
  }
}

}  // namespace

void check_resources(Case& of) {
  const std::string& run = of.expected().run_id;
  if (run.empty()) of.skip(Rule::resource_run_id, "no run id is expected");
  if (!run.empty()) of.skip(Rule::resource_instance_shared, "the instance id is the run's");
  std::map<std::string, std::string> owners;
  for (const Process& process : of.evidence().traces->processes) {
    check_resource_secrets(of, process);
    if (is_one_of(process.service, {"unknown_service", "missing-service-name"}) ||
        process.service.starts_with("unknown_service:")) {
      of.add(Rule::resource_service_name, process.service, "no service.name");
    }
    const std::string host = text_of(process.attributes, "host.name");
    const std::string pid = text_of(process.attributes, "process.pid");
    if (host.empty() || pid.empty()) {
      of.add(Rule::resource_process, process.service,
             host.empty() ? "no host.name" : "no process.pid");
    }
    if (!run.empty() && process.instance != run) {
      of.add(Rule::resource_run_id, process.service,
             process.instance.empty() ? "no service.instance.id" : process.instance, run);
    }
    if (process.instance.empty()) {
      of.add(Rule::resource_instance_id, process.service, "no service.instance.id");
      continue;
    }
    if (host.empty() && pid.empty()) continue;
    const std::string owner = pid.empty() ? host : host + '/' + pid;
    const auto [item, fresh] = owners.try_emplace(process.instance, owner);
    if (fresh || item->second == owner) continue;
    of.add(Rule::resource_instance_shared, process.service,
           process.instance + " is the id of process " + item->second + " and of " + owner);
  }
}

}  // namespace spanwire::inspect
