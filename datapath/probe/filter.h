/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames? A filter in tcpdump's language, run on frames by the workers.
 *
 * libpcap compiles the text to classic BPF. What is accepted of that is turned into eBPF (rte_bpf_convert), verified and made
 * machine code by librte_bpf; the verifier walks every way through a program, so programs with very many ways (lists of
 * IPv6 addresses) are run by libpcap's interpreter instead, on a flat copy of the frame. Both read the frame through
 * bounds-checked loads: a program cannot reach anything else.
 *
 * Text comes from outside. Host names are refused: looking them up would make the switch wait for a name server.
 */
#ifndef DATAPATH_PROBE_FILTER_H
#define DATAPATH_PROBE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "frame.h"
#include "probe/point.h"

struct filter;
struct filter_scratch;

/**
 * filter_compile() - Make a filter from text
 * @text: pcap-filter(7); FILTER_TEXT_MAX characters at most
 * @out:  to be freed with filter_free() when no worker can run it
 *
 * Return: 0 or -errno with @err saying what is wrong with the text. Context: control thread, EAL is up.
 */
int filter_compile(const char *text, struct filter **out, struct err *err);
void filter_free(struct filter *filter);

/** filter_text() - What it was compiled from */
const char *filter_text(const struct filter *filter);
/** filter_is_native() - Whether it runs as machine code */
bool filter_is_native(const struct filter *filter);

/** filter_scratch_new() - One worker's memory for running filters. Return: NULL without memory. */
struct filter_scratch *filter_scratch_new(void);
void filter_scratch_free(struct filter_scratch *scratch);

/**
 * filter_match() - Does the filter accept this frame?
 * @filter: NULL: yes
 * @out:    the frame as it goes out, or as it came in: prefix_len and skip 0
 *
 * Context: any thread with a scratch of its own; never blocks, never allocates.
 */
bool filter_match(const struct filter *filter, struct filter_scratch *scratch,
		  const struct frame_out *out);

#endif
