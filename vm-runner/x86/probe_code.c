/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe guest's code. Before each step it writes the step's number to PROBE_PORT_STEP, so that whoever
 * watches knows at what it died; what it can check itself and finds wrong goes to PROBE_PORT_WRONG.
 * Position-independent; it runs at CPL 0 in long mode with the tables that probe.c lays out.
 */
#include "x86/probe_code.h"

#define STR2(x) #x
#define STR(x)	STR2(x)
#define STEP(n) "mov $" STR(n) ", %eax\n out %al, $" STR(PROBE_PORT_STEP) "\n"

/* clang-format off */
__asm__(
	".pushsection .rodata\n"
	".balign 16\n"
	".global probe_code, probe_code_int3, probe_code_page_fault\n"
	".global probe_code_other, probe_code_end\n"
	"probe_code:\n"
	"	xor %r15d, %r15d\n"
	STEP(PROBE_STEP_START)

	/* A model specific register that every 64-bit kernel writes: KERNEL_GS_BASE. */
	STEP(PROBE_STEP_MSR)
	"	mov $0xc0000102, %ecx\n"
	"	mov $0x12345678, %eax\n"
	"	mov $0x00001234, %edx\n"
	"	wrmsr\n"
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	rdmsr\n"
	"	cmp $0x12345678, %eax\n"
	"	jne 9f\n"
	"	swapgs\n"
	"	swapgs\n"

	/* A new page table entry: the first 2 MiB a second time. */
	STEP(PROBE_STEP_PAGES)
	"	movl $0x83, " STR(PROBE_PD) "+8\n"
	"	mov %cr3, %rax\n"
	"	mov %rax, %cr3\n"
	"	invlpg 0x200000\n"
	"	movl $0x5aa5, " STR(PROBE_SCRATCH) "\n"
	"	cmpl $0x5aa5, 0x200000+" STR(PROBE_SCRATCH) "\n"
	"	jne 9f\n"

	/* A trap and the way back. */
	STEP(PROBE_STEP_INT3)
	"	int3\n"
	"	cmp $1, %r15d\n"
	"	jne 9f\n"

	/* A fault: nothing is mapped at 1 GiB. The handler skips the 3 bytes of the load. */
	STEP(PROBE_STEP_FAULT)
	"	mov $0x40000000, %ebx\n"
	"	mov (%rbx), %rax\n"
	"	cmp $2, %r15d\n"
	"	jne 9f\n"

	/* The kernel's allocator lives on it. */
	STEP(PROBE_STEP_CMPXCHG16B)
	"	mov $" STR(PROBE_SCRATCH) ", %esi\n"
	"	movq $1, (%rsi)\n"
	"	movq $2, 8(%rsi)\n"
	"	mov $1, %eax\n"
	"	mov $2, %edx\n"
	"	mov $3, %ebx\n"
	"	mov $4, %ecx\n"
	"	lock cmpxchg16b (%rsi)\n"
	"	jnz 9f\n"
	"	cmpq $4, 8(%rsi)\n"
	"	jne 9f\n"

	/* Saved and restored around every process; XSAVE where the CPU has it. */
	STEP(PROBE_STEP_XSAVE)
	"	mov $1, %eax\n"
	"	xor %ecx, %ecx\n"
	"	cpuid\n"
	"	bt $26, %ecx\n"
	"	jnc 1f\n"
	"	mov %cr4, %rax\n"
	"	or $0x40000, %rax\n"
	"	mov %rax, %cr4\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"	mov $3, %eax\n"
	"	xsetbv\n"
	"	xsave " STR(PROBE_FPU) "\n"
	"	mov $3, %eax\n"
	"	xor %edx, %edx\n"
	"	xrstor " STR(PROBE_FPU) "\n"
	"	jmp 2f\n"
	"1:	fxsave " STR(PROBE_FPU) "\n"
	"	fxrstor " STR(PROBE_FPU) "\n"
	"2:\n"
	STEP(PROBE_STEP_DONE)
	"3:	hlt\n"
	"	jmp 3b\n"
	"9:	out %al, $" STR(PROBE_PORT_WRONG) "\n"
	"	jmp 3b\n"

	".balign 16\n"
	"probe_code_int3:\n"
	"	inc %r15d\n"
	"	iretq\n"

	".balign 16\n"
	"probe_code_page_fault:\n"
	"	inc %r15d\n"
	"	add $8, %rsp\n"
	"	addq $3, (%rsp)\n"
	"	iretq\n"

	".balign 16\n"
	"probe_code_other:\n"
	"	out %al, $" STR(PROBE_PORT_WRONG) "\n"
	"4:	hlt\n"
	"	jmp 4b\n"
	"probe_code_end:\n"
	".popsection\n");
/* clang-format on */
