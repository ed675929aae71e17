// InternVL 2.5 and 3, in transformers' layout or their own. Paper: arXiv:2412.05271. Reference:
// transformers, models/internvl/.
#pragma once

#include "models/families.h"

namespace ocellus::models {

extern const Family kInternVl;

}  // namespace ocellus::models
