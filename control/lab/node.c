/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lab/control.h"
#include "lab/file.h"
#include "lab/nodeconf.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

static void logs_rotate(const char *lab, const char *node)
{
	static const char *const names[] = {"boot.log", "console.log"};

	for (size_t i = 0; i < 2; i++) {
		struct lab_path log = rundir_node(lab, node, names[i]);
		struct lab_path old;

		snprintf(old.text, sizeof(old.text), "%.*s.1", (int)sizeof(old.text) - 3, log.text);
		rename(log.text, old.text);
	}
}

/* QEMU takes one initrd: the image's and the node's, the second on a 4-byte boundary as the kernel wants it. */
static int initrd_join(const char *lab, const char *node, const json_t *spec, struct err *err)
{
	static const char zeros[4];
	struct lab_path path = rundir_node(lab, node, "initrd");
	ssize_t len;
	int fd = open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, errno, "%s: %m", path.text);
	len = file_append_file(fd, json_string_value(json_object_get(spec, "initrd")), err);
	if (len > 0 && len % 4 != 0 &&
	    write(fd, zeros, (size_t)(4 - len % 4)) != (ssize_t)(4 - len % 4))
		len = err_set(err, EIO, "%s: %m", path.text);
	if (len >= 0)
		len = file_append_file(fd, rundir_node(lab, node, "node.cpio").text, err);
	close(fd);
	return len < 0 ? (int)len : 0;
}

/* vm-runner's overlay: a sparse copy of the raw disk in the node's folder. */
static int disk_copy(const char *lab, const char *node, const char *from, struct err *err)
{
	struct lab_path path = rundir_node(lab, node, "disk.raw");
	struct statvfs space;
	struct stat st;
	ssize_t rc;
	int fd;

	if (stat(from, &st) < 0)
		return err_set(err, errno, "disk %s: %m", from);
	fd = open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "%s: %m", path.text);
	if (fstatvfs(fd, &space) == 0 &&
	    (uint64_t)space.f_bavail * space.f_frsize < (uint64_t)st.st_blocks * 512) {
		close(fd);
		return err_set(err, ENOSPC,
			       "disk %s needs a copy of %lld MiB in %s, where there is no room; "
			       "use `mode: "
			       "readonly` or `mode: write`, or a run directory on a disk",
			       from, (long long)st.st_blocks / 2048, rundir_path());
	}
	rc = file_append_file(fd, from, err);
	if (rc >= 0 && ftruncate(fd, st.st_size) < 0)
		rc = err_set(err, errno, "%s: %m", path.text);
	close(fd);
	return rc < 0 ? (int)rc : 0;
}

json_t *node_net(const struct topo_node *node)
{
	json_t *addresses = json_array();
	json_t *gateways = json_array();
	json_t *mtus = json_object();

	for (size_t i = 0; i < node->n_addresses; i++)
		json_array_append_new(addresses, json_sprintf("%s %s", node->addresses[i].ifname,
							      node->addresses[i].text));
	for (size_t i = 0; i < node->gateways.n; i++)
		json_array_append_new(gateways, json_string(node->gateways.items[i]));
	for (size_t i = 0; i < node->n_nics; i++)
		json_object_set_new(mtus, node->nics[i].name, json_integer(node->nics[i].mtu));
	return json_pack("{s:o, s:o, s:o}", "addresses", addresses, "gateways", gateways, "mtu",
			 mtus);
}

static int record_write(const char *lab, const struct topo_node *node, json_t *spec,
			struct err *err)
{
	json_t *record = json_pack("{s:O, s:o}", "spec", spec, "net", node_net(node));
	int rc = file_json_write(rundir_node(lab, node->name, "node.json").text, record, err);

	json_decref(record);
	return rc;
}

static int vmm_file_write(const char *lab, const char *node, const json_t *spec, struct err *err)
{
	struct lab_path folder = rundir_node(lab, node, NULL);
	json_t *object = json_pack("{s:s, s:o}", "vmm", vmm_spec_name(spec), "argv",
				   vmm_argv(spec, folder.text));
	int rc = file_json_write(rundir_node(lab, node, "vmm.json").text, object, err);

	json_decref(object);
	return rc;
}

