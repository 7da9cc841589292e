/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: frames of ports as pcapng, into a file or a pipe. netloomd makes the blocks, capfile.c writes them.
 *
 * netloomd that goes away and comes back (a new version, a crash) is waited for; the file gets a second section then. A
 * machine that is restarted keeps its port, so nothing has to be done for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/capfile.h"
#include "lab/cli.h"
#include "lab/jsonline.h"
#include "lab/rpc.h"
#include "lab/target.h"
#include "lab/term.h"

#define COME_BACK_S 60
#define END_WAIT_MS 10000 /* for the rest, once we said that we want no more */

static int capture_begin(struct rpc *rpc, json_t *params, struct err *err)
{
	int rc = rpc_open(rpc, err);

	if (rc < 0)
		return rc;
	rc = rpc_call(rpc, "capture", json_deep_copy(params), NULL, err);
	if (rc < 0)
		rpc_close(rpc);
	return rc;
}

/*
 * Return: 0 when the stream has ended because we asked, 1 when it ended by itself, or -errno; -EPIPE when the reader has gone,
 * which is found without a frame to write too.
 */
static int capture_copy(struct rpc *rpc, struct capfile *file, struct err *err)
{
	struct pollfd pollers[] = {{.fd = rpc->line.fd, .events = POLLIN},
				   {.fd = file->rotate_bytes == 0 ? file->fd : -1}};
	uint64_t give_up_ns = 0;
	static uint8_t bytes[1 << 16];
	int rc = capfile_feed(file, (const uint8_t *)rpc->line.buffer, rpc->line.len, err);

	rpc->line.len = 0;
	while (rc == 0) {
		ssize_t n;

		if (give_up_ns == 0 && (jsonline_interrupted || file->is_full)) {
			shutdown(rpc->line.fd, SHUT_WR);
			give_up_ns = clock_now_ns() + END_WAIT_MS * CLOCK_NS_PER_MS;
		}
		if (give_up_ns != 0 && clock_now_ns() > give_up_ns)
			return 0;
		if (poll(pollers, 2, 100) <= 0)
			continue;
		if ((pollers[1].revents & (POLLERR | POLLHUP)) != 0)
			return -EPIPE;
		n = recv(rpc->line.fd, bytes, sizeof(bytes), 0);
		if (n > 0)
			rc = capfile_feed(file, bytes, (size_t)n, err);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return give_up_ns != 0 ? 0 : 1;
	}
	return rc;
}

/* Return: 0 when it is back, -EINTR, or -errno when it does not come. */
static int capture_again(struct rpc *rpc, json_t *params, struct err *err)
{
	uint64_t until = clock_now_ns() + COME_BACK_S * CLOCK_NS_PER_SECOND;
	int rc;

	fprintf(stderr, "netloom: netloomd has gone; waiting %d s for it to come back\n",
		COME_BACK_S);
	do {
		err->text[0] = '\0';
		poll(NULL, 0, 200);
		rc = capture_begin(rpc, params, err);
	} while (rc < 0 && !jsonline_interrupted && clock_now_ns() < until);
	return jsonline_interrupted && rc < 0 ? -EINTR : rc;
}

