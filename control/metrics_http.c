/* SPDX-License-Identifier: BSD-3-Clause */
/* netloomd's HTTP listener: read-only counters, no token, and therefore nothing that a request could change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "http/http.h"
#include "metrics.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_server {
	struct control *control;
	struct http_server *http;
	char hostname[65];
	const char *hosts[2];
};

static void answer(struct http_request *request, void *arg)
{
	const struct metrics_server *server = arg;
	struct evbuffer *text;
	size_t len;

	if (strcmp(http_method(request), "GET") != 0 && strcmp(http_method(request), "HEAD") != 0) {
		http_reply_text(request, 405, "only GET; nothing can be changed here\n");
	} else if (strcmp(http_path(request), "/") == 0) {
		http_reply_text(request, 200, "netloomd: its metrics are at /metrics\n");
	} else if (strcmp(http_path(request), "/metrics") != 0) {
		http_reply_text(request, 404, "not here; the metrics are at /metrics\n");
	} else {
		text = evbuffer_new();
		if (text == NULL) {
			http_reply_text(request, 503, "out of memory\n");
			return;
		}
		metrics_print(server->control, text);
		len = evbuffer_get_length(text);
		http_reply(request, 200, METRICS_TYPE, evbuffer_pullup(text, -1), len);
		evbuffer_free(text);
	}
}

int metrics_server_new(struct control *control, const char *listen, struct metrics_server **out,
		       struct err *err)
{
	struct metrics_server *server = calloc(1, sizeof(*server));
	struct http_options options = {.listen = listen, .handle = answer, .arg = server};
	int rc;

	if (server == NULL)
		return err_set(err, ENOMEM, "out of memory");
	server->control = control;
	if (gethostname(server->hostname, sizeof(server->hostname) - 1) == 0)
		server->hosts[0] = server->hostname;
	options.hosts = server->hosts;
	rc = http_server_new(control->base, &options, &server->http, err);
	if (rc < 0) {
		free(server);
		return rc;
	}
	log_info("metrics: %s/metrics", http_server_url(server->http));
	*out = server;
	return 0;
}

void metrics_server_free(struct metrics_server *server)
{
	if (server == NULL)
		return;
	http_server_free(server->http);
	free(server);
}
