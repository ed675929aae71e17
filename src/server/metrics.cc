#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace ocellus::server {
namespace {

using prometheus::Family;

// Seconds: a picture on a small machine may take a minute.
const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160};
const prometheus::Histogram::BucketBoundaries kTokenSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025,
                                                               0.05,  0.1,    0.25,  0.5,  1};

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;

  Family<prometheus::Histogram>& first_token =
      prometheus::BuildHistogram()
          .Name("ocellus_time_to_first_token_seconds")
          .Help("From the request's admission to its first token")
          .Register(registry);
  Family<prometheus::Histogram>& per_token = prometheus::BuildHistogram()
                                                 .Name("ocellus_time_per_output_token_seconds")
                                                 .Help("Mean of each answer after its first token")
                                                 .Register(registry);
  Family<prometheus::Histogram>& duration = prometheus::BuildHistogram()
                                                .Name("ocellus_request_duration_seconds")
                                                .Help("From admission to the last token")
                                                .Register(registry);
  Family<prometheus::Histogram>& stage =
      prometheus::BuildHistogram()
          .Name("ocellus_stage_seconds")
          .Help("Stages of an answer: queue, fetch, image, tower")
          .Register(registry);
  Family<prometheus::Counter>& tokens =
      prometheus::BuildCounter()
          .Name("ocellus_tokens_total")
          .Help("Tokens by kind: prompt, image, cached, generated")
          .Register(registry);
  Family<prometheus::Counter>& refusals = prometheus::BuildCounter()
                                              .Name("ocellus_requests_refused_total")
                                              .Help("Requests that were not answered, by reason")
                                              .Register(registry);
  Family<prometheus::Counter>& responses = prometheus::BuildCounter()
                                               .Name("ocellus_http_responses_total")
                                               .Help("HTTP responses by status")
                                               .Register(registry);
  Family<prometheus::Gauge>& running = prometheus::BuildGauge()
                                           .Name("ocellus_requests_running")
                                           .Help("Answers that are being made")
                                           .Register(registry);
  Family<prometheus::Gauge>& waiting = prometheus::BuildGauge()
                                           .Name("ocellus_requests_waiting")
                                           .Help("Requests that were admitted and wait")
                                           .Register(registry);
  prometheus::Gauge& connections = prometheus::BuildGauge()
                                       .Name("ocellus_connections")
                                       .Help("Open connections")
                                       .Register(registry)
                                       .Add({});
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::answered(std::string_view model, const AnswerStats& s) {
  const prometheus::Labels labels = {{"model", std::string(model)}};
  const auto with = [&](const char* key, const char* value) {
    prometheus::Labels all = labels;
    all.emplace(key, value);
    return all;
  };
  impl_->first_token.Add(labels, kSeconds).Observe(s.first_token_seconds);
  impl_->duration.Add(labels, kSeconds).Observe(s.total_seconds);
  if (s.generated_tokens > 1) {
    impl_->per_token.Add(labels, kTokenSeconds)
        .Observe((s.total_seconds - s.first_token_seconds) /
                 static_cast<double>(s.generated_tokens - 1));
  }
  impl_->stage.Add(with("stage", "queue"), kSeconds).Observe(s.queue_seconds);
  if (s.image_tokens > 0) {
    impl_->stage.Add(with("stage", "fetch"), kSeconds).Observe(s.fetch_seconds);
    impl_->stage.Add(with("stage", "image"), kSeconds).Observe(s.image_seconds);
    impl_->stage.Add(with("stage", "tower"), kSeconds).Observe(s.tower_seconds);
  }
  const auto count = [&](const char* kind, std::int64_t tokens) {
    impl_->tokens.Add(with("kind", kind)).Increment(static_cast<double>(tokens));
  };
  count("prompt", s.prompt_tokens);
  count("image", s.image_tokens);
  count("cached", s.cached_tokens);
  count("generated", s.generated_tokens);
}

void Metrics::refused(std::string_view reason) {
  impl_->refusals.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::responded(unsigned status) {
  impl_->responses.Add({{"status", std::to_string(status)}}).Increment();
}

void Metrics::running(std::string_view model, int change) {
  impl_->running.Add({{"model", std::string(model)}}).Increment(change);
}

void Metrics::waiting(std::string_view model, int change) {
  impl_->waiting.Add({{"model", std::string(model)}}).Increment(change);
}

void Metrics::connections(int change) { impl_->connections.Increment(change); }

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace ocellus::server
