/* SPDX-License-Identifier: BSD-3-Clause */
/* See bpf_writer.h. Control thread. */
#include "bpf_writer.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void bpf_writer_init(struct bpf_writer *w, struct bpf_insn *code, size_t max)
{
	memset(w, 0, sizeof(*w));
	w->code = code;
	w->max = max;
}

size_t bpf_writer_end(const struct bpf_writer *w)
{
	return w->n <= w->max && w->n_jumps == 0 ? w->n : 0;
}

void bpf_emit(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (w->n < w->max)
		w->code[w->n] = (struct bpf_insn){.code = op,
						  .dst_reg = dst & 0xf,
						  .src_reg = src & 0xf,
						  .off = off,
						  .imm = imm};
	w->n++;
}

void bpf_jump(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src, int32_t imm, int to)
{
	if (w->n_jumps < BPF_WRITER_JUMPS_MAX) {
		w->jumps[w->n_jumps].at = w->n;
		w->jumps[w->n_jumps++].to = to;
	} else {
		w->n = w->max; /* bpf_writer_end() says that it was too much */
	}
	bpf_emit(w, op, dst, src, 0, imm);
}

void bpf_goto(struct bpf_writer *w, int to)
{
	bpf_jump(w, BPF_JMP | BPF_JA, 0, 0, 0, to);
}

void bpf_label(struct bpf_writer *w, int label)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n_jumps; i++) {
		size_t at = w->jumps[i].at;

		if (w->jumps[i].to != label)
			w->jumps[kept++] = w->jumps[i];
		else if (at < w->max)
			w->code[at].off = (int16_t)(w->n - at - 1);
	}
	w->n_jumps = kept;
}

void bpf_load(struct bpf_writer *w, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	bpf_emit(w, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

void bpf_store(struct bpf_writer *w, uint8_t size, uint8_t dst, int16_t off, uint8_t src)
{
	bpf_emit(w, BPF_STX | BPF_MEM | size, dst, src, off, 0);
}

void bpf_move(struct bpf_writer *w, uint8_t dst, uint8_t src)
{
	bpf_emit(w, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void bpf_move_constant(struct bpf_writer *w, uint8_t dst, int32_t imm)
{
	bpf_emit(w, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

void bpf_math(struct bpf_writer *w, uint8_t op, uint8_t dst, uint8_t src)
{
	bpf_emit(w, BPF_ALU64 | BPF_X | op, dst, src, 0, 0);
}

void bpf_math_constant(struct bpf_writer *w, uint8_t op, uint8_t dst, int32_t imm)
{
	bpf_emit(w, BPF_ALU64 | BPF_K | op, dst, 0, 0, imm);
}

void bpf_constant64(struct bpf_writer *w, uint8_t dst, uint8_t src, uint64_t value)
{
	bpf_emit(w, BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (int32_t)value);
	bpf_emit(w, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void bpf_call(struct bpf_writer *w, int32_t helper)
{
	bpf_emit(w, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void bpf_exit(struct bpf_writer *w)
{
	bpf_emit(w, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void bpf_expect(struct bpf_writer *w, uint8_t size, uint8_t base, int16_t off, uint32_t value,
		int to)
{
	bpf_load(w, size, R5, base, off);
	bpf_jump(w, BPF_JMP32 | BPF_JNE | BPF_K, R5, 0, (int32_t)value, to);
}

void bpf_need(struct bpf_writer *w, uint8_t packet, uint8_t end, int32_t len, int to)
{
	bpf_move(w, R4, packet);
	bpf_math_constant(w, BPF_ADD, R4, len);
	bpf_jump(w, BPF_JMP | BPF_JGT | BPF_X, R4, end, 0, to);
}

int bpf_system(enum bpf_cmd command, union bpf_attr *attr)
{
	int ret = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	return ret >= 0 ? ret : -errno;
}
