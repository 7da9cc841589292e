/* links: vxlan datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that an AF_XDP socket received on an interface without hardware: open checksums are filled in, once.
 *
 * Input: the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "unfilled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packet, *again;
	bool open;

	if (size > 65535)
		return 0;
	packet = malloc(size + 1);
	again = malloc(size + 1);
	if (packet == NULL || again == NULL)
		abort();
	memcpy(packet, data, size);
	open = unfilled_complete(packet, (uint32_t)size);
	memcpy(again, packet, size);
	if (unfilled_complete(again, (uint32_t)size) != open || memcmp(again, packet, size) != 0)
		abort();
	free(packet);
	free(again);
	return 0;
}
