// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios on compressed RAM, as tools/testing/cram/cram_sim.c simulates it: their
 * pages go there many at a time, and not always all of them. Nodes 1 and 2 have to be
 * possible ones.
 */
#include "../kselftest_harness.h"
#include "fault.h"
#include "knobs.h"
#include "sigbus.h"
#include "sim.h"

#define NR		1024
#define MAX_NTH		400
#define HUGE_NR		((long)((2UL << 20) / page_size))

FIXTURE(vswap_cram_large) {
	char cgroup[128];
	long slots;
	bool loaded;
	struct disk disk;
};

FIXTURE_SETUP(vswap_cram_large)
{
	const char *missing = vswap_sim_missing();

	self->disk.fd = -1;
	if (!missing && access(THP "enabled", W_OK))
		missing = "no huge pages";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_blank(1, 2), 0);
	self->loaded = true;
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cram_large"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_cram_large)
{
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->disk);
	write_file(FOLIO_64K "enabled", "never");
	if (self->loaded) {
		for (int node = 1; node <= 2; node++) {
			EXPECT_EQ(read_sim(node, "lost_writes"), 0);
			EXPECT_EQ(read_sim(node, "violations"), 0);
			/* No copy is left that nobody has */
			EXPECT_EQ(write_sim(node, "registered", 0), 0);
		}
		EXPECT_EQ(sim_unload(), 0);
	}
	cgroup_leave(self->cgroup);
}

/* A new region that is a huge page; NULL if none can be had. */
static char *huge_region(const char *cgroup, int seed)
{
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	for (int i = 0; i < 10; i++) {
		char *p = map_region(HUGE_NR, true);

		fill_region(p, HUGE_NR, PATTERN_QUARTER, seed);
		if (cgroup_read_key(cgroup, "memory.stat", "anon_thp") == HUGE_NR * page_size)
			return p;
		munmap(p, HUGE_NR * page_size);
	}
	return NULL;
}

/* ... that is out. */
static char *huge_out(const char *cgroup, int seed)
{
	char *p = huge_region(cgroup, seed);

	return p && swap_out(p, HUGE_NR) == HUGE_NR ? p : NULL;
}

/* Pages on the devices, of which each has its entry. */
static long stored_pages(void)
{
	return read_node(1, "stored_pages") + read_node(2, "stored_pages");
}

/* A huge page goes by itself, and comes back. A slow device is only slow. */
VSWAP_TEST(vswap_cram_large, huge)
{
	long out = read_num(FOLIO_2M "stats/zswpout");
	char *p;

	ASSERT_EQ(write_sim(1, "delay_us", 20), 0);
	p = huge_out(self->cgroup, 1);
	ASSERT_NE(p, NULL);
	EXPECT_EQ(read_num(FOLIO_2M "stats/zswpout"), out + 1);
	EXPECT_GE(read_node(1, "stored_pages"), HUGE_NR);
	EXPECT_EQ(check_region(p, HUGE_NR, PATTERN_QUARTER, 1), HUGE_NR);
	munmap(p, HUGE_NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A device that copies by itself gets many pages at a time; if it fails, the CPU does it. */
VSWAP_TEST(vswap_cram_large, copies)
{
	const long nr = HUGE_NR, most = nr / 8 + OWN_PAGES;
	long copies, copied;
	char *p;

	for (int node = 1; node <= 2; node++)
		ASSERT_EQ(write_sim(node, "dma", 1), 0);
	p = huge_out(self->cgroup, 1);
	ASSERT_NE(p, NULL);
	copies = read_sim(1, "copies");
	copied = read_sim(1, "copied");
	EXPECT_GE(copied, nr);
	EXPECT_LE(copies, most);
	TH_LOG("%ld pages, %ld commands", copied, copies);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 1), nr);
	munmap(p, nr * page_size);

	ASSERT_EQ(write_sim(1, "copy_fail", most), 0);
	p = huge_out(self->cgroup, 2);
	ASSERT_NE(p, NULL);
	EXPECT_LT(read_sim(1, "copy_fail"), most);
	EXPECT_EQ(read_sim(1, "copied"), copied);
	EXPECT_GE(read_node(1, "stored_pages"), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 2), nr);
	munmap(p, nr * page_size);
	ASSERT_EQ(write_sim(1, "copy_fail", 0), 0);

	/* It takes every other one: the rest goes to the next device */
	ASSERT_EQ(write_sim(1, "refuse", 3), 0);
	p = huge_out(self->cgroup, 3);
	ASSERT_NE(p, NULL);
	EXPECT_GE(read_node(1, "stored_pages"), nr / 3);
	EXPECT_GE(read_node(2, "stored_pages"), nr / 3);
	EXPECT_GE(read_node(1, "stored_pages") + read_node(2, "stored_pages"), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 3), nr);
	munmap(p, nr * page_size);
	ASSERT_EQ(write_sim(1, "refuse", 0), 0);

	/* ... and what there is no room for */
	EXPECT_LE(wait_node(1, "used_bytes", nr / 32 * page_size), nr / 32 * page_size);
	ASSERT_EQ(write_sim(1, "capacity_bytes", nr / 16 * page_size), 0);
	p = huge_out(self->cgroup, 4);
	ASSERT_NE(p, NULL);
	EXPECT_GE(read_node(1, "stored_pages"), nr / 32);
	EXPECT_LE(read_node(1, "used_bytes"), nr / 16 * page_size);
	EXPECT_GE(read_node(2, "stored_pages"), nr / 4);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 4), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * What can't all be had does not stay in part where a disk takes the whole: a page in
 * the middle can't be compressed, and copies of those behind it have been made.
 */
