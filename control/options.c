/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNDIR_DEFAULT "/run/netloom"

static const char help[] =
	"netloomd - a poll-mode switch for virtual machines\n"
	"\n"
	"Usage: netloomd [OPTION...]\n"
	"\n"
	"It stays in the foreground and logs to stderr. What it switches is set through its "
	"JSON-RPC\n"
	"socket, by `netloom` or by hand:\n"
	"  echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}' | socat -t5 - "
	"UNIX:" RUNDIR_DEFAULT "/netloomd.sock\n"
	"\n"
	"Where things are\n"
	"  --socket PATH      RPC socket, mode 0660 (default: RUNDIR/netloomd.sock)\n"
	"  --state FILE       switches, ports and static entries are kept here and come back at "
	"the next\n"
	"                     start (default: RUNDIR/state.json)\n"
	"  --pidfile FILE     write the process id there\n"
	"                     RUNDIR is $NETLOOM_RUNDIR, by default " RUNDIR_DEFAULT ".\n"
	"\n"
	"Datapath\n"
	"  --threads N        datapath threads, 1..16 (default: 1)\n"
	"  --cpus LIST        pin them, one CPU each, such as 2,4-5 (default: not pinned)\n"
	"  --poll MODE        adaptive: threads sleep when there is nothing to do (default)\n"
	"                     busy: never sleep; lowest latency, one CPU each all the time\n"
	"  --idle-us N        adaptive: sleep after so many microseconds without a frame (default: "
	"200);\n"
	"                     threads that only have TAP ports and uplinks sleep at once\n"
	"  --balance MODE     auto: when one thread is busy and another has room, queues of ports "
	"move\n"
	"                     from the one to the other (default); off: only as `netloom queue` "
	"says\n"
	"  --fdb-entries N    stations to remember, 1024..16777216 (default: 131072)\n"
	"  --huge             use 2 MiB hugepages, or refuse to start\n"
	"  --no-huge          do without hugepages\n"
	"                     Default: hugepages if enough are free. To reserve 256 MiB of them:\n"
	"                       echo 128 > /proc/sys/vm/nr_hugepages\n"
	"\n"
	"Others\n"
	"  --metrics LISTEN   Prometheus metrics at http://LISTEN/metrics; LISTEN is PORT (on "
	"loopback),\n"
	"                     ADDRESS:PORT or [ADDRESS6]:PORT, by custom 9177 (default: none)\n"
	"  --web LISTEN       have the page served, by a `netloom web` that starts and ends with "
	"netloomd;\n"
	"                     `netloom web` then prints its address and token; by custom 9180 "
	"(default: none)\n"
	"  --telemetry NAME   DPDK's telemetry socket, with commands under /netloom/:\n"
	"                     dpdk-telemetry.py -f NAME (default: none)\n"
	"  --log-level LEVEL  error, warning, info (default) or debug\n"
	"  --foreground       accepted, and always so\n"
	"  -h, --help         this text\n"
	"  -V, --version      print the version\n"
	"\n"
	"SIGTERM and SIGINT end it in order: the socket goes, the state stays, virtual machines "
	"notice\n"
	"only that their network pauses until a netloomd is back.\n"
	"Exit status: 0 ended as asked, 1 could not start, 2 wrong usage.\n";

enum option_key {
	OPT_SOCKET = 256,
	OPT_STATE,
	OPT_PIDFILE,
	OPT_THREADS,
	OPT_CPUS,
	OPT_POLL,
	OPT_IDLE_US,
	OPT_BALANCE,
	OPT_FDB_ENTRIES,
	OPT_HUGE,
	OPT_NO_HUGE,
	OPT_METRICS,
	OPT_WEB,
	OPT_TELEMETRY,
	OPT_LOG_LEVEL,
	OPT_FOREGROUND,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"state", required_argument, NULL, OPT_STATE},
	{"pidfile", required_argument, NULL, OPT_PIDFILE},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"poll", required_argument, NULL, OPT_POLL},
	{"idle-us", required_argument, NULL, OPT_IDLE_US},
	{"balance", required_argument, NULL, OPT_BALANCE},
	{"fdb-entries", required_argument, NULL, OPT_FDB_ENTRIES},
	{"huge", no_argument, NULL, OPT_HUGE},
	{"no-huge", no_argument, NULL, OPT_NO_HUGE},
	{"metrics", required_argument, NULL, OPT_METRICS},
	{"web", required_argument, NULL, OPT_WEB},
	{"telemetry", required_argument, NULL, OPT_TELEMETRY},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int number_read(const char *option, const char *text, unsigned long min, unsigned long max,
		       unsigned long *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *out < min ||
	    *out > max)
		return err_set(err, EINVAL, "%s: \"%s\" is not a number within %lu..%lu", option,
			       text, min, max);
	return 0;
}

