/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ACPI tables. Hardware-reduced: no SMIs, no PM timer, no 8259, no PIT; a kernel finds interrupts through
 * the MADT, PCI through MCFG and the DSDT, and powers off, resets and hears of the power button through
 * registers of ours (power.h). The main thread writes them before the guest runs.
 */
#include "x86/acpi.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pci/bus.h"
#include "x86/aml.h"
#include "x86/hotplug.h"
#include "x86/layout.h"
#include "x86/power.h"

#define OEM_ID	     "NETLOO"
#define OEM_TABLE_ID "NETLOOM "
#define CREATOR_ID   "NTLM"

#define FADT_WBINVD	    (1U << 0)
#define FADT_PROC_C1	    (1U << 2)
#define FADT_PWR_BUTTON	    (1U << 4) /* not a fixed-feature button: a device in the DSDT */
#define FADT_SLP_BUTTON	    (1U << 5)
#define FADT_RESET_REG_SUP  (1U << 10)
#define FADT_HW_REDUCED	    (1U << 20)
#define NOTIFY_DEVICE_CHECK 1
#define NOTIFY_EJECT	    3
#define BOOT_NO_VGA	    (1U << 2)
#define BOOT_NO_CMOS_RTC    (1U << 5)

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct sdt {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct gas {
	uint8_t space, bit_width, bit_offset, access;
	uint64_t address;
} __attribute__((packed));

#define GAS_PORT8(port) ((struct gas){1, 8, 0, 1, (port)})

struct fadt {
	struct sdt header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved0, preferred_pm_profile;
	uint8_t legacy[63]; /* SMI and PM1/GPE blocks, latencies, RTC: all absent */
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct gas x_pm[8];
	struct gas sleep_control, sleep_status;
	char hypervisor_vendor[8];
} __attribute__((packed));
_Static_assert(sizeof(struct fadt) == 276, "FADT revision 6");
_Static_assert(offsetof(struct fadt, iapc_boot_arch) == 109, "ACPI 6.3 table 5-33");

struct madt {
	struct sdt header;
	uint32_t lapic_address, flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct mcfg {
	struct sdt header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} __attribute__((packed));

/* Tables are laid one behind the other. */
struct builder {
	const struct guest_mem *mem;
	uint64_t next;
	bool overflow;
};

static uint8_t checksum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + at[i]);
	return (uint8_t)-sum;
}

static void sdt_fill(struct sdt *header, const char *signature, uint8_t revision, size_t bytes)
{
	memcpy(header->signature, signature, 4);
	header->length = (uint32_t)bytes;
	header->revision = revision;
	memcpy(header->oem_id, OEM_ID, 6);
	memcpy(header->oem_table_id, OEM_TABLE_ID, 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, CREATOR_ID, 4);
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, bytes);
}

/* Return: guest physical address. */
static uint64_t builder_put(struct builder *builder, const void *data, size_t bytes)
{
	uint64_t at = builder->next;

	if (at + bytes > LAYOUT_ACPI_END || mem_put(builder->mem, at, data, bytes))
		builder->overflow = true;
	else
		builder->next = (at + bytes + 15) & ~UINT64_C(15);
	return at;
}

/* A slot whose card can be ejected (§6.3.3). Whether there is one, config space says. */
static void dsdt_slot(struct aml *aml, unsigned int slot)
{
	char name[8];

	snprintf(name, sizeof(name), "S%02X_", slot & 0x1f);
	aml_device_open(aml, name);
	aml_name(aml, "_ADR");
	aml_integer(aml, slot << 16);
	aml_name(aml, "_SUN");
	aml_integer(aml, slot);
	aml_method_open(aml, "_EJ0", 1);
	aml_store_integer(aml, UINT32_C(1) << slot, "HPEJ");
	aml_close(aml);
	aml_close(aml);
}

static void dsdt_pci(struct aml *aml, const struct acpi_machine *machine)
{
	aml_device_open(aml, "PCI0");
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0A08");
	aml_name(aml, "_CID");
	aml_eisa_id(aml, "PNP0A03");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_SEG");
	aml_integer(aml, 0);
	aml_name(aml, "_BBN");
	aml_integer(aml, 0);
	aml_name(aml, "_CRS");
	aml_resources_open(aml);
	aml_bus_numbers(aml, 0, 0);
	aml_io(aml, 0xcf8, 8);
	aml_memory_window32(aml, (uint32_t)PCI_MMIO32_BASE, (uint32_t)(PCI_MMIO32_END - 1));
	aml_memory_window64(aml, machine->mmio64_base,
			    machine->mmio64_base + machine->mmio64_bytes - 1);
	aml_resources_close(aml);
	for (unsigned int i = 0; i < machine->n_hotplug_slots; i++)
		dsdt_slot(aml, machine->hotplug_slot + i);
	aml_close(aml);
}

