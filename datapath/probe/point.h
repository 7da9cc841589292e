/* SPDX-License-Identifier: BSD-3-Clause */
/* Where probes look, and how many there may be. */
#ifndef DATAPATH_PROBE_POINT_H
#define DATAPATH_PROBE_POINT_H

enum probe_point { PROBE_IN, PROBE_OUT, PROBE_DROP, PROBE_POINTS };

#define PROBES_MAX 64 /* bits of port_config.watch */

#endif
