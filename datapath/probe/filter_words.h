/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters without names that somebody would have to look up. */
#ifndef DATAPATH_PROBE_FILTER_WORDS_H
#define DATAPATH_PROBE_FILTER_WORDS_H

#include "base/err.h"

/**
 * filter_words_check() - Refuse host and network names in a filter
 * @text: pcap-filter(7), any bytes
 *
 * Numbers, addresses, pcap-filter's own words, and names of ports (from /etc/services) may be there.
 *
 * Return: 0, or -EINVAL with a sentence that names the word.
 */
int filter_words_check(const char *text, struct err *err);

#endif
