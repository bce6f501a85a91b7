/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failing allocations. Uses /proc/thread-self/fail-nth, which makes the n-th
 * allocation of this task fail; needs a kernel with failslab and fail_page_alloc.
 */
#ifndef _VSWAP_FAULT_H
#define _VSWAP_FAULT_H

#include "vswap_util.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGE	"/sys/kernel/debug/fail_page_alloc/"

static int fail_fd;

/* Let every allocation of this task fail on request; why not, if that can't be. */
static inline const char *fault_setup(void)
{
	if (access("/proc/self/fail-nth", W_OK) || access(FAILSLAB, F_OK) ||
	    access(FAIL_PAGE, F_OK))
		return "no fault injection";
	write_file(FAILSLAB "verbose", "0");
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAIL_PAGE "verbose", "0");
	write_file(FAIL_PAGE "ignore-gfp-wait", "N");
	write_file(FAIL_PAGE "ignore-gfp-highmem", "N");
	write_file(FAIL_PAGE "min-order", "0");
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	return fail_fd < 0 ? "no /proc/thread-self/fail-nth" : NULL;
}

static inline void fail_arm(int nth)
{
	char text[16];
	ssize_t ret;

	snprintf(text, sizeof(text), "%d", nth);
	ret = pwrite(fail_fd, text, strlen(text), 0);
	(void)ret;
}

/* Disarm, true if the failure was injected. */
static inline bool fail_done(void)
{
	char text[16] = "";
	ssize_t ret;

	ret = pread(fail_fd, text, sizeof(text) - 1, 0);
	fail_arm(0);
	return ret > 0 && !atoi(text);
}

#endif
