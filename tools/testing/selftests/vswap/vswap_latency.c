// SPDX-License-Identifier: GPL-2.0
/*
 * Who swaps out does not wait: not for those who read the statistics, not for
 * the device to shrink, and not for others who swap out.
 *
 * All pages are huge and zero, so that each takes a cluster of slots and nothing
 * else, and the device grows and shrinks as fast as it can.
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

/* Usage goes down and comes back just when the device is about to shrink. */
VSWAP_TEST(vswap_latency, toggle)
{
	const int rounds = run_all() ? 12 : debug_few(4, 2), nr = debug_few(12, 4);
	const int max_regions = 512;
	char *regions[512] = {};
	struct cost cost = {};
	long shrink;
	int kept;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	/* Much that others have left is given back first, down to the last slot in use */
	for (int i = 0; i < 100 && vswap_stat("clusters") > 8 * REGION_HUGE; i++)
		usleep(100000);
	kept = vswap_stat("clusters") / REGION_HUGE + 4;
	ASSERT_LE(kept, max_regions / 2);
	/* These stay where they are, and others come and go beyond all that is there */
	swap_out_regions(regions, kept, 0, &cost);
	shrink = vswap_stat("shrink");
	for (int round = 0; round < rounds; round++) {
		double freed;

		swap_out_regions(regions + kept, nr, 0, &cost);
		free_regions(regions + kept, max_regions - kept);
		/* Clusters are given back from one second on, or two */
		freed = now();
		usleep(round % 2 ? 1950000 : 950000);
		swap_out_regions(regions + kept, max_regions - kept,
				 freed + (round % 2 ? 2.3 : 1.3), &cost);
		for (int i = 0; i < kept; i++)
			check_zero(_metadata, regions[i]);
	}

	TH_LOG("%ld of %ld calls have waited, the longest took %.1f ms; shrunk %ld times",
	       cost.waits, cost.calls, cost.longest * 1000,
	       vswap_stat("shrink") - shrink);
	EXPECT_LE(cost.waits, (rounds + 3) / 4);
	EXPECT_GT(vswap_stat("shrink"), shrink);
	free_regions(regions, max_regions);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Let huge pages that are out go, and swap them out again after a while. Returns for how
 * many seconds none was out, at the most.
 */
static double down_and_up(char *p, int nr)
{
	double start = now(), gap;
	struct cost cost = {};

	madvise(p, nr * HUGE_SIZE, MADV_DONTNEED);
	usleep(300000);
	swap_out_huge(p, &cost);
	gap = now() - start;
	for (int i = 1; i < nr; i++)
		swap_out_huge(p + i * HUGE_SIZE, &cost);
	return gap;
}

/*
 * Usage that goes up and down by the second leaves the device as it is: clusters have to
 * be free for a second before they are given back. Where the machine was too busy to be
 * back in time, they may have been, and it begins again.
 */
VSWAP_TEST(vswap_latency, hysteresis)
{
	const int rounds = run_all() ? 20 : 10, nr = 2;
	char *p = map_region(nr * HUGE_NR, true);
	long shrink = 0, grow = 0, tables = vswap_stat("backing_tables");
	double slowest = 0, gap;
	int round = 0, tries;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	/* What others have left is given back first */
	for (int i = 0; i < 100 && vswap_stat("memory_bytes") > page_size; i++)
		usleep(100000);

	/* The first round is the one to compare with, what was freed before it has settled */
	for (tries = 0; round <= rounds && tries < 20 * rounds; tries++) {
		gap = down_and_up(p, nr);
		if (gap >= 0.9) {
			round = 0;
			slowest = 0;
			continue;
		}
		if (!round++) {
			shrink = vswap_stat("shrink");
			grow = vswap_stat("grow");
		}
		slowest = gap > slowest ? gap : slowest;
	}
	if (round <= rounds)
		SKIP(return, "too slow: usage goes down and up in %.1f s", gap);
	TH_LOG("usage goes down and up in %.1f s, %d rounds", slowest, tries);
	EXPECT_EQ(vswap_stat("shrink"), shrink);
	EXPECT_EQ(vswap_stat("grow"), grow);
	/* Zero-filled pages need no table of what is behind them */
	EXPECT_GE(vswap_stat("clusters_used"), nr);
	EXPECT_LE(vswap_stat("backing_tables"), tables);

	/* ... but not for ever */
	madvise(p, nr * HUGE_SIZE, MADV_DONTNEED);
	for (int i = 0; i < 100 && vswap_stat("shrink") == shrink; i++)
		usleep(100000);
	EXPECT_GT(vswap_stat("shrink"), shrink);
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