/*
 * What the interrupt of the controller is answered with: look at the slots with a new card (Device Check, §5.6.6),
 * let go of the cards that are wanted back (Eject Request).
 */
static void dsdt_hotplug(struct aml *aml, const struct acpi_machine *machine)
{
	aml_io_region(aml, "HPRG", LAYOUT_PORT_HOTPLUG, HOTPLUG_PORTS);
	aml_field_open(aml, "HPRG"); /* in the order of hotplug.h */
	aml_field32(aml, "HPAR");
	aml_field32(aml, "HPLV");
	aml_field32(aml, "HPEJ");
	aml_close(aml);
	aml_method_open(aml, "HPEV", 0);
	aml_store_in_local(aml, "HPAR", 0);
	aml_store_in_local(aml, "HPLV", 1);
	for (unsigned int i = 0; i < machine->n_hotplug_slots; i++) {
		unsigned int slot = machine->hotplug_slot + i;
		char path[12];

		snprintf(path, sizeof(path), "^PCI0.S%02X_", slot & 0x1f);
		aml_if_bit_open(aml, 0, UINT32_C(1) << slot);
		aml_notify(aml, path, NOTIFY_DEVICE_CHECK);
		aml_close(aml);
		aml_if_bit_open(aml, 1, UINT32_C(1) << slot);
		aml_notify(aml, path, NOTIFY_EJECT);
		aml_close(aml);
	}
	aml_close(aml);
}

/* Linux uses ECAM only where a motherboard device reserves it. */
static void dsdt_motherboard(struct aml *aml)
{
	aml_device_open(aml, "MBRD");
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0C02");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_CRS");
	aml_resources_open(aml);
	aml_memory_fixed(aml, (uint32_t)PCI_ECAM_BASE, (uint32_t)PCI_ECAM_BYTES);
	aml_io(aml, LAYOUT_PORT_POWER, POWER_PORTS);
	aml_io(aml, LAYOUT_PORT_HOTPLUG, HOTPLUG_PORTS);
	aml_resources_close(aml);
	aml_close(aml);
}

static void dsdt_serial(struct aml *aml)
{
	aml_device_open(aml, "COM1");
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0501");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_CRS");
	aml_resources_open(aml);
	aml_io(aml, LAYOUT_PORT_SERIAL, 8);
	aml_interrupt(aml, LAYOUT_IRQ_SERIAL);
	aml_resources_close(aml);
	aml_close(aml);
}

/* A generic event device (§5.6.9): its interrupts mean that the button was pressed, or that cards come or go. */
static void dsdt_events(struct aml *aml)
{
	aml_device_open(aml, "PWRB");
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0C0C");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_close(aml);
	aml_device_open(aml, "GED_");
	aml_name(aml, "_HID");
	aml_string(aml, "ACPI0013");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_CRS");
	aml_resources_open(aml);
	aml_interrupt(aml, LAYOUT_IRQ_POWER);
	aml_interrupt(aml, LAYOUT_IRQ_HOTPLUG);
	aml_resources_close(aml);
	aml_method_open(aml, "_EVT", 1);
	aml_if_arg0_open(aml, LAYOUT_IRQ_POWER);
	aml_notify(aml, "\\_SB_.PWRB", 0x80);
	aml_close(aml);
	aml_if_arg0_open(aml, LAYOUT_IRQ_HOTPLUG);
	aml_call(aml, "\\_SB_.HPEV");
	aml_close(aml);
	aml_close(aml);
	aml_close(aml);
}

static uint64_t dsdt_put(struct builder *builder, const struct acpi_machine *machine)
{
	uint8_t table[sizeof(struct sdt) + AML_BYTES_MAX] = {0};
	struct aml aml = {0};
	struct sdt header = {0};
	size_t bytes;

	aml_scope_open(&aml, "\\_SB_");
	dsdt_pci(&aml, machine);
	dsdt_hotplug(&aml, machine);
	dsdt_motherboard(&aml);
	if (machine->has_serial)
		dsdt_serial(&aml);
	dsdt_events(&aml);
	aml_close(&aml);
	aml_name(&aml, "\\_S5_");
	aml_package_open(&aml, 4);
	aml_integer(&aml, POWER_SLEEP_TYPE_OFF);
	aml_integer(&aml, 0);
	aml_integer(&aml, 0);
	aml_integer(&aml, 0);
	aml_close(&aml);
	if (aml.overflow)
		builder->overflow = true;
	bytes = sizeof(header) + aml.bytes;
	memcpy(table + sizeof(header), aml.data, aml.bytes);
	sdt_fill((struct sdt *)table, "DSDT", 2, bytes);
	return builder_put(builder, table, bytes);
}

