/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One sentence for a person, filled once, at the place that knows the cause.
 *
 * Functions whose failure a user will read take a `struct err *` as their last parameter and fill it
 * together with returning -errno. Low layers return; only the top layer prints or logs the text.
 * No threads: an err belongs to its caller.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* NUL-terminated sentence, "" while nothing went wrong */
};

/**
 * err_set() - Say what went wrong, unless it has been said already
 * @err:    may be NULL (the caller does not want the text)
 * @code:   positive errno value
 * @format: printf format; names the object and the place: `campus.yaml:12: port "web": ...`
 *
 * Return: -@code, so that `return err_set(err, EINVAL, ...)` reads well.
 */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
