/* SPDX-License-Identifier: GPL-2.0 */
/* The settings of the machine that tests change are back when a program has ended. */
#ifndef _VSWAP_KNOBS_H
#define _VSWAP_KNOBS_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../kselftest.h"
#include "vswap_util.h"

static const char * const knobs[] = {
	VSWAP_MODE,
	ZSWAP_PARAM "enabled",
	ZSWAP_PARAM "accept_threshold_percent",
	ZSWAP_PARAM "max_pool_percent",
	ZSWAP_PARAM "shrinker_enabled",
	THP "enabled",
	THP "shmem_enabled",
	THP "hugepages-16kB/enabled",
	FOLIO_64K "enabled",
	FOLIO_64K "shmem_enabled",
	"/sys/kernel/mm/ksm/run",
	"/proc/sys/vm/page-cluster",
};

static char knob_values[ARRAY_SIZE(knobs)][64];
static pid_t knobs_pid;

__attribute__((constructor)) static void save_knobs(void)
{
	knobs_pid = getpid();
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		char text[128] = "", *value = text, *chosen;

		if (read_file(knobs[i], text, sizeof(text)) <= 0)
			continue;
		/* Of several words, the one in brackets */
		chosen = strchr(text, '[');
		if (chosen)
			value = chosen + 1;
		value[strcspn(value, "]\n")] = 0;
		snprintf(knob_values[i], sizeof(knob_values[i]), "%s", value);
	}
}

/* Tests are children that _exit(): this is for the program that has started them. */
__attribute__((destructor)) static void restore_knobs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(knobs) && getpid() == knobs_pid; i++) {
		if (knob_values[i][0])
			write_file(knobs[i], knob_values[i]);
	}
}

#endif
