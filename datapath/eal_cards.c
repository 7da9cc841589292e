/* SPDX-License-Identifier: BSD-3-Clause */
/* See eal_cards.h. */
#include "eal_cards.h"

#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"

/* One of a device's files begins with @start. */
static bool begins(const char *name, const char *attribute, const char *start)
{
	char path[PATH_MAX], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", name, attribute);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	fclose(file);
	return strncmp(text, start, strlen(start)) == 0;
}

/* The last part of a device's link, "" if it has none. */
static void link_name(const char *name, const char *link, char out[64])
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", name, link);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	snprintf(out, 64, "%.63s", n > 0 ? basename(target) : "");
}

static enum eal_cards card_look(const char *name)
{
	char driver[64], group[64];

	if (!begins(name, "class", "0x02"))
		return EAL_CARDS_NONE;
	link_name(name, "driver", driver);
	if (strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0)
		return EAL_CARDS_PHYSICAL;
	if (strcmp(driver, "vfio-pci") != 0)
		return EAL_CARDS_NONE;
	link_name(name, "iommu_group", group);
	return group[0] != '\0' && !begins(name, "iommu_group/name", "vfio-noiommu")
		       ? EAL_CARDS_IOMMU
		       : EAL_CARDS_PHYSICAL;
}

enum eal_cards eal_cards_look(void)
{
	enum eal_cards found = EAL_CARDS_NONE;
	DIR *dir = opendir(DEVICES);
	const struct dirent *entry;

	if (dir == NULL)
		return EAL_CARDS_NONE;
	while ((entry = readdir(dir)) != NULL) {
		enum eal_cards card =
			entry->d_name[0] == '.' ? EAL_CARDS_NONE : card_look(entry->d_name);

		if (card > found)
			found = card;
	}
	closedir(dir);
	return found;
}
