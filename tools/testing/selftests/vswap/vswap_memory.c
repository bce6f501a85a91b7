// SPDX-License-Identifier: GPL-2.0
/* The device grows with use and gives its memory back. */
#include "../kselftest_harness.h"
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

/* Slots cost what they should, and nothing once they are free. */
VSWAP_TEST(vswap_memory, grow_and_shrink)
{
	size_t nr = (192UL << 20) / page_size;
	long before, used, slots, grow = vswap_stat("grow");
	long shrink;
	char *p;

	before = wait_memory(0);
	shrink = vswap_stat("shrink");
	p = map_region(nr, false);
	/* Zeroes, as they are quick: 192 MB of them */
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

/* Growing and shrinking while others look up stale entries. */
VSWAP_TEST(vswap_memory, race)
{
	size_t nr = 2048;
	char *p = map_region(nr, false);
	pid_t pids[2];

	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			char *q = map_region(nr, false);

			for (int round = 0;; round++) {
				fill_region(q, nr, PATTERN_ZERO, 0);
				madvise(q, nr * page_size, MADV_PAGEOUT);
				madvise(q, nr * page_size, MADV_DONTNEED);
				/* Some rounds let it become idle and shrink */
				if (round % 8 == 7)
					usleep(1300000);
			}
		}
	}
	for (int round = 0; round < 12; round++) {
		fill_region(p, nr, PATTERN_MIXED, round);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		madvise(p, nr * page_size, MADV_WILLNEED);
		EXPECT_EQ(check_region(p, nr, PATTERN_MIXED, round), nr);
		madvise(p, nr * page_size, MADV_DONTNEED);
		usleep(500000);
	}
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
