// SPDX-License-Identifier: GPL-2.0
/*
 * Pages on compressed RAM, as tools/testing/cram/cram_sim.c simulates it. Nodes 1
 * and 2 have to be possible ones.
 */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sigbus.h"
#include "sim.h"

#define NR		1024

FIXTURE(vswap_cram) {
	char cgroup[128];
	long slots;
	bool loaded;
	struct disk disk;
};

FIXTURE_SETUP(vswap_cram)
{
	const char *missing = vswap_sim_missing();

	self->disk.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_blank(1, 2), 0);
	self->loaded = true;
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cram"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_cram)
{
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->disk);
	if (self->loaded)
		EXPECT_EQ(sim_unload(), 0);
	cgroup_leave(self->cgroup);
}

/* Out and in; who is nearer is asked first, and each is asked. */
VSWAP_TEST(vswap_cram, nearest_first)
{
	char *p = map_region(NR, false);

	/* Abstract distances of 1200 and 1800, 128 a tier */
	EXPECT_TRUE(tier_has(9, 9, 1));
	EXPECT_TRUE(tier_has(14, 14, 2));
	EXPECT_EQ(read_node(1, "advertised_bytes"), SIM_RANGE);
	EXPECT_EQ(read_node(1, "capacity_bytes"), SIM_RANGE / 8);

	fill_region(p, NR, PATTERN_QUARTER, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(direct_pages(), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR);
	EXPECT_EQ(read_node(2, "stored_pages"), 0);
	EXPECT_LE(read_num(ZSWAP_DEBUG "pool_total_size"), 1 << 20);
	ASSERT_EQ(write_sim(1, "refuse", 1), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	EXPECT_LE(direct_pages(), OWN_PAGES);
	EXPECT_GE(read_node(1, "loaded"), NR);

	/* The nearer one refuses */
	fill_region(p, NR, PATTERN_QUARTER, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_LE(read_node(1, "stored_pages"), OWN_PAGES);
	EXPECT_GE(read_node(2, "stored_pages"), NR);
	EXPECT_GE(read_node(1, "refused"), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 2), NR);

	/* Both do: software compresses */
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	fill_region(p, NR, PATTERN_QUARTER, 3);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_LE(direct_pages(), OWN_PAGES);
	EXPECT_GE(vswap_stat("slots_zswap"), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The less data can be compressed, the fewer pages fit; nothing is lost. */
VSWAP_TEST(vswap_cram, capacity)
{
	enum pattern patterns[] = { PATTERN_WORD, PATTERN_QUARTER, PATTERN_RANDOM };
	char *p = map_region(NR, false);
	long stored = NR + 1;

	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", NR / 8 * page_size), 0);
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	for (int i = 0; i < 3; i++) {
		fill_region(p, NR, patterns[i], i);
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_LE(read_node(1, "used_bytes"), read_node(1, "capacity_bytes"));
		EXPECT_LT(read_node(1, "stored_pages"), stored);
		stored = read_node(1, "stored_pages");
		EXPECT_EQ(check_region(p, NR, patterns[i], i), NR);
		/* What is free takes room until the device has discarded it */
		EXPECT_LE(wait_node(1, "used_bytes", OWN_PAGES * page_size),
			  OWN_PAGES * page_size);
	}
	EXPECT_GT(read_node(1, "refused"), 0);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What can't be compressed is given back, and goes where it would without the device. */
VSWAP_TEST(vswap_cram, incompressible)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	fill_region(p, NR, PATTERN_RANDOM, 22);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_LE(direct_pages(), OWN_PAGES);
	EXPECT_GE(read_node(1, "refused"), NR);
	EXPECT_GE(vswap_stat("slots_zswap") + disk_used(&self->disk), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 22), NR);

	/* Without one it stays: nothing would be gained */
	ASSERT_EQ(disk_off(&self->disk), 0);
	try_swap_out(p, NR);
	EXPECT_LE(vswap_stat("slots_zswap"), OWN_PAGES);
	EXPECT_LE(direct_pages(), OWN_PAGES);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 22), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Many at a time, of all kinds, with no room to spare. */
VSWAP_TEST(vswap_cram, load)
{
	int go_on;

	ASSERT_EQ(write_sim(1, "capacity_bytes", NR / 4 * page_size), 0);
	ASSERT_EQ(write_sim(2, "capacity_bytes", NR / 4 * page_size), 0);
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	go_on = fork_load(4, debug_few(4, 2), NR / 2, PATTERN_ANY);
	ASSERT_GE(go_on, 0);
	/* It may take a while until they come to swap out */
	EXPECT_TRUE(wait_stored(1, 1));
	for (int i = 0; i < 20; i++) {
		write_sim(1, "refuse", i % 2);
		write_sim(2, "refuse", i / 2 % 2);
		usleep(50000);
	}
	/* More than one of them has room for */
	write_sim(1, "refuse", 0);
	write_sim(2, "refuse", 0);
	EXPECT_TRUE(wait_stored(2, 1));
	EXPECT_EQ(wait_load(go_on, 4), 0);
	EXPECT_GT(read_node(1, "stored"), 0);
	EXPECT_GT(read_node(2, "stored"), 0);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	EXPECT_EQ(read_sim(2, "lost_writes"), 0);
	/* Whoever ends while its pages are written leaves them in the swap cache */
	drop_swap_cache(self->cgroup, 4 * NR / 2);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* Pages compressed again, once that has come to rest: the last one is counted late. */
static long wait_recompressed(void)
{
	long before = -1, now = read_num(ZSWAP_DEBUG "recompressed_pages");

	while (now != before) {
		usleep(500000);
		before = now;
		now = read_num(ZSWAP_DEBUG "recompressed_pages");
	}
	return now;
}

/* When the device has less room than it had, pages are moved elsewhere. */
VSWAP_TEST(vswap_cram, watermarks)
{
	char *p = map_region(NR, false);
	long used, moved;

	EXPECT_EQ(write_node(1, "high_watermark", "101"), -EINVAL);
	EXPECT_EQ(write_node(1, "high_watermark", "x"), -EINVAL);
	EXPECT_EQ(write_node(1, "high_watermark", "89"), -EINVAL);
	EXPECT_EQ(write_node(1, "low_watermark", "0"), -EINVAL);
	EXPECT_EQ(write_node(1, "low_watermark", "-1"), -EINVAL);
	EXPECT_EQ(write_node(1, "low_watermark", "96"), -EINVAL);
	EXPECT_EQ(read_node(1, "high_watermark"), 95);
	EXPECT_EQ(read_node(1, "low_watermark"), 90);
	EXPECT_EQ(write_node(1, "low_watermark", "80"), 0);
	EXPECT_EQ(read_node(1, "low_watermark"), 80);

	fill_region(p, NR, PATTERN_QUARTER, 5);
	ASSERT_EQ(swap_out(p, NR), NR);
	used = read_usage(1, "used_bytes");
	ASSERT_GT(used, 0);
	EXPECT_EQ(read_node(1, "evicted"), 0);

	/* Without a disk they are compressed again */
	moved = read_num(ZSWAP_DEBUG "recompressed_pages");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 2 / 5), used * 2 / 5);
	EXPECT_GT(read_num(ZSWAP_DEBUG "recompressed_pages"), moved);
	EXPECT_GT(read_node(1, "evicted"), 0);
	EXPECT_EQ(count_swapped(p, NR), NR);

	/* ... and with one, if the cgroup may not write there */
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "0"), 0);
	moved = read_num(ZSWAP_DEBUG "recompressed_pages");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 3), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 4 / 15), used * 4 / 15);
	EXPECT_GT(read_num(ZSWAP_DEBUG "recompressed_pages"), moved);
	EXPECT_EQ(disk_used(&self->disk), 0);

	/* If it may, they are written */
	moved = wait_recompressed();
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "1"), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 4), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used / 5), used / 5);
	EXPECT_GT(disk_used(&self->disk), 0);
	EXPECT_EQ(wait_recompressed(), moved);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 5), NR);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What can't be moved stays until it can be; meanwhile the node takes nothing. */
