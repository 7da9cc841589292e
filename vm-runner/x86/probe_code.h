/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the probe guest (probe_code.c) and who runs it (probe.c). Plain numbers: the assembler reads them, too. */
#ifndef VM_X86_PROBE_CODE_H
#define VM_X86_PROBE_CODE_H

#define PROBE_PORT_STEP	 0xf4
#define PROBE_PORT_WRONG 0xf5

#define PROBE_STEP_START      1
#define PROBE_STEP_MSR	      2
#define PROBE_STEP_PAGES      3
#define PROBE_STEP_INT3	      4
#define PROBE_STEP_FAULT      5
#define PROBE_STEP_CMPXCHG16B 6
#define PROBE_STEP_XSAVE      7
#define PROBE_STEP_DONE	      8

/* Guest physical addresses, all in the first 2 MiB. */
#define PROBE_GDT     0x1000
#define PROBE_IDT     0x2000
#define PROBE_PML4    0x4000
#define PROBE_PDPT    0x5000
#define PROBE_PD      0x6000
#define PROBE_SCRATCH 0x7000
#define PROBE_FPU     0x8000 /* 64-byte aligned, one page */
#define PROBE_CODE    0x10000
#define PROBE_STACK   0x20000

extern const unsigned char probe_code[], probe_code_int3[], probe_code_page_fault[],
	probe_code_other[], probe_code_end[];

#endif
