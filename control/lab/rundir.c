/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/file.h"
#include "topo/span.h"
#include "topo/value.h"

#define RUNDIR_DEFAULT "/run/netloom"
#define MAKE_ATTEMPTS  100

const char *rundir_path(void)
{
	static char absolute[PATH_MAX / 2]; /* filled once, by the only thread */
	const char *given = getenv("NETLOOM_RUNDIR");

	if (absolute[0] != '\0')
		return absolute;
	if (given == NULL || given[0] == '\0')
		given = RUNDIR_DEFAULT;
	if (given[0] == '/') {
		snprintf(absolute, sizeof(absolute), "%s", given);
	} else {
		char cwd[PATH_MAX / 4];

		if (getcwd(cwd, sizeof(cwd)) == NULL)
			cwd[0] = '\0';
		snprintf(absolute, sizeof(absolute), "%s/%s", cwd, given);
	}
	return absolute;
}

struct lab_path rundir_file(const char *name)
{
	struct lab_path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", rundir_path(), name);
	return path;
}

struct lab_path rundir_lab(const char *lab, const char *name)
{
	struct lab_path path;

	snprintf(path.text, sizeof(path.text), "%s/labs/%s%s%s", rundir_path(), lab,
		 name != NULL ? "/" : "", name != NULL ? name : "");
	return path;
}

struct lab_path rundir_node(const char *lab, const char *node, const char *name)
{
	struct lab_path path;

	snprintf(path.text, sizeof(path.text), "%s/labs/%s/%s%s%s", rundir_path(), lab, node,
		 name != NULL ? "/" : "", name != NULL ? name : "");
	return path;
}

struct lab_path rundir_nic_socket(const char *lab, const char *node, const char *ifname)
{
	char name[TOPO_IFNAME_MAX + 8];

	snprintf(name, sizeof(name), "%s.sock", ifname);
	return rundir_node(lab, node, name);
}

static int socket_path_check(const char *path, struct err *err)
{
	struct sockaddr_un address;

	if (strlen(path) < sizeof(address.sun_path))
		return 0;
	return err_set(err, ENAMETOOLONG,
		       "the socket path %s has %zu bytes and Unix sockets allow %zu; set "
		       "NETLOOM_RUNDIR to "
		       "a shorter folder, or shorten the names of lab and node",
		       path, strlen(path), sizeof(address.sun_path) - 1);
}

int rundir_sockets_check(const struct topo *topo, struct err *err)
{
	int rc = socket_path_check(rundir_file("netloomd.sock").text, err);

	/* Paths in it are values of vm-runner's options, which end at a comma. */
	if (rc == 0 && strchr(rundir_path(), ',') != NULL)
		rc = err_set(err, EINVAL,
			     "the run directory %s has a comma in its path; set NETLOOM_RUNDIR to "
			     "another",
			     rundir_path());

	for (size_t i = 0; i < topo->n_nodes && rc == 0; i++) {
		const struct topo_node *node = &topo->nodes[i];

		if (node->kind != TOPO_VM || !span_node_is_here(topo, node))
			continue;
		rc = socket_path_check(rundir_node(topo->name, node->name, "console.sock").text,
				       err);
		for (size_t k = 0; k < node->n_nics && rc == 0; k++)
			rc = socket_path_check(
				rundir_nic_socket(topo->name, node->name, node->nics[k].name).text,
				err);
	}
	return rc;
}

int rundir_make(struct err *err)
{
	int rc = -ENOENT;

	/* Again when the last `down` of others takes the folder away in between. */
	for (int i = 0; i < MAKE_ATTEMPTS && rc == -ENOENT; i++)
		rc = file_mkdir(rundir_file("labs").text, 0755, err);
	return rc;
}

void rundir_tidy(void)
{
	/* With labs/ gone nothing runs; what `vm-runner --check` said may go too. */
	if (rmdir(rundir_file("labs").text) == 0 &&
	    access(rundir_file("netloomd.sock").text, F_OK) != 0)
		unlink(rundir_file("kvm.json").text);
	rmdir(rundir_path());
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int folder_names(const char *folder, char ***names, struct err *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char **list = NULL;
	int n = 0;

	*names = NULL;
	if (dir == NULL)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %m", folder);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;
		char **more;

		if (!value_is_name(entry->d_name, TOPO_NAME_MAX) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		more = realloc(list, (size_t)(n + 1) * sizeof(*list));
		if (more == NULL)
			break;
		list = more;
		list[n] = strdup(entry->d_name);
		if (list[n] == NULL)
			break;
		n++;
	}
	closedir(dir);
	if (n > 1)
		qsort(list, (size_t)n, sizeof(*list), name_compare);
	*names = list;
	return n;
}

int rundir_labs(char ***names, struct err *err)
{
	return folder_names(rundir_file("labs").text, names, err);
}

int rundir_nodes(const char *lab, char ***names, struct err *err)
{
	return folder_names(rundir_lab(lab, NULL).text, names, err);
}

void rundir_names_free(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int rundir_lab_lock(const char *lab, struct err *err)
{
	struct lab_path path;

	snprintf(path.text, sizeof(path.text), "%s/labs/%s.lock", rundir_path(), lab);
	for (int attempt = 0; attempt < 10; attempt++) {
		struct stat mine;
		struct stat there;
		int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		/* The last `down` of others takes labs/ away, perhaps just now. */
		if (fd < 0 && errno == ENOENT && rundir_make(err) == 0)
			continue;
		if (fd < 0)
			return err_set(err, errno, "%s: %m", path.text);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int code = errno;

			close(fd);
			if (code != EWOULDBLOCK)
				return err_set(err, code, "%s: %s", path.text, strerror(code));
			return err_set(
				err, EBUSY,
				"another netloom is changing the lab \"%s\" right now; wait for it",
				lab);
		}
		/* The one before us may have removed the file between open() and flock(). */
		if (fstat(fd, &mine) == 0 && stat(path.text, &there) == 0 &&
		    mine.st_ino == there.st_ino)
			return fd;
		close(fd);
	}
	return err_set(err, EBUSY, "the lock %s changes too often", path.text);
}

void rundir_lab_unlock(const char *lab, int fd, bool remove)
{
	struct lab_path path;

	if (fd < 0)
		return;
	snprintf(path.text, sizeof(path.text), "%s/labs/%s.lock", rundir_path(), lab);
	if (remove)
		unlink(path.text);
	close(fd);
}
