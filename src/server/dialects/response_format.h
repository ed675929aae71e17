// What each dialect calls a form of the answer, as the engine's.
#pragma once

#include <string_view>

#include "ocellus/options.h"
#include "server/fields.h"

namespace ocellus::server {

// OpenAI's `response_format` (text, json_object, json_schema), and beside it what other servers
// take: `json_schema` and `grammar` of llama.cpp's, `structured_outputs` and `guided_json`,
// `guided_choice`, `guided_regex` of vLLM's. Mistakes go to `fields`; so does what is no schema, or
// one that cannot be enforced.
ResponseFormat read_response_format(Fields& fields);

// {"type":"json_schema","schema":{…}}, as Anthropic's output_config.format and, with `name` and
// `strict`, OpenAI's text.format of Responses. `name` is the field in `fields`.
ResponseFormat read_format_object(Fields& fields, std::string_view name);

// Ollama's `format`: "json", a schema, or "" for none.
ResponseFormat read_ollama_format(Fields& fields);

}  // namespace ocellus::server
