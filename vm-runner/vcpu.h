/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual CPUs, each with a thread. */
#ifndef VM_VCPU_H
#define VM_VCPU_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct kvm_run;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int index; /* also its APIC id */
	int fd;
	struct kvm_run *run; /* shared with KVM */
	pthread_t thread;
	bool started; /* main thread */
};

/** vcpu_open() - Make vCPU @index in KVM, without any state yet */
int vcpu_open(struct vcpu *vcpu, struct vm *vm, unsigned int index, struct err *err);

/** vcpus_start() - Start all threads; they wait before their first guest instruction */
int vcpus_start(struct vm *vm, struct err *err);

/** vcpus_go() - Let all threads run guest code */
void vcpus_go(struct vm *vm);

/** vcpus_stop() - Bring all threads out of the guest and wait until they have ended. Needs vm->ending, or threads that never went */
void vcpus_stop(struct vm *vm);

/** vcpus_free() - Close the vCPUs; their threads must have ended */
void vcpus_free(struct vm *vm);

#endif
