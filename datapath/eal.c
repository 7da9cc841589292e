/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment, reduced to what a switch needs: nothing is written to /run or /dev/hugepages, the workers are threads of our
 * own (worker.c). PCI devices are only looked at where a network card has been given to DPDK, and taken when an
 * uplink names one.
 */
#include "eal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/log.h"
#include "eal_cards.h"

#define HUGEPAGE_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define MEMORY_MB    32	 /* in hugepages, more is taken when needed */
#define NO_HUGE_MB   256 /* address space; touched as used */

static char
	last_line[256]; /* of DPDK, for the error message; control thread at start only matters */

static ssize_t log_cookie_write(void *cookie, const char *bytes, size_t n)
{
	size_t len = n;

	(void)cookie;
	while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == ' '))
		len--;
	if (len == 0)
		return (ssize_t)n;
	snprintf(last_line, sizeof(last_line), "%.*s", (int)len, bytes);
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
		log_warning("dpdk: %.*s", (int)len, bytes);
	else
		log_debug("dpdk: %.*s", (int)len, bytes);
	return (ssize_t)n;
}

static void redirect_log(void)
{
	static const cookie_io_functions_t functions = {.write = log_cookie_write};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (stream == NULL)
		return; /* DPDK then writes to stderr itself */
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	rte_openlog_stream(stream);
}

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static int check_hugepages(struct err *err)
{
	long n_free = read_number(HUGEPAGE_DIR "free_hugepages");
	long n_total = read_number(HUGEPAGE_DIR "nr_hugepages");

	if (n_free < 0)
		return err_set(err, ENOTSUP,
			       "this kernel has no 2 MiB hugepages; start netloomd with --no-huge");
	if (n_free * 2 < MEMORY_MB)
		return err_set(err, ENOMEM,
			       "only %ld of %ld 2 MiB hugepages are free and %d are needed: "
			       "reserve more with "
			       "`sysctl vm.nr_hugepages=%ld`, or start netloomd with --no-huge",
			       n_free, n_total, MEMORY_MB / 2, n_total + MEMORY_MB / 2 - n_free);
	return 0;
}

static int first_cpu(const cpu_set_t *set)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set))
			return cpu;
	return 0;
}

/*
 * DPDK makes a directory for files that we have told it not to write. It gets one that can be
 * removed afterwards, which also spares us the question whether /run may be written.
 */
static int init_without_traces(int argc, char **argv)
{
	const char *before = getenv("RUNTIME_DIRECTORY");
	char *kept = before != NULL ? strdup(before) : NULL;
	char base[] = "/tmp/netloomd-eal-XXXXXX", path[sizeof(base) + 16];
	int rc;

	if (mkdtemp(base) == NULL || setenv("RUNTIME_DIRECTORY", base, 1) != 0) {
		free(kept);
		return rte_eal_init(argc, argv);
	}
	rc = rte_eal_init(argc, argv);
	snprintf(path, sizeof(path), "%s/dpdk/rte", base);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/dpdk", base);
	rmdir(path);
	rmdir(base);
	if (kept != NULL)
		setenv("RUNTIME_DIRECTORY", kept, 1);
	else
		unsetenv("RUNTIME_DIRECTORY");
	free(kept);
	return rc;
}

/* DPDK removes the socket at exit, not the folder. It asks for its atexit() after ours, and is called before us. */
static void runtime_dir_remove(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

int eal_start(bool hugepages, const char *telemetry, struct err *err)
{
	char lcores[32], memory[16], prefix[64];
	enum eal_cards cards = eal_cards_look();
	char *argv[] = {
		"netloomd",
		/* an address no machine has: known are all, taken is none */
		cards == EAL_CARDS_NONE ? "--no-pci" : "--allow=ffff:ff:1f.7",
		telemetry != NULL ? "--telemetry" : "--no-telemetry",
		prefix,
		"--no-shconf",
		cards == EAL_CARDS_PHYSICAL && hugepages ? "--iova-mode=pa" : "--iova-mode=va",
		"--log-level=*:info",
		"--lcores",
		lcores,
		"-m",
		memory,
		hugepages ? "--in-memory" : "--no-huge",
		NULL,
	};
	int argc = (int)(sizeof(argv) / sizeof(argv[0])) - 1, rc;
	cpu_set_t before;

	if (hugepages && (rc = check_hugepages(err)) != 0)
		return rc;
	CPU_ZERO(&before);
	pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
	snprintf(lcores, sizeof(lcores), "0@%d", first_cpu(&before));
	snprintf(memory, sizeof(memory), "%d", hugepages ? MEMORY_MB : NO_HUGE_MB);
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s", telemetry != NULL ? telemetry : "rte");
	redirect_log();
	if (telemetry != NULL)
		atexit(runtime_dir_remove);
	/* Its socket is a trace, where dpdk-telemetry.py looks for it */
	rc = telemetry != NULL ? rte_eal_init(argc, argv) : init_without_traces(argc, argv);
	pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
	if (rc < 0)
		return err_set(err, rte_errno == 0 ? EIO : rte_errno, "DPDK did not start: %s (%s)",
			       rte_strerror(rte_errno), last_line);
	return 0;
}
