/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that is wrong with a request, not only the first thing.
 *
 * A transaction is checked as a whole and each fault is noted here, as one sentence that names the object and the
 * key. Sentences quote what a client sent, so they are reduced to printable ASCII: they go into JSON and into the log.
 * Control thread only.
 */
#ifndef CONTROL_PROBLEMS_H
#define CONTROL_PROBLEMS_H

#define PROBLEMS_KEPT	  32
#define PROBLEMS_TEXT_MAX 384

/* Also the error codes of the RPC, see rpc/README.md. */
enum problem_code {
	PROBLEM_PARAMS = -32602, /* the request contradicts itself or the rules */
	PROBLEM_STATE = 1,	 /* exists, in use, not found, belongs to another owner */
	PROBLEM_MACHINE = 2	 /* memory, file, socket */
};

struct problems {
	unsigned int n;		/* all of them; the first PROBLEMS_KEPT have a text */
	enum problem_code code; /* of the first */
	char text[PROBLEMS_KEPT][PROBLEMS_TEXT_MAX];
};

/** problems_init() - Nothing is wrong yet */
void problems_init(struct problems *problems);

/** problems_add() - Note one fault; printf format, the result is made printable */
void problems_add(struct problems *problems, enum problem_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** problems_printable() - Replace all but printable ASCII by `?`; cut characters would be no JSON */
void problems_printable(char *text);

/** problems_kept() - How many of them have a text */
unsigned int problems_kept(const struct problems *problems);

#endif
