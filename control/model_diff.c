/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model_impair.h"
#include "model_print.h"
#include "model_vlan.h"

static const char *const op_words[] = {
	[DIFF_SAME] = "same",	  [DIFF_ADD] = "add",	      [DIFF_REMOVE] = "remove",
	[DIFF_CHANGE] = "change", [DIFF_REPLACE] = "replace",
};

/* A detail that grows, comma by comma. */
struct detail {
	char *text;
	size_t size, used;
};

static void detail_add(struct detail *detail, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void detail_add(struct detail *detail, const char *format, ...)
{
	va_list args;
	int n;

	if (detail->used > 0 && detail->used + 2 < detail->size) {
		memcpy(detail->text + detail->used, ", ", 3);
		detail->used += 2;
	}
	va_start(args, format);
	n = vsnprintf(detail->text + detail->used, detail->size - detail->used, format, args);
	va_end(args);
	if (n > 0)
		detail->used += (size_t)n;
	if (detail->used >= detail->size)
		detail->used = detail->size - 1;
}

static struct detail detail_begin(char *text, size_t size)
{
	text[0] = '\0';
	return (struct detail){.text = text, .size = size};
}

static void attachment_text(const struct model_port *port, char *text, size_t size)
{
	char vlan[96];

	if (port->attachment == MODEL_ON_SWITCH) {
		model_vlan_text(&port->vlan, vlan, sizeof(vlan));
		snprintf(text, size, "switch %s %s", port->target, vlan);
	} else if (port->attachment == MODEL_ON_WIRE) {
		snprintf(text, size, "wire %s", port->target);
	} else {
		snprintf(text, size, "detached");
	}
}

static void spec_diff(const struct port_spec *old, const struct port_spec *next,
		      struct detail *detail)
{
	if (strcmp(old->type, next->type) != 0)
		detail_add(detail, "type %s -> %s", old->type, next->type);
	if (strcmp(old->path, next->path) != 0)
		detail_add(detail, "%s %s -> %s",
			   strcmp(next->type, MODEL_TYPE_PCAP) == 0 ? "rx" : "socket", old->path,
			   next->path);
	if (strcmp(old->tx_path, next->tx_path) != 0)
		detail_add(detail, "tx %s -> %s", old->tx_path, next->tx_path);
	if (strcmp(old->ifname, next->ifname) != 0)
		detail_add(detail, "ifname %s -> %s", old->ifname, next->ifname);
	if (old->n_queues != next->n_queues)
		detail_add(detail, "queues %u -> %u", old->n_queues, next->n_queues);
	if (old->server != next->server)
		detail_add(detail, "server %s -> %s", old->server ? "true" : "false",
			   next->server ? "true" : "false");
}

static void impair_diff(const struct model_port *old, const struct model_port *next,
			struct detail *detail)
{
	static const char *const words[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out"};
	char before[192], after[192];

	if (model_impair_equal(old->impair, next->impair))
		return;
	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		model_impair_text(&old->impair[i], before, sizeof(before));
		model_impair_text(&next->impair[i], after, sizeof(after));
		if (strcmp(before, after) != 0)
			detail_add(detail, "impair %s %s -> %s", words[i], before, after);
	}
	if (detail->used == 0)
		detail_add(detail, "impair differs");
}

enum diff_op diff_port(const struct model_port *old, const struct model_port *next, char *text,
		       size_t size)
{
	struct detail detail = detail_begin(text, size);
	char before[192], after[192], shown[320];
	bool replace;

	if (old == NULL && next == NULL)
		return DIFF_SAME;
	if (old == NULL || next == NULL) {
		const struct model_port *one = old == NULL ? next : old;

		attachment_text(one, after, sizeof(after));
		detail_add(&detail, "%s%s%s%s", one->spec.type,
			   one->spec.path[0] != '\0' || one->spec.ifname[0] != '\0' ? " " : "",
			   one->spec.path, one->spec.ifname);
		detail_add(&detail, "%s", after);
		return old == NULL ? DIFF_ADD : DIFF_REMOVE;
	}
	spec_diff(&old->spec, &next->spec, &detail);
	if (!model_tap_equal(&old->tap, &next->tap))
		detail_add(&detail, "namespace, mac or addresses differ");
	if (!model_erspan_equal(&old->erspan, &next->erspan))
		detail_add(&detail, "erspan differs");
	if (!model_uplink_equal(&old->uplink, &next->uplink))
		detail_add(&detail, "local, udp_port or shortcut differs");
	replace = detail.used > 0;
	if (old->uplink.src_port_min != next->uplink.src_port_min ||
	    old->uplink.src_port_max != next->uplink.src_port_max)
		detail_add(&detail, "source_ports %u-%u -> %u-%u", old->uplink.src_port_min,
			   old->uplink.src_port_max, next->uplink.src_port_min,
			   next->uplink.src_port_max);
	if (strcmp(old->owner, next->owner) != 0)
		detail_add(&detail, "owner \"%s\" -> \"%s\"", old->owner, next->owner);
	if (old->vm_mac != next->vm_mac)
		detail_add(&detail, "mac differs");
	if (strcmp(old->patch_peer, next->patch_peer) != 0)
		detail_add(&detail, "peer %s -> %s", old->patch_peer, next->patch_peer);
	if (old->attachment != next->attachment || strcmp(old->target, next->target) != 0 ||
	    !model_vlan_equal(&old->vlan, &next->vlan)) {
		attachment_text(old, before, sizeof(before));
		attachment_text(next, after, sizeof(after));
		detail_add(&detail, "%s -> %s", before, after);
	}
	if (old->mtu != next->mtu)
		detail_add(&detail, "mtu %u -> %u", old->mtu, next->mtu);
	if (old->admin_up != next->admin_up)
		detail_add(&detail, "admin %s", next->admin_up ? "down -> up" : "up -> down");
	impair_diff(old, next, &detail);
	model_link_diff(&old->link, &next->link, shown, sizeof(shown));
	if (shown[0] != '\0')
		detail_add(&detail, "%s", shown);
	if (old->fdb_limit != next->fdb_limit)
		detail_add(&detail, "fdb_limit %u -> %u", old->fdb_limit, next->fdb_limit);
	if (old->sticky != next->sticky)
		detail_add(&detail, "sticky %s", next->sticky ? "false -> true" : "true -> false");
	if (replace)
		return DIFF_REPLACE;
	return detail.used > 0 ? DIFF_CHANGE : DIFF_SAME;
}

enum diff_op diff_switch(const struct model_switch *old, const struct model_switch *next,
			 char *text, size_t size)
{
	struct detail detail = detail_begin(text, size);

	if (old == NULL || next == NULL) {
		if (old == NULL && next == NULL)
			return DIFF_SAME;
		return old == NULL ? DIFF_ADD : DIFF_REMOVE;
	}
	if (strcmp(old->owner, next->owner) != 0)
		detail_add(&detail, "owner \"%s\" -> \"%s\"", old->owner, next->owner);
	if (old->ageing_s != next->ageing_s)
		detail_add(&detail, "ageing_s %u -> %u", old->ageing_s, next->ageing_s);
	if (old->learning != next->learning)
		detail_add(&detail, "learning %s",
			   next->learning ? "false -> true" : "true -> false");
	if (memcmp(old->reserved, next->reserved, sizeof(old->reserved)) != 0)
		detail_add(&detail, "reserved differs");
	if (strcmp(old->peer_port, next->peer_port) != 0)
		detail_add(&detail, "peer_port \"%s\" -> \"%s\"", old->peer_port, next->peer_port);
	return detail.used > 0 ? DIFF_CHANGE : DIFF_SAME;
}

static void change_add(json_t *changes, enum diff_op op, const char *object, const char *name,
		       const char *detail)
{
	if (op != DIFF_SAME)
		json_array_append_new(changes,
				      json_pack("{s:s, s:s, s:s, s:s}", "op", op_words[op],
						"object", object, "name", name, "detail", detail));
}

static void stations_diff(const struct model *a, const struct model *b, enum diff_op op,
			  json_t *changes)
{
	char name[MODEL_NAME_MAX + 32], mac[18], detail[MODEL_NAME_MAX + 32];

	for (size_t i = 0; i < a->n_stations; i++) {
		const struct model_station *one = &a->stations[i];
		const struct model_station *other =
			model_station_find(b, one->sw, one->vid, one->mac);
		bool same = other != NULL && strcmp(other->port, one->port) == 0 &&
			    other->sticky == one->sticky;

		if (same || (other != NULL && op == DIFF_REMOVE))
			continue;
		model_mac_print(one->mac, mac);
		snprintf(name, sizeof(name), "%s vlan %u %s", one->sw, one->vid, mac);
		snprintf(detail, sizeof(detail), "%s on port %s", one->sticky ? "sticky" : "static",
			 one->port);
		change_add(changes, other == NULL ? op : DIFF_CHANGE, "fdb", name, detail);
	}
}

/* What one kind of object was and is, as text; removed ones first. */
static void overlay_diff(const struct model *old, const struct model *next, json_t *changes)
{
	for (size_t i = 0; i < old->n_vnis; i++) {
		if (model_vni_find(next, old->vnis[i]->name) == NULL)
			change_add(changes, DIFF_REMOVE, "vni", old->vnis[i]->name, "");
	}
	for (size_t i = 0; i < old->n_vteps; i++) {
		if (model_vtep_find(next, old->vteps[i]->name) == NULL)
			change_add(changes, DIFF_REMOVE, "vtep", old->vteps[i]->name, "");
	}
	for (size_t i = 0; i < next->n_vteps; i++) {
		const struct model_vtep *vtep = next->vteps[i];
		const struct model_vtep *before = model_vtep_find(old, vtep->name);
		json_t *is = model_vtep_print(vtep);
		json_t *was = before != NULL ? model_vtep_print(before) : NULL;
		char remote[46];

		model_ip_print(&vtep->remote, remote);
		if (was == NULL || !json_equal(was, is))
			change_add(changes, was == NULL ? DIFF_ADD : DIFF_CHANGE, "vtep",
				   vtep->name, remote);
		json_decref(was);
		json_decref(is);
	}
	for (size_t i = 0; i < next->n_vnis; i++) {
		const struct model_vni *before = model_vni_find(old, next->vnis[i]->name);
		json_t *is = model_vni_print(next->vnis[i]);
		json_t *was = before != NULL ? model_vni_print(before) : NULL;
		char detail[MODEL_NAME_MAX + 32];

		snprintf(detail, sizeof(detail), "switch %s vlan %u", next->vnis[i]->sw,
			 next->vnis[i]->vid);
		if (was == NULL || !json_equal(was, is))
			change_add(changes, was == NULL ? DIFF_ADD : DIFF_CHANGE, "vni",
				   next->vnis[i]->name, detail);
		json_decref(was);
		json_decref(is);
	}
}

static void mirrors_diff(const struct model *old, const struct model *next, json_t *changes)
{
	for (size_t i = 0; i < old->n_mirrors; i++) {
		if (model_mirror_find(next, old->mirrors[i]->name) == NULL)
			change_add(changes, DIFF_REMOVE, "mirror", old->mirrors[i]->name, "");
	}
	for (size_t i = 0; i < next->n_mirrors; i++) {
		const struct model_mirror *mirror = next->mirrors[i];
		const struct model_mirror *before = model_mirror_find(old, mirror->name);

		if (before == NULL || !model_mirror_equal(before, mirror))
			change_add(changes, before == NULL ? DIFF_ADD : DIFF_CHANGE, "mirror",
				   mirror->name, mirror->to);
	}
}

static void eyes_diff(const struct model *old, const struct model *next, json_t *changes)
{
	mirrors_diff(old, next, changes);
	for (size_t i = 0; i < old->n_sflows; i++) {
		if (model_sflow_find(next, old->sflows[i]->name) == NULL)
			change_add(changes, DIFF_REMOVE, "sflow", old->sflows[i]->name, "");
	}
	for (size_t i = 0; i < next->n_sflows; i++) {
		const struct model_sflow *sflow = next->sflows[i];
		const struct model_sflow *before = model_sflow_find(old, sflow->name);
		char collector[46];

		model_ip_print(&sflow->collector, collector);
		if (before == NULL || !model_sflow_equal(before, sflow))
			change_add(changes, before == NULL ? DIFF_ADD : DIFF_CHANGE, "sflow",
				   sflow->name, collector);
	}
}

json_t *diff_print(const struct model *old, const struct model *next,
		   bool (*failed)(const struct model_port *port, void *arg), void *arg)
{
	json_t *changes = json_array();
	char detail[512];
	enum diff_op op;

	stations_diff(old, next, DIFF_REMOVE, changes);
	for (size_t i = 0; i < old->n_ports; i++) {
		if (model_port_find(next, old->ports[i]->spec.name) == NULL) {
			op = diff_port(old->ports[i], NULL, detail, sizeof(detail));
			change_add(changes, op, "port", old->ports[i]->spec.name, detail);
		}
	}
	for (size_t i = 0; i < old->n_switches; i++) {
		if (model_switch_find(next, old->switches[i]->name) == NULL)
			change_add(changes, DIFF_REMOVE, "switch", old->switches[i]->name, "");
	}
	for (size_t i = 0; i < next->n_switches; i++) {
		op = diff_switch(model_switch_find(old, next->switches[i]->name), next->switches[i],
				 detail, sizeof(detail));
		change_add(changes, op, "switch", next->switches[i]->name, detail);
	}
	for (size_t i = 0; i < next->n_ports; i++) {
		const struct model_port *before = model_port_find(old, next->ports[i]->spec.name);

		op = diff_port(before, next->ports[i], detail, sizeof(detail));
		if (before != NULL && next->ports[i]->index == SNAPSHOT_NONE &&
		    op != DIFF_REPLACE && failed != NULL && failed(before, arg)) {
			op = DIFF_REPLACE;
			snprintf(detail, sizeof(detail), "was not open");
		}
		change_add(changes, op, "port", next->ports[i]->spec.name, detail);
	}
	overlay_diff(old, next, changes);
	eyes_diff(old, next, changes);
	stations_diff(next, old, DIFF_ADD, changes);
	return changes;
}
