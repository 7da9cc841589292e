/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/boot.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/agent.h"
#include "lab/file.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

#define BOOT_TICK_MS   100
#define ASK_AGAIN_NS   (2 * CLOCK_NS_PER_SECOND)
#define AGENT_LINE_MAX 65536
#define ASK_LINES_MAX  16 /* looked at in one go: a guest that floods the port does not keep us */
#define PANIC_LOOK_NS  CLOCK_NS_PER_SECOND
#define PANIC_LINES    60
#define PANIC_MARK     "Kernel panic - not syncing"

/* The waiting for one VM's agent. */
struct boot_wait {
	struct jsonline line;
	bool is_open;
	uint64_t asked_ns;
	uint64_t looked_ns; /* into the boot log */
	int n_asked;
};

unsigned int boot_parallel_limit(bool is_emulated)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (n_cpus < 1)
		n_cpus = 1;
	/* KVM guests mostly wait for us; emulated ones keep a CPU busy each, one more fills the gaps. */
	return (unsigned int)(is_emulated ? n_cpus + 1 : n_cpus * 4);
}

static void vm_fail(struct boot_vm *vm, const char *text)
{
	vm->state = BOOT_FAILED;
	snprintf(vm->failure, sizeof(vm->failure), "%s", text);
}

static const struct boot_vm *vm_find(const struct boot *boot, const char *name)
{
	for (size_t i = 0; i < boot->n_vms; i++) {
		if (strcmp(boot->vms[i].node->name, name) == 0)
			return &boot->vms[i];
	}
	return NULL; /* it runs already */
}

/* Whether a waiting VM may start now. A node it waits for that failed makes it fail too. */
static bool vm_may_start(const struct boot *boot, struct boot_vm *vm, uint64_t begin_ns)
{
	uint64_t ready_ns = begin_ns;

	for (size_t i = 0; i < vm->node->wait_for.n; i++) {
		const struct boot_vm *other = vm_find(boot, vm->node->wait_for.items[i]);
		char text[128];

		if (other == NULL)
			continue;
		if (other->state == BOOT_FAILED) {
			snprintf(text, sizeof(text),
				 "not started: \"%s\", which it waits for, failed",
				 other->node->name);
			vm_fail(vm, text);
			return false;
		}
		if (other->state != BOOT_UP)
			return false;
		if (other->up_ns > ready_ns)
			ready_ns = other->up_ns;
	}
	return clock_now_ns() >= ready_ns + vm->node->startup_delay_s * CLOCK_NS_PER_SECOND;
}

static void vm_start(const struct boot *boot, struct boot_vm *vm)
{
	struct err err = {.text = ""};

	vm->started_ns = clock_now_ns();
	if (node_start(boot->topo, vm->node, vm->spec, &err) < 0) {
		vm_fail(vm, err.text);
		return;
	}
	vm->state = vm->node->has_agent ? BOOT_STARTED : BOOT_UP;
	if (!vm->node->has_agent)
		vm->up_ns = clock_now_ns();
}

static void vms_start(const struct boot *boot, uint64_t begin_ns)
{
	unsigned int n_booting = 0;

	for (size_t i = 0; i < boot->n_vms; i++)
		n_booting += boot->vms[i].state == BOOT_STARTED;
	for (size_t i = 0; i < boot->n_vms; i++) {
		struct boot_vm *vm = &boot->vms[i];
		unsigned int limit = boot->n_at_once;

		if (vm->state != BOOT_WAITING)
			continue;
		if (limit == 0)
			limit = boot_parallel_limit(vmm_is_emulated(vm->spec));
		if (n_booting >= limit)
			return;
		if (!vm_may_start(boot, vm, begin_ns))
			continue;
		vm_start(boot, vm);
		n_booting += vm->state == BOOT_STARTED;
	}
}

static void vm_died(const struct boot *boot, struct boot_vm *vm)
{
	struct monitor_exit end;
	char text[sizeof(end.reason) + 16];

	monitor_exit_read(rundir_node(boot->topo->name, vm->node->name, NULL).text, &end);
	snprintf(text, sizeof(text), "died: %s",
		 end.is_known ? end.reason : "its monitor was killed");
	vm_fail(vm, text);
}

static void wait_close(struct boot_wait *wait)
{
	if (wait->is_open)
		jsonline_close(&wait->line);
	wait->is_open = false;
}

