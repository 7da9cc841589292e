/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line. Parsing touches nothing but argv; whether files and sockets can be had is found out later
 * by those who open them.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "virtio/virtio.h"

#define MIB	   (UINT64_C(1) << 20)
#define MEMORY_MIN (2 * MIB)
#define MEMORY_MAX (UINT64_C(1) << 42)
#define KEYS_MAX   8

static const char help[] =
	"vm-runner: runs a virtual machine under KVM, its network cards served over vhost-user\n"
	"\n"
	"usage: vm-runner --kernel FILE [OPTIONS]      boot a Linux kernel\n"
	"       vm-runner --microguest ELF [OPTIONS]   run a freestanding program in ring 3\n"
	"       vm-runner --check                      can KVM here run a 64-bit kernel?\n"
	"\n"
	"  --kernel FILE      vmlinuz as packaged, or an uncompressed vmlinux with a PVH entry\n"
	"  --initrd FILE      may be given several times: loaded one behind the other\n"
	"  --append TEXT      kernel command line, e.g. \"console=ttyS0\" or \"console=hvc0\"\n"
	"  --memory SIZE      256M (default), 2G, ...; a multiple of 2M\n"
	"  --cpus N           1 to 64, default 1\n"
	"  --hugepages        memory in 2 MiB hugepages, all reserved at start\n"
	"  --net socket=PATH,mac=MAC[,id=NAME][,queues=N][,mtu=N][,link=up|down]\n"
	"        [,queue_size=N][,offloads=auto|on|off][,packed=on|off]\n"
	"                     a network card; we listen on PATH and the switch connects, as often "
	"as\n"
	"                     it likes. Up to 32. queues: pairs, 1 to 16\n"
	"  --disk file=PATH[,readonly=on|off][,id=NAME]\n"
	"                     a disk (virtio-blk) in a raw file or block device. Up to 16\n"
	"  --console socket=PATH[,log=FILE]\n"
	"                     the console hvc0 on a Unix socket; all of it is also appended to the "
	"log\n"
	"  --port name=NAME,socket=PATH\n"
	"                     a named virtio-serial port, e.g. org.qemu.guest_agent.0. Up to 16\n"
	"  --serial log=FILE  the serial port ttyS0, output only, appended to a file\n"
	"  --shared FILE      for a microguest: a file it sees in its memory, with whoever else "
	"maps it\n"
	"  --control PATH     socket for status, stop, nic.link, nic.add and nic.remove,\n"
	"                     one JSON object per line\n"
	"  --name TEXT        shown in logs and by status\n"
	"  --pidfile FILE     written when the machine is set up, removed at the end\n"
	"  --no-sandbox       no seccomp, capabilities kept: for debugging only\n"
	"  --help, --version\n"
	"\n"
	"exit status: 0 powered off, 2 wrong usage, 3 could not start, 4 the guest asked for a "
	"reset,\n"
	"             5 the guest crashed, 6 stopped by force, 7 --check: KVM cannot\n"
	"\n"
	"example: vm-runner --kernel /boot/vmlinuz --initrd initrd.img --append console=ttyS0 \\\n"
	"                   --serial log=boot.log --net "
	"socket=/run/h1.sock,mac=52:54:00:00:00:01\n";

const char *options_help(void)
{
	return help;
}

/* One key of a key=value list; value is NULL until the list gave it. */
struct key {
	const char *name;
	bool needed;
	const char *value;
};

static struct key *key_find(struct key *keys, unsigned int n, const char *name)
{
	for (unsigned int i = 0; i < n; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* Cut "a=1,b=2" up in place. */
static int keys_parse(const char *option, char *text, struct key *keys, unsigned int n,
		      struct err *err)
{
	char *save = NULL;

	for (char *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(item, '=');
		struct key *key;

		if (!equals)
			return err_set(err, EINVAL, "%s: \"%s\" is not key=value", option, item);
		*equals = '\0';
		key = key_find(keys, n, item);
		if (!key)
			return err_set(err, EINVAL, "%s: unknown key \"%s\"", option, item);
		if (key->value)
			return err_set(err, EINVAL, "%s: key \"%s\" is given twice", option, item);
		if (!equals[1])
			return err_set(err, EINVAL, "%s: key \"%s\" has no value", option, item);
		key->value = equals + 1;
	}
	for (unsigned int i = 0; i < n; i++)
		if (keys[i].needed && !keys[i].value)
			return err_set(err, EINVAL, "%s: key \"%s\" is missing", option,
				       keys[i].name);
	return 0;
}

static int number_parse(const char *what, const char *text, unsigned long min, unsigned long max,
			unsigned long *number, struct err *err)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || *number < min || *number > max)
		return err_set(err, EINVAL, "%s: \"%s\" is not a number from %lu to %lu", what,
			       text, min, max);
	return 0;
}

