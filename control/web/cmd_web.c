/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/rpc.h"
#include "lab/stored.h"
#include "web/page.h"

#define LISTEN_DEFAULT "9180"
#define HOSTS_MAX      8

static void ended(evutil_socket_t signal, short what, void *base)
{
	(void)signal;
	(void)what;
	event_base_loopbreak(base);
}

/* Standard input has ended, and with it who started us. */
static void left(evutil_socket_t fd, short what, void *base)
{
	char buffer[64];

	(void)what;
	if (read(fd, buffer, sizeof(buffer)) <= 0)
		event_base_loopbreak(base);
}

/* The page that netloomd has served already: printed, if there is one. */
static bool netloomd_serves(void)
{
	json_t *status = NULL;
	const char *url;

	if (rpc_once("status", NULL, &status, NULL) < 0)
		return false;
	url = json_string_value(json_object_get(status, "web"));
	if (url != NULL)
		printf("%s\n", url);
	json_decref(status);
	return url != NULL;
}

static int serve(const struct page_options *options, bool is_attached, struct err *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct event_base *base = event_base_new();
	struct event *events[4] = {NULL};
	struct page *page = NULL;
	int rc = 0;

	if (base == NULL)
		return err_set(err, ENOMEM, "out of memory");
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3 && rc == 0; i++) {
		events[i] = evsignal_new(base, signals[i], ended, base);
		if (events[i] == NULL || event_add(events[i], NULL) != 0)
			rc = err_set(err, ENOMEM, "out of memory");
	}
	if (rc == 0 && is_attached) {
		events[3] = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, left, base);
		if (events[3] == NULL || event_add(events[3], NULL) != 0)
			rc = err_set(err, ENOMEM, "out of memory");
	}
	if (rc == 0)
		rc = page_new(base, options, &page, err);
	if (rc == 0) {
		printf("%s\n", page_url(page));
		if (!is_attached)
			fprintf(stderr,
				"Open this address in a browser; Ctrl-C ends the page, and only "
				"the page.\n");
		fflush(stdout);
		event_base_dispatch(base);
	}
	page_free(page);
	for (int i = 0; i < 4; i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
	event_base_free(base);
	return rc;
}

int cmd_web(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
						{"host", required_argument, NULL, 'H'},
						{"attached", no_argument, NULL, 'a'},
						{0}};
	const char *hosts[HOSTS_MAX + 1] = {NULL};
	struct page_options page = {.listen = LISTEN_DEFAULT, .hosts = hosts};
	struct err err = {.text = ""};
	struct stored_lab stored;
	bool is_attached = false, is_own = argc > 1;
	size_t n_hosts = 0;
	int key, rc;

	while ((key = cli_option(command, argc, argv, "l:", options)) != -1) {
		if (key == 'a')
			is_attached = true;
		else if (key == 'l')
			page.listen = optarg;
		else if (n_hosts < HOSTS_MAX)
			hosts[n_hosts++] = optarg;
		else
			return cli_usage(command, "%d names at most", HOSTS_MAX);
	}
	if (argc - optind > 1)
		return cli_usage(command, "one lab at most");
	if (optind < argc) {
		page.lab = argv[optind];
		rc = stored_load(page.lab, &stored, &err);
		if (rc < 0)
			return cli_fail(rc, &err);
		topo_free(&stored.topo);
	}
	if (!is_own && netloomd_serves())
		return CLI_OK;
	rc = serve(&page, is_attached, &err);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