/* What a vm-runner is started with, now or by its monitor when the guest asks for a reset. */
static int start_files_write(const char *lab, const struct topo_node *node, const json_t *spec,
			     struct err *err)
{
	int rc = nodeconf_write(rundir_node(lab, node->name, "node.cpio").text, node, err);

	return rc < 0 ? rc : vmm_file_write(lab, node->name, spec, err);
}

int node_net_record(const char *lab, const struct topo_node *node, struct err *err)
{
	json_t *record = node_record_read(lab, node->name);
	json_t *spec = json_object_get(record, "spec");
	int rc = spec == NULL ? -ENOENT : record_write(lab, node, spec, err);

	if (rc == 0)
		rc = start_files_write(lab, node, spec, err);
	json_decref(record);
	return rc;
}

int node_spec_record(const char *lab, const struct topo_node *node, json_t *spec, struct err *err)
{
	json_t *record = node_record_read(lab, node->name);
	int rc = -ENOENT;

	if (record != NULL) {
		json_object_set(record, "spec", spec);
		rc = file_json_write(rundir_node(lab, node->name, "node.json").text, record, err);
		if (rc == 0)
			rc = start_files_write(lab, node, spec, err);
	}
	json_decref(record);
	return rc;
}

json_t *node_record_read(const char *lab, const char *node)
{
	return file_json_read(rundir_node(lab, node, "node.json").text);
}

int node_start(const struct topo *topo, const struct topo_node *node, json_t *spec, struct err *err)
{
	struct lab_path folder = rundir_node(topo->name, node->name, NULL);
	const json_t *disk = json_object_get(spec, "disk");
	bool is_qemu = strcmp(vmm_spec_name(spec), "qemu") == 0;
	const char *mode = json_string_value(json_object_get(disk, "mode"));
	int rc = file_mkdir(folder.text, 0700, err);

	if (rc < 0)
		return rc;
	logs_rotate(topo->name, node->name);
	/* A pid without the monitor's exit is one that was killed: the pid goes first. */
	unlink(rundir_node(topo->name, node->name, "pid").text);
	unlink(rundir_node(topo->name, node->name, "exit.json").text);
	file_remove_sockets(folder.text);
	rc = start_files_write(topo->name, node, spec, err);
	if (rc == 0 && is_qemu)
		rc = initrd_join(topo->name, node->name, spec, err);
	if (rc == 0 && !is_qemu && mode != NULL && strcmp(mode, "overlay") == 0)
		rc = disk_copy(topo->name, node->name,
			       json_string_value(json_object_get(disk, "file")), err);
	if (rc == 0)
		rc = record_write(topo->name, node, spec, err);
	if (rc == 0) {
		struct err why = {.text = ""};

		rc = monitor_start(folder.text, &why);
		if (rc < 0)
			err_set(err, -rc, "node \"%s\" does not start: %s", node->name, why.text);
	}
	return rc;
}

int node_stop(const char *lab, const char *node, unsigned int grace_ms, struct err *err)
{
	struct lab_path folder = rundir_node(lab, node, NULL);
	struct monitor_state state;

	monitor_state_read(folder.text, &state);
	if (grace_ms > 0 && state.is_running && control_power_button(lab, node, NULL) == 0)
		proc_wait_gone(state.monitor, grace_ms);
	return monitor_stop(folder.text, err);
}

int node_folder_remove(const char *lab, const char *node, struct err *err)
{
	return file_remove_tree(rundir_node(lab, node, NULL).text, err);
}

bool node_is_running(const char *lab, const char *node)
{
	struct monitor_state state;

	monitor_state_read(rundir_node(lab, node, NULL).text, &state);
	return state.is_running;
}

char *node_last_words(const char *lab, const char *node, unsigned int lines)
{
	static const char *const names[] = {"console.log", "boot.log", "vmm.log"};
	char *text = NULL;

	for (size_t i = 0; i < 3; i++) {
		free(text);
		text = file_tail(rundir_node(lab, node, names[i]).text, lines);
		if (text != NULL && text[0] != '\0')
			break;
	}
	return text;
}