static int choice_parse(const char *what, const char *text, const char *const *choices,
			unsigned int n, unsigned int *choice, struct err *err)
{
	char list[64] = "";

	for (unsigned int i = 0; i < n; i++) {
		if (!strcmp(text, choices[i])) {
			*choice = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 choices[i]);
	}
	return err_set(err, EINVAL, "%s: \"%s\" is none of %s", what, text, list);
}

static int memory_parse(const char *text, uint64_t *bytes, struct err *err)
{
	uint64_t unit = MIB;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (*end == 'G' || *end == 'g')
		unit = 1024 * MIB;
	if (*end && strchr("MmGg", *end))
		end++;
	if (!isdigit((unsigned char)text[0]) || *end || errno || *bytes > MEMORY_MAX / unit)
		return err_set(err, EINVAL,
			       "--memory: \"%s\" is not a size like 256M or 2G (up to 4096G)",
			       text);
	*bytes *= unit;
	if (*bytes < MEMORY_MIN || *bytes % (2 * MIB))
		return err_set(err, EINVAL, "--memory: %s is not a multiple of 2M", text);
	return 0;
}

static int mac_parse(const char *text, uint8_t mac[6], struct err *err)
{
	unsigned int b[6];
	int used = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &used) != 6 ||
	    used != 17 || strlen(text) != 17)
		return err_set(err, EINVAL,
			       "--net: mac \"%s\" is not six hex bytes like 52:54:00:00:00:01",
			       text);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	if (mac[0] & 1)
		return err_set(err, EINVAL, "--net: mac %s is a multicast address", text);
	return 0;
}

static int net_numbers_parse(struct net_options *net, const char *queues, const char *mtu,
			     const char *queue_size, struct err *err)
{
	unsigned long number;
	int rc = 0;

	if (queues) {
		rc = number_parse("--net: queues", queues, 1, NET_PAIRS_MAX, &number, err);
		net->n_pairs = (uint16_t)number;
	}
	if (rc == 0 && mtu) {
		rc = number_parse("--net: mtu", mtu, NET_MTU_MIN, NET_MTU_MAX, &number, err);
		net->mtu = (uint16_t)number;
	}
	if (rc == 0 && queue_size) {
		rc = number_parse("--net: queue_size", queue_size, 64, VIRTIO_QUEUE_SIZE_MAX,
				  &number, err);
		if (rc == 0 && number & (number - 1))
			return err_set(err, EINVAL, "--net: queue_size %lu is not a power of two",
				       number);
		net->queue_size = (uint16_t)number;
	}
	return rc;
}

static int net_unique_check(const struct options *options, const struct net_options *net,
			    struct err *err)
{
	for (const struct net_options *other = options->nets; other < net; other++) {
		if (!strcmp(other->id, net->id))
			return err_set(err, EINVAL, "--net: id \"%s\" is used twice", net->id);
		if (!strcmp(other->socket, net->socket))
			return err_set(err, EINVAL, "--net: socket %s is used twice", net->socket);
	}
	return 0;
}

