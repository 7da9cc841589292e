/* SPDX-License-Identifier: BSD-3-Clause */
/* After `up` of one host of several: what keeps it from the others, said at once instead of found out later. One thread. */
#ifndef LAB_UNDERLAY_H
#define LAB_UNDERLAY_H

#include <stddef.h>

/**
 * underlay_report() - Ask netloomd about a lab's uplink and VTEPs, and print what is wrong to standard error
 *
 * A host that merely does not answer is no fault: it may be brought up next.
 *
 * Return: how many things are wrong on this host.
 */
size_t underlay_report(const char *lab);

#endif