VSWAP_TEST(vswap_cram, evict_nowhere)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);
	long used, stored;

	/* Pages that can't be compressed, which the device does not say, and no disk */
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "silent", 1), 0);
	fill_region(p, NR, PATTERN_RANDOM, 16);
	ASSERT_EQ(swap_out(p, NR), NR);
	stored = read_node(1, "stored_pages");
	used = read_usage(1, "used_bytes");
	EXPECT_GE(stored, NR);
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	fill_region(q, NR, PATTERN_QUARTER, 17);
	ASSERT_EQ(swap_out(q, NR), NR);
	EXPECT_LE(read_node(1, "stored_pages"), stored);
	EXPECT_GE(read_node(1, "refused"), NR);
	EXPECT_EQ(read_node(1, "evicted"), 0);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 17), NR);

	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 9 / 20), used * 9 / 20);
	/* Some may have been about to be compressed when the disk came: zswap keeps them */
	EXPECT_GE(disk_used(&self->disk) + read_num(ZSWAP_DEBUG "stored_incompressible_pages"),
		  NR / 2);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 16), NR);
	ASSERT_EQ(disk_off(&self->disk), 0);

	/* Pages that can be, and no room in the pool */
	ASSERT_EQ(write_sim(1, "capacity_bytes", SIM_RANGE / 8), 0);
	fill_region(q, NR, PATTERN_QUARTER, 18);
	ASSERT_EQ(swap_out(q, NR), NR);
	stored = read_node(1, "stored_pages");
	used = read_usage(1, "used_bytes");
	EXPECT_GE(stored, NR);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "0"), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	usleep(200000);
	EXPECT_EQ(read_node(1, "stored_pages"), stored);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 9 / 20), used * 9 / 20);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 18), NR);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	munmap(p, NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Two who write the watermarks at a time can't get them out of order. */
VSWAP_TEST(vswap_cram, watermarks_race)
{
	const int rounds = debug_few(500, 200);
	/* The rounds at which the one and the other are */
	int *at = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	ASSERT_NE(at, MAP_FAILED);
	pid = fork();
	if (!pid) {
		for (int i = 1; i <= rounds; i++) {
			while (__atomic_load_n(&at[0], __ATOMIC_ACQUIRE) < i)
				;
			write_node(1, "low_watermark", "90");
			__atomic_store_n(&at[1], i, __ATOMIC_RELEASE);
		}
		_exit(0);
	}
	for (int i = 1; i <= rounds; i++) {
		ASSERT_EQ(write_node(1, "low_watermark", "50"), 0);
		ASSERT_EQ(write_node(1, "high_watermark", "95"), 0);
		__atomic_store_n(&at[0], i, __ATOMIC_RELEASE);
		write_node(1, "high_watermark", "60");
		while (__atomic_load_n(&at[1], __ATOMIC_ACQUIRE) < i)
			;
		EXPECT_LE(read_node(1, "low_watermark"), read_node(1, "high_watermark"));
	}
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

/* A page that is lost is an error for who reads it, and for nobody else. */
VSWAP_TEST(vswap_cram, poison)
{
	char *p = map_region(NR, false);
	long fail = read_num(ZSWAP_DEBUG "direct_load_fail");

	fill_region(p, NR, PATTERN_QUARTER, 6);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_sim(1, "poison", 17), 0);
	EXPECT_EQ(read_node(1, "poisoned"), 1);
	EXPECT_EQ(count_failed(p, NR, PATTERN_QUARTER, 6), 1);
	EXPECT_GT(read_num(ZSWAP_DEBUG "direct_load_fail"), fail);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);

	/* Where it was, nothing is stored again */
	p = map_region(NR, false);
	for (int i = 0; i < 4; i++) {
		fill_region(p, NR, PATTERN_WORD, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_EQ(count_failed(p, NR, PATTERN_WORD, i), 0);
	}
	EXPECT_EQ(read_node(1, "poisoned"), 1);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The same if it is found out when pages are moved elsewhere, and only once. */
static void poison_evicted(struct __test_metadata *_metadata, long slots)
{
	char *p = map_region(NR, false);
	long fail = read_num(ZSWAP_DEBUG "direct_load_fail");

	fill_region(p, NR, PATTERN_QUARTER, 7);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_sim(1, "poison", 3), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", 4 * page_size), 0);
	EXPECT_LE(wait_node(1, "stored_pages", 16), 16);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "direct_load_fail"), fail + 1);
	EXPECT_EQ(count_failed(p, NR, PATTERN_QUARTER, 7), 1);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "direct_load_fail"), fail + 1);
	EXPECT_EQ(read_node(1, "poisoned"), 1);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(slots), slots);
}

/* To a disk, */
VSWAP_TEST(vswap_cram, poison_writeback)
{
	long written;

	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	written = vm_events("zswpwb");
	poison_evicted(_metadata, self->slots);
	EXPECT_GE(vm_events("zswpwb"), written + NR - 17);
}

/* and without one. */
VSWAP_TEST(vswap_cram, poison_recompress)
{
	long moved = read_num(ZSWAP_DEBUG "recompressed_pages");

	poison_evicted(_metadata, self->slots);
	EXPECT_GE(read_num(ZSWAP_DEBUG "recompressed_pages"), moved + NR - 16);
}

TEST_HARNESS_MAIN
