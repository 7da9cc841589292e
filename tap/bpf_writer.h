/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BPF programs written in instructions, so that neither a compiler nor an object file is needed at run time. Jumps lead to
 * labels, forward only. Too many instructions or jumps are noticed at the end, by bpf_writer_end().
 */
#ifndef TAP_BPF_WRITER_H
#define TAP_BPF_WRITER_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_WRITER_JUMPS_MAX 96

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

struct bpf_writer {
	struct bpf_insn *code;
	size_t n, max;
	size_t n_jumps;
	struct {
		size_t at;
		int to;
	} jumps[BPF_WRITER_JUMPS_MAX];
};

/** bpf_writer_init() - @code: @max entries, written as the program grows */
void bpf_writer_init(struct bpf_writer *w, struct bpf_insn *code, size_t max);

/** bpf_writer_end() - Return: how many instructions; 0: too many, or a jump that leads nowhere */
size_t bpf_writer_end(const struct bpf_writer *w);

void bpf_emit(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm);

/** bpf_jump() - Jump to label @to, which comes later, if the comparison @op holds */
void bpf_jump(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src, int32_t imm, int to);
void bpf_goto(struct bpf_writer *w, int to);

/** bpf_label() - Jumps to @label so far lead here; the name is free again */
void bpf_label(struct bpf_writer *w, int label);

/* dst = *(size *)(src + off), *(size *)(dst + off) = src: @size is BPF_B, BPF_H, BPF_W or BPF_DW */
void bpf_load(struct bpf_writer *w, uint8_t size, uint8_t dst, uint8_t src, int16_t off);
void bpf_store(struct bpf_writer *w, uint8_t size, uint8_t dst, int16_t off, uint8_t src);

/* dst = src, dst = constant, and 64-bit arithmetic: @op is BPF_ADD, BPF_AND, ... */
void bpf_move(struct bpf_writer *w, uint8_t dst, uint8_t src);
void bpf_move_constant(struct bpf_writer *w, uint8_t dst, int32_t imm);
void bpf_math(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src);
void bpf_math_constant(struct bpf_writer *w, uint8_t op, uint8_t dst, int32_t imm);

/** bpf_constant64() - dst = @value; with @src BPF_PSEUDO_MAP_FD the map whose fd that is */
void bpf_constant64(struct bpf_writer *w, uint8_t dst, uint8_t src, uint64_t value);

/** bpf_call() - r0 = helper(r1, ..., r5), which r1 to r5 do not survive */
void bpf_call(struct bpf_writer *w, int32_t helper);
void bpf_exit(struct bpf_writer *w);

/** bpf_expect() - r5 = @size bytes at @base + @off; if they are not @value, as it lies in memory, to @to */
void bpf_expect(struct bpf_writer *w, uint8_t size, uint8_t base, int16_t off, uint32_t value,
		int to);

/** bpf_need() - r4 = @packet + @len; if the packet ends at @end before that, to @to: after this @len bytes may be read */
void bpf_need(struct bpf_writer *w, uint8_t packet, uint8_t end, int32_t len, int to);

/** bpf_system() - The system call. Return: what it returns, or -errno. */
int bpf_system(enum bpf_cmd command, union bpf_attr *attr);

#endif
