/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bringing up DPDK's environment: memory, clocks, its log into ours. Control thread, once per
 * process.
 */
#ifndef DATAPATH_EAL_H
#define DATAPATH_EAL_H

#include <stdbool.h>

#include "base/err.h"

/**
 * eal_start() - Initialise DPDK without devices, files or a fixed CPU
 * @hugepages: take memory from 2 MiB hugepages; else ordinary pages
 *
 * The calling thread keeps its CPU affinity.
 * Return: 0, or -errno with @err saying what to change.
 */
int eal_start(bool hugepages, const char *telemetry, struct err *err);

#endif
