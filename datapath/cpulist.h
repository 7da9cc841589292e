/* SPDX-License-Identifier: BSD-3-Clause */
/* CPU lists as users write them: "2,4-5". Control thread. */
#ifndef DATAPATH_CPULIST_H
#define DATAPATH_CPULIST_H

#include <stdint.h>

#include "base/err.h"

/**
 * cpulist_parse() - Read a list and check that this process may run on its CPUs
 * @text: such as "2,4-5"
 * @cpus: out, in the order of the list
 * @max:  room in @cpus
 *
 * Return: number of CPUs, or -errno with @err filled.
 */
int cpulist_parse(const char *text, int *cpus, uint16_t max, struct err *err);

#endif