/* Connects when needed, asks, and looks for the answer. */
static void vm_ask(const struct boot *boot, struct boot_vm *vm, struct boot_wait *wait)
{
	struct lab_path path = rundir_node(boot->topo->name, vm->node->name, "agent.sock");
	uint64_t now = clock_now_ns();
	bool is_there = false;
	json_t *answer;
	int rc;

	if (!wait->is_open) {
		if (jsonline_open(&wait->line, path.text, "agent", AGENT_LINE_MAX, NULL) < 0)
			return;
		wait->is_open = true;
		wait->asked_ns = 0;
	}
	if (wait->asked_ns == 0 || now - wait->asked_ns > ASK_AGAIN_NS) {
		wait->asked_ns = now;
		if (agent_sync_send(&wait->line, ++wait->n_asked, NULL) < 0) {
			wait_close(wait);
			return;
		}
	}
	for (int i = 0; i < ASK_LINES_MAX && !is_there; i++) {
		rc = jsonline_receive(&wait->line, 0, &answer, NULL);
		if (rc == -EPROTO)
			continue; /* half a line from before the delimiter */
		if (rc == -ETIMEDOUT || rc == -EINTR)
			return;
		if (rc < 0) {
			wait_close(wait);
			return;
		}
		is_there = json_is_integer(json_object_get(answer, "return"));
		json_decref(answer);
	}
	if (!is_there)
		return;
	wait_close(wait);
	vm->state = BOOT_UP;
	vm->up_ns = clock_now_ns();
}

/* A kernel that has given up will not answer, however long we wait. */
static void vm_panic_look(const struct boot *boot, struct boot_vm *vm, struct boot_wait *wait)
{
	uint64_t now = clock_now_ns();
	const char *mark;
	char *log;

	if (now - wait->looked_ns < PANIC_LOOK_NS)
		return;
	wait->looked_ns = now;
	log = file_tail(rundir_node(boot->topo->name, vm->node->name, "boot.log").text,
			PANIC_LINES);
	mark = log != NULL ? strstr(log, PANIC_MARK) : NULL;
	if (mark != NULL) {
		char text[200];

		snprintf(text, sizeof(text), "its kernel gave up: %.*s",
			 (int)strcspn(mark, "\n") < 150 ? (int)strcspn(mark, "\n") : 150, mark);
		vm_fail(vm, text);
	}
	free(log);
}

static void vm_watch(const struct boot *boot, struct boot_vm *vm, struct boot_wait *wait)
{
	if (vm->state != BOOT_STARTED)
		return;
	vm_ask(boot, vm, wait);
	if (vm->state != BOOT_STARTED)
		return;
	vm_panic_look(boot, vm, wait);
	if (vm->state == BOOT_FAILED) {
		wait_close(wait);
	} else if (!node_is_running(boot->topo->name, vm->node->name)) {
		vm_died(boot, vm);
	} else if (clock_now_ns() - vm->started_ns > boot->timeout_s * CLOCK_NS_PER_SECOND) {
		char text[160];

		snprintf(text, sizeof(text),
			 "its guest agent has not answered within %u s (it still runs; `agent: "
			 "false` in "
			 "the file if its image has none)",
			 boot->timeout_s);
		vm_fail(vm, text);
	}
	if (vm->state == BOOT_FAILED)
		wait_close(wait);
}

/* Sleeps until an agent says something, or for one tick. */
static void boot_sleep(const struct boot *boot, const struct boot_wait *waits)
{
	struct pollfd *pollers = calloc(boot->n_vms, sizeof(*pollers));
	nfds_t n = 0;

	for (size_t i = 0; pollers != NULL && i < boot->n_vms; i++) {
		if (boot->vms[i].state != BOOT_STARTED || !waits[i].is_open)
			continue;
		pollers[n].fd = waits[i].line.fd;
		pollers[n++].events = POLLIN;
	}
	poll(pollers, n, BOOT_TICK_MS);
	free(pollers);
}

int boot_run(struct boot *boot)
{
	struct boot_wait *waits = calloc(boot->n_vms, sizeof(*waits));
	uint64_t begin_ns = clock_now_ns();
	int n_failed = 0;
	bool busy = true;

	if (waits == NULL)
		return -ENOMEM;
	while (busy && !jsonline_interrupted) {
		vms_start(boot, begin_ns);
		for (size_t i = 0; i < boot->n_vms; i++)
			vm_watch(boot, &boot->vms[i], &waits[i]);
		busy = false;
		for (size_t i = 0; i < boot->n_vms; i++)
			busy |= boot->vms[i].state == BOOT_WAITING ||
				boot->vms[i].state == BOOT_STARTED;
		if (boot->progress != NULL)
			boot->progress(boot, boot->ctx);
		if (busy)
			boot_sleep(boot, waits);
	}
	for (size_t i = 0; i < boot->n_vms; i++) {
		wait_close(&waits[i]);
		n_failed += boot->vms[i].state == BOOT_FAILED;
	}
	free(waits);
	return jsonline_interrupted ? -EINTR : n_failed;
}
