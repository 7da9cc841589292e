/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the page's server know of each other. */
#ifndef CONTROL_WEB_PAGE_PARTS_H
#define CONTROL_WEB_PAGE_PARTS_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "http/http.h"

/** page_reply_error() - {"error": sentence} with a status */
void page_reply_error(struct http_request *request, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** page_reply_json() - Steals @object */
void page_reply_json(struct http_request *request, unsigned int status, json_t *object);

/** page_body_json() - The body as an object, new reference; NULL: it has been answered with what is wrong */
json_t *page_body_json(struct http_request *request);

/** page_text_of() - A string of an object, borrowed, or NULL */
const char *page_text_of(const json_t *object, const char *key);

/** page_word_is_good() - What a netloom command line may be made of; never an option */
bool page_word_is_good(const char *word, size_t max);

/**
 * action_run() - POST /api/action
 *
 *   {"do": "start"|"stop"|"restart", "node": "LAB/NODE", "force"?}
 *   {"do": "link", "target": "LAB/NODE:IF", "words": ["delay", "20ms", ...]}   as behind `netloom link set TARGET`;
 *    and "direction"?: "in"|"out"|"both"
 *   {"do": "admin", "port": NAME, "admin": "up"|"down"}                        of a port made by hand
 */
void action_run(struct event_base *base, struct http_request *request);

/** action_gone() - The client of an action that runs has gone; the action goes on */
void action_gone(struct http_request *request);

/** capture_run() - POST /api/capture: answered when the first bytes are there, or with what netloom refused */
void capture_run(struct event_base *base, struct http_request *request);

/** capture_gone() - The client of a capture that was not answered yet has gone; the capture ends */
void capture_gone(struct http_request *request);

/** console_open() - GET /api/console */
void console_open(struct event_base *base, struct http_request *request);

/** console_type() - POST /api/console */
void console_type(struct http_request *request);

/** console_close_all() - Let go of all guests; their streams are gone already */
void console_close_all(void);

#endif