VSWAP_TEST(vswap_cram_large, not_all)
{
	const long odd = 37, rest = HUGE_NR - odd - 1;
	long stored, used;
	char *p, *q;

	/* Nowhere else to go */
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "0"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	used = disk_used(&self->disk);
	p = huge_region(self->cgroup, 5);
	ASSERT_NE(p, NULL);
	fill_region(p + odd * page_size, 1, PATTERN_RANDOM, 6);
	q = p + (odd + 1) * page_size;
	fill_region(q, rest, PATTERN_QUARTER, 7);
	stored = read_node(1, "stored");
	ASSERT_EQ(swap_out(p, HUGE_NR), HUGE_NR);
	EXPECT_GT(read_node(1, "stored"), stored + odd);
	EXPECT_LE(direct_pages(), OWN_PAGES);
	EXPECT_EQ(stored_pages(), direct_pages());
	EXPECT_GE(disk_used(&self->disk), used + HUGE_NR - OWN_PAGES);
	EXPECT_EQ(check_region(p, odd, PATTERN_QUARTER, 5), odd);
	EXPECT_EQ(check_region(p + odd * page_size, 1, PATTERN_RANDOM, 6), 1);
	EXPECT_EQ(check_region(q, rest, PATTERN_QUARTER, 7), rest);
	munmap(p, HUGE_NR * page_size);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Swapping out with the n-th allocation failing: no copy is left behind. */
VSWAP_TEST(vswap_cram_large, fails)
{
	const size_t nr = (64UL << 10) / page_size;
	const char *why = fault_setup();
	bool injected = true;
	int nth, large = 0;

	if (!why && write_file(FOLIO_64K "enabled", "always"))
		why = "no large folios of 64 kB";
	if (why)
		SKIP(return, "%s", why);
	for (nth = 1; injected && nth < MAX_NTH; nth++) {
		long folios = read_num(FOLIO_64K "stats/nr_anon");
		char *p = map_region(nr, true);

		fill_region(p, nr, PATTERN_QUARTER, nth);
		large += read_num(FOLIO_64K "stats/nr_anon") > folios;
		fail_arm(nth);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		injected = fail_done();
		ASSERT_EQ(check_region(p, nr, PATTERN_QUARTER, nth), nr);
		munmap(p, nr * page_size);
	}
	TH_LOG("%d allocations failed", nth - 2);
	EXPECT_FALSE(injected);
	/* The entries */
	EXPECT_GT(nth, nr);
	EXPECT_GT(large, nth / 2);
	EXPECT_EQ(stored_pages(), direct_pages());
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Of a large folio, only the page that is lost can't be read. */
VSWAP_TEST(vswap_cram_large, poison)
{
	char *p = map_region(NR, false);
	long folios;

	if (write_file(FOLIO_64K "enabled", "always"))
		SKIP(return, "no large folios of 64 kB");
	madvise(p, NR * page_size, MADV_HUGEPAGE);
	fill_region(p, NR, PATTERN_QUARTER, 20);
	ASSERT_EQ(swap_out(p, NR), NR);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(write_sim(1, "poison", 37 * i), 0);
	folios = read_num(FOLIO_64K "stats/nr_anon");
	EXPECT_EQ(count_failed(p, NR, PATTERN_QUARTER, 20), 4);
	EXPECT_GT(read_num(FOLIO_64K "stats/nr_anon"), folios);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
