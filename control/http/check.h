/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may talk to a loopback server: pure functions on what a browser sends. Any thread. */
#ifndef CONTROL_HTTP_CHECK_H
#define CONTROL_HTTP_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/**
 * http_host_is_ours() - Whether a Host header names this server
 * @host:  of the request, or NULL
 * @port:  we listen on
 * @names: further names, NULL-terminated, or NULL
 *
 * An address literal or "localhost" is good, any other name is not: a page of another site that lets its own name
 * resolve to our address (DNS rebinding) sends that name. A port, if given, must be ours.
 */
bool http_host_is_ours(const char *host, unsigned int port, const char *const *names);

/**
 * http_origin_is_ours() - Whether an Origin header is the page this server sent itself
 * @origin: NULL when the request has none, which is good: not a browser's request across sites
 * @host:   of the same request
 */
bool http_origin_is_ours(const char *origin, const char *host);

/** http_token_equal() - Compare in a time that says nothing about where they differ */
bool http_token_equal(const char *given, const char *wanted);

#endif
