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
	THP "defrag",
	THP "shmem_enabled",
	THP "hugepages-16kB/enabled",
	FOLIO_64K "enabled",
	FOLIO_64K "shmem_enabled",
	FOLIO_2M "enabled",
	FOLIO_2M "shmem_enabled",
	THP "khugepaged/max_ptes_swap",
	ZSWAP_PARAM "compressor",
	"/sys/kernel/mm/ksm/run",
	"/sys/kernel/mm/ksm/pages_to_scan",
	"/sys/kernel/mm/ksm/sleep_millisecs",
	"/sys/kernel/mm/lru_gen/enabled",
	"/sys/kernel/mm/lru_gen/min_ttl_ms",
	"/proc/sys/vm/page-cluster",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/overcommit_ratio",
	CPU "1/online",
};

static char knob_values[ARRAY_SIZE(knobs)][64];
static pid_t knobs_pid;

__attribute__((constructor)) static void save_knobs(void)
{
	knobs_pid = getpid();
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		read_knob(knobs[i], knob_values[i], sizeof(knob_values[i]));
}

/* Tests are children that _exit(): this is for the program that has started them. */
__attribute__((destructor)) static void restore_knobs(void)
{
	char now[sizeof(knob_values[0])];

	for (size_t i = 0; i < ARRAY_SIZE(knobs) && getpid() == knobs_pid; i++) {
		read_knob(knobs[i], now, sizeof(now));
		if (knob_values[i][0] && strcmp(now, knob_values[i]))
			write_file(knobs[i], knob_values[i]);
	}
}

#endif
