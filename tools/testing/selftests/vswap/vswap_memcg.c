// SPDX-License-Identifier: GPL-2.0
/* Virtual slots and the memory controller, cgroup v2. */
#include "../kselftest_harness.h"
#include "vswap_util.h"

#define NR	2048

VSWAP_FIXTURE(vswap_memcg);

/* memory.swap is about devices: its limit does not keep pages out of zswap. */
VSWAP_TEST(vswap_memcg, swap_max_zero)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "0"), 0);
	fill_region(p, NR, PATTERN_MIXED, 1);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.swap.current"), 0);
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.swap.events", "max"), 0);
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.swap.events", "fail"), 0);
	EXPECT_GT(cgroup_read(self->cgroup, "memory.zswap.current"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* memory.zswap.max=0 keeps a cgroup out of zswap. */
VSWAP_TEST(vswap_memcg, zswap_max_zero)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "0"), 0);
	fill_region(p, NR, PATTERN_QUARTER, 2);
	for (int i = 0; i < 3; i++)
		madvise(p, NR * page_size, MADV_PAGEOUT);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.zswap.current"), 0);
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "zswpout"), 0);
	if (read_key("/proc/meminfo", "SwapTotal") == 0)
		EXPECT_EQ(count_swapped(p, NR), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 2), NR);

	/* Lifted, it is taken */
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 2), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* memory.zswap.max holds within the batch that the statistics lag behind. */
VSWAP_TEST(vswap_memcg, zswap_max)
{
	char *p = map_region(NR, false);
	long current;

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "1M"), 0);
	fill_region(p, NR, PATTERN_QUARTER, 3);
	for (int i = 0; i < 5; i++)
		madvise(p, NR * page_size, MADV_PAGEOUT);
	current = cgroup_read(self->cgroup, "memory.zswap.current");
	EXPECT_GT(current, 256 << 10);
	EXPECT_LE(current, (1 << 20) + (256 << 10));
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A cgroup can use several times its memory. */
VSWAP_TEST(vswap_memcg, overflow)
{
	char *p = map_region(4 * NR, false);

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "14M"), 0);
	fill_region(p, 4 * NR, PATTERN_MIXED, 4);
	EXPECT_EQ(check_region(p, 4 * NR, PATTERN_MIXED, 4), 4 * NR);
	for (int i = 0; i < 4 * NR; i++) {
		size_t j = (i * 2654435761UL) % (4 * NR);

		ASSERT_TRUE(pattern_check(p + j * page_size, page_size,
					  PATTERN_MIXED, 4, j));
	}
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.events", "oom_kill"), 0);
	munmap(p, 4 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* Pages outlive the cgroup that swapped them out. */
VSWAP_TEST(vswap_memcg, removed)
{
	int fd = memfd_create("vswap", 0), status;
	char *p;
	pid_t pid;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(ftruncate(fd, NR * page_size), 0);
	p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(p, MAP_FAILED);
	pid = fork();
	if (!pid) {
		char path[128], file[160];

		if (cgroup_enter(path, sizeof(path), "vswap_removed"))
			_exit(1);
		fill_region(p, NR, PATTERN_MIXED, 5);
		for (int i = 0; i < 5; i++)
			madvise(p, NR * page_size, MADV_PAGEOUT);
		cgroup_leave(path);
		snprintf(file, sizeof(file), "%s/cgroup.procs", path);
		_exit(access(file, F_OK) ? 0 : 2);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_GT(vswap_stat("slots_used"), self->slots + NR / 2);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 5), NR);
	munmap(p, NR * page_size);
	close(fd);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* memory.reclaim reaches what only zswap can take. */
VSWAP_TEST(vswap_memcg, proactive_reclaim)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 6);
	cgroup_write(self->cgroup, "memory.reclaim", "6M swappiness=200");
	EXPECT_GT(count_swapped(p, NR), NR / 2);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

TEST_HARNESS_MAIN
