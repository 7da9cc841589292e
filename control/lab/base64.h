/* SPDX-License-Identifier: BSD-3-Clause */
/* Base 64 (RFC 4648 §4), as the guest agent wants its data. Pure. */
#ifndef LAB_BASE64_H
#define LAB_BASE64_H

#include <stddef.h>

/** base64_encode() - Return: NUL-terminated text, to be freed; NULL without memory */
char *base64_encode(const void *bytes, size_t len);

/**
 * base64_decode() - Strict: no spaces, padding where it belongs
 * @len: out
 *
 * Return: bytes, to be freed; NULL when the text is no base 64 or there is no memory.
 */
unsigned char *base64_decode(const char *text, size_t *len);

#endif
