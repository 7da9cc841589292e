/* SPDX-License-Identifier: BSD-3-Clause */
/* Where probes look, how many there may be, and how long their filters. */
#ifndef DATAPATH_PROBE_POINT_H
#define DATAPATH_PROBE_POINT_H

enum probe_point { PROBE_IN, PROBE_OUT, PROBE_DROP, PROBE_POINTS };

#define FILTER_TEXT_MAX 2048 /* with the NUL */
#define PROBES_MAX	64   /* bits of port_config.watch */

#endif
