/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling happens on the control thread, running on the workers. See filter.h.
 */
#include "probe/filter.h"

#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bpf.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "probe/filter_words.h"

#define WAYS_MAX 20000 /* through a program, for the verifier of librte_bpf */

struct filter {
	struct rte_bpf *bpf; /* NULL: interpreted */
	uint64_t (*run)(void *mbuf);
	struct bpf_program program;
	char text[FILTER_TEXT_MAX];
};

struct filter_scratch {
	struct rte_mbuf mbufs[2 + FRAME_SEGS_MAX]; /* only to describe a frame: none owns memory */
	uint8_t flat[FRAME_LEN_MAX + FRAME_PREFIX_MAX];
};

/*
 * Jumps may only go forward and stay inside, and every way ends with a return: no program runs longer than it is. How many
 * ways are there through it? (libpcap's own bpf_validate() cannot be called: librte_bpf has a function of that name.)
 * Return: WAYS_MAX + 1 for more; 0 for a program that is not accepted.
 */
static uint32_t program_ways(const struct bpf_program *program)
{
	uint32_t n = program->bf_len;
	uint32_t *ways = calloc(n + 1u, sizeof(*ways)), result;

	if (ways == NULL || n == 0) {
		free(ways);
		return 0;
	}
	for (uint32_t i = n; i-- > 0;) {
		const struct bpf_insn *in = &program->bf_insns[i];
		uint64_t here;

		if (BPF_CLASS(in->code) == BPF_RET) {
			here = 1;
		} else if (BPF_CLASS(in->code) == BPF_JMP && BPF_OP(in->code) == BPF_JA) {
			here = in->k < n - i - 1 ? ways[i + 1 + in->k] : 0;
		} else if (BPF_CLASS(in->code) == BPF_JMP) {
			uint32_t yes = i + 1u + in->jt, no = i + 1u + in->jf;

			here = yes < n && no < n && ways[yes] != 0 && ways[no] != 0
				       ? (uint64_t)ways[yes] + ways[no]
				       : 0;
		} else {
			here = ways[i + 1];
		}
		ways[i] = here > WAYS_MAX ? WAYS_MAX + 1 : (uint32_t)here;
	}
	result = ways[0];
	free(ways);
	return result;
}

/* Machine code, if librte_bpf takes the program. */
static void native_make(struct filter *filter)
{
	struct rte_bpf_prm *prm = rte_bpf_convert(&filter->program);
	struct rte_bpf_jit jit = {.func = NULL};

	if (prm == NULL)
		return;
	prm->prog_arg = (struct rte_bpf_arg){.type = RTE_BPF_ARG_PTR_MBUF,
					     .size = sizeof(struct rte_mbuf),
					     .buf_size = FRAME_LEN_MAX};
	filter->bpf = rte_bpf_load(prm);
	rte_free(prm);
	if (filter->bpf == NULL)
		return;
	if (rte_bpf_get_jit(filter->bpf, &jit) == 0 && jit.func != NULL) {
		filter->run = jit.func;
		return;
	}
	rte_bpf_destroy(filter->bpf); /* this architecture has no code generator */
	filter->bpf = NULL;
}

static int program_compile(struct filter *filter, struct err *err)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, FRAME_LEN_MAX);
	int rc = 0;

	if (pcap == NULL)
		return err_set(err, ENOMEM, "out of memory");
	if (pcap_compile(pcap, &filter->program, filter->text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		rc = err_set(err, EINVAL, "the filter \"%.200s\" does not compile: %.200s",
			     filter->text, pcap_geterr(pcap));
		memset(&filter->program, 0, sizeof(filter->program));
	}
	pcap_close(pcap);
	return rc;
}

int filter_compile(const char *text, struct filter **out, struct err *err)
{
	struct filter *filter;
	uint32_t ways;
	int rc;

	if (strlen(text) >= FILTER_TEXT_MAX)
		return err_set(err, E2BIG, "the filter has %zu characters, at most %d are possible",
			       strlen(text), FILTER_TEXT_MAX - 1);
	rc = filter_words_check(text, err);
	if (rc != 0)
		return rc;
	filter = calloc(1, sizeof(*filter));
	if (filter == NULL)
		return err_set(err, ENOMEM, "out of memory");
	strcpy(filter->text, text);
	rc = program_compile(filter, err);
	if (rc != 0)
		goto fail;
	ways = program_ways(&filter->program);
	if (ways == 0) {
		rc = err_set(
			err, ENOTSUP,
			"the filter \"%.200s\" compiles to a program that may loop (protochain "
			"does); write it without",
			text);
		goto fail;
	}
	if (ways <= WAYS_MAX)
		native_make(filter);
	*out = filter;
	return 0;
fail:
	filter_free(filter);
	return rc;
}

void filter_free(struct filter *filter)
{
	if (filter == NULL)
		return;
	if (filter->bpf != NULL)
		rte_bpf_destroy(filter->bpf);
	pcap_freecode(&filter->program);
	free(filter);
}

const char *filter_text(const struct filter *filter)
{
	return filter->text;
}

bool filter_is_native(const struct filter *filter)
{
	return filter->run != NULL;
}

struct filter_scratch *filter_scratch_new(void)
{
	size_t size = (sizeof(struct filter_scratch) + 63) / 64 * 64;
	struct filter_scratch *scratch = aligned_alloc(64, size);

	if (scratch != NULL)
		memset(scratch->mbufs, 0, sizeof(scratch->mbufs));
	return scratch;
}

void filter_scratch_free(struct filter_scratch *scratch)
{
	free(scratch);
}

/* Return: false when the piece ends the description, because an mbuf cannot say more than 65535 bytes. */
static bool describe(struct filter_scratch *scratch, uint16_t *n, const uint8_t *base, uint32_t len)
{
	struct rte_mbuf *m = &scratch->mbufs[*n];

	if (len == 0)
		return true;
	m->buf_addr = (void *)(uintptr_t)base;
	m->data_off = 0;
	m->data_len = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
	m->next = NULL;
	if (*n > 0)
		scratch->mbufs[*n - 1].next = m;
	(*n)++;
	return len <= UINT16_MAX;
}

static bool match_native(const struct filter *filter, struct filter_scratch *scratch,
			 const struct frame_out *out)
{
	const struct frame *f = out->f;
	uint16_t n = 0, heads = f->hdr_len - out->skip;
	bool more;

	if (out->prefix_len > 0) {
		/* Tagged on the way out: one flat head, so that the common loads take the short way. */
		uint32_t head = frame_out_copy(out, scratch->flat, out->prefix_len + heads);

		more = describe(scratch, &n, scratch->flat, head);
	} else {
		more = describe(scratch, &n, f->hdr + out->skip, heads);
	}
	for (uint16_t i = 0; i < f->n_segs && i < FRAME_SEGS_MAX && more; i++)
		more = describe(scratch, &n, f->segs[i].base, f->segs[i].len);
	if (n == 0)
		return false;
	scratch->mbufs[0].nb_segs = n;
	scratch->mbufs[0].pkt_len = frame_out_len(out);
	return filter->run(&scratch->mbufs[0]) != 0;
}

bool filter_match(const struct filter *filter, struct filter_scratch *scratch,
		  const struct frame_out *out)
{
	uint32_t len = frame_out_len(out), n;

	if (filter == NULL)
		return true;
	if (filter->run != NULL)
		return match_native(filter, scratch, out);
	n = frame_out_copy(out, scratch->flat, sizeof(scratch->flat));
	return bpf_filter(filter->program.bf_insns, scratch->flat, len, n) != 0;
}
