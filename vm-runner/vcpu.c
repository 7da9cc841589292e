/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual CPUs. Each thread runs guest code until something leaves the guest, serves it, and goes back:
 * vcpu_loop() is the whole of it.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm.h"
#include "machine.h"
#include "x86/boot.h"
#include "x86/cpu.h"
#include "x86/io.h"

#define SIGNAL_KICK SIGUSR1
#define RESET_RIP   0xfff0

int vcpu_open(struct vcpu *vcpu, struct vm *vm, unsigned int index, struct err *err)
{
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->run = MAP_FAILED;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return err_set(err, errno, "KVM cannot make CPU %u: %s", index, strerror(errno));
	vcpu->run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return err_set(err, errno, "KVM cannot make CPU %u: %s", index, strerror(errno));
	return 0;
}

static int vcpu_boot_state(struct vcpu *vcpu, struct cpuid_table *cpuid, struct err *err)
{
	struct vm *vm = vcpu->vm;
	int tsc_khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	struct cpuid_cpu cpu = {
		.apic_id = vcpu->index,
		.n_cpus = vm->config.n_cpus,
		.tsc_khz = tsc_khz > 0 ? (unsigned int)tsc_khz : 0,
		.tsc_deadline = kvm_has(vm->kvm_fd, KVM_CAP_TSC_DEADLINE_TIMER),
	};

	*cpuid = *vm->cpuid;
	cpuid_fit(cpuid, &cpu);
	return cpu_reset_state(vcpu->fd, cpuid, err);
}

int vm_cpus_new(struct vm *vm, const struct boot_entry *entry, struct err *err)
{
	struct cpuid_table *cpuid = malloc(sizeof(*cpuid));
	int rc = 0;

	vm->vcpus = calloc(vm->config.n_cpus, sizeof(*vm->vcpus));
	if (!cpuid || !vm->vcpus)
		rc = err_set(err, ENOMEM, "no memory for %u CPUs", vm->config.n_cpus);
	for (unsigned int i = 0; rc == 0 && i < vm->config.n_cpus; i++) {
		vm->n_vcpus = i + 1;
		rc = vcpu_open(&vm->vcpus[i], vm, i, err);
		if (rc == 0)
			rc = vcpu_boot_state(&vm->vcpus[i], cpuid, err);
	}
	if (rc == 0)
		rc = cpu_entry_state(vm->vcpus[0].fd, entry, &vm->mem, err);
	free(cpuid);
	return rc;
}

static void serve_pio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		io_port(vcpu->vm, run->io.port, data, run->io.size,
			run->io.direction == KVM_EXIT_IO_OUT);
}

/* The guest did something that no CPU survives, or that KVM cannot do. */
static void crashed(struct vcpu *vcpu, const char *what)
{
	struct kvm_regs regs = {0};
	char reason[200], where[40] = "";

	/* After a triple fault some CPUs are in their reset state already, which tells nothing. */
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0 && regs.rip != RESET_RIP)
		snprintf(where, sizeof(where), " at rip 0x%llx", regs.rip);
	snprintf(reason, sizeof(reason), "the guest crashed: CPU %u %s%s", vcpu->index, what,
		 where);
	vm_end(vcpu->vm, VM_EXIT_GUEST_CRASH, reason);
}

static void serve_failure(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char what[100];

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		crashed(vcpu, "had a triple fault");
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(what, sizeof(what), "could not be emulated by KVM (internal error %u)",
			 run->internal.suberror);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(what, sizeof(what), "could not be entered (hardware reason 0x%llx)",
			 run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		snprintf(what, sizeof(what), "left the guest for an unknown reason %u",
			 run->exit_reason);
	}
	crashed(vcpu, what);
}

static void vcpu_loop(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	while (!atomic_load(&vcpu->vm->ending)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue; /* kicked: look whether it is over */
			crashed(vcpu, strerror(errno));
			return;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			serve_pio(vcpu);
			break;
		case KVM_EXIT_MMIO:
			io_memory(vcpu->vm, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
				  run->mmio.is_write);
			break;
		case KVM_EXIT_INTR:
			break;
		default:
			serve_failure(vcpu);
			return;
		}
	}
}

static void sem_wait_fully(sem_t *sem)
{
	while (sem_wait(sem) < 0 && errno == EINTR)
		;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	sem_post(&vcpu->vm->vcpus_ready);
	sem_wait_fully(&vcpu->vm->vcpus_go);
	vcpu_loop(vcpu);
	return NULL;
}

/* Its only effect is that KVM_RUN returns. */
static void kick_arrived(int signal)
{
	(void)signal;
}

int vcpus_start(struct vm *vm, struct err *err)
{
	struct sigaction action = {.sa_handler = kick_arrived};

	sigaction(SIGNAL_KICK, &action, NULL);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		int code = pthread_create(&vm->vcpus[i].thread, NULL, vcpu_thread, &vm->vcpus[i]);

		if (code)
			return err_set(err, code, "cannot start a thread for CPU %u: %s", i,
				       strerror(code));
		vm->vcpus[i].started = true;
	}
	/* A thread makes system calls while it starts that it never makes again. */
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		sem_wait_fully(&vm->vcpus_ready);
	return 0;
}

void vcpus_go(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		sem_post(&vm->vcpus_go);
}

void vcpus_stop(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		if (!vm->vcpus[i].started)
			continue;
		/* Seen by a thread that is just about to enter the guest; the signal gets others out. */
		__atomic_store_n(&vm->vcpus[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(vm->vcpus[i].thread, SIGNAL_KICK);
	}
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].started)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].started = false;
	}
}

void vcpus_free(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].run != MAP_FAILED)
			munmap(vm->vcpus[i].run, vm->run_bytes);
		if (vm->vcpus[i].fd >= 0)
			close(vm->vcpus[i].fd);
	}
	free(vm->vcpus);
	vm->vcpus = NULL;
	vm->n_vcpus = 0;
}
