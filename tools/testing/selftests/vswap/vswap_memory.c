// SPDX-License-Identifier: GPL-2.0
/* The device grows with use and gives its memory back. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

VSWAP_FIXTURE(vswap_memory);

static long wait_memory(long limit)
{
	long bytes = 0;

	for (int i = 0; i < 100; i++) {
		bytes = vswap_stat("memory_bytes");
		if (bytes <= limit)
			break;
		usleep(100000);
	}
	return bytes;
}

/*
 * So many pages for each of @nr that the device has to grow for all of them. Others may
 * have slots that keep it from being as small as it can be.
 */
static size_t more_than_there_are(int nr)
{
	size_t nr_named = vswap_stat("clusters") * 512, nr_huge = (2UL << 20) / page_size;
	size_t least = ((size_t)debug_few(192, 64) << 20) / page_size;
	size_t each = (nr_named + 8192) / nr;

	return each < least ? least : (each + nr_huge - 1) / nr_huge * nr_huge;
}

/* Slots cost what they should, and nothing once they are free. */
VSWAP_TEST(vswap_memory, grow_and_shrink)
{
	long before, used, slots, grow, shrink;
	size_t nr;
	char *p;

	before = wait_memory(0);
	grow = vswap_stat("grow");
	shrink = vswap_stat("shrink");
	nr = more_than_there_are(1);
	p = map_region(nr, false);
	/* Zeroes, as they are quick */
	for (size_t i = 0; i < nr; i += 8192) {
		size_t n = nr - i < 8192 ? nr - i : 8192;

		for (size_t j = 0; j < n; j++)
			p[(i + j) * page_size] = 0;
		EXPECT_EQ(swap_out(p + i * page_size, n), n);
	}
	slots = vswap_stat("slots_used") - self->slots;
	used = vswap_stat("memory_bytes") - before;
	TH_LOG("%ld slots take %ld bytes, %.2f each", slots, used, (double)used / slots);
	EXPECT_GE(slots, (long)nr);
	/* Swap table and cgroup id: 10 bytes, and what is not full yet */
	EXPECT_LE(used, slots * 11);
	EXPECT_GT(vswap_stat("grow"), grow);

	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_LE(wait_memory(before + 4096), before + 4096);
	for (int i = 0; i < 100 && vswap_stat("shrink") == shrink; i++)
		usleep(100000);
	EXPECT_GT(vswap_stat("shrink"), shrink);
}

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
	wait_memory(0);
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

#define NR_BUSY		2

static size_t nr_taken;		/* pages, by each of them */

/* Those who take many slots and give them back, when they are told to. */
struct busy {
	atomic_int round;	/* the one to be done */
	atomic_int done;	/* by all of them */
};

/* Look up entries while they are given back. */
static void *look_up(void *p)
{
	unsigned char *vec = malloc(nr_taken);

	for (;;) {
		mincore(p, nr_taken * page_size, vec);
		usleep(1000);
	}
	return NULL;
}

static void take_and_give_back(struct busy *busy)
{
	size_t nr_huge = (2UL << 20) / page_size;
	char *p = map_region(nr_taken, true);
	pthread_t thread;

	if (!p || pthread_create(&thread, NULL, look_up, p))
		_exit(1);
	for (int round = 1;; round++) {
		while (busy->round < round)
			usleep(1000);
		for (size_t i = 0; i < nr_taken; i += nr_huge) {
			for (size_t j = i; j < i + nr_huge; j++)
				p[j * page_size] = 0;
			madvise(p + i * page_size, nr_huge * page_size, MADV_PAGEOUT);
		}
		madvise(p, nr_taken * page_size, MADV_DONTNEED);
		busy->done++;
	}
}

/*
 * Growing and shrinking while others look up entries: stale ones, and those that stay
 * where the device does.
 */
VSWAP_TEST(vswap_memory, race)
{
	const int nr_rounds = run_all() ? 3 : 2;
	const size_t nr = 2048;
	char *p = map_region(nr, false);
	unsigned char vec[2048];
	pid_t pids[NR_BUSY];
	struct busy *busy;
	long before;

	busy = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(busy, MAP_FAILED);
	/* This is where the device begins, so that the rest can go */
	wait_memory(0);
	fill_region(p, nr, PATTERN_MIXED, 3);
	ASSERT_EQ(swap_out(p, nr), nr);
	before = vswap_stat("memory_bytes");
	nr_taken = more_than_there_are(NR_BUSY);
	for (int i = 0; i < NR_BUSY; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			take_and_give_back(busy);
		}
	}
	for (int round = 1; round <= nr_rounds; round++) {
		long grow = vswap_stat("grow"), shrink = vswap_stat("shrink");

		busy->round = round;
		for (int i = 0; i < 12000 && busy->done < NR_BUSY * round; i++) {
			madvise(p, nr / 2 * page_size, MADV_WILLNEED);
			mincore(p, nr * page_size, vec);
			if (i % 32 == 0)
				EXPECT_EQ(vswap_validate(), 0);
			usleep(10000);
		}
		ASSERT_EQ(busy->done, NR_BUSY * round);
		EXPECT_GT(vswap_stat("grow"), grow);
		/* Who reads the statistics looks at all clusters */
		for (int i = 0; i < 300 && vswap_stat("memory_bytes") > before; i++) {
			EXPECT_EQ(vswap_validate(), 0);
			mincore(p, nr * page_size, vec);
			usleep(100000);
		}
		EXPECT_LE(vswap_stat("memory_bytes"), before);
		EXPECT_GT(vswap_stat("shrink"), shrink);
	}
	EXPECT_EQ(check_region(p, nr, PATTERN_MIXED, 3), nr);
	for (int i = 0; i < NR_BUSY; i++) {
		EXPECT_EQ(waitpid(pids[i], NULL, WNOHANG), 0);
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	munmap(p, nr * page_size);
	munmap(busy, page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
