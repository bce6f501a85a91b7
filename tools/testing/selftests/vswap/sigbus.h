/* SPDX-License-Identifier: GPL-2.0 */
/* Reading pages of which some are lost, and answered with SIGBUS. */
#ifndef _VSWAP_SIGBUS_H
#define _VSWAP_SIGBUS_H

#include <setjmp.h>
#include "vswap_util.h"

/* How reading one byte ends, in a child: 0, or the signal. */
static inline int touch(const char *p)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		_exit(*p & 1);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static sigjmp_buf bus;

static inline void on_sigbus(int sig)
{
	siglongjmp(bus, 1);
}

struct region {
	const char *p;
	enum pattern pattern;
	unsigned long seed;
};

/* Is page @i right? If it can't be read, count it in @failed. */
static bool check_page(const struct region *region, size_t i, long *failed)
{
	if (sigsetjmp(bus, 1)) {
		(*failed)++;
		return true;
	}
	return pattern_check(region->p + i * page_size, page_size, region->pattern,
			     region->seed, i);
}

/* How many pages can't be read; -1 if one that can be is wrong. */
static inline long count_failed(const char *p, size_t nr, enum pattern pattern,
				unsigned long seed)
{
	const struct region region = { .p = p, .pattern = pattern, .seed = seed };
	struct sigaction action = { .sa_handler = on_sigbus };
	long failed = 0;

	sigaction(SIGBUS, &action, NULL);
	for (size_t i = 0; i < nr; i++) {
		if (!check_page(&region, i, &failed))
			return -1;
	}
	signal(SIGBUS, SIG_DFL);
	return failed;
}

#endif
