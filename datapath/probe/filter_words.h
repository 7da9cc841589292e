/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters without names that somebody would have to look up. */
#ifndef DATAPATH_PROBE_FILTER_WORDS_H
#define DATAPATH_PROBE_FILTER_WORDS_H

#include "base/err.h"

/* pcap-filter's own words that libpcap knows, ends with NULL. It asks the resolver about any other. */
extern const char *const filter_words_known[];

/**
 * filter_words_check() - Refuse host and network names in a filter
 * @text: pcap-filter(7), any bytes
 *
 * Numbers, addresses, pcap-filter's own words, names of ports (from /etc/services) behind `port` and
 * `portrange`, and of protocols behind `proto \`, may be there.
 *
 * Return: 0, or -EINVAL with a sentence that names the word.
 */
int filter_words_check(const char *text, struct err *err);

#endif
