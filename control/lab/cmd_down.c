/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/daemon.h"
#include "lab/desired.h"
#include "lab/file.h"
#include "lab/node.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "topo/diag.h"
#include "topo/value.h"

#define DISK_GRACE_MS 10000

/* All at once would be quicker than one by one; each takes some milliseconds, so one by one it is. */
static int vms_end(const char *lab, int *n_ended, struct err *err)
{
	char **names;
	int n = rundir_nodes(lab, &names, err);
	int rc = n < 0 ? n : 0;

	for (int i = 0; i < n; i++) {
		json_t *record = node_record_read(lab, names[i]);
		const json_t *disk = json_object_get(json_object_get(record, "spec"), "disk");
		const char *mode = json_string_value(json_object_get(disk, "mode"));
		bool writes = mode != NULL && strcmp(mode, "write") == 0;
		int one;

		*n_ended += node_is_running(lab, names[i]);
		/* A guest that writes to the user's disk gets time to unmount it; others lose nothing. */
		one = node_stop(lab, names[i], writes ? DISK_GRACE_MS : 0, err);
		json_decref(record);
		if (one == 0)
			one = node_folder_remove(lab, names[i], err);
		if (one < 0)
			rc = one;
	}
	rundir_names_free(names, n > 0 ? n : 0);
	return rc;
}

static int down_locked(const char *lab, int *n_ended, struct err *err)
{
	int rc = vms_end(lab, n_ended, err);
	int apply = 0;
	int hold = -1;

	/* A netloomd that has died would bring the lab's ports back from its state at the next start. */
	if (daemon_answers() || daemon_left_state()) {
		apply = daemon_ensure(NULL, &hold, err);
		if (apply == 0)
			apply = rpc_once("apply", desired_nothing(lab), NULL, err);
		daemon_release(&hold);
	}
	if (rc == 0)
		rc = apply;
	if (rc == 0)
		rc = file_remove_tree(rundir_lab(lab, NULL).text, err);
	return rc;
}

static int down_lab(const char *lab, bool is_quiet)
{
	struct err err = {.text = ""};
	struct stored_lab stored;
	bool stopped = false;
	int n_ended = 0;
	int lock;
	int rc;

	if (!stored_exists(lab)) {
		rc = stored_load(lab, &stored, &err);
		return cli_fail(rc, &err);
	}
	lock = rundir_lab_lock(lab, &err);
	if (lock < 0)
		return cli_fail(lock, &err);
	rc = down_locked(lab, &n_ended, &err);
	rundir_lab_unlock(lab, lock, rc == 0);
	if (rc == 0)
		rc = daemon_stop_if_idle(&stopped, &err);
	rundir_tidy();
	if (rc < 0)
		return cli_fail(rc, &err);
	if (!is_quiet)
		printf("lab %s is down: %d VM%s ended%s\n", lab, n_ended, n_ended == 1 ? "" : "s",
		       stopped ? ", netloomd stopped" : "");
	return CLI_OK;
}

/* `down FILE` means the lab that the file names. */
static int lab_of_file(const char *file, char lab[TOPO_NAME_MAX + 1], struct err *err)
{
	struct diag_list *diags = calloc(1, sizeof(*diags));
	struct topo topo;
	int rc;

	if (diags == NULL)
		return -ENOMEM;
	diag_init(diags, file);
	rc = topo_load(&topo, file, diags);
	if (topo.name != NULL && value_is_name(topo.name, TOPO_NAME_MAX)) {
		snprintf(lab, TOPO_NAME_MAX + 1, "%s", topo.name);
		rc = 0;
	} else {
		rc = err_set(err, rc == 0 ? EINVAL : -rc, "%s: %s", file,
			     diags->n > 0 ? diags->items[0].text : "names no lab");
	}
	topo_free(&topo);
	free(diags);
	return rc;
}

int cmd_down(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'}, {"quiet", no_argument, NULL, 'q'}, {0}};
	struct err err = {.text = ""};
	bool is_quiet = false;
	bool all = false;
	int status = CLI_OK;
	char **names;
	int key;
	int n;

	while ((key = cli_option(command, argc, argv, "aq", options)) != -1) {
		all |= key == 'a';
		is_quiet |= key == 'q';
	}
	if (all != (optind == argc))
		return cli_usage(command, all ? "--all takes no names" : "which lab?");
	if (!all) {
		for (int i = optind; i < argc; i++) {
			char lab[TOPO_NAME_MAX + 1] = "";
			int one;
			int rc = 0;

			if (stored_exists(argv[i]) || access(argv[i], F_OK) != 0)
				one = down_lab(argv[i], is_quiet);
			else if ((rc = lab_of_file(argv[i], lab, &err)) < 0)
				one = cli_fail(rc, &err);
			else
				one = down_lab(lab, is_quiet);
			if (one != CLI_OK)
				status = one;
		}
		return status;
	}
	n = rundir_labs(&names, &err);
	if (n < 0)
		return cli_fail(n, &err);
	for (int i = 0; i < n; i++) {
		int one = down_lab(names[i], is_quiet);

		if (one != CLI_OK)
			status = one;
	}
	rundir_names_free(names, n);
	return status;
}
