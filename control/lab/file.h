/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files and folders: whole-file reads with a bound, writes that are complete or absent. One thread. */
#ifndef LAB_FILE_H
#define LAB_FILE_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/** file_mkdir() - Create a folder and its parents; fine when it is there */
int file_mkdir(const char *path, mode_t mode, struct err *err);

/**
 * file_read() - A whole file
 * @max: bytes; a larger file is refused with -EFBIG
 * @len: out, may be NULL
 *
 * Return: NUL-terminated, to be freed; NULL with @err filled.
 */
char *file_read(const char *path, size_t max, size_t *len, struct err *err);

/** file_write() - Replace a file in one step (temporary file, rename); mode 0600. Return: 0 or -errno */
int file_write(const char *path, const void *bytes, size_t len, struct err *err);

/** file_append_file() - Append all of @from to the open file @fd. Return: bytes or -errno */
ssize_t file_append_file(int fd, const char *from, struct err *err);

/** file_remove_tree() - Remove a folder and all below it, links not followed. Return: 0 or -errno */
int file_remove_tree(const char *path, struct err *err);

/** file_remove_sockets() - Remove the Unix sockets directly in a folder, nothing else */
void file_remove_sockets(const char *folder);

/**
 * file_tail() - The last lines of a log, for a person: control bytes and escape sequences taken out
 * @lines: at most so many
 *
 * Return: to be freed, "" when there is nothing.
 */
char *file_tail(const char *path, unsigned int lines);

/** file_json_read() - Parse a JSON object file. Return: new reference, or NULL (absent or broken) */
json_t *file_json_read(const char *path);

/** file_json_write() - file_write() of an object. Return: 0 or -errno */
int file_json_write(const char *path, const json_t *object, struct err *err);

/**
 * file_log_cut() - Bound a log that somebody else appends to (O_APPEND)
 * @path: of the log; a missing one is fine
 * @max:  bytes; a log not larger is left alone
 *
 * The newest half of @max goes to PATH.1 (what was there goes), the log is emptied and starts again with a line
 * that says so. What is written while this happens may be lost.
 *
 * Return: whether it was cut, or -errno.
 */
int file_log_cut(const char *path, off_t max);

#endif
