/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling a virtual machine's VMM that a cable was plugged or pulled: QEMU by QMP (set_link), vm-runner by its control socket
 * (nic.link). One short conversation per change, never waited for: it has an end after two seconds. Control thread only.
 */
#ifndef CONTROL_GUEST_LINK_H
#define CONTROL_GUEST_LINK_H

#include <event2/event.h>

#include "model_link.h"

struct guest_link;

/**
 * guest_link_tell() - Begin
 * @done: called from the loop, once, with 0 or a sentence; not called when the conversation is cut by guest_link_free()
 * Return: owned by the caller, who frees it in @done at the earliest; NULL when it could not begin.
 */
struct guest_link *guest_link_tell(struct event_base *base, const struct model_link *link, bool up,
				   void (*done)(const char *why, void *arg), void *arg);

/** guest_link_free() - Also in the middle of it; NULL is fine */
void guest_link_free(struct guest_link *guest);

#endif
