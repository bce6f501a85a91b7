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

/* Load the module, for devices of two nodes; why not, if that can't be. */
static inline const char *sim_load(int near, int far)
{
	char cmdline[4096], params[256], *p;
	unsigned long start[2];
	int fd, err;

	if (access("/sys/kernel/mm/cram", F_OK))
		return "no /sys/kernel/mm/cram, the kernel has no CONFIG_CRAM";
	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	p = strstr(cmdline, "cram=");
	if (!p || sscanf(p, "cram=%li,%li", &start[0], &start[1]) != 2)
		return "no memory is left for it, see cram= on the command line";
	fd = open(SIM_MODULE, O_RDONLY);
	if (fd < 0)
		return "no " SIM_MODULE;
	snprintf(params, sizeof(params),
		 "start=%lu,%lu size=%lu,%lu nid=%d,%d adistance=1200,1800 ratio=8",
		 start[0], start[1], SIM_RANGE, SIM_RANGE, near, far);
	err = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return err ? "the module can't be loaded" : NULL;
}

static inline int sim_unload(void)
{
	return syscall(SYS_delete_module, "cram_sim", 0);
}

#endif