static uint64_t fadt_put(struct builder *builder, uint64_t dsdt)
{
	struct fadt fadt = {
		.dsdt = (uint32_t)dsdt,
		.iapc_boot_arch = BOOT_NO_VGA | BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
			 FADT_RESET_REG_SUP | FADT_HW_REDUCED,
		.reset_reg = GAS_PORT8(LAYOUT_PORT_POWER + POWER_RESET),
		.reset_value = POWER_RESET_VALUE,
		.minor_version = 3,
		.x_dsdt = dsdt,
		.sleep_control = GAS_PORT8(LAYOUT_PORT_POWER + POWER_SLEEP_CONTROL),
		.sleep_status = GAS_PORT8(LAYOUT_PORT_POWER + POWER_SLEEP_STATUS),
	};

	memcpy(fadt.hypervisor_vendor, OEM_TABLE_ID, 8);
	sdt_fill(&fadt.header, "FACP", 6, sizeof(fadt));
	return builder_put(builder, &fadt, sizeof(fadt));
}

static uint64_t madt_put(struct builder *builder, unsigned int n_cpus)
{
	uint8_t table[sizeof(struct madt) + ACPI_CPUS_MAX * sizeof(struct madt_lapic) + 64] = {0};
	struct madt madt = {.lapic_address = LAYOUT_LAPIC};
	struct madt_ioapic ioapic = {1, sizeof(ioapic), 0, 0, LAYOUT_IOAPIC, 0};
	/* Without it Linux does not know that there is an ISA interrupt 4 at all. Edge, active high. */
	struct madt_override com1 = {2, sizeof(com1), 0, LAYOUT_IRQ_SERIAL, LAYOUT_IRQ_SERIAL, 0x5};
	struct madt_nmi nmi = {4, sizeof(nmi), 0xff, 0, 1};
	size_t bytes = sizeof(madt);

	for (unsigned int i = 0; i < n_cpus; i++) {
		struct madt_lapic lapic = {0, sizeof(lapic), (uint8_t)i, (uint8_t)i, 1};

		memcpy(table + bytes, &lapic, sizeof(lapic));
		bytes += sizeof(lapic);
	}
	memcpy(table + bytes, &ioapic, sizeof(ioapic));
	bytes += sizeof(ioapic);
	memcpy(table + bytes, &com1, sizeof(com1));
	bytes += sizeof(com1);
	memcpy(table + bytes, &nmi, sizeof(nmi));
	bytes += sizeof(nmi);
	memcpy(table, &madt, sizeof(madt));
	sdt_fill((struct sdt *)table, "APIC", 5, bytes);
	return builder_put(builder, table, bytes);
}

static uint64_t mcfg_put(struct builder *builder)
{
	struct mcfg mcfg = {.base = PCI_ECAM_BASE};

	sdt_fill(&mcfg.header, "MCFG", 1, sizeof(mcfg));
	return builder_put(builder, &mcfg, sizeof(mcfg));
}

int acpi_write(const struct acpi_machine *machine, const struct guest_mem *mem, uint64_t *rsdp_at,
	       struct err *err)
{
	struct builder builder = {.mem = mem, .next = LAYOUT_ACPI};
	struct rsdp rsdp = {.revision = 2, .length = sizeof(rsdp)};
	struct {
		struct sdt header;
		uint64_t tables[3];
	} __attribute__((packed)) xsdt = {0};

	if (machine->n_cpus == 0 || machine->n_cpus > ACPI_CPUS_MAX)
		return err_set(err, EINVAL, "%u CPUs do not fit in the ACPI tables",
			       machine->n_cpus);
	/* The RSDP comes first and is filled in last. */
	*rsdp_at = builder_put(&builder, &rsdp, sizeof(rsdp));
	xsdt.tables[0] = fadt_put(&builder, dsdt_put(&builder, machine));
	xsdt.tables[1] = madt_put(&builder, machine->n_cpus);
	xsdt.tables[2] = mcfg_put(&builder);
	sdt_fill(&xsdt.header, "XSDT", 1, sizeof(xsdt));
	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, OEM_ID, 6);
	rsdp.xsdt = builder_put(&builder, &xsdt, sizeof(xsdt));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	if (builder.overflow || mem_put(mem, *rsdp_at, &rsdp, sizeof(rsdp)))
		return err_set(err, ENOSPC, "the ACPI tables do not fit");
	return 0;
}
