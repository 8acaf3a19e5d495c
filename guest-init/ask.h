/* SPDX-License-Identifier: Apache-2.0 */
/* ask - what the host wants to know or have done while the container runs (PROTO_ASK). */
#ifndef GUEST_INIT_ASK_H
#define GUEST_INIT_ASK_H

#include "guest-init/proto.h"

/*
 * ask_answer - carry out one question
 * @cgroup: directory of the container's cgroup, or -1
 * @out:    the ANSWER to send
 */
void ask_answer(const struct proto_ask *q, int cgroup, struct proto_event *out);

#endif