int options_net_parse(struct net_options *net, char *text, struct err *err)
{
	static const char *const states[] = {"down", "up"};
	static const char *const offloads[] = {"auto", "on", "off"};
	static const char *const switched[] = {"off", "on"};
	struct key keys[] = {
		{"socket", true, NULL},	     {"mac", true, NULL},	{"id", false, NULL},
		{"queues", false, NULL},     {"mtu", false, NULL},	{"link", false, NULL},
		{"queue_size", false, NULL}, {"offloads", false, NULL}, {"packed", false, NULL}};
	unsigned int link = 1, offload = NET_OFFLOADS_AUTO, packed = 0;
	int rc = keys_parse("--net", text, keys, sizeof(keys) / sizeof(keys[0]), err);

	if (rc == 0)
		rc = mac_parse(keys[1].value, net->mac, err);
	if (rc == 0)
		rc = net_numbers_parse(net, keys[3].value, keys[4].value, keys[6].value, err);
	if (rc == 0 && keys[5].value)
		rc = choice_parse("--net: link", keys[5].value, states, 2, &link, err);
	if (rc == 0 && keys[7].value)
		rc = choice_parse("--net: offloads", keys[7].value, offloads, 3, &offload, err);
	if (rc == 0 && keys[8].value)
		rc = choice_parse("--net: packed", keys[8].value, switched, 2, &packed, err);
	if (rc)
		return rc;
	net->socket = keys[0].value;
	net->id = keys[2].value;
	net->link_up = link == 1;
	net->offloads = (enum net_offloads)offload;
	net->packed = packed == 1;
	if (net->id && strlen(net->id) > 63)
		return err_set(err, EINVAL, "--net: id \"%s\" is longer than 63 characters",
			       net->id);
	return 0;
}

static int net_parse(struct options *options, char *text, struct err *err)
{
	struct net_options *net;
	char *default_id;
	int rc;

	if (options->n_nets == OPTIONS_NETS_MAX)
		return err_set(err, EINVAL, "--net: more than %d network cards", OPTIONS_NETS_MAX);
	default_id = options->net_ids[options->n_nets];
	net = &options->nets[options->n_nets];
	rc = options_net_parse(net, text, err);
	if (rc)
		return rc;
	snprintf(default_id, sizeof(options->net_ids[0]), "net%u", options->n_nets);
	if (!net->id)
		net->id = default_id;
	rc = net_unique_check(options, net, err);
	if (rc == 0)
		options->n_nets++;
	return rc;
}

static int disk_parse(struct options *options, char *text, struct err *err)
{
	static const char *const states[] = {"off", "on"};
	struct key keys[] = {{"file", true, NULL}, {"readonly", false, NULL}, {"id", false, NULL}};
	unsigned int readonly = 0;
	int rc;

	if (options->n_disks == OPTIONS_DISKS_MAX)
		return err_set(err, EINVAL, "--disk: more than %d disks", OPTIONS_DISKS_MAX);
	rc = keys_parse("--disk", text, keys, 3, err);
	if (rc == 0 && keys[1].value)
		rc = choice_parse("--disk: readonly", keys[1].value, states, 2, &readonly, err);
	if (rc)
		return rc;
	options->disks[options->n_disks++] = (struct blk_options){
		.file = keys[0].value, .readonly = readonly == 1, .id = keys[2].value};
	return 0;
}

static int console_parse(struct options *options, char *text, struct err *err)
{
	struct key keys[] = {{"socket", true, NULL}, {"log", false, NULL}};
	int rc;

	if (options->has_console)
		return err_set(err, EINVAL, "--console: there is only one console");
	rc = keys_parse("--console", text, keys, 2, err);
	if (rc)
		return rc;
	options->has_console = true;
	options->console = (struct console_options){.socket = keys[0].value, .log = keys[1].value};
	return 0;
}

static int port_parse(struct options *options, char *text, struct err *err)
{
	struct key keys[] = {{"name", true, NULL}, {"socket", true, NULL}};
	int rc;

	if (options->n_ports == CONSOLE_PORTS_MAX)
		return err_set(err, EINVAL, "--port: more than %d ports", CONSOLE_PORTS_MAX);
	rc = keys_parse("--port", text, keys, 2, err);
	if (rc)
		return rc;
	options->ports[options->n_ports++] = (struct options_port){keys[0].value, keys[1].value};
	return 0;
}

static int serial_parse(struct options *options, char *text, struct err *err)
{
	struct key keys[] = {{"log", true, NULL}};
	int rc = keys_parse("--serial", text, keys, 1, err);

	options->serial_log = keys[0].value;
	return rc;
}

