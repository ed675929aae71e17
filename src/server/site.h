// What all routes of a server work with.
#pragma once

#include <functional>

#include "runtime/blocking.h"
#include "runtime/runtime.h"
#include "server/access.h"
#include "server/metrics.h"
#include "server/models.h"

namespace ocellus::server {

// Outlives the connections. Everything in it may be used from any loop.
struct Site {
  runtime::Runtime& runtime;
  ServedModels models;
  Metrics metrics;
  Access access;
  std::function<bool()> draining;
  // Large bodies are read here.
  runtime::BlockingPool parsers{"ocellus-parse", 2};
};

}  // namespace ocellus::server
