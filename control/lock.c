/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct lock {
	int fd;
	char path[PATH_MAX];
};

static int busy(const struct lock *lock, const char *socket_path, struct err *err)
{
	char pid[16] = "";
	ssize_t n = pread(lock->fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	return err_set(err, EBUSY,
		       "a netloomd serves %s already (process %s); give this one another --socket",
		       socket_path, pid[0] != '\0' ? pid : "unknown");
}

/* Whether the locked file is still the one at its path: its last holder may have removed it. */
static bool lock_is_current(const struct lock *lock)
{
	struct stat ours, theirs;

	return fstat(lock->fd, &ours) == 0 && stat(lock->path, &theirs) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

int lock_take(const char *socket_path, struct lock **out, struct err *err)
{
	struct lock *lock = malloc(sizeof(*lock));
	int rc;

	if (lock == NULL)
		return err_set(err, ENOMEM, "out of memory");
	snprintf(lock->path, sizeof(lock->path), "%s.lock", socket_path);
	for (;;) {
		lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (lock->fd < 0) {
			rc = err_set(err, errno, "cannot open %s: %s", lock->path, strerror(errno));
			free(lock);
			return rc;
		}
		if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
			rc = busy(lock, socket_path, err);
			close(lock->fd);
			free(lock);
			return rc;
		}
		if (lock_is_current(lock))
			break;
		close(lock->fd);
	}
	if (ftruncate(lock->fd, 0) < 0 || dprintf(lock->fd, "%d\n", (int)getpid()) < 0) {
		rc = err_set(err, errno, "cannot write %s: %s", lock->path, strerror(errno));
		lock_release(lock);
		return rc;
	}
	*out = lock;
	return 0;
}

void lock_release(struct lock *lock)
{
	if (lock == NULL)
		return;
	unlink(lock->path);
	close(lock->fd);
	free(lock);
}
