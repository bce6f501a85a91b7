// SPDX-License-Identifier: GPL-2.0
/* What virtual slots take of memory, and where there is next to none. */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

VSWAP_FIXTURE(vswap_memory);

/* Small pages fill up what huge pages have left of their clusters, which has its tables. */
VSWAP_TEST(vswap_memory, gaps)
{
	const size_t nr_huge = (2UL << 20) / page_size, nr = 16 * nr_huge;
	long before, clusters;
	char *huge, *small;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	before = vswap_stat("clusters_used");
	huge = map_region(nr, true);
	memset(huge, 0, nr * page_size);
	ASSERT_EQ(swap_out(huge, nr), nr);
	for (size_t i = 0; i < nr; i += nr_huge)
		madvise(huge + (i + 1) * page_size, (nr_huge - 1) * page_size,
			MADV_DONTNEED);
	clusters = vswap_stat("clusters_used");
	EXPECT_GE(clusters - before, 16);

	small = map_region(nr / 2, false);
	fill_region(small, nr / 2, PATTERN_WORD, 5);
	ASSERT_EQ(swap_out(small, nr / 2), nr / 2);
	EXPECT_LE(vswap_stat("clusters_used"), clusters);
	EXPECT_EQ(check_region(small, nr / 2, PATTERN_WORD, 5), nr / 2);
	for (size_t i = 0; i < nr; i += nr_huge)
		EXPECT_EQ(*(long *)(huge + i * page_size), 0);
	munmap(huge, nr * page_size);
	munmap(small, nr / 2 * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Memory runs out while all tables are still to be made: they can be had, as each of them
 * is for many pages to leave.
 */
VSWAP_TEST(vswap_memory, first_fill)
{
	const size_t nr_out = ((size_t)debug_few(64, 16) << 20) / page_size;
	const size_t nr_all = read_key("/proc/meminfo", "MemAvailable") * 1024L / page_size;
	/* With all checkers, most of it is only held, else a page */
	const size_t nr_held = nr_all / 3 * debug_few(0, 2) + 1, nr = nr_all - nr_held + nr_out;
	long alloc_fail, grow_fail, table_fail;
	pid_t pid;

	if (read_key("/proc/meminfo", "MemTotal") > 2L << 20 && !run_all())
		SKIP(return, "takes all of more than 2 GB; VSWAP_ALL=1");
	alloc_fail = vswap_stat("alloc_fail");
	grow_fail = vswap_stat("grow_fail");
	table_fail = vswap_stat("table_fail");
	pid = fork();
	if (!pid) {
		char *p = map_region(nr, false), *held = map_region(nr_held, true);

		write_file("/proc/self/oom_score_adj", "1000");
		if (!p || !held || mlock(held, nr_held * page_size))
			_exit(2);
		fill_region(p, nr, PATTERN_WORD, 4);
		/* The first ones have gone out, and the next go for them to come back */
		_exit(check_region(p, nr_out, PATTERN_WORD, 4) != nr_out);
	}
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(vswap_stat("alloc_fail"), alloc_fail);
	EXPECT_EQ(vswap_stat("grow_fail"), grow_fail);
	EXPECT_EQ(vswap_stat("table_fail"), table_fail);
	EXPECT_EQ(read_others_back(), 0);
}

TEST_HARNESS_MAIN