enum option_number {
	OPT_KERNEL = 256,
	OPT_INITRD,
	OPT_APPEND,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_HUGEPAGES,
	OPT_NET,
	OPT_DISK,
	OPT_CONSOLE,
	OPT_PORT,
	OPT_SERIAL,
	OPT_SHARED,
	OPT_CONTROL,
	OPT_NAME,
	OPT_PIDFILE,
	OPT_NO_SANDBOX,
	OPT_MICROGUEST,
	OPT_CHECK,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"kernel", required_argument, NULL, OPT_KERNEL},
	{"initrd", required_argument, NULL, OPT_INITRD},
	{"append", required_argument, NULL, OPT_APPEND},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"hugepages", no_argument, NULL, OPT_HUGEPAGES},
	{"net", required_argument, NULL, OPT_NET},
	{"disk", required_argument, NULL, OPT_DISK},
	{"console", required_argument, NULL, OPT_CONSOLE},
	{"port", required_argument, NULL, OPT_PORT},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"shared", required_argument, NULL, OPT_SHARED},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"name", required_argument, NULL, OPT_NAME},
	{"pidfile", required_argument, NULL, OPT_PIDFILE},
	{"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX},
	{"microguest", required_argument, NULL, OPT_MICROGUEST},
	{"check", no_argument, NULL, OPT_CHECK},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static int option_take(struct options *options, int number, char *value, struct err *err)
{
	unsigned long cpus;
	int rc;

	switch (number) {
	case OPT_KERNEL:
	case OPT_MICROGUEST:
		if (options->kernel)
			return err_set(err, EINVAL, "only one --kernel or --microguest is run");
		options->kernel = value;
		if (number == OPT_MICROGUEST)
			options->mode = OPTIONS_MICROGUEST;
		return 0;
	case OPT_INITRD:
		if (options->n_initrds == OPTIONS_INITRDS_MAX)
			return err_set(err, EINVAL, "--initrd: more than %d files",
				       OPTIONS_INITRDS_MAX);
		options->initrds[options->n_initrds++] = value;
		return 0;
	case OPT_APPEND:
		options->append = value;
		return 0;
	case OPT_MEMORY:
		return memory_parse(value, &options->memory_bytes, err);
	case OPT_CPUS:
		rc = number_parse("--cpus", value, 1, VM_CPUS_MAX, &cpus, err);
		options->n_cpus = (unsigned int)cpus;
		return rc;
	case OPT_HUGEPAGES:
		options->hugepages = true;
		return 0;
	case OPT_NET:
		return net_parse(options, value, err);
	case OPT_DISK:
		return disk_parse(options, value, err);
	case OPT_CONSOLE:
		return console_parse(options, value, err);
	case OPT_PORT:
		return port_parse(options, value, err);
	case OPT_SERIAL:
		return serial_parse(options, value, err);
	case OPT_SHARED:
		options->shared = value;
		return 0;
	case OPT_CONTROL:
		options->control = value;
		return 0;
	case OPT_NAME:
		options->name = value;
		return 0;
	case OPT_PIDFILE:
		options->pidfile = value;
		return 0;
	case OPT_NO_SANDBOX:
		options->sandbox = false;
		return 0;
	case OPT_CHECK:
		options->mode = OPTIONS_CHECK;
		return 0;
	case OPT_HELP:
		options->mode = OPTIONS_HELP;
		return 0;
	case OPT_VERSION:
		options->mode = OPTIONS_VERSION;
		return 0;
	default:
		return err_set(err, EINVAL, "unknown option");
	}
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	int number, rc;

	memset(options, 0, sizeof(*options));
	options->append = "";
	options->name = "vm";
	options->memory_bytes = OPTIONS_MEMORY_DEFAULT;
	options->n_cpus = 1;
	options->sandbox = true;
	opterr = 0;
	optind = 0; /* start anew: tests parse more than once */
	while ((number = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (number == ':')
			return err_set(err, EINVAL, "%s needs a value", argv[optind - 1]);
		if (number == '?')
			return err_set(err, EINVAL, "unknown option %s", argv[optind - 1]);
		rc = option_take(options, number, optarg, err);
		if (rc)
			return rc;
		if (options->mode == OPTIONS_HELP || options->mode == OPTIONS_VERSION)
			return 0;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "\"%s\" is not an option", argv[optind]);
	if (!options->kernel && options->mode == OPTIONS_RUN)
		return err_set(err, EINVAL, "--kernel is missing");
	if (options->mode == OPTIONS_MICROGUEST && options->n_initrds)
		return err_set(err, EINVAL, "--initrd: a microguest has none");
	if (options->mode == OPTIONS_RUN && options->shared)
		return err_set(err, EINVAL, "--shared is for a microguest");
	if (options->mode == OPTIONS_MICROGUEST && options->n_cpus > 1)
		return err_set(err, EINVAL, "--cpus: a microguest has one CPU");
	return 0;
}
