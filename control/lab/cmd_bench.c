/* SPDX-License-Identifier: BSD-3-Clause */
/* netloom bench: hands over to bench/netloom-bench, which is Python: it starts, stops and does statistics. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/proc.h"

int cmd_bench(const struct command *command, int argc, char **argv)
{
	char path[PATH_MAX];
	struct err err = {0};

	(void)command;
	(void)argc;
	if (proc_library_find("bench/netloom-bench", "bench/netloom-bench", path) != 0) {
		err_set(&err, ENOENT, "netloom-bench is not in %s/bench; set NETLOOM_LIBDIR",
			NETLOOM_LIBDIR);
		return cli_fail(-EIO, &err);
	}
	argv[0] = path;
	execv(path, argv);
	err_set(&err, errno, "%s: %s", path, strerror(errno));
	return cli_fail(-EIO, &err);
}
