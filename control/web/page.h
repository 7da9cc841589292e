/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page's server: files without a token, everything under /api/ with one.
 *
 *   GET  /api/stream             what there is and what happens, one JSON object a line, for as long as one listens
 *   GET  /api/detail?kind&name   one port, switch or node closely
 *   POST /api/action             {"do", ...}: runs one netloom command, see action.h
 *   POST /api/capture            {"target", "filter"?, "count"?}: pcapng, until the reader goes
 *   GET  /api/console?node       what the guest prints, base 64 in JSON lines
 *   POST /api/console?node       what is typed
 *
 * One thread, the loop's.
 */
#ifndef CONTROL_WEB_PAGE_H
#define CONTROL_WEB_PAGE_H

#include <event2/event.h>

#include "base/err.h"

#define PAGE_TOKEN_CHARS 32

struct page;

struct page_options {
	const char *listen;
	const char *const *hosts; /* further names of this machine, NULL-terminated, or NULL */
	const char *lab;	  /* only this one, or NULL */
};

int page_new(struct event_base *base, const struct page_options *options, struct page **out,
	     struct err *err);
void page_free(struct page *page);

/** page_url() - With the token in its fragment, which a browser does not send anywhere */
const char *page_url(const struct page *page);

#endif
