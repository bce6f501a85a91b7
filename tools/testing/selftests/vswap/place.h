/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Neighbours that are swapped out to different places: a group of pages has slots
 * that follow each other, are aligned like the pages, and could be read as one
 * large folio, but what is behind them is chosen page by page.
 */
#ifndef _VSWAP_PLACE_H
#define _VSWAP_PLACE_H

#include "sigbus.h"

#define GROUP		16	/* pages, 64 kB */
#define PLACE_TRIES	20

static inline bool place_page(char *p)
{
	for (int i = 0; i < 100; i++) {
		madvise(p, page_size, MADV_PAGEOUT);
		if (page_slot(p) >= 0)
			return true;
		usleep(1000);
	}
	return false;
}

/* Content of page @i of a group: zeroes, or what zswap could compress. */
static inline enum pattern place_pattern(const char *where, int i)
{
	return where[i] == '0' ? PATTERN_ZERO : PATTERN_QUARTER;
}

/* Use up slots until the next one is the first of an aligned group. */
static inline bool place_align(char *filler)
{
	for (int i = 0; i < 2 * GROUP; i++, filler += page_size) {
		*filler = 0;
		if (!place_page(filler))
			return false;
		if (page_slot(filler) % GROUP == GROUP - 1)
			return true;
	}
	return false;
}

/*
 * Fill and swap out a group at @p, which is mapped with small pages: page i goes
 * to zswap if where[i] is 'z', is zeroes if it is '0', and goes to a device else.
 * The caller has chosen VSWAP_MODE "always". False if it has not worked, the pages
 * may be out then all the same.
 */
static inline bool place_group(char *p, const char *where, unsigned long seed)
{
	char *filler = map_region(2 * GROUP, false);
	bool placed = place_align(filler);
	long first;

	for (int i = 0; placed && i < GROUP; i++) {
		pattern_fill(p + i * page_size, page_size, place_pattern(where, i),
			     seed, i);
		write_file(ZSWAP_PARAM "enabled", where[i] == 'z' ? "1" : "0");
		placed = place_page(p + i * page_size);
	}
	write_file(ZSWAP_PARAM "enabled", "1");
	first = page_slot(p);
	for (int i = 0; placed && i < GROUP; i++)
		placed = page_slot(p + i * page_size) == first + i;
	munmap(filler, 2 * GROUP * page_size);
	return placed && first % GROUP == 0;
}

/* A region of @nr groups like that, NULL if there is none; on one CPU from now on. */
static inline char *place_region(int nr, const char *where, unsigned long seed)
{
	char *p = map_region(nr * GROUP, false);

	/* Each CPU takes slots from a cluster of its own */
	go_to_cpu(0);
	for (int i = 0; i < nr; i++) {
		char *group = p + i * GROUP * page_size;
		int tries = 0;

		while (!place_group(group, where, seed + i)) {
			if (++tries == PLACE_TRIES) {
				munmap(p, nr * GROUP * page_size);
				return NULL;
			}
			madvise(group, GROUP * page_size, MADV_DONTNEED);
		}
	}
	wait_writeback();
	return p;
}

/* How reading page @i of a group ends: 0, SIGBUS, or -1 if it is wrong. */
static inline int read_page(const char *p, const char *where, unsigned long seed, int i)
{
	const struct region region = {
		.p = p, .pattern = place_pattern(where, i), .seed = seed,
	};
	struct sigaction action = { .sa_handler = on_sigbus };
	long failed = 0;
	bool right;

	sigaction(SIGBUS, &action, NULL);
	right = check_page(&region, i, &failed);
	signal(SIGBUS, SIG_DFL);
	return failed ? SIGBUS : right ? 0 : -1;
}

/* How many pages of a group can't be read, -1 if one is wrong. */
static inline int read_group(const char *p, const char *where, unsigned long seed)
{
	int failed = 0;

	for (int i = 0; i < GROUP; i++) {
		int ret = read_page(p, where, seed, i);

		if (ret < 0)
			return ret;
		failed += ret == SIGBUS;
	}
	return failed;
}

#endif
