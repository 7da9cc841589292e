/* SPDX-License-Identifier: BSD-3-Clause */
#include "cpulist.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

static bool read_cpu(const char **text, long *cpu)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*cpu = strtol(*text, &end, 10);
	*text = end;
	return *cpu < CPU_SETSIZE;
}

int cpulist_parse(const char *text, int *cpus, uint16_t max, struct err *err)
{
	const char *at = text;
	cpu_set_t allowed;
	uint16_t n = 0;
	long first, last;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	do {
		if (!read_cpu(&at, &first))
			return err_set(err, EINVAL,
				       "CPU list \"%s\": expected a list such as 2,4-5", text);
		last = first;
		if (*at == '-' && (at++, !read_cpu(&at, &last)))
			return err_set(err, EINVAL, "CPU list \"%s\": expected a CPU after '-'",
				       text);
		for (long cpu = first; cpu <= last; cpu++) {
			if (!CPU_ISSET(cpu, &allowed))
				return err_set(err, EINVAL,
					       "CPU list \"%s\": CPU %ld is not available", text,
					       cpu);
			if (n == max)
				return err_set(err, E2BIG, "CPU list \"%s\": more than %u CPUs",
					       text, max);
			cpus[n++] = (int)cpu;
		}
	} while (*at++ == ',');
	if (at[-1] != '\0')
		return err_set(err, EINVAL, "CPU list \"%s\": unexpected '%c'", text, at[-1]);
	return n;
}
