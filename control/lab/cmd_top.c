/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom top` on a terminal: the alternate screen, keys, its size. What is on it is top.c's. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/cli.h"
#include "lab/jsonline.h"
#include "lab/rpc.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "lab/top.h"

#define INTERVAL_MS   1000
#define ONCE_COLUMNS  120
#define ONCE_ROWS     10000
#define SPEED_BPS     10e9
#define KEYS	      "q quit  s sort  space pause  arrows scroll"
#define ALTERNATE_ON  "\033[?1049h\033[?25l"
#define ALTERNATE_OFF "\033[?25h\033[?1049l"

static struct termios tty_before;

static int look(struct top *top, struct rpc *rpc, struct err *err)
{
	json_t *status = NULL, *ports = NULL, *drops = NULL;
	int rc = rpc_call(rpc, "status", NULL, &status, err);

	if (rc == 0)
		rc = rpc_call(rpc, "port.list", NULL, &ports, err);
	if (rc == 0)
		rc = rpc_call(rpc, "drops", NULL, &drops, err);
	if (rc == 0) {
		top_look(top, clock_now_ns(), status, ports, drops);
		return 0;
	}
	json_decref(status);
	json_decref(ports);
	json_decref(drops);
	return rc;
}

static void screen_draw(struct top *top, bool paused)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct top_screen screen;
	char foot[128], *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (memory == NULL)
		return;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen = (struct top_screen){.out = memory,
				     .columns = size.ws_col > 0 ? size.ws_col : 80,
				     .rows = size.ws_row > 2 ? size.ws_row - 1u : 2,
				     .colour = term_has_colour(stdout)};
	top_draw(top, &screen);
	fclose(memory);
	/* Each line clears what was behind it: no flicker, and nothing old stays. */
	fputs("\033[H", stdout);
	for (char *from = text, *end; *from != '\0'; from = end + 1) {
		end = strchr(from, '\n');
		if (end == NULL)
			break;
		printf("%.*s\033[K\n", (int)(end - from), from);
	}
	snprintf(foot, sizeof(foot), KEYS "  by %s%s", top_sort_name(top->sort),
		 paused ? "  PAUSED" : "");
	printf("\033[J\033[%u;1H%s%.*s", size.ws_row, term_paint(stdout, TERM_DIM),
	       (int)size.ws_col, foot);
	printf("%s\033[K", term_paint(stdout, TERM_PLAIN));
	fflush(stdout);
	free(text);
}

/* Return: false to quit. */
static bool key_do(struct top *top, const char *keys, size_t len, bool *paused)
{
	for (size_t i = 0; i < len; i++) {
		if (keys[i] == 'q' || keys[i] == 3)
			return false;
		if (keys[i] == 's')
			top->sort = (top->sort + 1) % TOP_SORTS;
		else if (keys[i] == ' ')
			*paused = !*paused;
		else if (keys[i] == 'j')
			top->first++;
		else if (keys[i] == 'k')
			top->first -= top->first > 0;
		if (keys[i] != 27 || i + 2 >= len || keys[i + 1] != '[')
			continue;
		switch (keys[i + 2]) {
		case 'A':
			top->first -= top->first > 0;
			break;
		case 'B':
			top->first++;
			break;
		case '5':
			top->first -= top->first > 20 ? 20 : top->first;
			break;
		case '6':
			top->first += 20;
			break;
		}
		i += 2;
	}
	return true;
}

static int run(struct top *top, struct rpc *rpc, struct err *err)
{
	uint64_t next_ns = 0;
	bool paused = false;

	for (;;) {
		struct pollfd poller = {.fd = STDIN_FILENO, .events = POLLIN};
		uint64_t now = clock_now_ns();
		char keys[64];
		ssize_t got;
		int rc;

		if (jsonline_interrupted)
			return 0;
		if (!paused && now >= next_ns) {
			rc = look(top, rpc, err);
			if (rc < 0)
				return rc == -EINTR ? 0 : rc;
			next_ns = clock_now_ns() + INTERVAL_MS * CLOCK_NS_PER_MS;
		}
		screen_draw(top, paused);
		now = clock_now_ns();
		rc = poll(&poller, 1,
			  paused	  ? INTERVAL_MS
			  : next_ns > now ? (int)((next_ns - now) / CLOCK_NS_PER_MS) + 1
					  : 0);
		if (rc <= 0)
			continue;
		got = read(STDIN_FILENO, keys, sizeof(keys));
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (got > 0 && !key_do(top, keys, (size_t)got, &paused))
			return 0;
	}
}

static int run_on_terminal(struct top *top, struct rpc *rpc, struct err *err)
{
	struct termios raw;
	int rc;

	tcgetattr(STDIN_FILENO, &tty_before);
	raw = tty_before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	fputs(ALTERNATE_ON, stdout);
	rc = run(top, rpc, err);
	fputs(ALTERNATE_OFF, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &tty_before);
	return rc;
}

static int run_once(struct top *top, struct rpc *rpc, struct err *err)
{
	struct top_screen screen = {.out = stdout, .columns = ONCE_COLUMNS, .rows = ONCE_ROWS};
	int rc = look(top, rpc, err);

	if (rc == 0) {
		poll(NULL, 0, INTERVAL_MS);
		rc = look(top, rpc, err);
	}
	if (rc == 0)
		top_draw(top, &screen);
	return rc;
}

/* "10G", "1000M": bits a second. */
static double speed_read(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !(value > 0) || value > 1e6)
		return 0;
	value *= *end == 'T' ? 1e12 : *end == 'G' ? 1e9 : *end == 'M' ? 1e6 : *end == 'k' ? 1e3 : 0;
	return end[0] != '\0' && end[1] == '\0' ? value : 0;
}

int cmd_top(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"once", no_argument, NULL, '1'},
						{"speed", required_argument, NULL, 'p'},
						{"sort", required_argument, NULL, 's'},
						{0}};
	struct top top = {.speed_bps = SPEED_BPS};
	struct err err = {.text = ""};
	struct stored_lab stored;
	bool once = false;
	struct rpc rpc;
	int key, rc;

	while ((key = cli_option(command, argc, argv, "", options)) != -1) {
		once |= key == '1';
		if (key == 'p')
			top.speed_bps = speed_read(optarg);
		if (key == 'p' && top.speed_bps <= 0)
			return cli_usage(command, "--speed: \"%.20s\" is no speed like 10G or 100M",
					 optarg);
		if (key != 's')
			continue;
		for (top.sort = TOP_BY_RATE; top.sort < TOP_SORTS; top.sort++) {
			if (strcmp(optarg, top_sort_name(top.sort)) == 0)
				break;
		}
		if (top.sort == TOP_SORTS)
			return cli_usage(
				command,
				"--sort: \"%.20s\" is none of rate, packets, drops and name",
				optarg);
	}
	if (argc - optind > 1)
		return cli_usage(command, "one lab at most");
	if (optind < argc) {
		top.lab = argv[optind];
		rc = stored_load(top.lab, &stored, &err);
		if (rc < 0)
			return cli_fail(rc, &err);
		topo_free(&stored.topo);
	}
	if (!once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return cli_usage(command, "this is no terminal; --once prints one look");
	rc = rpc_open(&rpc, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	cli_catch_interrupts();
	rc = once ? run_once(&top, &rpc, &err) : run_on_terminal(&top, &rpc, &err);
	rpc_close(&rpc);
	top_forget(&top);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