static int path_read(const char *option, const char *text, char out[PATH_MAX], struct err *err)
{
	/* Room for the suffixes of the lock and of a new state. */
	if (text[0] == '\0' || strlen(text) >= PATH_MAX - 16)
		return err_set(err, EINVAL, "%s: the path is empty or too long", option);
	snprintf(out, PATH_MAX, "%s", text);
	return 0;
}

/* Return: index in @words, or -EINVAL. */
static int choice_read(const char *option, const char *text, const char *const words[],
		       struct err *err)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	return err_set(err, EINVAL, "%s: \"%s\" is unknown, see --help", option, text);
}

static int option_apply(int key, const char *value, struct options *options, struct err *err)
{
	static const char *const polls[] = {"adaptive", "busy", NULL};
	static const char *const balances[] = {"auto", "off", NULL};
	static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
	unsigned long number = 0;
	int rc = 0;

	switch (key) {
	case OPT_SOCKET:
		return path_read("--socket", value, options->socket, err);
	case OPT_STATE:
		return path_read("--state", value, options->state, err);
	case OPT_PIDFILE:
		return path_read("--pidfile", value, options->pidfile, err);
	case OPT_THREADS:
		rc = number_read("--threads", value, 1, PORT_WORKERS_MAX, &number, err);
		options->datapath.n_workers = (uint16_t)number;
		return rc;
	case OPT_CPUS:
		options->datapath.cpus = value;
		return 0;
	case OPT_POLL:
		rc = choice_read("--poll", value, polls, err);
		options->datapath.poll_mode = rc == 1 ? DATAPATH_BUSY : DATAPATH_ADAPTIVE;
		return rc < 0 ? rc : 0;
	case OPT_IDLE_US:
		rc = number_read("--idle-us", value, 0, 1000000, &number, err);
		options->datapath.idle_us = (uint32_t)number;
		return rc;
	case OPT_BALANCE:
		rc = choice_read("--balance", value, balances, err);
		options->keeps_queues = rc == 1;
		return rc < 0 ? rc : 0;
	case OPT_FDB_ENTRIES:
		rc = number_read("--fdb-entries", value, 1024, 16 << 20, &number, err);
		options->datapath.fdb_capacity = (uint32_t)number;
		return rc;
	case OPT_HUGE:
		options->hugepages = HUGEPAGES_ALWAYS;
		return 0;
	case OPT_NO_HUGE:
		options->hugepages = HUGEPAGES_NEVER;
		return 0;
	case OPT_METRICS:
		options->metrics = value;
		return 0;
	case OPT_WEB:
		options->web = value;
		return 0;
	case OPT_TELEMETRY:
		if (value[0] == '\0' || strlen(value) > 32 ||
		    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(value))
			return err_set(err, EINVAL,
				       "--telemetry: a name has 1 to 32 of a-z 0-9 - _");
		options->datapath.telemetry = value;
		return 0;
	case OPT_LOG_LEVEL:
		rc = choice_read("--log-level", value, levels, err);
		if (rc >= 0)
			options->log_level = (enum log_level)rc;
		return rc < 0 ? rc : 0;
	case OPT_FOREGROUND:
		return 0;
	default:
		return err_set(err, EINVAL, "see netloomd --help");
	}
}

static int paths_default(struct options *options, struct err *err)
{
	const char *rundir = getenv("NETLOOM_RUNDIR");
	char socket[PATH_MAX];

	if (rundir == NULL || rundir[0] == '\0')
		rundir = RUNDIR_DEFAULT;
	if (strlen(rundir) >= PATH_MAX - 32)
		return err_set(err, EINVAL, "NETLOOM_RUNDIR is too long");
	snprintf(socket, sizeof(socket), "%s/netloomd.sock", rundir);
	if (options->socket[0] == '\0')
		strcpy(options->socket, socket);
	if (options->web != NULL && strcmp(options->socket, socket) != 0)
		return err_set(
			err, EINVAL,
			"--web: the page looks for the socket at %s; set NETLOOM_RUNDIR instead "
			"of --socket",
			socket);
	if (options->state[0] == '\0')
		snprintf(options->state, PATH_MAX, "%s/state.json", rundir);
	return 0;
}

int options_parse(int argc, char **argv, struct options *options, struct err *err)
{
	int key, rc;

	memset(options, 0, sizeof(*options));
	options->log_level = LOG_INFO;
	options->datapath.n_workers = 1;
	options->datapath.fdb_capacity = 131072;
	options->datapath.idle_us = 200;
	while ((key = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		if (key == 'h') {
			fputs(help, stdout);
			return OPTIONS_EXIT;
		}
		if (key == 'V') {
			puts("netloomd " NETLOOM_VERSION);
			return OPTIONS_EXIT;
		}
		rc = option_apply(key, optarg, options, err);
		if (rc != 0)
			return rc;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "unexpected argument \"%s\", see --help", argv[optind]);
	rc = paths_default(options, err);
	return rc != 0 ? rc : OPTIONS_RUN;
}
