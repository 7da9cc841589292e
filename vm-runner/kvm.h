/* SPDX-License-Identifier: BSD-3-Clause */
/* The way into KVM: /dev/kvm and what it must be able to do. */
#ifndef VM_KVM_H
#define VM_KVM_H

#include <stddef.h>

#include "base/err.h"

/** kvm_open() - Open /dev/kvm and check its API and the capabilities we use. Return: fd or -errno */
int kvm_open(struct err *err);

/** kvm_vm_new() - An empty virtual machine. Return: fd or -errno */
int kvm_vm_new(int kvm_fd, struct err *err);

/** kvm_run_bytes() - Size of the page a vCPU shares with us. Return: bytes, 0 when KVM does not say */
size_t kvm_run_bytes(int kvm_fd);

/** kvm_has() - A capability's value, 0 without */
int kvm_has(int fd, long capability);

#endif
