// SPDX-License-Identifier: GPL-2.0
/* Data survives being swapped out to virtual slots, whatever it looks like. */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "place.h"

#define NR	1024

FIXTURE(vswap_data) {
	char cgroup[128];
	long slots;
};

FIXTURE_SETUP(vswap_data)
{
	const char *missing = vswap_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_data",
			      &self->slots), 0);
}

FIXTURE_TEARDOWN(vswap_data)
{
	write_file(FOLIO_64K "enabled", "never");
	EXPECT_EQ(vswap_validate_quiet(), 0);
	cgroup_leave(self->cgroup);
}

/* Pages of zeroes take a slot and nothing else. */
VSWAP_TEST(vswap_data, zero)
{
	char *p = map_region(NR, false);
	long zero = vswap_stat("slots_zero"), zswap = vswap_stat("slots_zswap");

	fill_region(p, NR, PATTERN_ZERO, 0);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_zero"), zero + NR);
	EXPECT_LE(vswap_stat("slots_zswap"), zswap);
	EXPECT_EQ(check_region(p, NR, PATTERN_ZERO, 0), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Everything else goes to zswap. */
VSWAP_TEST(vswap_data, compressed)
{
	char *p = map_region(NR, false);
	long zswap = vswap_stat("slots_zswap"), kb = NR * page_size / 1024;
	long pool = read_key("/proc/meminfo", "Zswap");
	long stored = read_key("/proc/meminfo", "Zswapped");

	fill_region(p, NR, PATTERN_QUARTER, 1);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_zswap"), zswap + NR);
	/* A quarter of each page and a little */
	pool = read_key("/proc/meminfo", "Zswap") - pool;
	EXPECT_GE(pool, kb / 4);
	EXPECT_LE(pool, kb / 2);
	EXPECT_GE(read_key("/proc/meminfo", "Zswapped"), stored + kb);
	EXPECT_LE(read_key("/proc/meminfo", "Zswapped"),
		  stored + kb + OWN_PAGES * (long)page_size / 1024);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_LE(read_key("/proc/meminfo", "Zswapped"),
		  stored + OWN_PAGES * (long)page_size / 1024);
}

/* A page that changes its kind drops what backed it before. */
VSWAP_TEST(vswap_data, rewrite)
{
	const int rounds = debug_few(6, 3);
	char *p = map_region(NR, false);

	for (int i = 0; i < rounds; i++) {
		fill_region(p, NR, i % 3, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		/* Read some, so that the slot's folio is clean or gone */
		EXPECT_EQ(check_region(p, NR / 2, i % 3, i), NR / 2);
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_EQ(check_region(p, NR, i % 3, i), NR);
	}
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What can't be compressed and has no device to go to stays in memory. */
VSWAP_TEST(vswap_data, incompressible)
{
	char *p = map_region(NR, false);
	long declined = vswap_stat("rejected"), give_up = vswap_stat("give_up");
	int devices = have_swap_devices();

	ASSERT_GE(devices, 0);
	if (devices)
		SKIP(return, "there are swap devices");

	fill_region(p, NR, PATTERN_RANDOM, 3);
	madvise(p, NR * page_size, MADV_PAGEOUT);
	EXPECT_GT(vswap_stat("rejected"), declined);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 3), NR);
	/* Reclaim is told not to try for a while */
	for (int i = 0; i < 8 && vswap_stat("give_up") == give_up; i++) {
		cgroup_settle(self->cgroup);
		cgroup_write(self->cgroup, "memory.reclaim", "4M swappiness=max");
	}
	EXPECT_GT(vswap_stat("give_up"), give_up);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 3), NR);
	/* ... and can go again once it can be compressed */
	fill_region(p, NR, PATTERN_WORD, 4);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_WORD, 4), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

