/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request to a VMM and its answer: QEMU's machine protocol and vm-runner's JSON-RPC, whose answers differ in a word. One thread.
 */
#ifndef LAB_ASK_H
#define LAB_ASK_H

#include <jansson.h>

#include "base/err.h"
#include "lab/jsonline.h"

#define ASK_TIMEOUT_MS 5000
#define ASK_EVENTS_MAX 1000 /* passed over while an answer is awaited */

/**
 * ask() - Send a request and wait for its answer; events are passed over
 * @request: stolen; NULL is -ENOMEM
 * @out:     the answer, a new reference; NULL when nobody wants it
 *
 * Return: 0, -ENOENT for what the VMM has not got, -EREMOTEIO for what else it refuses, or why it could not be asked: then the
 * connection is of no more use, because an answer may still be on its way.
 */
int ask(struct jsonline *line, json_t *request, json_t **out, struct err *err);

/** ask_answer() - The second half of ask(), of a request that was sent otherwise */
int ask_answer(struct jsonline *line, json_t **out, struct err *err);

/**
 * ask_verdict() - What one line of the VMM is
 * Return: 1 for an event, else as ask().
 */
int ask_verdict(const json_t *message, struct err *err);

#endif
