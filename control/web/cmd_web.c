/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>

#include "lab/cli.h"
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

static int serve(const struct page_options *options, struct err *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct event_base *base = event_base_new();
	struct event *events[3] = {NULL};
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
	if (rc == 0)
		rc = page_new(base, options, &page, err);
	if (rc == 0) {
		printf("%s\n", page_url(page));
		fprintf(stderr,
			"Open this address in a browser; Ctrl-C ends the page, and only the "
			"page.\n");
		fflush(stdout);
		event_base_dispatch(base);
	}
	page_free(page);
	for (int i = 0; i < 3; i++) {
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
						{0}};
	const char *hosts[HOSTS_MAX + 1] = {NULL};
	struct page_options page = {.listen = LISTEN_DEFAULT, .hosts = hosts};
	struct err err = {.text = ""};
	struct stored_lab stored;
	size_t n_hosts = 0;
	int key, rc;

	while ((key = cli_option(command, argc, argv, "l:", options)) != -1) {
		if (key == 'l')
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
	rc = serve(&page, &err);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
