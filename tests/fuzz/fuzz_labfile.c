/* links: topo base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lab file of any bytes: findings or a model, never a crash, and a model whose indices hold. Also asks who
 * reaches whom, which walks everything that the model points to.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/host.h"
#include "topo/reach.h"
#include "topo/span.h"
#include "topo/topo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From every host's point of view: what is here and crosses has a VNI and a way to the other host. */
static void hosts_walk(struct topo *topo)
{
	for (size_t h = 0; h < topo->n_hosts; h++) {
		if (host_select(topo, topo->hosts[h].name, NULL) < 0)
			continue;
		for (size_t i = 0; i < topo->n_links; i++) {
			const struct topo_link *link = &topo->links[i];
			size_t other;

			if (!span_link_crosses(topo, link) || !span_link_is_here(topo, link))
				continue;
			other = span_link_host_towards(topo, link);
			assert(link->vni > 0 && link->vni <= TOPO_VNI_MAX);
			assert(other < topo->n_hosts && other != h);
			assert(span_hosts_talk(topo, h, other));
			assert(span_vtep(topo, other, h) != NULL);
		}
	}
}

static void model_walk(struct topo *topo)
{
	hosts_walk(topo);
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++)
			assert(topo->links[i].ends[end].node_index < topo->n_nodes);
	}
	for (size_t i = 0; i < topo->n_nodes && i < 8; i++) {
		const struct topo_node *from = &topo->nodes[i];

		assert(from->n_nics <= TOPO_NICS_MAX);
		for (size_t k = 0; k < topo->n_nodes && k < 8; k++) {
			const struct topo_node *to = &topo->nodes[k];

			if (from->n_addresses > 0 && to->n_addresses > 0)
				reach_addresses(topo, from, &from->addresses[0], to,
						&to->addresses[0]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct diag_list diags;
	struct topo topo;

	diag_init(&diags, "fuzz.yaml");
	if (topo_parse(&topo, (const char *)data, size, &diags) == 0)
		model_walk(&topo);
	else
		assert(diags.n_errors > 0);
	topo_free(&topo);
	return 0;
}
