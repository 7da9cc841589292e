/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vCPU's state before its first instruction. Runs on the main thread before the vCPU's own thread exists.
 */
#include "x86/cpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "x86/layout.h"

#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLED_WB		(1U << 11 | 6) /* everything is write-back */

#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LVT_MODE_EXTINT 0x700
#define LVT_MODE_NMI	0x400

#define CR0_PE		   0x1
#define CR0_ET		   0x10
#define CR0_PG		   0x80000000
#define CR4_PAE		   0x20
#define EFER_LME	   0x100
#define EFER_LMA	   0x400
#define PAGE_PRESENT_WRITE 0x3
#define PAGE_HUGE	   0x80

/* Selectors of the Linux boot protocol; PVH leaves them to us. */
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS  0x20

static void msr_set(int vcpu_fd, uint32_t index, uint64_t value)
{
	/* struct kvm_msrs with room for one */
	struct {
		uint32_t nmsrs, padding;
		struct kvm_msr_entry entry;
	} msrs = {1, 0, {.index = index, .data = value}};

	/* Not every CPU has every MSR; a guest that has not does not look for it. */
	(void)ioctl(vcpu_fd, KVM_SET_MSRS, &msrs);
}

static void lvt_set(struct kvm_lapic_state *lapic, size_t offset, uint32_t value)
{
	memcpy(lapic->regs + offset, &value, sizeof(value));
}

int cpu_reset_state(int vcpu_fd, struct cpuid_table *cpuid, struct err *err)
{
	struct kvm_lapic_state lapic;

	/* Before MSRs: newer hosts decide by it which ones exist. */
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
		return err_set(err, errno, "KVM refused the CPU's features: %s", strerror(errno));
	msr_set(vcpu_fd, MSR_MISC_ENABLE, MISC_ENABLE_FAST_STRING);
	msr_set(vcpu_fd, MSR_MTRR_DEF_TYPE, MTRR_ENABLED_WB);
	if (ioctl(vcpu_fd, KVM_GET_LAPIC, &lapic) < 0)
		return err_set(err, errno, "KVM has no local APIC: %s", strerror(errno));
	lvt_set(&lapic, LAPIC_LVT_LINT0, LVT_MODE_EXTINT);
	lvt_set(&lapic, LAPIC_LVT_LINT1, LVT_MODE_NMI);
	if (ioctl(vcpu_fd, KVM_SET_LAPIC, &lapic) < 0)
		return err_set(err, errno, "KVM refused the local APIC's state: %s",
			       strerror(errno));
	return 0;
}

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool code, bool wide)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = !(code && wide),
		.s = 1,
		.l = code && wide,
		.g = 1,
	};
}

static void segments_set(struct kvm_sregs *sregs, bool wide)
{
	struct kvm_segment data = flat(SELECTOR_DATA, 3, false, wide);

	sregs->cs = flat(SELECTOR_CODE, 11, true, wide);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){.base = LAYOUT_TSS,
					 .limit = 0x67,
					 .selector = SELECTOR_TSS,
					 .type = 11,
					 .present = 1};
	sregs->gdt.base = LAYOUT_GDT;
	sregs->gdt.limit = 0x2f;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

/* The same segments, for a kernel that loads them again. */
static int gdt_write(const struct guest_mem *mem, bool wide)
{
	uint64_t gdt[6] = {
		[SELECTOR_CODE / 8] =
			wide ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff),
		[SELECTOR_DATA / 8] = UINT64_C(0x00cf93000000ffff),
		[SELECTOR_TSS / 8] = UINT64_C(0x00008b0000000067) | (uint64_t)LAYOUT_TSS << 16,
	};

	return mem_put(mem, LAYOUT_GDT, gdt, sizeof(gdt));
}

/* 0 to 4 GiB, one to one, in 2 MiB pages: PML4, PDPT, four PDs. */
static int page_tables_write(const struct guest_mem *mem)
{
	uint64_t pml4 = (LAYOUT_PAGE_TABLES + 0x1000) | PAGE_PRESENT_WRITE;
	uint64_t table[512];
	int rc;

	rc = mem_put(mem, LAYOUT_PAGE_TABLES, &pml4, sizeof(pml4));
	for (uint64_t gib = 0; rc == 0 && gib < 4; gib++) {
		uint64_t pd = LAYOUT_PAGE_TABLES + 0x2000 + gib * 0x1000;
		uint64_t entry = pd | PAGE_PRESENT_WRITE;

		for (uint64_t i = 0; i < 512; i++)
			table[i] = gib << 30 | i << 21 | PAGE_HUGE | PAGE_PRESENT_WRITE;
		rc = mem_put(mem, pd, table, sizeof(table));
		if (rc == 0)
			rc = mem_put(mem, LAYOUT_PAGE_TABLES + 0x1000 + gib * 8, &entry,
				     sizeof(entry));
	}
	return rc;
}

int cpu_entry_state(int vcpu_fd, const struct boot_entry *entry, const struct guest_mem *mem,
		    struct err *err)
{
	bool wide = entry->kind == KERNEL_LINUX64;
	struct kvm_regs regs = {.rip = entry->rip, .rflags = 0x2};
	struct kvm_sregs sregs;

	if (gdt_write(mem, wide) || (wide && page_tables_write(mem)))
		return err_set(err, ENOMEM, "the boot structures do not fit in guest memory");
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
		return err_set(err, errno, "KVM does not give the CPU's registers: %s",
			       strerror(errno));
	segments_set(&sregs, wide);
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	if (wide) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = LAYOUT_PAGE_TABLES;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
		regs.rsi = entry->info;
	} else {
		regs.rbx = entry->info;
	}
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return err_set(err, errno, "KVM refused the CPU's first state: %s",
			       strerror(errno));
	return 0;
}
