/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the probe guest on a machine of its own: one vCPU, 2 MiB, no devices.
 */
#include "x86/probe.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "vcpu.h"
#include "x86/probe_code.h"

#define MEMORY_BYTES 0x200000
#define EXITS_MAX    1000

static const char *const steps[] = {
	[0] = "enter 64-bit kernel mode",
	[PROBE_STEP_START] = "run code at CPL 0",
	[PROBE_STEP_MSR] = "write a model specific register and swapgs",
	[PROBE_STEP_PAGES] = "change page tables",
	[PROBE_STEP_INT3] = "take a breakpoint trap (int3)",
	[PROBE_STEP_FAULT] = "take a page fault",
	[PROBE_STEP_CMPXCHG16B] = "execute cmpxchg16b",
	[PROBE_STEP_XSAVE] = "save and restore floating point state (xsave, xrstor)",
	[PROBE_STEP_DONE] = "end",
};

static void gate_set(uint8_t *idt, unsigned int vector, uint64_t handler)
{
	uint64_t gate[2] = {
		(handler & 0xffff) | UINT64_C(0x8) << 16 | UINT64_C(0x8e) << 40 |
			(handler >> 16 & 0xffff) << 48,
		handler >> 32,
	};

	memcpy(idt + vector * sizeof(gate), gate, sizeof(gate));
}

static uint64_t code_address(const unsigned char *label)
{
	return PROBE_CODE + ((uintptr_t)label - (uintptr_t)probe_code);
}

static void memory_fill(uint8_t *ram)
{
	const uint64_t gdt[] = {0, UINT64_C(0x00af9b000000ffff), UINT64_C(0x00cf93000000ffff)};
	const uint64_t pml4 = PROBE_PDPT | 3, pdpt = PROBE_PD | 3, pd = 0x83;

	memcpy(ram + PROBE_GDT, gdt, sizeof(gdt));
	for (unsigned int vector = 0; vector < 32; vector++)
		gate_set(ram + PROBE_IDT, vector, code_address(probe_code_other));
	gate_set(ram + PROBE_IDT, 3, code_address(probe_code_int3));
	gate_set(ram + PROBE_IDT, 14, code_address(probe_code_page_fault));
	memcpy(ram + PROBE_PML4, &pml4, 8);
	memcpy(ram + PROBE_PDPT, &pdpt, 8);
	memcpy(ram + PROBE_PD, &pd, 8);
	memcpy(ram + PROBE_CODE, probe_code, code_address(probe_code_end) - PROBE_CODE);
}

static int registers_set(int fd, struct err *err)
{
	struct kvm_regs regs = {.rip = PROBE_CODE, .rsp = PROBE_STACK, .rflags = 2};
	struct kvm_segment data = {.limit = UINT32_MAX,
				   .selector = 0x10,
				   .type = 3,
				   .present = 1,
				   .db = 1,
				   .s = 1,
				   .g = 1};
	struct kvm_sregs sregs;

	if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0)
		return err_set(err, errno, "KVM does not give the CPU's registers: %s",
			       strerror(errno));
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cs = data;
	sregs.cs.selector = 0x8;
	sregs.cs.type = 11;
	sregs.cs.l = 1;
	sregs.cs.db = 0;
	sregs.gdt.base = PROBE_GDT;
	sregs.gdt.limit = 0x17;
	sregs.idt.base = PROBE_IDT;
	sregs.idt.limit = 32 * 16 - 1;
	sregs.cr0 = 0x80050033;
	sregs.cr3 = PROBE_PML4;
	sregs.cr4 = 0x620;  /* PAE, OSFXSR, OSXMMEXCPT */
	sregs.efer = 0xd00; /* LME, LMA, NXE */
	if (ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_REGS, &regs) < 0)
		return err_set(err, errno, "KVM refuses a CPU in 64-bit kernel mode: %s",
			       strerror(errno));
	return 0;
}

static int failed(unsigned int step, const char *how, struct err *err)
{
	return err_set(err, ENOTSUP, "KVM on this machine cannot %s in kernel mode: %s",
		       steps[step], how);
}

static int watch(struct vcpu *vcpu, struct err *err)
{
	const struct kvm_run *run = vcpu->run;
	const uint8_t *data;
	unsigned int step = 0;

	for (unsigned int i = 0; i < EXITS_MAX && step != PROBE_STEP_DONE; i++) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return failed(step, strerror(errno), err);
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			data = (const uint8_t *)run + run->io.data_offset;
			if (run->io.port != PROBE_PORT_STEP || *data > PROBE_STEP_DONE)
				return failed(step, "the result is wrong", err);
			step = *data;
			break;
		case KVM_EXIT_SHUTDOWN:
			return failed(step, "it ends in a triple fault", err);
		case KVM_EXIT_INTERNAL_ERROR:
			return failed(step, "KVM reports an internal error", err);
		case KVM_EXIT_FAIL_ENTRY:
			return failed(step, "the CPU refuses to enter the guest", err);
		default:
			return failed(step, "the guest is left unexpectedly", err);
		}
	}
	return step == PROBE_STEP_DONE ? 0 : failed(step, "it never gets any further", err);
}

static int probe_with(struct vm *vm, struct err *err)
{
	struct cpuid_cpu cpu = {.apic_id = 0, .n_cpus = 1};
	int rc;

	vm->vcpus = calloc(1, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return err_set(err, ENOMEM, "no memory");
	vm->n_vcpus = 1;
	rc = vcpu_open(&vm->vcpus[0], vm, 0, err);
	if (rc)
		return rc;
	cpuid_fit(vm->cpuid, &cpu);
	if (ioctl(vm->vcpus[0].fd, KVM_SET_CPUID2, vm->cpuid) < 0)
		return err_set(err, errno, "KVM refuses the CPU's features: %s", strerror(errno));
	memory_fill(vm->mem.regions[0].host);
	rc = registers_set(vm->vcpus[0].fd, err);
	return rc ? rc : watch(&vm->vcpus[0], err);
}

int probe_run(struct err *err)
{
	struct vm_config config = {
		.name = "probe", .memory_bytes = MEMORY_BYTES, .n_cpus = 1, .bare = true};
	struct vm *vm = vm_new(&config, err);
	int rc;

	if (!vm)
		return -ENODEV;
	rc = probe_with(vm, err);
	vm_free(vm);
	return rc;
}
