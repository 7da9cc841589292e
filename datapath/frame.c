/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <string.h>

uint32_t frame_out_copy(const struct frame_out *out, uint8_t *to, uint32_t n)
{
	const struct frame *f = out->f;
	uint32_t done = out->prefix_len < n ? out->prefix_len : n, take;

	memcpy(to, out->prefix, done);
	take = (uint32_t)(f->hdr_len - out->skip);
	if (take > n - done)
		take = n - done;
	memcpy(to + done, f->hdr + out->skip, take);
	done += take;
	for (uint16_t i = 0; i < f->n_segs && done < n; i++) {
		take = f->segs[i].len < n - done ? f->segs[i].len : n - done;
		memcpy(to + done, f->segs[i].base, take);
		done += take;
	}
	return done;
}
