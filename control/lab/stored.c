/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/stored.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/file.h"
#include "lab/rundir.h"
#include "topo/host.h"
#include "topo/span.h"
#include "topo/tree.h"
#include "topo/value.h"

void stored_base(const char *file, char *base, size_t size)
{
	char *absolute = realpath(file, NULL);
	char *slash = absolute != NULL ? strrchr(absolute, '/') : NULL;

	if (slash != NULL)
		*slash = '\0';
	snprintf(base, size, "%s", absolute != NULL ? absolute : ".");
	free(absolute);
}

bool stored_exists(const char *lab)
{
	return value_is_name(lab, TOPO_NAME_MAX) && access(rundir_lab(lab, NULL).text, F_OK) == 0;
}

static int no_such_lab(const char *lab, struct err *err)
{
	char list[256] = "";
	char **names;
	int n = rundir_labs(&names, NULL);

	for (int i = 0; i < n && strlen(list) < sizeof(list) - TOPO_NAME_MAX - 4; i++) {
		if (i > 0)
			strcat(list, ", ");
		strcat(list, names[i]);
	}
	if (n > 0)
		err_set(err, ENOENT, "no lab \"%.60s\" is up; there is: %s", lab, list);
	else
		err_set(err, ENOENT, "no lab \"%.60s\" is up; none is (`netloom up FILE`)", lab);
	rundir_names_free(names, n > 0 ? n : 0);
	return -ENOENT;
}

int stored_load(const char *lab, struct stored_lab *out, struct err *err)
{
	struct lab_path path;
	struct diag_list *diags;
	const char *base;
	const char *file;
	json_t *object;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!stored_exists(lab))
		return no_such_lab(lab, err);
	path = rundir_lab(lab, "lab.yaml");
	diags = calloc(1, sizeof(*diags));
	if (diags == NULL)
		return err_set(err, ENOMEM, "out of memory");
	diag_init(diags, path.text);
	rc = topo_load(&out->topo, path.text, diags);
	if (rc < 0) {
		err_set(err, -rc, "%s: %s; `netloom down %s` removes what is left of the lab",
			path.text, diags->n > 0 ? diags->items[0].text : strerror(-rc), lab);
		topo_free(&out->topo);
	}
	free(diags);
	object = file_json_read(rundir_lab(lab, "lab.json").text);
	base = json_string_value(json_object_get(object, "base"));
	file = json_string_value(json_object_get(object, "file"));
	snprintf(out->base, sizeof(out->base), "%s", base != NULL ? base : "/");
	snprintf(out->file, sizeof(out->file), "%s", file != NULL ? file : "");
	if (rc == 0) {
		rc = host_select(&out->topo, json_string_value(json_object_get(object, "host")),
				 err);
		if (rc < 0)
			topo_free(&out->topo);
	}
	json_decref(object);
	return rc;
}

const struct topo_node *stored_vm(const struct stored_lab *stored, const char *name,
				  struct err *err)
{
	static const char *const kinds[] = {[TOPO_SWITCH] = "a switch", [TOPO_TAP] = "a TAP"};
	const struct topo *topo = &stored->topo;
	const struct topo_node *node = topo_node_find(topo, name);

	if (node == NULL)
		err_set(err, ENOENT, "lab \"%s\" has no node \"%s\"", topo->name, name);
	else if (node->kind != TOPO_VM)
		err_set(err, EINVAL, "\"%s/%s\" is %s; it is there as long as netloomd runs",
			topo->name, name, kinds[node->kind]);
	else if (!span_node_is_here(topo, node))
		err_set(err, ENOENT, "\"%s/%s\" is on host \"%s\", and this is \"%s\"", topo->name,
			name, topo->hosts[__builtin_ctzll(node->hosts)].name,
			topo->hosts[topo->self].name);
	else
		return node;
	return NULL;
}

int stored_save(const struct topo *topo, const char *file, const char *base, struct err *err)
{
	const char *lab = topo->name;
	char *absolute = realpath(file, NULL);
	json_t *object =
		json_pack("{s:s, s:s, s:s*}", "file", absolute != NULL ? absolute : file, "base",
			  base, "host", topo->self >= 0 ? topo->hosts[topo->self].name : NULL);
	size_t len;
	char *text = file_read(file, TREE_FILE_BYTES_MAX, &len, err);
	int rc = text == NULL ? -EIO : file_mkdir(rundir_lab(lab, NULL).text, 0755, err);

	if (rc == 0)
		rc = file_write(rundir_lab(lab, "lab.yaml").text, text, len, err);
	if (rc == 0)
		rc = file_json_write(rundir_lab(lab, "lab.json").text, object, err);
	json_decref(object);
	free(absolute);
	free(text);
	return rc;
}
