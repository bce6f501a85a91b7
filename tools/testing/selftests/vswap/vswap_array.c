// SPDX-License-Identifier: GPL-2.0
/*
 * The array of clusters grows with use, and what it has grown by is used again. Those
 * who come before have it grow as well: this is quick if it is the first.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

VSWAP_FIXTURE(vswap_array);

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

/* For pages that are not there at the same time: more than memory, perhaps. */
static char *map_unreserved(size_t nr, bool huge)
{
	size_t align = 2UL << 20;
	char *p = mmap(NULL, nr * page_size + align, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p += -(unsigned long)p % align;
	if (huge)
		write_file(THP "enabled", "madvise");
	madvise(p, nr * page_size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p;
}

/* So many pages for each of @nr that the device has to grow for all of them. */
static size_t more_than_there_are(int nr)
{
	size_t nr_named = vswap_stat("clusters") * 512, nr_huge = (2UL << 20) / page_size;
	size_t least = ((size_t)debug_few(192, 64) << 20) / page_size;
	size_t each = (nr_named + 8192) / nr;

	return each < least ? least : (each + nr_huge - 1) / nr_huge * nr_huge;
}

/* Zeroes, as they are quick. */
static void swap_out_zeroes(struct __test_metadata *_metadata, char *p, size_t nr)
{
	for (size_t i = 0; i < nr; i += 8192) {
		size_t n = nr - i < 8192 ? nr - i : 8192;

		for (size_t j = 0; j < n; j++)
			p[(i + j) * page_size] = 0;
		EXPECT_EQ(swap_out(p + i * page_size, n), n);
	}
}

/* What the array of clusters has grown by since, which stays. */
static long grown_bytes(long grow)
{
	return (vswap_stat("grow") - grow) * page_size;
}

/*
 * Slots cost what they should, and nothing once they are free but for the array of
 * clusters, which the next ones use again.
 */
VSWAP_TEST(vswap_array, grow)
{
	long before, used, slots, grow;
	size_t nr;
	char *p;

	before = vswap_stat("memory_bytes");
	grow = vswap_stat("grow");
	nr = more_than_there_are(1);
	p = map_unreserved(nr, false);
	ASSERT_NE(p, NULL);
	swap_out_zeroes(_metadata, p, nr);
	slots = vswap_stat("slots_used") - self->slots;
	used = vswap_stat("memory_bytes") - before;
	TH_LOG("%ld slots take %ld bytes, %.2f each", slots, used, (double)used / slots);
	EXPECT_GE(slots, (long)nr);
	/* Swap table and cgroup id: 10 bytes, and what is not full yet */
	EXPECT_LE(used, slots * 11);
	EXPECT_GT(vswap_stat("grow"), grow);

	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	used = before + grown_bytes(grow) + 4096;
	EXPECT_LE(wait_memory(used), used);

	grow = vswap_stat("grow");
	p = map_unreserved(nr, false);
	ASSERT_NE(p, NULL);
	swap_out_zeroes(_metadata, p, nr);
	EXPECT_EQ(vswap_stat("grow"), grow);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

#define NR_BUSY		2

static size_t nr_taken;		/* pages, by each of them */

/* Those who take many slots at the same time and give them back, when they are told to. */
struct busy {
	atomic_int round;	/* the one to be done */
	atomic_int taken;	/* by all of them */
	atomic_int done;
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
	char *p = map_unreserved(nr_taken, true);
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
		busy->taken++;
		while (busy->taken < NR_BUSY * round)
			usleep(1000);
		madvise(p, nr_taken * page_size, MADV_DONTNEED);
		busy->done++;
	}
}

/* Growing while others look up entries: stale ones, and those that stay. */
VSWAP_TEST(vswap_array, race)
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
		long grow = vswap_stat("grow"), left;

		busy->round = round;
		for (int i = 0; i < 12000 && busy->done < NR_BUSY * round; i++) {
			madvise(p, nr / 2 * page_size, MADV_WILLNEED);
			mincore(p, nr * page_size, vec);
			if (i % 32 == 0)
				EXPECT_EQ(vswap_validate(), 0);
			usleep(10000);
		}
		ASSERT_EQ(busy->done, NR_BUSY * round);
		/* All of it is used again; where both want a cluster, one may have it grow */
		EXPECT_GE(vswap_stat("grow"), grow + (round == 1));
		EXPECT_TRUE(round == 1 || vswap_stat("grow") <= grow + NR_BUSY);
		before += grown_bytes(grow);
		/* Who reads the statistics looks at all clusters */
		left = wait_memory(before);
		EXPECT_EQ(vswap_validate(), 0);
		EXPECT_LE(left, before);
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
