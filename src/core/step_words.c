/* SPDX-License-Identifier: MIT */
#include "core/steps.h"

#define STEP_WORDS(op, side, name, call, does, rule) [STEP_##op] = { call, does, rule },
const struct step_words step_words[STEP_MAX_] = { STEPS(STEP_WORDS) };
