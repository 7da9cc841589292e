/* SPDX-License-Identifier: BSD-3-Clause */
/* See nl_socket.h. Control thread, and a helper thread that lives for one setns(). */
#include "nl_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns"

int nl_netns_open(const char *netns, int *fd, struct err *err)
{
	char path[256];
	struct statfs fs;
	int opened;

	if (netns[0] != '/' && (netns[0] == '\0' || netns[0] == '.' || strchr(netns, '/') != NULL))
		return err_set(err, EINVAL,
			       "network namespace \"%s\": neither a name nor an absolute path",
			       netns);
	if (snprintf(path, sizeof(path), "%s%s", netns[0] == '/' ? "" : NETNS_DIR "/", netns) >=
	    (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "network namespace \"%.40s...\": name too long",
			       netns);
	opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (opened < 0)
		return err_set(err, errno, "network namespace \"%s\": %s; `ip netns add` makes one",
			       netns, strerror(errno));
	if (fstatfs(opened, &fs) != 0 || fs.f_type != NSFS_MAGIC) {
		close(opened);
		return err_set(err, EINVAL, "network namespace \"%s\": %s is no namespace", netns,
			       path);
	}
	*fd = opened;
	return 0;
}

int nl_failure(int nl_error)
{
	switch (nl_error < 0 ? -nl_error : nl_error) {
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_RANGE:
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

struct opening {
	int netns_fd;
	struct nl_sock *sock;
	int ret; /* 0, -errno, or a libnl error in nl_ret */
	int nl_ret;
};

static void *open_in_netns(void *arg)
{
	struct opening *opening = arg;

	if (opening->netns_fd >= 0 && setns(opening->netns_fd, CLONE_NEWNET) != 0) {
		opening->ret = -errno;
		return NULL;
	}
	opening->sock = nl_socket_alloc();
	if (opening->sock == NULL) {
		opening->ret = -ENOMEM;
		return NULL;
	}
	opening->nl_ret = nl_connect(opening->sock, NETLINK_ROUTE);
	if (opening->nl_ret != 0) {
		opening->ret = nl_failure(opening->nl_ret);
		nl_socket_free(opening->sock);
	}
	return NULL;
}

int nl_socket_open(int netns_fd, struct nl_sock **sock, struct err *err)
{
	struct opening opening = {.netns_fd = netns_fd};
	pthread_t thread;

	if (netns_fd < 0) {
		open_in_netns(&opening);
	} else {
		int ret = pthread_create(&thread, NULL, open_in_netns, &opening);

		if (ret != 0)
			return err_set(err, ret, "cannot enter a network namespace: %s",
				       strerror(ret));
		pthread_join(thread, NULL);
	}
	if (opening.ret != 0)
		return err_set(err, -opening.ret, "cannot speak to the kernel about interfaces: %s",
			       opening.nl_ret != 0 ? nl_geterror(opening.nl_ret)
						   : strerror(-opening.ret));
	*sock = opening.sock;
	return 0;
}

void nl_socket_close(struct nl_sock *sock)
{
	if (sock != NULL)
		nl_socket_free(sock);
}