static int capture_run(json_t *params, struct capfile *file)
{
	struct err err = {.text = ""};
	struct rpc rpc;
	int rc;

	cli_catch_interrupts();
	signal(SIGPIPE, SIG_IGN);
	rc = capture_begin(&rpc, params, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	rc = capfile_open(file, &err);
	if (rc < 0) {
		rpc_close(&rpc);
		return cli_fail(
			-EIO,
			&err); /* whatever keeps us from writing: nothing of a lab is missing */
	}
	fputs("capturing; Ctrl-C ends it\n", stderr);
	do {
		rc = capture_copy(&rpc, file, &err);
		rpc_close(&rpc);
		if (rc == 1)
			rc = capture_again(&rpc, params, &err) == 0 ? 1 : -ECONNRESET;
	} while (rc == 1);
	if (rc == -ECONNRESET && jsonline_interrupted)
		rc = 0;
	if (capfile_close(file, &err) < 0 && rc == 0)
		rc = -EIO;
	fprintf(stderr, "%" PRIu64 " frames captured, %" PRIu64 " lost%s\n", file->n_packets,
		capfile_lost(file), rc == -EPIPE ? "; the reader has closed the pipe" : "");
	return rc < 0 && rc != -EPIPE ? cli_fail(rc, &err) : CLI_OK;
}

static int list_print(void)
{
	static const char *const headings[] = {">ID",	  "OF",	   "WHAT", "FILTER",
					       ">FRAMES", ">LOST", ">AGE", NULL};
	struct err err = {.text = ""};
	json_t *result = NULL, *item, *name;
	struct table table;
	size_t i, k;
	int rc = rpc_once("capture.list", NULL, &result, &err);

	if (rc < 0)
		return cli_fail(rc, &err);
	table_init(&table, headings);
	json_array_foreach (json_object_get(result, "captures"), i, item) {
		char of[256] = "", age[32];
		size_t used = 0;

		json_array_foreach (json_object_get(item, "targets"), k, name) {
			used += (size_t)snprintf(of + used, sizeof(of) - used, "%s%s",
						 k > 0 ? " " : "", json_string_value(name));
			if (used >= sizeof(of) - 1)
				break;
		}
		table_add(&table, "%lld",
			  (long long)json_integer_value(json_object_get(item, "id")));
		table_add(&table, "%s", of);
		table_add(&table, "%s%s%s", json_is_true(json_object_get(item, "in")) ? "in " : "",
			  json_is_true(json_object_get(item, "out")) ? "out " : "",
			  json_is_true(json_object_get(item, "drops")) ? "drops" : "");
		table_add(&table, "%s", json_string_value(json_object_get(item, "filter")));
		table_add(&table, "%lld",
			  (long long)json_integer_value(json_object_get(item, "frames")));
		table_add(&table, "%lld",
			  (long long)json_integer_value(json_object_get(item, "lost")));
		table_add(&table, "%s",
			  term_duration(json_integer_value(json_object_get(item, "age_s")), age,
					sizeof(age)));
	}
	table_print(&table, stdout);
	json_decref(result);
	return CLI_OK;
}

/* "100MB:10" */
static int rotate_read(const char *text, struct capfile *file)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {{"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"", 1}};
	char *at;
	unsigned long long n = strtoull(text, &at, 10);

	if (at == text || text[0] == '-' || n == 0 || n > UINT32_MAX)
		return -EINVAL;
	for (size_t i = 0; file->rotate_bytes == 0; i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(at, units[i].name, len) == 0) {
			at += len;
			file->rotate_bytes = n * units[i].bytes;
		}
	}
	file->rotate_files = CAPFILE_ROTATE_MAX;
	if (*at == ':') {
		const char *files = at + 1;

		n = strtoull(files, &at, 10);
		if (at == files || files[0] == '-' || n < 2 || n > CAPFILE_ROTATE_MAX)
			return -EINVAL;
		file->rotate_files = (uint32_t)n;
	}
	return *at == '\0' && file->rotate_bytes >= 10000 ? 0 : -EINVAL;
}

static int number_read(const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || text[0] == '-' || n == 0 || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

static int targets_read(const struct command *command, int n, char **names, json_t *params)
{
	json_t *list = json_array();

	json_object_set_new(params, "targets", list);
	if (n == 0)
		return cli_usage(command, "of what? A port like campus/h1:eth1, a switch like "
					  "campus/sw1, or a lab");
	for (int i = 0; i < n; i++) {
		struct err err = {.text = ""};
		char name[TARGET_MAX];
		int rc = target_name(names[i], name, &err);

		if (rc < 0)
			return cli_fail(rc, &err);
		json_array_append_new(list, json_string(name));
	}
	return CLI_OK;
}

int cmd_capture(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"write", required_argument, NULL, 'w'},
						{"filter", required_argument, NULL, 'f'},
						{"direction", required_argument, NULL, 'd'},
						{"drops", no_argument, NULL, 'D'},
						{"snaplen", required_argument, NULL, 's'},
						{"rotate", required_argument, NULL, 'r'},
						{"count", required_argument, NULL, 'c'},
						{"buffer", required_argument, NULL, 'b'},
						{"list", no_argument, NULL, 'l'},
						{0}};
	struct capfile file = {.path = "-", .fd = -1};
	json_t *params = json_object();
	const char *direction = NULL;
	bool drops = false, list = false;
	const char *wrong = NULL;
	uint64_t number = 0;
	int key, rc;

	while ((key = cli_option(command, argc, argv, "w:f:c:s:", options)) != -1) {
		if (key == 'w')
			file.path = optarg;
		else if (key == 'f' &&
			 json_object_set_new(params, "filter", json_string(optarg)) < 0)
			wrong = "the filter is not UTF-8";
		else if (key == 'd')
			direction = optarg;
		else if (key == 'D')
			drops = true;
		else if (key == 'l')
			list = true;
		else if (key == 'r' && rotate_read(optarg, &file) < 0)
			wrong = "--rotate takes a size of 10KB or more and 2 to 1000 files, like "
				"100MB:10";
		else if (key == 'c' && number_read(optarg, UINT64_MAX, &file.max_packets) < 0)
			wrong = "--count takes a number of frames, from 1";
		else if (key == 's' || key == 'b') {
			if (number_read(optarg, 1u << 20, &number) < 0)
				wrong = "--snaplen takes a number of bytes, --buffer of KiB";
			json_object_set_new(params, key == 's' ? "snaplen" : "buffer_kb",
					    json_integer((json_int_t)number));
		}
	}
	if (drops)
		json_object_set_new(params, "drops", json_true());
	if (direction != NULL && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0 &&
	    strcmp(direction, "both") != 0)
		wrong = "--direction is in, out or both, as the switch sees it";
	else if (direction != NULL || drops)
		json_object_set_new(params, "direction",
				    json_string(direction != NULL ? direction : "none"));
	if (wrong == NULL && file.rotate_bytes != 0 && strcmp(file.path, "-") == 0)
		wrong = "--rotate needs -w FILE: a pipe cannot be begun anew";
	if (wrong == NULL && !list && strcmp(file.path, "-") == 0 && isatty(STDOUT_FILENO))
		wrong = "pcapng is not for a terminal: -w FILE, or a pipe into tshark -r -";
	if (wrong != NULL)
		rc = cli_usage(command, "%s", wrong);
	else if (list)
		rc = list_print();
	else
		rc = targets_read(command, argc - optind, argv + optind, params);
	if (rc == CLI_OK && !list)
		rc = capture_run(params, &file);
	json_decref(params);
	return rc;
}
