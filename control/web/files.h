/* SPDX-License-Identifier: BSD-3-Clause */
/* The page's files, which are a part of the program: a table of names, so there is no path to be led astray by. */
#ifndef CONTROL_WEB_FILES_H
#define CONTROL_WEB_FILES_H

#include <stddef.h>

struct web_file {
	const char *path; /* as requested, "/app.js" */
	const char *type;
	const char *bytes;
	size_t len;
};

/** web_file_find() - Return: NULL when the page has no such file */
const struct web_file *web_file_find(const char *path);

#endif
