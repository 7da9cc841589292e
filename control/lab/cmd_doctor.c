/* SPDX-License-Identifier: BSD-3-Clause */
/* What this machine has of what labs want, what it costs where it has not, and what to do. Changes nothing. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/command.h"
#include "lab/file.h"
#include "lab/proc.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "lab/term.h"
#include "lab/vmm.h"

#define PAGES		"/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define PAGES_WANTED	64 /* from which on netloomd takes them */
#define FILES_WANTED	4096
#define MEMORY_WANTED	1024 /* MiB */
#define VERSION_WAIT_MS 5000

enum level { GOOD, COSTS, MISSING, LEVELS };

struct doctor {
	json_t *list; /* of --json; NULL: a table */
	unsigned int n[LEVELS];
};

/* @cost: what it costs, and what to do; "" when it is good */
static void say(struct doctor *doctor, const char *what, enum level level, const char *cost,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

static void say(struct doctor *doctor, const char *what, enum level level, const char *cost,
		const char *format, ...)
{
	static const char *const words[] = {"good", "costs", "missing"};
	static const enum term_colour colours[] = {TERM_GOOD, TERM_WARN, TERM_BAD};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	term_clean_line(text);
	doctor->n[level]++;
	if (doctor->list != NULL) {
		json_array_append_new(doctor->list,
				      json_pack("{s:s, s:s, s:s, s:s}", "what", what, "level",
						words[level], "text", text, "cost", cost));
		return;
	}
	printf("%s%-8s%s %-12s %s\n", term_paint(stdout, colours[level]), words[level],
	       term_paint(stdout, TERM_PLAIN), what, text);
	if (cost[0] != '\0')
		printf("%22s%s%s%s\n", "", term_paint(stdout, TERM_DIM), cost,
		       term_paint(stdout, TERM_PLAIN));
}

/* A number in a file of the kernel's; -1: none. */
static long number_read(const char *path)
{
	char *text = file_read(path, 4096, NULL, NULL);
	long number = text != NULL ? strtol(text, NULL, 10) : -1;

	free(text);
	return number;
}

static void line_read(const char *path, char *line, size_t size)
{
	char *text = file_read(path, 4096, NULL, NULL);

	snprintf(line, size, "%s", text != NULL ? text : "");
	line[strcspn(line, "\n")] = '\0';
	free(text);
}

static void look_rights(struct doctor *doctor)
{
	bool root = geteuid() == 0;

	say(doctor, "rights", root ? GOOD : MISSING,
	    root ? "" : "netloomd, KVM and network namespaces want root: sudo netloom ...",
	    root ? "root" : "user %u", (unsigned int)geteuid());
}

static void look_kvm(struct doctor *doctor)
{
	struct vmm_kvm kvm;

	if (access("/dev/kvm", F_OK) != 0) {
		say(doctor, "KVM", COSTS,
		    "machines run in QEMU's emulation, tens of times slower; turn virtualisation "
		    "on in the "
		    "firmware, or nesting in the hypervisor",
		    "no /dev/kvm");
		return;
	}
	if (access("/dev/kvm", R_OK | W_OK) != 0) {
		say(doctor, "KVM", COSTS, "be root, or of the group kvm", "/dev/kvm: %s",
		    strerror(errno));
		return;
	}
	vmm_kvm_check(&kvm);
	say(doctor, "KVM", kvm.works ? GOOD : COSTS,
	    kvm.works
		    ? ""
		    : "machines run in QEMU's emulation, tens of times slower; `vm-runner --check` "
		      "says the same",
	    "%s", kvm.text);
}

static void look_hugepages(struct doctor *doctor)
{
	long n_free = number_read(PAGES "free_hugepages"), n = number_read(PAGES "nr_hugepages");

	if (n_free >= PAGES_WANTED)
		say(doctor, "hugepages", GOOD, "", "%ld of %ld 2 MiB pages are free", n_free, n);
	else
		say(doctor, "hugepages", COSTS,
		    "netloomd takes ordinary pages: all works, with more TLB misses per frame; "
		    "echo 128 "
		    ">/proc/sys/vm/nr_hugepages",
		    "%ld of %ld 2 MiB pages are free, from %d on they are used",
		    n_free < 0 ? 0 : n_free, n < 0 ? 0 : n, PAGES_WANTED);
}

static void look_cpus(struct doctor *doctor)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	char isolated[128], governor[64];

	say(doctor, "CPUs", n >= 4 ? GOOD : COSTS,
	    n >= 4 ? "" : "one worker and the machines share them: figures are of little use",
	    "%ld", n);
	line_read("/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	say(doctor, "isolation", isolated[0] != '\0' ? GOOD : COSTS,
	    isolated[0] != '\0' ? ""
	    : n < 4 ? "others may take a worker's CPU for milliseconds: only figures suffer; with "
		      "4 "
		      "CPUs or more some can be kept free for workers (isolcpus=)"
		    : "others may take a worker's CPU for milliseconds: only figures suffer; "
		      "boot with isolcpus=2-3 nohz_full=2-3, and netloomd --cpus 2,3",
	    isolated[0] != '\0' ? "CPUs %s are isolated" : "no CPU is isolated%s", isolated);
	line_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
		  sizeof(governor));
	if (governor[0] != '\0' && strcmp(governor, "performance") != 0)
		say(doctor, "frequency", COSTS,
		    "clocks go up and down under you: figures vary; cpupower frequency-set -g "
		    "performance",
		    "governor %s", governor);
}

