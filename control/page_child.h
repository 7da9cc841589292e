/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page that netloomd has served (--web): `netloom web` as a child, started again when it ends.
 *
 * It is a process of its own because it starts machines, opens consoles and reads labs, of which the switch knows nothing, and
 * because a browser's requests stay away from the thread that configures the switch. Its standard input is a pipe that nobody
 * writes to: however netloomd ends, the page ends with it. Control thread only.
 */
#ifndef CONTROL_PAGE_CHILD_H
#define CONTROL_PAGE_CHILD_H

#include <event2/event.h>

#include "base/err.h"

struct page_child;

/**
 * page_child_new() - Start the page
 * @listen: as `netloom web --listen` takes it; borrowed for as long as the child lives
 * Return: 0 or -errno. A page that cannot listen says so in the log, and is tried again now and then.
 */
int page_child_new(struct event_base *base, const char *listen, struct page_child **out,
		   struct err *err);

/** page_child_free() - End the page; NULL is fine */
void page_child_free(struct page_child *child);

/** page_child_url() - With the token, borrowed; "" while there is none. @child may be NULL. */
const char *page_child_url(const struct page_child *child);

#endif
