/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t len)
{
	const unsigned char *in = bytes;
	char *text = malloc((len + 2) / 3 * 4 + 1);
	char *out = text;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;

		if (n > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			group |= in[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[(group >> 12) & 63];
		*out++ = n > 1 ? alphabet[(group >> 6) & 63] : '=';
		*out++ = n > 2 ? alphabet[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

static int digit_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

unsigned char *base64_decode(const char *text, size_t *len)
{
	size_t n = strlen(text);
	size_t pad = 0;
	unsigned char *bytes;
	unsigned char *out;

	if (n % 4 != 0)
		return NULL;
	while (pad < 2 && n > pad && text[n - 1 - pad] == '=')
		pad++;
	bytes = malloc(n / 4 * 3 + 1);
	if (bytes == NULL)
		return NULL;
	out = bytes;
	for (size_t i = 0; i < n; i += 4) {
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = i + k >= n - pad ? 0 : digit_value(text[i + k]);

			if (value < 0) {
				free(bytes);
				return NULL;
			}
			group = group << 6 | (uint32_t)value;
		}
		*out++ = (unsigned char)(group >> 16);
		*out++ = (unsigned char)(group >> 8);
		*out++ = (unsigned char)group;
	}
	*len = n / 4 * 3 - pad;
	return bytes;
}
