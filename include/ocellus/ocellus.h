// Ocellus: questions about pictures, answered natively. Start at Registry in model.h.
#pragma once

#include "ocellus/answer.h"
#include "ocellus/decision.h"
#include "ocellus/error.h"
#include "ocellus/log.h"
#include "ocellus/message.h"
#include "ocellus/model.h"
#include "ocellus/ocellus_version.h"
#include "ocellus/options.h"
#include "ocellus/picture.h"