static void swap_huge(struct __test_metadata *_metadata, enum pattern pattern)
{
	size_t nr = (8UL << 20) / page_size;
	char *p = map_region(nr, true);
	long allocated = vm_events("thp_fault_alloc");
	long split = vm_events("thp_split_page");

	if (access(THP, F_OK))
		SKIP(return, "no transparent huge pages");

	fill_region(p, nr, pattern, 5);
	EXPECT_GT(vm_events("thp_fault_alloc"), allocated);
	EXPECT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(vm_events("thp_split_page"), split);
	/* In any order, and only in part */
	for (size_t i = 0; i < nr; i += 7)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size, pattern, 5, i));
	EXPECT_EQ(swap_out(p, nr), nr);
	munmap(p + page_size, page_size * 99);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_TRUE(pattern_check(p, page_size, pattern, 5, 0));
	for (size_t i = 100; i < nr; i++)
		ASSERT_TRUE(pattern_check(p + i * page_size, page_size, pattern, 5, i));
	munmap(p, nr * page_size);
}

/* Huge pages are stored page by page behind a range of slots. */
VSWAP_TEST(vswap_data, huge_zero)
{
	swap_huge(_metadata, PATTERN_ZERO);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_data, huge_mixed)
{
	swap_huge(_metadata, PATTERN_MIXED);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

static long count_zero(const char *p, size_t nr)
{
	char *zero = calloc(1, page_size);
	long n = 0;

	for (size_t i = 0; i < nr; i++)
		n += !memcmp(p + i * page_size, zero, page_size);
	free(zero);
	return n;
}

/* Large folios come back as large ones, zero pages and all. */
VSWAP_TEST(vswap_data, large_folios)
{
	char *p = map_region(NR, false), *filler = map_region(2 * GROUP, false);
	long folios, swpin, zero;

	if (write_file(FOLIO_64K "enabled", "always"))
		SKIP(return, "no large folios of 64 kB");
	/* Out by small folios: in large ones zswap would have the zeroes, too */
	fill_region(p, NR, PATTERN_MIXED, 5);
	/* ... to slots that are aligned as the pages are; each CPU has a cluster of its own */
	go_to_cpu(0);
	ASSERT_TRUE(place_align(filler));
	ASSERT_EQ(swap_out(p, NR), NR);
	madvise(p, NR * page_size, MADV_HUGEPAGE);
	zero = vm_events("swpin_zero");
	swpin = read_num(FOLIO_64K "stats/swpin");
	folios = read_num(FOLIO_64K "stats/nr_anon");
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 5), NR);
	EXPECT_GT(read_num(FOLIO_64K "stats/nr_anon"), folios);
	/* Every page of zeroes counts; there is no device to read from */
	EXPECT_GE(vm_events("swpin_zero"), zero + count_zero(p, NR));
	EXPECT_EQ(read_num(FOLIO_64K "stats/swpin"), swpin);
	munmap(p, NR * page_size);
	munmap(filler, 2 * GROUP * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* tmpfs and shared memory, mapped and through read() and write(). */
VSWAP_TEST(vswap_data, shmem)
{
	int fd = memfd_create("vswap", 0);
	char buf[65536];
	char *p;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(ftruncate(fd, NR * page_size), 0);
	p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(p, MAP_FAILED);

	for (int i = 0; i < 3; i++) {
		fill_region(p, NR, PATTERN_MIXED, i);
		for (int try = 0; try < 5; try++)
			madvise(p, NR * page_size, MADV_PAGEOUT);
		EXPECT_GT(vswap_stat("slots_used"), self->slots + NR / 2);
		for (int j = 0; j < NR; j += 2) {
			ASSERT_EQ(pread(fd, buf, page_size, j * page_size), page_size);
			ASSERT_TRUE(pattern_check(buf, page_size, PATTERN_MIXED, i, j));
		}
		EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, i), NR);
	}

	for (int try = 0; try < 5; try++)
		madvise(p, NR * page_size, MADV_PAGEOUT);
	munmap(p, NR * page_size);
	/* A hole punched into what is swapped out, and the file truncated */
	ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    0, NR / 4 * page_size), 0);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	ASSERT_EQ(pread(fd, buf, page_size, 0), page_size);
	EXPECT_TRUE(pattern_check(buf, page_size, PATTERN_ZERO, 0, 0));
	ASSERT_EQ(ftruncate(fd, NR / 2 * page_size), 0);
	ASSERT_EQ(pread(fd, buf, page_size, NR / 4 * page_size), page_size);
	EXPECT_TRUE(pattern_check(buf, page_size, PATTERN_MIXED, 2, NR / 4));
	close(fd);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
