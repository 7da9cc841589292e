/* SPDX-License-Identifier: BSD-3-Clause */
/* cycles, absences: where the workers' time goes. See datapath/cycles.h, which are counted while somebody asks, and datapath/absence.h. */
#include <stdlib.h>

#include <rte_cycles.h>

#include "datapath.h"
#include "json_read.h"
#include "rpc/methods.h"

#define FOR_MS_DEFAULT 2000
#define FOR_MS_MAX     60000
#define FRAME_NS_MAX   1000000

static json_t *stages_print(void)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < CYCLES_N; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", cycles_name(i),
						      "sentence", cycles_sentence(i)));
	return list;
}

static json_t *worker_print(uint16_t worker)
{
	json_t *spent = json_object();
	struct cycles cycles;

	datapath_cycles(worker, &cycles);
	for (unsigned int i = 0; i < CYCLES_N; i++)
		json_object_set_new(spent, cycles_name(i),
				    json_integer((json_int_t)cycles.spent[i]));
	return json_pack("{s:I, s:I, s:o}", "frames", (json_int_t)cycles.frames, "bursts",
			 (json_int_t)cycles.bursts, "cycles", spent);
}

void rpc_cycles(struct rpc_call *call)
{
	static const char *const keys[] = {"for_ms", NULL};
	struct json_reader reader;
	uint32_t for_ms = FOR_MS_DEFAULT;
	json_t *counted;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	json_read_uint(&reader, "for_ms", 1, FOR_MS_MAX, &for_ms);
	if (call->problems.n > 0)
		return;
	datapath_count_cycles(for_ms);
	counted = json_array();
	for (uint16_t i = 0; i < datapath_n_workers(); i++)
		json_array_append_new(counted, worker_print(i));
	call->result = json_pack("{s:I, s:o, s:o}", "tsc_hz", (json_int_t)rte_get_tsc_hz(),
				 "counted", counted, "stages", stages_print());
}

void rpc_absences(struct rpc_call *call)
{
	static const char *const keys[] = {"worker", "newest", "frame_ns", NULL};
	uint32_t worker = 0, n_newest = 0, frame_ns = 0, n;
	struct json_reader reader;
	struct absence *newest;
	uint64_t n_ever;
	json_t *list;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	json_read_uint(&reader, "worker", 0, datapath_n_workers() - 1U, &worker);
	json_read_uint(&reader, "newest", 0, ABSENCES_KEPT, &n_newest);
	json_read_uint(&reader, "frame_ns", 1, FRAME_NS_MAX, &frame_ns);
	if (call->problems.n > 0)
		return;
	if (frame_ns > 0)
		datapath_absences_frame_ns((uint16_t)worker, frame_ns);
	newest = calloc(n_newest + 1, sizeof(*newest));
	if (newest == NULL)
		return;
	n = datapath_absences((uint16_t)worker, newest, n_newest, &n_ever);
	list = json_array();
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("[I, I]", (json_int_t)newest[i].until,
						      (json_int_t)newest[i].cycles));
	free(newest);
	call->result =
		json_pack("{s:I, s:i, s:I, s:o}", "tsc_hz", (json_int_t)rte_get_tsc_hz(), "over_ns",
			  ABSENCE_MIN_NS, "n", (json_int_t)n_ever, "newest", list);
}
