/* SPDX-License-Identifier: MIT */
/* A process as JSON and as a row for people, for all verbs that show some. */
#ifndef CLI_PROCESS_WORDS_H
#define CLI_PROCESS_WORDS_H

#include "base/sink.h"

#include <pidbox.h>

void process_json(struct sink *s, const struct pidbox_process *p);
/** Say on standard error that not all is shown. own: of the caller's own namespace, in which all that there are are */
void processes_note(bool own, uint64_t unseen);

#endif
