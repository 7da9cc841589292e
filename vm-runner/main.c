/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm-runner: one process, one virtual machine. Read README.md first.
 *
 * Order matters here: everything that opens files or sockets comes before the sandbox, the sandbox before
 * the first instruction of the guest.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "control.h"
#include "devices.h"
#include "machine.h"
#include "net_plug.h"
#include "options.h"
#include "pci/bus.h"
#include "sandbox.h"
#include "x86/acpi.h"
#include "x86/boot.h"
#include "x86/microguest.h"
#include "x86/power.h"

/* Guests and switches can make lines repeat: per kind of line at most 2 MiB a day. */
#define LOG_BURST   100
#define LOG_SECONDS 10

struct signals {
	int fd;
	struct event *event;
	struct vm *vm;
};

struct machine {
	struct vm *vm;
	sigset_t signal_set;
	struct signals signals;
	struct devices devices;
	struct control *control;
	bool has_pidfile; /* written by us, so ours to remove */
};

static void signal_readable(int fd, short what, void *arg)
{
	struct signals *signals = arg;
	struct signalfd_siginfo info;
	char reason[64];

	(void)what;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	snprintf(reason, sizeof(reason), "stopped by signal %u", info.ssi_signo);
	vm_end(signals->vm, VM_EXIT_KILLED, reason);
}

/* Blocked before any thread exists, so that every thread inherits it. */
static void signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int signals_open(struct signals *signals, const sigset_t *set, struct vm *vm,
			struct err *err)
{
	signals->vm = vm;
	signals->fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	signals->event = event_new(vm_events(vm), signals->fd, EV_READ | EV_PERSIST,
				   signal_readable, signals);
	if (signals->fd < 0 || !signals->event || event_add(signals->event, NULL) < 0)
		return err_set(err, ENOMEM, "cannot wait for signals");
	return 0;
}

static int pidfile_write(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int rc = 0;

	if (fd < 0)
		return err_set(err, errno, "pidfile %s: %s", path, strerror(errno));
	if (dprintf(fd, "%ld\n", (long)getpid()) < 0)
		rc = err_set(err, errno, "pidfile %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

static int kernel_prepare(struct vm *vm, const struct options *options, struct err *err)
{
	struct acpi_machine machine = {
		.n_cpus = options->n_cpus,
		.hotplug_slot = DEVICES_SLOT_NETS,
		.n_hotplug_slots = DEVICES_N_SLOT_NETS,
		.has_serial = options->serial_log != NULL,
		.mmio64_base = vm_mmio64_base(vm),
		.mmio64_bytes = PCI_MMIO64_BYTES,
	};
	struct boot_files files = {
		.kernel = options->kernel,
		.initrds = options->initrds,
		.n_initrds = options->n_initrds,
		.cmdline = options->append,
	};
	struct boot_entry entry;
	uint64_t rsdp;
	int rc;

	rc = acpi_write(&machine, vm_mem(vm), &rsdp, err);
	if (rc == 0 && power_reset_vector_write(vm_mem(vm)))
		rc = err_set(err, ENOMEM, "too little memory for a kernel");
	if (rc == 0)
		rc = boot_load(&files, vm_mem(vm), rsdp, &entry, err);
	return rc ? rc : vm_cpus_new(vm, &entry, err);
}

/* Everything between the command line and the first instruction. */
static int machine_prepare(struct machine *machine, const struct options *options, struct err *err)
{
	struct vm_config config = {
		.name = options->name,
		.memory_bytes = options->memory_bytes,
		.hugepages = options->hugepages,
		.n_cpus = options->n_cpus,
		.serial_log = options->serial_log,
		.bare = options->mode == OPTIONS_MICROGUEST,
	};
	int rc;

	machine->vm = vm_new(&config, err);
	if (!machine->vm)
		return -1;
	rc = signals_open(&machine->signals, &machine->signal_set, machine->vm, err);
	if (rc == 0)
		rc = devices_plug(&machine->devices, machine->vm, options, err);
	if (rc == 0 && !config.bare)
		rc = net_plug_open(&machine->devices, machine->vm, err);
	if (rc == 0)
		rc = config.bare ? microguest_new(machine->vm, options->kernel, options->append,
						  options->shared, err)
				 : kernel_prepare(machine->vm, options, err);
	if (rc == 0 && options->control) {
		machine->control =
			control_open(machine->vm, &machine->devices, options->control, err);
		rc = machine->control ? 0 : -1;
	}
	if (rc == 0 && options->pidfile) {
		rc = pidfile_write(options->pidfile, err);
		machine->has_pidfile = rc == 0;
	}
	if (rc == 0)
		rc = vm_start(machine->vm, err);
	if (rc == 0 && options->sandbox)
		rc = sandbox_enter(err);
	return rc;
}

static void machine_end(struct machine *machine, const struct options *options)
{
	if (machine->has_pidfile)
		unlink(options->pidfile);
	control_free(machine->control);
	net_plug_close(&machine->devices);
	if (machine->signals.event)
		event_free(machine->signals.event);
	vm_free(machine->vm);
}

/* A card with 16 queue pairs needs 66 descriptors, and the soft limit is 1024 as a rule. */
static void fd_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warning("the limit of open files stays as it is: %s", strerror(errno));
}

static int run(const struct options *options)
{
	struct machine machine = {.signals.fd = -1};
	enum vm_exit code = VM_EXIT_SETUP;
	struct err err = {0};

	signals_block(&machine.signal_set);
	fd_limit_raise();
	if (machine_prepare(&machine, options, &err))
		log_error("%s: %s", options->name, err.text);
	else
		code = vm_run(machine.vm);
	machine_end(&machine, options);
	return (int)code;
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err = {0};

	log_init("vm-runner", LOG_INFO);
	log_limit(LOG_BURST, LOG_SECONDS);
	if (options_parse(&options, argc, argv, &err)) {
		fprintf(stderr, "vm-runner: %s; see vm-runner --help\n", err.text);
		return VM_EXIT_USAGE;
	}
	switch (options.mode) {
	case OPTIONS_HELP:
		fputs(options_help(), stdout);
		return VM_EXIT_POWEROFF;
	case OPTIONS_VERSION:
		puts("vm-runner " NETLOOM_VERSION);
		return VM_EXIT_POWEROFF;
	case OPTIONS_CHECK:
		return check_main();
	default:
		return run(&options);
	}
}
