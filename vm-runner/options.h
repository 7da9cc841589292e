/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. */
#ifndef VM_OPTIONS_H
#define VM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/net.h"

#define OPTIONS_INITRDS_MAX    8
#define OPTIONS_NETS_MAX       32
#define OPTIONS_DISKS_MAX      16
#define OPTIONS_MEMORY_DEFAULT (UINT64_C(256) << 20)

enum options_mode {
	OPTIONS_RUN, /* a kernel */
	OPTIONS_MICROGUEST,
	OPTIONS_CHECK,
	OPTIONS_HELP,
	OPTIONS_VERSION
};

struct options_port {
	const char *name, *socket;
};

/* Strings point into argv or into static text. */
struct options {
	enum options_mode mode;
	const char *kernel; /* or the microguest's ELF file */
	const char *initrds[OPTIONS_INITRDS_MAX];
	unsigned int n_initrds;
	const char *append;
	uint64_t memory_bytes;
	unsigned int n_cpus;
	bool hugepages;
	struct net_options nets[OPTIONS_NETS_MAX];
	char net_ids[OPTIONS_NETS_MAX][8]; /* "net0", for NICs without an id */
	unsigned int n_nets;
	struct blk_options disks[OPTIONS_DISKS_MAX];
	unsigned int n_disks;
	bool has_console;
	struct console_options console;
	struct options_port ports[CONSOLE_PORTS_MAX];
	unsigned int n_ports;
	const char *serial_log;
	const char *shared; /* for a microguest */
	const char *control;
	const char *name;
	const char *pidfile;
	bool sandbox;
};

/**
 * options_parse() - Understand argv, which is cut up in place at the commas of key=value lists
 * Return: 0, or -EINVAL with a sentence that names the option.
 */
int options_parse(struct options *options, int argc, char **argv, struct err *err);

/**
 * options_net_parse() - Understand what --net says, without comparing it with other cards
 * @text: cut up in place; @net's strings point into it
 * @net:  id is NULL when the text has none
 */
int options_net_parse(struct net_options *net, char *text, struct err *err);

/** options_help() - The text of --help */
const char *options_help(void);

#endif
