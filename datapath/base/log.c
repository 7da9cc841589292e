/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.h"

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
static_assert(sizeof(level_names) / sizeof(level_names[0]) == LOG_DEBUG + 1, "one name per level");

/* Written once by log_init() before other threads start. */
static const char *log_program = "netloom";
static enum log_level log_threshold = LOG_INFO;

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_threshold = level;
}

void log_limit(unsigned int burst, unsigned int seconds)
{
	log_limit_set(burst, seconds);
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[1024];
	struct timespec now;
	struct tm parts;
	uint64_t n_held_back;
	va_list args;
	size_t used;
	int n;

	if (level > log_threshold || !log_limit_admit(format, clock_now_ns(), &n_held_back))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &parts);
	n = snprintf(line + used, sizeof(line) - used, ".%03ldZ %s: %s: ", now.tv_nsec / 1000000,
		     log_program, level_names[level]);
	if (n > 0)
		used += (size_t)n;
	if (n_held_back) {
		n = snprintf(line + used, sizeof(line) - used,
			     "(%" PRIu64 " like this were not logged) ", n_held_back);
		used += n > 0 ? (size_t)n : 0;
	}
	va_start(args, format);
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (n > 0)
		used += (size_t)n;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nowhere left to say it */
}
