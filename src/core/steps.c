/* SPDX-License-Identifier: MIT */
#include "core/steps.h"

#define STEP_ROW(op, side, name, call, does, rule) [STEP_##op] = { PIDBOX_SIDE_##side, name },
const struct step_row step_rows[STEP_MAX_] = { STEPS(STEP_ROW) };
