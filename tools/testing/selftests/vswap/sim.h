/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Simulated devices: two, of tools/testing/cram/cram_sim.c, which the kernel command
 * line leaves memory for:
 *
 *	memmap=64M$ADDRESS memmap=64M$ADDRESS cram=ADDRESS,ADDRESS
 *
 * The module is /tests/cram_sim.ko.
 */
#ifndef _VSWAP_SIM_H
#define _VSWAP_SIM_H

#include <sys/syscall.h>
#include "cram.h"

#define SIM_RANGE	(64UL << 20)
#define SIM_MODULE	"/tests/cram_sim.ko"
#define SIM		"/sys/kernel/debug/cram_sim/"

static inline int write_sim(int node, const char *file, long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), SIM "%d/%s", node, file);
	snprintf(text, sizeof(text), "%ld", value);
	return write_file(path, text);
}

static inline long read_sim(int node, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), SIM "%d/%s", node, file);
	return read_num(path);
}

/* Where the memory for the two devices is. */
static inline bool sim_memory(unsigned long start[2])
{
	char cmdline[4096], *p;

	if (read_file("/proc/cmdline", cmdline, sizeof(cmdline)) <= 0)
		return false;
	p = strstr(cmdline, "cram=");
	return p && sscanf(p, "cram=%li,%li", &start[0], &start[1]) == 2;
}

/* Why can't there be such devices? */
static inline const char *sim_missing(void)
{
	unsigned long start[2];

	if (access("/sys/kernel/mm/cram", F_OK))
		return "no /sys/kernel/mm/cram, the kernel has no CONFIG_CRAM";
	if (!sim_memory(start))
		return "no memory is left for it, see cram= on the command line";
	if (access(SIM_MODULE, R_OK))
		return "no " SIM_MODULE;
	return NULL;
}

static inline int sim_insert(const char *params)
{
	int fd = open(SIM_MODULE, O_RDONLY), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return err;
}

/* Why can't they be tested? */
static inline const char *vswap_sim_missing(void)
{
	return vswap_missing() ?: sim_missing();
}

/* Load the module, for devices of two nodes and so many bytes, with @more parameters. */
static inline int sim_load_with(int near, int far, unsigned long bytes, const char *more)
{
	unsigned long start[2];
	char params[256];

	if (!sim_memory(start))
		return -ENODEV;
	snprintf(params, sizeof(params),
		 "start=%lu,%lu size=%lu,%lu nid=%d,%d adistance=1200,1800 %s",
		 start[0], start[1], bytes, bytes, near, far, more);
	return sim_insert(params);
}

static inline int sim_load(int near, int far)
{
	return sim_load_with(near, far, SIM_RANGE, "ratio=8");
}

/* Wait until all of a device, the only one of its node, can be used. */
static inline int sim_wait_blank(int node, unsigned long bytes)
{
	long pages = bytes / page_size;

	return wait_node_from(node, "trimmed", pages) < pages ? -ETIMEDOUT : 0;
}

static inline int sim_load_blank(int near, int far)
{
	return sim_load(near, far) ?: sim_wait_blank(near, SIM_RANGE) ?:
	       sim_wait_blank(far, SIM_RANGE);
}

/* Have one again that was given up, and is empty. */
static inline int sim_register(int node, unsigned long bytes)
{
	return write_sim(node, "registered", 1) ?: sim_wait_blank(node, bytes);
}

/* Its devices are given up, if they are there; pages may be left with nobody. */
static inline int sim_unload(void)
{
	write_sim(1, "registered", 0);
	write_sim(2, "registered", 0);
	return syscall(SYS_delete_module, "cram_sim", 0);
}

#endif
