/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: one table of commands, one file per command (cmd_*.c).
 *
 * Exit statuses are part of the interface: scripts rely on them, `netloom --help` lists them.
 */
#ifndef LAB_CLI_H
#define LAB_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "topo/topo.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	 /* it was tried and did not work */
	CLI_USAGE = 2,	 /* wrong command line */
	CLI_INVALID = 3, /* the lab file has errors; nothing was touched */
	CLI_ABSENT = 4,	 /* no such lab, node, port; or nothing runs */
	CLI_INTERRUPTED = 130,
	CLI_EXEC_FAILED = 255, /* `exec`: netloom failed; other statuses are the guest's */
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;   /* one line for the list */
	const char *help;      /* teaches: what, options, an example, exit statuses where special */
	int (*run)(const struct command *command, int argc, char **argv);
};

/** cli_options() - getopt_long() over the command's own options and --help
 *
 * @short_options: as for getopt, without `h`; starts with `+` to stop at the first argument
 * @long_options:  without --help; ended by a zero entry
 *
 * Return: as getopt_long(); on --help it prints and exits, on an unknown option it exits with CLI_USAGE.
 */
int cli_option(const struct command *command, int argc, char **argv, const char *short_options,
	       const struct option *long_options);

/** cli_usage() - Complain about the command line. Return: CLI_USAGE */
int cli_usage(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** cli_fail() - Print what is in @err and give the exit status that fits -errno @rc */
int cli_fail(int rc, const struct err *err);

/** cli_print_json() - Print and release an object. Return: CLI_OK */
struct json_t;
int cli_print_json(struct json_t *object);

/** cli_catch_interrupts() - From now on Ctrl-C and SIGTERM set jsonline_interrupted */
void cli_catch_interrupts(void);

/**
 * cli_node_split() - Take LAB/NODE or LAB/NODE:IF apart
 * @ifname: may be NULL: then no `:IF` is allowed; otherwise it must be there
 *
 * Return: 0 or -EINVAL with a sentence.
 */
int cli_node_split(const char *text, char lab[TOPO_NAME_MAX + 1], char node[TOPO_NAME_MAX + 1],
		   char ifname[TOPO_IFNAME_MAX + 1], struct err *err);

/** cli_commands() - The table, in netloom.c */
const struct command *cli_commands(size_t *n);

/** completion_main() - Print what the last of these words, behind `netloom`, may become */
int completion_main(int n, char **words);

/* The commands; the table is in netloom.c. */
int cmd_validate(const struct command *command, int argc, char **argv);
int cmd_up(const struct command *command, int argc, char **argv);
int cmd_down(const struct command *command, int argc, char **argv);
int cmd_ps(const struct command *command, int argc, char **argv);
int cmd_events(const struct command *command, int argc, char **argv);
int cmd_graph(const struct command *command, int argc, char **argv);
int cmd_top(const struct command *command, int argc, char **argv);
int cmd_doctor(const struct command *command, int argc, char **argv);
int cmd_completion(const struct command *command, int argc, char **argv);
int cmd_web(const struct command *command, int argc, char **argv);
int cmd_show(const struct command *command, int argc, char **argv);
int cmd_console(const struct command *command, int argc, char **argv);
int cmd_exec(const struct command *command, int argc, char **argv);
int cmd_link(const struct command *command, int argc, char **argv);
int cmd_log(const struct command *command, int argc, char **argv);
int cmd_start(const struct command *command, int argc, char **argv);
int cmd_stop(const struct command *command, int argc, char **argv);
int cmd_restart(const struct command *command, int argc, char **argv);
int cmd_test(const struct command *command, int argc, char **argv);
int cmd_queue(const struct command *command, int argc, char **argv);
int cmd_wire(const struct command *command, int argc, char **argv);
int cmd_switch(const struct command *command, int argc, char **argv);
int cmd_uplink(const struct command *command, int argc, char **argv);
int cmd_vtep(const struct command *command, int argc, char **argv);
int cmd_vni(const struct command *command, int argc, char **argv);
int cmd_mirror(const struct command *command, int argc, char **argv);
int cmd_sflow(const struct command *command, int argc, char **argv);
int cmd_trace(const struct command *command, int argc, char **argv);
int cmd_bench(const struct command *command, int argc, char **argv);
int cmd_capture(const struct command *command, int argc, char **argv);
int cmd_port(const struct command *command, int argc, char **argv);

#endif