static void look_memory(struct doctor *doctor)
{
	uint64_t total, available = proc_memory_available(&total);

	say(doctor, "memory", available >= MEMORY_WANTED ? GOOD : COSTS,
	    available >= MEMORY_WANTED ? "" : "a machine of the default image takes 256 MiB",
	    "%llu of %llu MiB are available", (unsigned long long)available,
	    (unsigned long long)total);
}

static void look_files(struct doctor *doctor)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	say(doctor, "open files", limit.rlim_max >= FILES_WANTED ? GOOD : COSTS,
	    limit.rlim_max >= FILES_WANTED
		    ? ""
		    : "each port takes three or more: some hundred ports at most; "
		      "ulimit -Hn 65536",
	    "%llu at most", (unsigned long long)limit.rlim_max);
	say(doctor, "tun", access("/dev/net/tun", R_OK | W_OK) == 0 ? GOOD : COSTS,
	    access("/dev/net/tun", R_OK | W_OK) == 0 ? "" : "no TAP ports; modprobe tun",
	    "/dev/net/tun");
}

/* The first line of `PROGRAM --version`. Return: false when it cannot be run. */
static bool version_ask(const char *program, char *version, size_t size, char *why, size_t why_size)
{
	const char *argv[] = {program, "--version", NULL};
	struct err err = {.text = ""};
	struct command_output output;

	if (command_run(argv, VERSION_WAIT_MS, &output, &err) < 0) {
		snprintf(why, why_size, "%s", err.text);
		return false;
	}
	output.text[strcspn(output.text, "\n")] = '\0';
	snprintf(version, size, "%s", output.text);
	command_output_free(&output);
	return true;
}

static void look_programs(struct doctor *doctor)
{
	static const char *const own[] = {"netloomd", "vm-runner"};
	char path[PATH_MAX], version[256] = "", why[256] = "";

	say(doctor, "netloom", GOOD, "", "%s", NETLOOM_VERSION);
	for (size_t i = 0; i < 2; i++) {
		const char *number;

		proc_program_find(own[i], path, sizeof(path));
		if (!version_ask(path, version, sizeof(version), why, sizeof(why))) {
			say(doctor, own[i], MISSING, "install it next to netloom, or into PATH",
			    "%s", why);
			continue;
		}
		number = strrchr(version, ' ') != NULL ? strrchr(version, ' ') + 1 : version;
		if (strcmp(number, NETLOOM_VERSION) == 0)
			say(doctor, own[i], GOOD, "", "%s", path);
		else
			say(doctor, own[i], COSTS,
			    "they may not understand each other; install all three from one build",
			    "%s is version %s, netloom is %s", path, number, NETLOOM_VERSION);
	}
	if (version_ask("qemu-system-x86_64", version, sizeof(version), why, sizeof(why)))
		say(doctor, "QEMU", GOOD, "", "%s", version);
	else
		say(doctor, "QEMU", COSTS,
		    "no machines where KVM cannot run them, no qcow2 disks; apt install "
		    "qemu-system-x86",
		    "%s", why);
}

static void look_daemon(struct doctor *doctor)
{
	struct err err = {.text = ""};
	json_t *status = NULL;

	if (rpc_once("status", NULL, &status, &err) < 0) {
		say(doctor, "running", GOOD, "", "no netloomd in %s; `netloom up` starts one",
		    rundir_path());
		return;
	}
	say(doctor, "running",
	    strcmp(json_string_value(json_object_get(status, "version")), NETLOOM_VERSION) == 0
		    ? GOOD
		    : COSTS,
	    strcmp(json_string_value(json_object_get(status, "version")), NETLOOM_VERSION) == 0
		    ? ""
		    : "it is of another version than this netloom; restart it, the machines stay",
	    "netloomd %s in %s, %lld ports%s",
	    json_string_value(json_object_get(status, "version")), rundir_path(),
	    (long long)json_integer_value(json_object_get(status, "n_ports")),
	    json_is_true(json_object_get(status, "hugepages")) ? ", hugepages" : "");
	json_decref(status);
}

int cmd_doctor(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct doctor doctor = {.list = NULL};

	while (cli_option(command, argc, argv, "j", options) != -1)
		doctor.list = doctor.list == NULL ? json_array() : doctor.list;
	if (optind < argc)
		return cli_usage(command, "it takes no arguments");
	look_rights(&doctor);
	look_kvm(&doctor);
	look_hugepages(&doctor);
	look_cpus(&doctor);
	look_memory(&doctor);
	look_files(&doctor);
	look_programs(&doctor);
	look_daemon(&doctor);
	if (doctor.list != NULL)
		cli_print_json(doctor.list);
	else if (doctor.n[MISSING] > 0)
		printf("\n%u missing: no lab runs here before that is mended.\n",
		       doctor.n[MISSING]);
	else
		printf("\nLabs run here%s.\n",
		       doctor.n[COSTS] > 0 ? "; what costs something says what" : "");
	return doctor.n[MISSING] > 0 ? CLI_FAILED : CLI_OK;
}
