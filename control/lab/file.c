/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/file.h"
#include "lab/term.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_LINE_BYTES 1024
#define TAIL_BYTES_MAX	(4u << 20)
#define JSON_BYTES_MAX	(1u << 20)
#define TREE_DEPTH_MAX	16

int file_mkdir(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(err, ENAMETOOLONG, "%s: path too long", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_set(err, errno, "cannot create the folder %s: %m", part);
	}
	return 0;
}

char *file_read(const char *path, size_t max, size_t *len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t size = 0;
	size_t room = 4096;
	char *text;

	if (fd < 0) {
		err_set(err, errno, "%s: %m", path);
		return NULL;
	}
	text = malloc(room + 1);
	while (text != NULL) {
		ssize_t got = read(fd, text + size, room - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_set(err, errno, "%s: %m", path);
			free(text);
			text = NULL;
			break;
		}
		if (got == 0)
			break;
		size += (size_t)got;
		if (size > max) {
			err_set(err, EFBIG, "%s is larger than %zu bytes", path, max);
			free(text);
			text = NULL;
		} else if (size == room) {
			char *more = realloc(text, room * 2 + 1);

			room *= 2;
			if (more == NULL)
				free(text);
			text = more;
		}
	}
	close(fd);
	if (text == NULL)
		return NULL;
	text[size] = '\0';
	if (len != NULL)
		*len = size;
	return text;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

int file_write(const char *path, const void *bytes, size_t len, struct err *err)
{
	char temporary[PATH_MAX];
	int rc;
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, (int)getpid()) >=
	    (int)sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "%s: path too long", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, errno, "cannot write %s: %m", temporary);
	rc = write_all(fd, bytes, len);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(temporary);
		return err_set(err, -rc, "cannot write %s: %s", path, strerror(-rc));
	}
	return 0;
}

ssize_t file_append_file(int fd, const char *from, struct err *err)
{
	char buffer[65536];
	ssize_t total = 0;
	int in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return err_set(err, errno, "%s: %m", from);
	for (;;) {
		ssize_t got = read(in, buffer, sizeof(buffer));
		int rc;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			total = err_set(err, errno, "%s: %m", from);
		if (got <= 0)
			break;
		rc = write_all(fd, buffer, (size_t)got);
		if (rc < 0) {
			total = err_set(err, -rc, "copy of %s: %s", from, strerror(-rc));
			break;
		}
		total += got;
	}
	close(in);
	return total;
}

static int tree_remove_at(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct dirent *entry;
	int rc = 0;
	DIR *dir;

	if (fd < 0 || depth > TREE_DEPTH_MAX) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR || errno == EPERM)
			rc = tree_remove_at(fd, entry->d_name, depth + 1);
		else
			rc = -errno;
		if (rc < 0)
			break;
	}
	closedir(dir);
	if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

int file_remove_tree(const char *path, struct err *err)
{
	int rc = tree_remove_at(AT_FDCWD, path, 0);

	if (rc < 0 && rc != -ENOENT)
		return err_set(err, -rc, "cannot remove %s: %s", path, strerror(-rc));
	return 0;
}

void file_remove_sockets(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISSOCK(st.st_mode))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

char *file_tail(const char *path, unsigned int lines)
{
	size_t room = lines < TAIL_BYTES_MAX / TAIL_LINE_BYTES ? (size_t)lines * TAIL_LINE_BYTES
							       : TAIL_BYTES_MAX;
	char *text = calloc(1, room + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;
	char *start;

	if (text == NULL || fd < 0) {
		if (fd >= 0)
			close(fd);
		return text;
	}
	if (lseek(fd, -(off_t)room, SEEK_END) < 0)
		lseek(fd, 0, SEEK_SET);
	got = read(fd, text, room);
	close(fd);
	for (ssize_t i = 0; i < got; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	term_clean(text);
	start = text + strlen(text);
	while (start > text && start[-1] == '\n')
		*--start = '\0';
	while (start > text) {
		if (start[-1] == '\n' && --lines == 0)
			break;
		start--;
	}
	memmove(text, start, strlen(start) + 1);
	return text;
}

int file_log_cut(const char *path, off_t max)
{
	char older[PATH_MAX];
	char marker[160];
	struct stat st;
	char *newest;
	ssize_t got;
	int fd;
	int rc;

	if (snprintf(older, sizeof(older), "%s.1", path) >= (int)sizeof(older))
		return -ENAMETOOLONG;
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= max)
		return 0;
	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	newest = fd < 0 ? NULL : malloc((size_t)max / 2);
	if (newest == NULL) {
		rc = fd < 0 ? -errno : -ENOMEM;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	got = pread(fd, newest, (size_t)max / 2, st.st_size - max / 2);
	/* Emptied also when there is no room for the copy: room is what this is for. */
	rc = ftruncate(fd, 0) < 0 ? -errno : 0;
	if (rc == 0 && got >= 0)
		rc = file_write(older, newest, (size_t)got, NULL);
	snprintf(marker, sizeof(marker),
		 "[netloom: the log had more than %lld bytes; the end of that is in %.60s]\n",
		 (long long)max, strrchr(older, '/') != NULL ? strrchr(older, '/') + 1 : older);
	if (rc == 0)
		rc = write_all(fd, marker, strlen(marker));
	free(newest);
	close(fd);
	return rc < 0 ? rc : 1;
}

json_t *file_json_read(const char *path)
{
	size_t len;
	char *text = file_read(path, JSON_BYTES_MAX, &len, NULL);
	json_t *object;

	if (text == NULL)
		return NULL;
	object = json_loadb(text, len, 0, NULL);
	free(text);
	if (!json_is_object(object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int file_json_write(const char *path, const json_t *object, struct err *err)
{
	char *text = json_dumps(object, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	int rc;

	if (text == NULL)
		return err_set(err, ENOMEM, "out of memory");
	rc = file_write(path, text, strlen(text), err);
	free(text);
	return rc;
}
