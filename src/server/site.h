// What all routes of a server work with.
#pragma once

#include <functional>

#include "server/access.h"
#include "server/metrics.h"
#include "server/models.h"

namespace ocellus::server {

// Outlives the connections. Everything in it may be used from any loop.
struct Site {
  ServedModels models;
  Metrics metrics;
  Access access;
  std::function<bool()> draining;
};

}  // namespace ocellus::server
