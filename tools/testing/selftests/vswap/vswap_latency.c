// SPDX-License-Identifier: GPL-2.0
/*
 * Who swaps out does not wait: not for those who read the statistics, and not for
 * others who swap out.
 *
 * All pages are huge and zero, so that each takes a cluster of slots and nothing
 * else, and the device grows as fast as it can.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

#define HUGE_SIZE	(2UL << 20)
#define HUGE_NR		(HUGE_SIZE / page_size)
#define REGION_HUGE	16

VSWAP_FIXTURE(vswap_latency);

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* What swapping out has cost. */
struct cost {
	long calls;
	long waits;	/* calls that have slept */
	double longest;	/* seconds */
};

/* Swap out one huge page of zeroes, by one call. */
static void swap_out_huge(char *p, struct cost *cost)
{
	struct rusage before, after;
	double start, time;

	for (size_t i = 0; i < HUGE_NR; i++)
		p[i * page_size] = 0;

	getrusage(RUSAGE_THREAD, &before);
	start = now();
	madvise(p, HUGE_SIZE, MADV_PAGEOUT);
	time = now() - start;
	getrusage(RUSAGE_THREAD, &after);

	cost->calls++;
	cost->waits += after.ru_nvcsw > before.ru_nvcsw;
	if (time > cost->longest)
		cost->longest = time;
}

/* Swap out regions of zeroes until @end, or @nr of them. */
static void swap_out_regions(char **regions, int nr, double end, struct cost *cost)
{
	for (int i = 0; i < nr && (!end || now() < end); i++) {
		if (!regions[i])
			regions[i] = map_region(REGION_HUGE * HUGE_NR, true);
		for (int j = 0; j < REGION_HUGE; j++)
			swap_out_huge(regions[i] + j * HUGE_SIZE, cost);
	}
}

/* Are they all zero, and still out where they were put? */
static void check_zero(struct __test_metadata *_metadata, char *p)
{
	size_t nr = REGION_HUGE * HUGE_NR;

	EXPECT_NE(p, NULL);
	if (!p)
		return;
	EXPECT_GE(count_swapped(p, nr), nr - HUGE_NR);
	for (size_t i = 0; i < nr; i += 61)
		EXPECT_EQ(*(unsigned long *)(p + i * page_size), 0);
}

static void free_regions(char **regions, int nr)
{
	for (int i = 0; i < nr; i++) {
		if (regions[i])
			munmap(regions[i], REGION_HUGE * HUGE_SIZE);
		regions[i] = NULL;
	}
}

/* People who look do not keep others from working, however many there are. */
VSWAP_TEST(vswap_latency, stats)
{
	const int nr_readers = run_all() ? 200 : debug_few(50, 5);
	const int nr_regions = run_all() ? 32 : 4;
	const size_t nr = debug_few(2048, 512);
	char *regions[32] = {}, buf[4096], *p;
	pid_t readers[200];
	struct cost cost = {};

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	p = map_region(nr, false);
	ASSERT_NE(p, NULL);
	for (int i = 0; i < nr_readers; i++) {
		readers[i] = fork();
		if (!readers[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (read_file(VSWAP_STATS, buf, sizeof(buf)) > 0)
				;
			_exit(1);
		}
	}

	swap_out_regions(regions, nr_regions, 0, &cost);
	fill_region(p, nr, PATTERN_MIXED, 1);
	EXPECT_GE(swap_out(p, nr), nr - 16);
	EXPECT_EQ(check_region(p, nr, PATTERN_MIXED, 1), nr);
	check_zero(_metadata, regions[0]);
	check_zero(_metadata, regions[nr_regions - 1]);

	for (int i = 0; i < nr_readers; i++) {
		EXPECT_EQ(waitpid(readers[i], NULL, WNOHANG), 0);
		kill(readers[i], SIGKILL);
		waitpid(readers[i], NULL, 0);
	}
	TH_LOG("%ld of %ld calls have waited, the longest took %.1f ms",
	       cost.waits, cost.calls, cost.longest * 1000);
	/* Somebody may have been preempted with a lock held */
	EXPECT_LE(cost.waits, cost.calls / 50);

	free_regions(regions, nr_regions);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Usage that goes up and down leaves the device as it is. */
VSWAP_TEST(vswap_latency, up_and_down)
{
	const int rounds = run_all() ? 20 : 10, nr = 2;
	long grow = 0, tables = vswap_stat("backing_tables");
	char *p = map_region(nr * HUGE_NR, true);
	struct cost cost = {};

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");

	/* The first round is the one to compare with */
	for (int round = 0; round <= rounds; round++) {
		madvise(p, nr * HUGE_SIZE, MADV_DONTNEED);
		for (int i = 0; i < nr; i++)
			swap_out_huge(p + i * HUGE_SIZE, &cost);
		if (!round)
			grow = vswap_stat("grow");
	}
	TH_LOG("%ld of %ld calls have waited, the longest took %.1f ms",
	       cost.waits, cost.calls, cost.longest * 1000);
	EXPECT_LE(cost.waits, (rounds + 3) / 4);
	EXPECT_EQ(vswap_stat("grow"), grow);
	/* Zero-filled pages need no backing table */
	EXPECT_GE(vswap_stat("clusters_used"), nr);
	EXPECT_LE(vswap_stat("backing_tables"), tables);
	for (size_t i = 0; i < nr * HUGE_NR; i += 61)
		EXPECT_EQ(*(unsigned long *)(p + i * page_size), 0);
	munmap(p, nr * HUGE_SIZE);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Whoever needs slots gets some, even if others take those that were free. */
VSWAP_TEST(vswap_latency, many)
{
	const int nr = 8, nr_regions = run_all() ? 40 : 4;
	long fail = vswap_stat("alloc_fail");
	long fallback = vm_events("thp_swpout_fallback");
	long split = vm_events("thp_split_page");
	pid_t pids[8];
	int status;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	for (int i = 0; i < nr; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			struct cost cost = {};
			char *p = map_region(HUGE_NR, true), *regions[40];

			for (int j = 0; p && j < nr_regions * REGION_HUGE; j++) {
				/* Those that are out stay out, this one moves on */
				swap_out_huge(p, &cost);
				if (j % REGION_HUGE == 0)
					regions[j / REGION_HUGE] = p;
				p = map_region(HUGE_NR, true);
			}
			for (int j = 0; p && j < nr_regions; j++) {
				if (count_swapped(regions[j], HUGE_NR) != HUGE_NR ||
				    *(long *)regions[j])
					_exit(1);
			}
			_exit(!p);
		}
	}
	for (int i = 0; i < nr; i++) {
		EXPECT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT_EQ(status, 0);
	}
	EXPECT_EQ(vswap_stat("alloc_fail"), fail);
	EXPECT_EQ(vm_events("thp_swpout_fallback"), fallback);
	EXPECT_EQ(vm_events("thp_split_page"), split);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
