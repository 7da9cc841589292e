/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/control.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

static const char *nic_name(const json_t *nic)
{
	const char *name = json_string_value(json_object_get(nic, "name"));

	return name != NULL ? name : "";
}

/* The card of that name in a spec, NULL if there is none. */
static json_t *nic_find(const json_t *spec, const char *name)
{
	json_t *nic;
	size_t i;

	json_array_foreach (json_object_get(spec, "nics"), i, nic) {
		if (strcmp(nic_name(nic), name) == 0)
			return nic;
	}
	return NULL;
}

static void cards_list(const json_t *from, const json_t *other, char sign, char *text, size_t size)
{
	const json_t *nic;
	size_t i;

	json_array_foreach (json_object_get(from, "nics"), i, nic) {
		size_t used = strlen(text);

		if (!json_equal(nic, nic_find(other, nic_name(nic))))
			snprintf(text + used, size - used, " %c%s", sign, nic_name(nic));
	}
}

bool hotplug_is_enough(const json_t *old_spec, const json_t *spec, char *why, size_t size)
{
	json_t *before = json_copy((json_t *)old_spec), *after = json_copy((json_t *)spec);
	bool enough;

	json_object_del(before, "nics");
	json_object_del(after, "nics");
	enough = json_equal(before, after) &&
		 json_array_size(json_object_get(spec, "nics")) <= vmm_pluggable(spec) &&
		 json_array_size(json_object_get(old_spec, "nics")) <= vmm_pluggable(spec);
	json_decref(before);
	json_decref(after);
	if (!enough)
		return false;
	snprintf(why, size, "cards:");
	cards_list(old_spec, spec, '-', why, size);
	cards_list(spec, old_spec, '+', why, size);
	return true;
}

/* @now is what the VM has; each step is kept with the node, so that a broken-off change is known. */
static int nics_pull(const struct topo *topo, const struct topo_node *node, json_t *now,
		     const json_t *spec, struct err *err)
{
	json_t *nics = json_object_get(now, "nics");

	for (size_t i = json_array_size(nics); i > 0; i--) {
		json_t *nic = json_array_get(nics, i - 1);
		int rc;

		if (json_equal(nic, nic_find(spec, nic_name(nic))))
			continue;
		rc = control_nic_pull(topo->name, node->name, nic_name(nic), err);
		if (rc < 0)
			return rc;
		json_array_remove(nics, i - 1);
		node_spec_record(topo->name, node, now, NULL);
	}
	return 0;
}

static int nics_plug(const struct topo *topo, const struct topo_node *node, json_t *now,
		     const json_t *spec, struct err *err)
{
	struct lab_path folder = rundir_node(topo->name, node->name, NULL);
	json_t *nic;
	size_t i;

	json_array_foreach (json_object_get(spec, "nics"), i, nic) {
		int rc;

		if (nic_find(now, nic_name(nic)) != NULL)
			continue;
		rc = control_nic_plug(topo->name, node->name, nic, folder.text, err);
		if (rc < 0)
			return rc;
		json_array_append(json_object_get(now, "nics"), nic);
		node_spec_record(topo->name, node, now, NULL);
	}
	return 0;
}

int hotplug_run(const struct topo *topo, const struct topo_node *node, json_t *spec,
		struct err *err)
{
	json_t *record = node_record_read(topo->name, node->name);
	json_t *now = json_object_get(record, "spec");
	int rc = now == NULL ? err_set(err, ENOENT, "node \"%s\" is not known", node->name) : 0;

	if (rc == 0)
		rc = nics_pull(topo, node, now, spec, err);
	if (rc == 0)
		rc = nics_plug(topo, node, now, spec, err);
	if (rc == 0)
		rc = node_spec_record(topo->name, node, spec, err); /* in the file's order */
	json_decref(record);
	return rc;
}
