/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where things are in the guest's physical address space. PCI's windows are in pci/bus.h, RAM's in mem.h.
 *
 *   0x00001000  GDT, boot structures, page tables: read by the kernel while it starts, then free
 *   0x00020000  kernel command line
 *   0x0009fc00  hole up to 1 MiB; the ACPI tables lie in it, from 0x000e0000, and
 *               the reset vector, at 0x000ffff0
 *   0x00100000  RAM: kernel where it wants to be, initrd at the upper end of low memory
 *   0xc0000000  PCI BARs, 32 bit     0xe0000000  ECAM
 *   0xfec00000  IOAPIC               0xfee00000  local APICs     0xfffbc000  KVM's own pages
 *   4 GiB       the rest of RAM, then PCI BARs, 64 bit
 */
#ifndef VM_X86_LAYOUT_H
#define VM_X86_LAYOUT_H

#define LAYOUT_GDT	    0x1000
#define LAYOUT_TSS	    0x2000
#define LAYOUT_PVH_INFO	    0x6000 /* start info, module list, memory map */
#define LAYOUT_ZERO_PAGE    0x7000
#define LAYOUT_PAGE_TABLES  0x9000 /* PML4, PDPT, 4 PDs */
#define LAYOUT_CMDLINE	    0x20000
#define LAYOUT_CMDLINE_MAX  2048 /* Linux cuts a longer one off without a word */
#define LAYOUT_LOW_RAM_END  0x9fc00
#define LAYOUT_ACPI	    0xe0000
#define LAYOUT_ACPI_END	    0xffff0
#define LAYOUT_RESET_VECTOR 0xffff0 /* f000:fff0 */
#define LAYOUT_HIGH_RAM	    0x100000
#define LAYOUT_IOAPIC	    0xfec00000
#define LAYOUT_LAPIC	    0xfee00000
#define LAYOUT_KVM_IDENTITY 0xfffbc000
#define LAYOUT_KVM_TSS	    0xfffbd000

#define LAYOUT_PORT_SERIAL  0x3f8 /* 8 ports */
#define LAYOUT_PORT_POWER   0x600 /* 4 ports, see power.h */
#define LAYOUT_PORT_HOTPLUG 0x620 /* 12 ports, see hotplug.h; those of microguest_abi.h are below */
#define LAYOUT_IRQ_SERIAL   4
#define LAYOUT_IRQ_POWER    5
#define LAYOUT_IRQ_HOTPLUG  6

#endif
