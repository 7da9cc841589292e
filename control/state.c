/* SPDX-License-Identifier: BSD-3-Clause */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "model_check.h"
#include "model_parse.h"
#include "model_print.h"

static void beside(const char *path, const char *suffix, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", path, suffix);
}

static json_t *model_print(const struct model *model)
{
	json_t *switches = json_array(), *ports = json_array(), *fdb = json_array();
	json_t *vteps = json_array(), *vnis = json_array();
	json_t *mirrors = json_array(), *sflows = json_array();

	for (size_t i = 0; i < model->n_switches; i++)
		json_array_append_new(switches, model_switch_print(model->switches[i]));
	for (size_t i = 0; i < model->n_ports; i++) {
		if (strcmp(model->ports[i]->spec.type, MODEL_TYPE_VXLAN) != 0) /* made from VNIs */
			json_array_append_new(ports, model_port_print(model->ports[i]));
	}
	for (size_t i = 0; i < model->n_vteps; i++)
		json_array_append_new(vteps, model_vtep_print(model->vteps[i]));
	for (size_t i = 0; i < model->n_vnis; i++)
		json_array_append_new(vnis, model_vni_print(model->vnis[i]));
	for (size_t i = 0; i < model->n_mirrors; i++)
		json_array_append_new(mirrors, model_mirror_print(model->mirrors[i]));
	for (size_t i = 0; i < model->n_sflows; i++)
		json_array_append_new(sflows, model_sflow_print(model->sflows[i]));
	for (size_t i = 0; i < model->n_stations; i++)
		json_array_append_new(fdb, model_station_print(&model->stations[i]));
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "netloomd", STATE_FORMAT,
			 "switches", switches, "ports", ports, "fdb", fdb, "vteps", vteps, "vnis",
			 vnis, "mirrors", mirrors, "sflows", sflows);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int state_write(const char *path, const struct model *model, struct err *err)
{
	json_t *root = model_print(model);
	char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
	char temp[PATH_MAX];
	int fd, rc;

	json_decref(root);
	if (text == NULL)
		return err_set(err, ENOMEM, "out of memory while saving the state");
	beside(path, ".new", temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	free(text);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	if (fd >= 0)
		unlink(temp);
	return err_set(err, -rc, "cannot save the state in %s: %s; nothing was changed", temp,
		       strerror(-rc));
}

/* Make a rename last through a power cut. Best effort: some file systems cannot sync a directory. */
static void directory_sync(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		log_debug("cannot sync the directory of %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

int state_commit(const char *path, struct err *err)
{
	char temp[PATH_MAX];
	int rc;

	beside(path, ".new", temp);
	if (rename(temp, path) < 0) {
		rc = errno;
		unlink(temp);
		return err_set(err, rc, "cannot save the state in %s: %s; nothing was changed",
			       path, strerror(rc));
	}
	directory_sync(path);
	return 0;
}

void state_discard(const char *path)
{
	char temp[PATH_MAX];

	beside(path, ".new", temp);
	unlink(temp);
}

/* Return: 0, 1 when there is no file, or -errno. */
static int file_read(const char *path, char **text, size_t *len)
{
	struct stat st;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	*text = NULL;
	*len = 0;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_size > STATE_BYTES_MAX)
		rc = 0; /* no state of ours: text stays empty and is found wanting */
	else
		*text = malloc((size_t)st.st_size + 1);
	if (rc == 0 && *text == NULL && st.st_size <= STATE_BYTES_MAX)
		rc = -ENOMEM;
	while (rc == 0 && *text != NULL && *len < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n == 0)
			break;
		if (n > 0)
			*len += (size_t)n;
	}
	close(fd);
	if (rc != 0)
		free(*text);
	return rc;
}

/* Return: whether @text is a proper state; @why says why not. */
static bool text_parse(const char *text, size_t len, struct model *model, struct err *why)
{
	struct problems problems;
	json_error_t error;
	json_t *root, *fdb, *item;
	size_t i;

	root = json_loadb(text == NULL ? "" : text, len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL) {
		err_set(why, EINVAL, "line %d: %s", error.line, error.text);
		return false;
	}
	fdb = json_object_get(root, "fdb");
	if (json_integer_value(json_object_get(root, "netloomd")) != STATE_FORMAT ||
	    !json_is_array(json_object_get(root, "switches")) ||
	    !json_is_array(json_object_get(root, "ports")) || !json_is_array(fdb)) {
		err_set(why, EINVAL, "not a netloomd state of format %d", STATE_FORMAT);
		json_decref(root);
		return false;
	}
	problems_init(&problems);
	model_objects_parse(model, json_object_get(root, "switches"),
			    json_object_get(root, "ports"), NULL, &problems);
	model_overlay_parse(model, json_object_get(root, "vteps"), json_object_get(root, "vnis"),
			    NULL, &problems);
	model_overlay_derive(model, &problems);
	model_eyes_parse(model, json_object_get(root, "mirrors"), json_object_get(root, "sflows"),
			 NULL, &problems);
	json_array_foreach (fdb, i, item) {
		struct model_station station;
		unsigned int before = problems.n;

		model_station_parse(item, "fdb", &station, &problems);
		if (problems.n == before && model_station_set(model, &station) != 0)
			problems_add(&problems, PROBLEM_PARAMS, "too many static entries");
	}
	if (problems.n == 0)
		model_check(model, &problems);
	json_decref(root);
	if (problems.n > 0)
		err_set(why, EINVAL, "%s", problems.text[0]);
	return problems.n == 0;
}

int state_load(const char *path, struct model **model, struct err *err)
{
	struct err why = {.text = ""};
	char bad[PATH_MAX], *text = NULL;
	size_t len = 0;
	bool good;
	int rc;

	*model = model_new();
	if (*model == NULL)
		return err_set(err, ENOMEM, "out of memory while reading %s", path);
	state_discard(path); /* of a save that was cut short: it never took effect */
	rc = file_read(path, &text, &len);
	if (rc == 1)
		return 0;
	if (rc < 0) {
		model_free(*model);
		return err_set(err, -rc, "cannot read the state %s: %s", path, strerror(-rc));
	}
	good = text_parse(text, len, *model, &why);
	free(text);
	if (good)
		return 0;
	model_free(*model);
	beside(path, ".bad", bad);
	log_error("THE STATE FILE %s IS DAMAGED (%s): starting with no switches and no ports", path,
		  why.text);
	if (rename(path, bad) < 0)
		return err_set(err, errno, "cannot move the damaged state %s aside: %s", path,
			       strerror(errno));
	log_error("the damaged state was kept as %s", bad);
	*model = model_new();
	return *model == NULL ? err_set(err, ENOMEM, "out of memory") : 0;
}
