/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUID. KVM says what can be offered; the host's own topology must not show through, and a few bits are for
 * the VMM to set. Leaves by number: Intel SDM vol. 2 CPUID, AMD APM vol. 3 appendix E.
 */
#include "x86/cpuid.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#define LEAF_KVM	0x40000000
#define LEAF_KVM_TIMING 0x40000010 /* as VMware defined it and KVM guests know it */
#define LAPIC_KHZ	1000000

#define L1_ECX_TSC_DEADLINE (1U << 24)
#define L1_ECX_HYPERVISOR   (1U << 31)
#define L1_EDX_HTT	    (1U << 28)
#define EXT1_ECX_CMP_LEGACY (1U << 1)

_Static_assert(offsetof(struct cpuid_table, entries) == sizeof(struct kvm_cpuid2), "as KVM has it");

int cpuid_supported(int kvm_fd, struct cpuid_table *table, struct err *err)
{
	memset(table, 0, sizeof(*table));
	table->nent = CPUID_ENTRIES_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, table) < 0)
		return err_set(err, errno, "KVM does not say which CPU features it has: %s",
			       strerror(errno));
	return 0;
}

static struct kvm_cpuid_entry2 *find(struct cpuid_table *table, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == function && table->entries[i].index == index)
			return &table->entries[i];
	return NULL;
}

static struct kvm_cpuid_entry2 *find_or_add(struct cpuid_table *table, uint32_t function,
					    uint32_t index, uint32_t flags)
{
	struct kvm_cpuid_entry2 *entry = find(table, function, index);

	if (entry)
		return entry;
	if (table->nent == CPUID_ENTRIES_MAX)
		return NULL;
	entry = &table->entries[table->nent++];
	*entry = (struct kvm_cpuid_entry2){.function = function, .index = index, .flags = flags};
	return entry;
}

unsigned int cpuid_address_bits(const struct cpuid_table *table)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		unsigned int bits = table->entries[i].eax & 0xff;

		if (table->entries[i].function == 0x80000008 && bits)
			return bits;
	}
	return 36; /* what CPUs have that do not say */
}

/* Bits of an APIC id that tell @n things apart. */
static unsigned int id_bits(unsigned int n)
{
	unsigned int bits = 0;

	while ((1U << bits) < n)
		bits++;
	return bits;
}

static void fit_basic(struct cpuid_table *table, const struct cpuid_cpu *cpu)
{
	struct kvm_cpuid_entry2 *entry = find(table, 1, 0);
	unsigned int ids = 1U << id_bits(cpu->n_cpus);

	if (!entry)
		return;
	entry->ebx = (entry->ebx & 0xffff) | ids << 16 | cpu->apic_id << 24;
	entry->ecx |= L1_ECX_HYPERVISOR;
	if (cpu->tsc_deadline)
		entry->ecx |= L1_ECX_TSC_DEADLINE;
	else
		entry->ecx &= ~L1_ECX_TSC_DEADLINE;
	if (cpu->n_cpus > 1)
		entry->edx |= L1_EDX_HTT;
	else
		entry->edx &= ~L1_EDX_HTT;
}

/* Leaves 0xb and 0x1f: a level of threads (one per core), a level of cores, the end. */
static void fit_levels(struct cpuid_table *table, const struct cpuid_cpu *cpu, uint32_t function)
{
	static const struct {
		uint32_t type;
		bool whole; /* counts all CPUs */
	} levels[] = {{1, false}, {2, true}, {0, false}};

	if (!find(table, function, 0))
		return;
	for (uint32_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct kvm_cpuid_entry2 *entry =
			find_or_add(table, function, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		if (!entry)
			return;
		entry->eax = levels[i].whole ? id_bits(cpu->n_cpus) : 0;
		entry->ebx = levels[i].whole ? cpu->n_cpus : levels[i].type ? 1 : 0;
		entry->ecx = i | levels[i].type << 8;
		entry->edx = cpu->apic_id;
	}
}

/* Intel's leaf 4 and AMD's 0x8000001d: who shares a cache. Levels 1 and 2 are a core's own. */
static void fit_caches(struct cpuid_table *table, const struct cpuid_cpu *cpu, uint32_t function)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		uint32_t level = entry->eax >> 5 & 7, sharing;

		if (entry->function != function || !(entry->eax & 0x1f))
			continue;
		sharing = level >= 3 ? (1U << id_bits(cpu->n_cpus)) - 1 : 0;
		entry->eax = (entry->eax & 0x00003fff) | sharing << 14;
		if (function == 4)
			entry->eax |= ((1U << id_bits(cpu->n_cpus)) - 1) << 26;
	}
}

static void fit_amd(struct cpuid_table *table, const struct cpuid_cpu *cpu)
{
	struct kvm_cpuid_entry2 *entry = find(table, 0x80000001, 0);
	struct kvm_cpuid_entry2 *vendor = find(table, 0, 0);

	/* "AuthenticAMD", "HygonGenuine" have 'cAMD' or 'uine' in ecx */
	if (!vendor || (vendor->ecx != 0x444d4163 && vendor->ecx != 0x656e6975))
		return;
	if (entry) {
		entry->ecx &= ~EXT1_ECX_CMP_LEGACY;
		if (cpu->n_cpus > 1)
			entry->ecx |= EXT1_ECX_CMP_LEGACY;
	}
	entry = find(table, 0x80000008, 0);
	if (entry)
		entry->ecx =
			(entry->ecx & ~0xf0ffU) | id_bits(cpu->n_cpus) << 12 | (cpu->n_cpus - 1);
	entry = find(table, 0x8000001e, 0);
	if (entry) {
		entry->eax = cpu->apic_id;
		entry->ebx = cpu->apic_id & 0xff; /* core id, one thread per core */
		entry->ecx = 0;			  /* one node */
	}
}

static void fit_hypervisor(struct cpuid_table *table, const struct cpuid_cpu *cpu)
{
	struct kvm_cpuid_entry2 *entry = find(table, LEAF_KVM, 0);

	if (!entry || !cpu->tsc_khz)
		return;
	if (entry->eax < LEAF_KVM_TIMING)
		entry->eax = LEAF_KVM_TIMING;
	entry = find_or_add(table, LEAF_KVM_TIMING, 0, 0);
	if (entry) {
		entry->eax = cpu->tsc_khz;
		entry->ebx = LAPIC_KHZ;
	}
}

void cpuid_fit(struct cpuid_table *table, const struct cpuid_cpu *cpu)
{
	fit_basic(table, cpu);
	fit_caches(table, cpu, 4);
	fit_levels(table, cpu, 0xb);
	fit_levels(table, cpu, 0x1f);
	fit_caches(table, cpu, 0x8000001d);
	fit_amd(table, cpu);
	fit_hypervisor(table, cpu);
}
