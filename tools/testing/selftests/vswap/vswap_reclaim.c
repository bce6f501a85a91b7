// SPDX-License-Identifier: GPL-2.0
/* What reclaim can do, and is told that it can do, with virtual slots. */
#include "../kselftest_harness.h"
#include "dm.h"
#include "knobs.h"

#define NR		4096		/* 16 MB in pages of 4 kB */
#define PER_HUGE	(2UL << 20)

#define MTHP_16K	THP "hugepages-16kB/"

FIXTURE(vswap_reclaim) {
	char cgroup[128];
	long slots;
	struct disk disks[2];
	struct disk going;	/* over the first one */
	pid_t off;		/* who is switching it off */
};

FIXTURE_SETUP(vswap_reclaim)
{
	const char *missing = vswap_missing();

	self->disks[0].fd = -1;
	self->disks[1].fd = -1;
	self->going.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_reclaim",
			      &self->slots), 0);
}

FIXTURE_TEARDOWN(vswap_reclaim)
{
	cgroup_write(self->cgroup, "memory.max", "max");
	past_zswap(false);
	set_zswap("max_pool_percent", "20");
	set_zswap("accept_threshold_percent", "90");
	write_file(MTHP_16K "enabled", "never");
	write_file(THP "enabled", "madvise");
	write_file(THP "shmem_enabled", "never");
	if (self->going.fd >= 0) {
		dm_hold(false);
		if (self->off > 0)
			wait_child(self->off);
		dm_remove(&self->going);
	}
	disk_remove(&self->disks[0]);
	disk_remove(&self->disks[1]);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	cgroup_leave(self->cgroup);
}

static int limit_pages(const char *cgroup, size_t nr)
{
	char max[32];

	snprintf(max, sizeof(max), "%zu", nr * page_size);
	return cgroup_write(cgroup, "memory.max", max);
}

static long oom_kills(const char *cgroup)
{
	return cgroup_read_key(cgroup, "memory.events", "oom_kill");
}

/* One page of each huge page can't be compressed: the first, one inside, the last. */
static bool is_random(size_t i)
{
	size_t per_huge = PER_HUGE / page_size, huge = i / per_huge;
	const size_t where[] = { 0, 77, per_huge - 1 };

	return i % per_huge == where[huge % 3];
}

static void fill_mostly(char *p, size_t nr, unsigned long seed)
{
	for (size_t i = 0; i < nr; i++)
		pattern_fill(p + i * page_size, page_size,
			     is_random(i) ? PATTERN_RANDOM : PATTERN_QUARTER, seed, i);
}

static size_t check_mostly(const char *p, size_t nr, unsigned long seed)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!pattern_check(p + i * page_size, page_size,
				   is_random(i) ? PATTERN_RANDOM : PATTERN_QUARTER, seed, i))
			break;
	return i;
}

/* A file in memory, of huge pages if they can be had. */
static char *map_shmem(size_t nr)
{
	char *p = mmap(NULL, nr * page_size + PER_HUGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("vswap", 0);

	p = (char *)(((unsigned long)p + PER_HUGE - 1) & ~(PER_HUGE - 1));
	if (fd < 0 || ftruncate(fd, nr * page_size))
		return NULL;
	p = mmap(p, nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	write_file(THP "shmem_enabled", "advise");
	madvise(p, nr * page_size, MADV_HUGEPAGE);
	return p;
}

/*
 * A page that can't be compressed does not keep its large folio in memory: as much
 * can be reclaimed as with small ones, and what is reclaimed comes back right.
 */
static void mostly(struct __test_metadata *_metadata, const char *cgroup, char *p,
		   bool huge, int seed)
{
	const size_t nr = debug_few(NR, NR / 2);
	size_t bytes = nr * page_size, random = 0;
	long before, after, tries = 0;

	for (size_t i = 0; i < nr; i++)
		random += is_random(i);
	fill_mostly(p, nr, seed);
	if (huge)
		EXPECT_GT(cgroup_read_key(cgroup, "memory.stat", "anon_thp") +
			  cgroup_read_key(cgroup, "memory.stat", "shmem_thp"), bytes / 2);
	before = vswap_stat("slots_zswap");
	/* All but a twentieth of what can go */
	while (vswap_stat("slots_zswap") - before < (nr - random) * 95 / 100 && tries++ < 20)
		ask_reclaim(cgroup, bytes / 4);
	after = vswap_stat("slots_zswap");
	EXPECT_GE(after - before, (nr - random) * 95 / 100);
	/* No more than that is left of it, besides what it is compressed to */
	EXPECT_LT(cgroup_read(cgroup, "memory.current") -
		  cgroup_read(cgroup, "memory.zswap.current"), bytes / 4);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_mostly(p, nr, seed), nr);
}

VSWAP_TEST(vswap_reclaim, small_mostly)
{
	char *p = map_region(NR, false);

	mostly(_metadata, self->cgroup, p, false, 1);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_reclaim, huge_mostly)
{
	char *p;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	p = map_region(NR, true);
	mostly(_metadata, self->cgroup, p, true, 2);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_reclaim, shmem_mostly)
{
	char *p;

	if (access(THP "shmem_enabled", W_OK))
		SKIP(return, "no huge pages for shmem");
	p = map_shmem(NR);
	ASSERT_NE(p, NULL);
	mostly(_metadata, self->cgroup, p, true, 3);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A device that may not be used does not change that, nor is it used. */
VSWAP_TEST(vswap_reclaim, huge_swap_max_zero)
{
	const char *missing = disk_setup(&self->disks[0], 0, 7 * NR / 2);
	char *p;

	if (missing)
		SKIP(return, "%s", missing);
	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	ASSERT_EQ(disk_on(&self->disks[0], 10), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "0"), 0);
	p = map_region(NR, true);
	mostly(_metadata, self->cgroup, p, true, 4);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.swap.current"), 0);
	munmap(p, NR * page_size);
	EXPECT_EQ(disk_off(&self->disks[0]), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Nothing is left, neither on the disks nor of pages that were on them. */
static void check_left(struct __test_metadata *_metadata,
		       struct _test_data_vswap_reclaim *self)
{
	for (int i = 0; i < 2; i++) {
		if (disk_used(&self->disks[i]) >= 0)
			EXPECT_EQ(disk_off(&self->disks[i]), 0);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Huge pages that can't be compressed stay whole, in the swap cache. When most of such a
 * page is freed, the rest does not keep it.
 */
VSWAP_TEST(vswap_reclaim, huge_freed_in_part)
{
	const size_t per_huge = PER_HUGE / page_size, nr = 4 * per_huge, bytes = nr * page_size;
	char *p = map_region(nr, true);
	long huge;

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	fill_region(p, nr, PATTERN_RANDOM, 21);
	huge = cgroup_read_key(self->cgroup, "memory.stat", "anon_thp") / PER_HUGE;
	EXPECT_GE(huge, 3);
	for (int i = 0; i < 20 && count_swapped(p, nr) < nr; i++)
		ask_reclaim(self->cgroup, bytes);
	EXPECT_EQ(count_swapped(p, nr), nr);
	EXPECT_GE(cgroup_read(self->cgroup, "memory.current"), bytes);

	for (size_t i = 0; i < nr; i += per_huge)
		madvise(p + (i + 1) * page_size, (per_huge - 1) * page_size, MADV_DONTNEED);
	/* It may be some seconds until what was declined is tried again */
	for (int i = 0; i < 150 && cgroup_read(self->cgroup, "memory.current") > bytes / 4; i++) {
		ask_reclaim(self->cgroup, bytes);
		usleep(100000);
	}
	EXPECT_LE(cgroup_read(self->cgroup, "memory.current"), bytes / 4);
	EXPECT_LE(vswap_stat("slots_used"), self->slots + 4 + OWN_PAGES);
	for (size_t i = 0; i < nr; i += per_huge)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_RANDOM, 21, i));
	munmap(p, nr * page_size);
	check_left(_metadata, self);
}

/*
 * The last one who has a file lets go of it while reclaim tries a folio of it that nothing
 * takes. The folio can't be put back then, into a file that is gone.
 */
VSWAP_TEST(vswap_reclaim, file_gone)
{
	const size_t nr = PER_HUGE / page_size;
	const int rounds = 3;
	int in_time = 0;

	if (access(THP "shmem_enabled", W_OK))
		SKIP(return, "no huge pages");
	write_file(THP "defrag", "madvise");
	for (int round = 0; round < rounds && in_time < debug_few(rounds, 1); round++) {
		char *p = map_shmem(nr);
		long tried, before;
		pid_t pid;

		ASSERT_NE(p, NULL);
		fill_region(p, nr, PATTERN_RANDOM, round);
		EXPECT_GT(cgroup_read_key(self->cgroup, "memory.stat", "shmem_thp"), 0);
		before = read_num(ZSWAP_DEBUG "reject_compress_fail");
		pid = fork();
		if (!pid) {
			munmap(p, nr * page_size);
			ask_reclaim(self->cgroup, nr * page_size);
			_exit(0);
		}
		for (int i = 0; i < 10000; i++) {
			tried = read_num(ZSWAP_DEBUG "reject_compress_fail") - before;
			if (tried >= 8)
				break;
			usleep(1000);
		}
		munmap(p, nr * page_size);
		in_time += tried >= 8 && tried < (long)nr / 2;
		/* Once is enough: it ends when it is through with the folio */
		kill(pid, SIGKILL);
		wait_child(pid);
	}
	TH_LOG("in time %d times", in_time);
	EXPECT_GT(in_time, 0);
	drop_swap_cache(self->cgroup, nr);
	check_left(_metadata, self);
}

/*
 * A device that has room for some of its pages only takes from zswap nothing that it
 * has stored of a huge page.
 */
VSWAP_TEST(vswap_reclaim, huge_nearly_full)
{
	const size_t nr = PER_HUGE / page_size, nr_disk = 2 * nr, nr_full = nr_disk - nr / 8;
	const char *missing = disk_setup(&self->disks[0], 0, nr_disk);
	char *p, *q;
	long zswap;

	if (missing)
		SKIP(return, "%s", missing);
	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	ASSERT_EQ(disk_on(&self->disks[0], 10), 0);
	q = map_region(nr_full, false);
	fill_region(q, nr_full, PATTERN_RANDOM, 7);
	ASSERT_EQ(swap_out_past_zswap(q, nr_full), nr_full);
	ASSERT_GE(disk_used(&self->disks[0]), nr_full);

	p = map_region(nr, true);
	fill_mostly(p, nr, 8);
	zswap = vswap_stat("slots_zswap");
	/* Near its limit, a page that can't be compressed is not kept in zswap */
	ASSERT_EQ(limit_pages(self->cgroup, nr / 2 +
			      cgroup_read(self->cgroup, "memory.current") / page_size), 0);
	madvise(p, nr * page_size, MADV_PAGEOUT);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	/* All but the one that can't be compressed */
	EXPECT_GE(vswap_stat("slots_zswap"), zswap + nr - 1);
	EXPECT_LE(disk_used(&self->disks[0]), nr_full + 1 + OWN_PAGES);
	EXPECT_EQ(check_mostly(p, nr, 8), nr);
	EXPECT_EQ(check_region(q, nr_full, PATTERN_RANDOM, 7), nr_full);
	munmap(p, nr * page_size);
	munmap(q, nr_full * page_size);
	check_left(_metadata, self);
}

/* A folio is not split where that lets nothing be swapped out. */
VSWAP_TEST(vswap_reclaim, no_split)
{
	long split, slots = vswap_stat("slots_used");
	char *p;

	/* No larger ones, then */
	if (write_file(THP "enabled", "never") || write_file(MTHP_16K "enabled", "always"))
		SKIP(return, "no large folios of 16 kB");
	p = map_region(NR, false);
	madvise(p, NR * page_size, MADV_HUGEPAGE);
	fill_region(p, NR, PATTERN_RANDOM, 5);
	split = read_num(MTHP_16K "stats/split");
	ASSERT_GE(read_num(MTHP_16K "stats/nr_anon"), NR / 8);

	/* It can't be compressed */
	madvise(p, NR * page_size, MADV_PAGEOUT);
	EXPECT_EQ(read_num(MTHP_16K "stats/split"), split);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 5), NR);

	/* zswap is full, or not for this cgroup, or off */
	fill_region(p, NR, PATTERN_QUARTER, 6);
	set_zswap("max_pool_percent", "0");
	madvise(p, NR * page_size, MADV_PAGEOUT);
	set_zswap("max_pool_percent", "20");
	EXPECT_EQ(read_num(MTHP_16K "stats/split"), split);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "0"), 0);
	madvise(p, NR * page_size, MADV_PAGEOUT);
	EXPECT_EQ(read_num(MTHP_16K "stats/split"), split);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	set_zswap("enabled", "0");
	madvise(p, NR * page_size, MADV_PAGEOUT);
	set_zswap("enabled", "1");
	EXPECT_EQ(read_num(MTHP_16K "stats/split"), split);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);
	EXPECT_LE(vswap_stat("slots_used"), slots + OWN_PAGES);

	/* ... and it is whole when it can go */
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(read_num(MTHP_16K "stats/split"), split);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * While a device is being switched off, the number of free slots is less by all that is
 * in use there, for as long as that takes. Others have room for whole folios, so none is
 * split. The device takes its time here because nothing can be read from it.
 */
VSWAP_TEST(vswap_reclaim, no_split_while_going)
{
	const size_t nr = 2 * PER_HUGE / page_size;
	const char *missing = disk_setup(&self->disks[0], 0, 2 * NR) ?:
			      disk_setup(&self->disks[1], 1, NR) ?:
			      dm_setup(&self->going, &self->disks[0]);
	char *out = map_region(NR + nr, false), *p = map_region(nr, true);
	long reads, splits;
	size_t i;

	if (!missing && access(THP "enabled", W_OK))
		missing = "no transparent huge pages";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(disk_on(&self->going, 20), 0);
	fill_region(out, NR + nr, PATTERN_QUARTER, 40);
	ASSERT_EQ(swap_out_past_zswap(out, NR + nr), NR + nr);
	drop_swap_cache(self->cgroup, NR + nr);
	ASSERT_EQ(disk_on(&self->disks[1], 10), 0);
	reads = vm_events("nrswpin");
	ASSERT_EQ(dm_hold(true), 0);
	self->off = fork();
	if (!self->off)
		_exit(disk_off(&self->going) ? 1 : 0);
	/* What it reads first, it reads when it has taken the device out of use */
	for (i = 0; i < 6000 && vm_events("nrswpin") == reads; i++)
		usleep(10000);
	ASSERT_GT(vm_events("nrswpin"), reads);

	write_file(THP "defrag", "always");
	fill_mostly(p, nr, 41);
	ASSERT_GE(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"),
		  (long)(nr * page_size));
	splits = vm_events("thp_split_page");
	for (i = 0; i < 20 && count_swapped(p, nr) < nr; i++)
		ask_reclaim(self->cgroup, nr * page_size);
	EXPECT_EQ(count_swapped(p, nr), nr);
	EXPECT_EQ(vm_events("thp_split_page"), splits);
	EXPECT_GE(disk_used(&self->disks[1]), (long)nr / 2);

	EXPECT_EQ(waitpid(self->off, NULL, WNOHANG), 0);
	ASSERT_EQ(dm_hold(false), 0);
	EXPECT_EQ(wait_child(self->off), 0);
	self->off = 0;
	EXPECT_EQ(check_mostly(p, nr, 41), nr);
	EXPECT_EQ(check_region(out, NR + nr, PATTERN_QUARTER, 40), NR + nr);
	munmap(p, nr * page_size);
	munmap(out, (NR + nr) * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Two disks, and what is in a cgroup on the first of them; zswap is off. */
static char *out_to_disk(struct __test_metadata *_metadata, const char *cgroup,
			 struct disk *disks, size_t nr, int seed)
{
	char *p = map_region(nr, false);

	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	set_zswap("enabled", "0");
	ASSERT_EQ(disk_on(&disks[0], 10), 0);
	fill_region(p, nr, PATTERN_QUARTER, seed);
	ASSERT_EQ(swap_out(p, nr), nr);
	drop_swap_cache(cgroup, nr);
	ASSERT_GE(disk_used(&disks[0]), nr);
	return p;
}

static const char *two_disks(struct disk *disks)
{
	return disk_setup(&disks[0], 0, 3 * NR) ?: disk_setup(&disks[1], 1, 3 * NR);
}

/* What swapoff has moved to memory can be swapped out again: to another device, */
VSWAP_TEST(vswap_reclaim, unused_to_disk)
{
	const size_t nr = debug_few(NR, NR / 2);
	struct disk *disks = self->disks;
	const char *missing = two_disks(disks);
	long swapped;
	char *p;

	if (missing)
		SKIP(return, "%s", missing);
	p = out_to_disk(_metadata, self->cgroup, disks, nr, 7);
	ASSERT_EQ(disk_on(&disks[1], 5), 0);
	ASSERT_EQ(disk_off(&disks[0]), 0);
	swapped = disk_used(&disks[1]);
	/* It does not wait for what is being written */
	for (int i = 0; i < 10 && disk_used(&disks[1]) < swapped + nr * 3 / 4; i++) {
		ask_reclaim(self->cgroup, nr * page_size * 3 / 4);
		wait_writeback();
	}
	EXPECT_GE(disk_used(&disks[1]), swapped + nr * 3 / 4);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 7), nr);
	munmap(p, nr * page_size);
	check_left(_metadata, self);
}

/* ... or to zswap. */
VSWAP_TEST(vswap_reclaim, unused_to_zswap)
{
	const size_t nr = debug_few(NR, NR / 2);
	struct disk *disks = self->disks;
	const char *missing = two_disks(disks);
	long stored;
	char *p;

	if (missing)
		SKIP(return, "%s", missing);
	p = out_to_disk(_metadata, self->cgroup, disks, nr, 8);
	set_zswap("enabled", "1");
	ASSERT_EQ(disk_off(&disks[0]), 0);
	stored = vswap_stat("slots_zswap");
	EXPECT_EQ(ask_reclaim(self->cgroup, nr * page_size / 2), 0);
	EXPECT_GE(vswap_stat("slots_zswap"), stored + nr / 2);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 8), nr);
	munmap(p, nr * page_size);
	check_left(_metadata, self);
}

/* So a device can be switched off that has more than fits into memory. */
static void off_in_little(struct __test_metadata *_metadata,
			  struct _test_data_vswap_reclaim *self, bool zswap, int seed)
{
	struct disk *disks = self->disks;
	const char *missing = two_disks(disks);
	const size_t nr = debug_few(2 * NR, NR / 2);
	char *p;

	if (missing)
		SKIP(return, "%s", missing);
	p = out_to_disk(_metadata, self->cgroup, disks, nr, seed);
	ASSERT_EQ(limit_pages(self->cgroup, nr / 2), 0);
	if (zswap)
		set_zswap("enabled", "1");
	else
		ASSERT_EQ(disk_on(&disks[1], 5), 0);
	EXPECT_EQ(disk_off(&disks[0]), 0);
	EXPECT_EQ(oom_kills(self->cgroup), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, seed), nr);
	munmap(p, nr * page_size);
}

VSWAP_TEST(vswap_reclaim, off_in_little_to_disk)
{
	off_in_little(_metadata, self, false, 9);
	check_left(_metadata, self);
}

VSWAP_TEST(vswap_reclaim, off_in_little_to_zswap)
{
	off_in_little(_metadata, self, true, 10);
	check_left(_metadata, self);
}

/*
 * If there is no room anywhere for a cgroup's pages it fails, and nobody has been
 * killed for it. What others have on the disk, behind that, is moved all the same.
 */
VSWAP_TEST(vswap_reclaim, off_no_room)
{
	const size_t mine = debug_few(NR, NR / 2), nr = mine / 2;
	struct disk *disks = self->disks;
	const char *missing = two_disks(disks);
	char *p, *q, other[128];
	long start;

	if (missing)
		SKIP(return, "%s", missing);
	p = out_to_disk(_metadata, self->cgroup, disks, mine, 14);
	ASSERT_EQ(cgroup_enter(other, sizeof(other), "vswap_other"), 0);
	q = map_region(nr, false);
	fill_region(q, nr, PATTERN_QUARTER, 15);
	ASSERT_EQ(swap_out(q, nr), nr);
	drop_swap_cache(other, nr);
	ASSERT_GE(disk_used(&disks[0]), mine + nr);
	ASSERT_EQ(limit_pages(self->cgroup, mine / 4), 0);
	start = now_ms();
	EXPECT_EQ(disk_off(&disks[0]), -ENOMEM);
	/* It is patient */
	EXPECT_GE(now_ms() - start, 10000);
	EXPECT_EQ(oom_kills(self->cgroup), 0);
	EXPECT_EQ(oom_kills(other), 0);
	EXPECT_GT(disk_used(&disks[0]), mine / 2);
	EXPECT_LE(disk_used(&disks[0]), mine);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, mine, PATTERN_QUARTER, 14), mine);
	EXPECT_EQ(check_region(q, nr, PATTERN_QUARTER, 15), nr);
	EXPECT_EQ(disk_off(&disks[0]), 0);
	munmap(p, mine * page_size);
	munmap(q, nr * page_size);
	cgroup_leave(other);
	check_left(_metadata, self);
}

static void do_nothing(int sig)
{
}

/* While it waits for room, a signal ends it. */
VSWAP_TEST(vswap_reclaim, off_interrupted)
{
	struct sigaction act = { .sa_handler = do_nothing };
	const size_t nr = debug_few(NR, NR / 2);
	struct disk *disks = self->disks;
	const char *missing = two_disks(disks);
	long start, used, before = -1;
	int status = 0;
	pid_t pid;
	char *p;

	if (missing)
		SKIP(return, "%s", missing);
	p = out_to_disk(_metadata, self->cgroup, disks, nr, 15);
	start = disk_used(&disks[0]);
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	pid = fork();
	if (!pid) {
		sigaction(SIGUSR1, &act, NULL);
		_exit(-disk_off(&disks[0]));
	}
	/* A small part of it is read before the room is gone */
	ASSERT_EQ(limit_pages(self->cgroup, nr / 4), 0);
	for (int i = 0; i < 100; i++) {
		used = disk_used(&disks[0]);
		if (used < start && used == before)
			break;
		before = used;
		usleep(300000);
	}
	ASSERT_EQ(waitpid(pid, &status, WNOHANG), 0);
	for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) != pid; i++) {
		kill(pid, i == 99 ? SIGKILL : SIGUSR1);
		usleep(20000);
	}
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), EINTR);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(oom_kills(self->cgroup), 0);
	EXPECT_GT(disk_used(&disks[0]), nr / 2);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 15), nr);
	EXPECT_EQ(disk_off(&disks[0]), 0);
	munmap(p, nr * page_size);
	check_left(_metadata, self);
}

/* Run by a child in a cgroup of its own: 0 if all was right, else it is killed. */
static int overflow(const char *name, const char *max, const char *zswap_max,
		    size_t nr, enum pattern pattern, char *path, size_t size)
{
	char *p;

	snprintf(path, size, CGROUP "/%s_%d", name, getpid());
	if (cgroup_enter(path, size, name) ||
	    cgroup_write(path, "memory.max", max) ||
	    cgroup_write(path, "memory.swap.max", "0") ||
	    cgroup_write(path, "memory.zswap.max", zswap_max))
		return 1;
	p = map_region(nr, false);
	fill_region(p, nr, pattern, 1);
	return check_region(p, nr, pattern, 1) == nr ? 0 : 2;
}

/* Who comes after a task that was killed has other pages. */
VSWAP_TEST(vswap_reclaim, after_kill)
{
	const size_t nr = debug_few(NR, NR / 4);
	const enum pattern patterns[] = { PATTERN_RANDOM, PATTERN_QUARTER };
	char child[sizeof(self->cgroup) + 16];
	long given_up = vswap_stat("give_up");
	int status;
	pid_t pid;

	snprintf(child, sizeof(child), "%s/child", self->cgroup);
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "cgroup.subtree_control", "+memory"), 0);
	ASSERT_EQ(mkdir(child, 0755), 0);
	ASSERT_EQ(limit_pages(child, nr / 2), 0);
	for (int i = 0; i < 2; i++) {
		pid = fork();
		if (!pid) {
			char *p = map_region(nr, false);

			if (cgroup_write(child, "cgroup.procs", "0"))
				_exit(1);
			fill_region(p, nr, patterns[i], i);
			_exit(check_region(p, nr, patterns[i], i) != nr);
		}
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WIFSIGNALED(status), !i);
		EXPECT_TRUE(WIFSIGNALED(status) || !WEXITSTATUS(status));
		EXPECT_EQ(oom_kills(child), 1);
		if (!i)
			EXPECT_GT(vswap_stat("give_up"), given_up);
	}
	for (int i = 0; i < 50 && rmdir(child) && errno == EBUSY; i++)
		usleep(20000);
	EXPECT_NE(access(child, F_OK), 0);
	cgroup_write(self->cgroup, "cgroup.subtree_control", "-memory");
	EXPECT_EQ(cgroup_write(self->cgroup, "cgroup.procs", "0"), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* All is tried before it is given up, also what MADV_PAGEOUT has not come to yet. */
VSWAP_TEST(vswap_reclaim, beside_isolated)
{
	const size_t nr_random = (2UL << 20) / page_size, nr = nr_random / 3;
	char *p = map_region(nr_random + nr, false), *q = p + nr_random * page_size;
	long given_up = vswap_stat("give_up");

	fill_region(p, nr_random, PATTERN_RANDOM, 17);
	fill_region(q, nr, PATTERN_QUARTER, 18);
	madvise(p, (nr_random + nr) * page_size, MADV_PAGEOUT);
	EXPECT_EQ(vswap_stat("give_up"), given_up);
	/* The last may wait in a CPU's batch for the LRU lists */
	EXPECT_GE(count_swapped(q, nr), nr - 31);
	EXPECT_EQ(check_region(p, nr_random, PATTERN_RANDOM, 17), nr_random);
	EXPECT_EQ(check_region(q, nr, PATTERN_QUARTER, 18), nr);
	munmap(p, (nr_random + nr) * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Having given up on what does not compress is no reason not to try what comes then. */
VSWAP_TEST(vswap_reclaim, grown)
{
	const size_t nr_random = 512, nr = debug_few(2 * NR, NR);
	int status;
	pid_t pid = fork();

	if (!pid) {
		char *q = map_region(nr_random, false), *p = map_region(nr, false);
		long given_up = vswap_stat("give_up");
		char path[128];

		write_file("/proc/self/oom_score_adj", "1000");
		if (cgroup_enter(path, sizeof(path), "vswap_grown") ||
		    limit_pages(path, nr / 2))
			_exit(1);
		fill_region(q, nr_random, PATTERN_RANDOM, 12);
		for (int i = 0; i < 100 && vswap_stat("give_up") == given_up; i++)
			ask_reclaim(path, nr_random * page_size);
		if (vswap_stat("give_up") == given_up)
			_exit(2);
		fill_region(p, nr, PATTERN_QUARTER, 13);
		if (check_region(p, nr, PATTERN_QUARTER, 13) != nr ||
		    check_region(q, nr_random, PATTERN_RANDOM, 12) != nr_random)
			_exit(3);
		cgroup_leave(path);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Where nothing can be swapped out the OOM killer comes, and before it does no page
 * is compressed, and hardly one looked at, more than a few times.
 */
static void hopeless(struct __test_metadata *_metadata, const char *zswap_max,
		     enum pattern pattern, long compressions)
{
	const size_t nr = NR;		/* twice of what it may have */
	char path[128], name[] = "vswap_hopeless";
	long tried, scanned;
	pid_t pid;
	int status;

	tried = read_num(ZSWAP_DEBUG "reject_compress_fail") +
		read_num(ZSWAP_DEBUG "reject_compress_poor");
	pid = fork();
	if (!pid) {
		write_file("/proc/self/oom_score_adj", "1000");
		_exit(overflow(name, "8M", zswap_max, nr, pattern, path, sizeof(path)));
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
	snprintf(path, sizeof(path), CGROUP "/%s_%d", name, pid);
	EXPECT_GE(oom_kills(path), 1);
	tried = read_num(ZSWAP_DEBUG "reject_compress_fail") +
		read_num(ZSWAP_DEBUG "reject_compress_poor") - tried;
	scanned = cgroup_read_key(path, "memory.stat", "pgscan");
	TH_LOG("%ld pages declined, %ld scanned", tried, scanned);
	/* Without a device they are what zswap has declined, not what has failed to go there */
	EXPECT_EQ(cgroup_read_key(path, "memory.swap.events", "fail"), 0);
	EXPECT_LE(tried, compressions);
	EXPECT_LE(scanned, 2 * compressions + NR / 8);
	rmdir(path);
}

/* There is no room for the cgroup: it is not even tried. */
VSWAP_TEST(vswap_reclaim, hopeless_zswap_max)
{
	hopeless(_metadata, "0", PATTERN_QUARTER, 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * There is room, but not for this data: each page is tried up to four times, and so many
 * more as a page table has, once for all that has been given up before and once for who
 * is about to be killed.
 */
VSWAP_TEST(vswap_reclaim, hopeless_random)
{
	hopeless(_metadata, "max", PATTERN_RANDOM, 4 * NR / 2 + 2 * 512);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Have somebody notice that the pool is too large, until it has no more than @bytes. */
static void shrink_pool(long bytes)
{
	for (int i = 0; i < 600 && read_num(ZSWAP_DEBUG "pool_total_size") > bytes; i++) {
		char *p = map_region(32, false);

		fill_region(p, 32, PATTERN_QUARTER, i);
		madvise(p, 32 * page_size, MADV_PAGEOUT);
		munmap(p, 32 * page_size);
		usleep(100000);
	}
}

#define NR_CGROUPS	20

/* zswap makes room where it can, and is not kept by cgroups where it can't. */
VSWAP_TEST(vswap_reclaim, shrink_past_limits)
{
	const char *missing;
	pid_t pids[NR_CGROUPS];
	long before, written, limit = pool_bytes(1);
	size_t nr = poor_pages();
	char *p, path[128];
	int go[2], ready[2];
	char c;

	/* With room for what others have in the pool, too */
	missing = disk_setup(&self->disks[0], 0, nr + NR / 2 + vswap_stat("slots_zswap"));
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	ASSERT_EQ(disk_on(&self->disks[0], 10), 0);
	for (int i = 0; i < NR_CGROUPS; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			char *q = map_region(64, false);

			close(go[1]);
			if (cgroup_enter(path, sizeof(path), "vswap_limit") ||
			    cgroup_write(path, "memory.swap.max", "0"))
				_exit(1);
			fill_region(q, 64, PATTERN_QUARTER, i);
			swap_out(q, 64);
			if (write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) < 0)
				_exit(2);
			cgroup_leave(path);
			_exit(check_region(q, 64, PATTERN_QUARTER, i) != 64);
		}
	}
	for (int i = 0; i < NR_CGROUPS; i++)
		ASSERT_EQ(read(ready[0], &c, 1), 1);

	p = map_region(nr, false);
	fill_region(p, nr, PATTERN_POOR, 100);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_GE(vswap_stat("slots_zswap"), nr);
	before = read_num(ZSWAP_DEBUG "pool_total_size");
	ASSERT_GT(before, 3 * limit / 2);

	/* Make the pool too small */
	written = read_num(ZSWAP_DEBUG "written_back_pages");
	set_zswap("max_pool_percent", "1");
	shrink_pool(limit);
	set_zswap("max_pool_percent", "20");
	EXPECT_LE(read_num(ZSWAP_DEBUG "pool_total_size"), limit);
	EXPECT_GE(read_num(ZSWAP_DEBUG "written_back_pages"),
		  written + (before - limit) / page_size * 3 / 4);
	EXPECT_EQ(vswap_validate_quiet(), 0);

	EXPECT_EQ(check_region(p, nr, PATTERN_POOR, 100), nr);
	close(go[1]);
	for (int i = 0; i < NR_CGROUPS; i++) {
		int status;

		ASSERT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT_EQ(status, 0);
	}
	munmap(p, nr * page_size);
	check_left(_metadata, self);
}

#define NR_HELD		4096	/* chunks at most, */
#define CHUNK		64	/* pages each */
#define NR_MORE		128

/* Swap out some pages in a cgroup of their own: how many does zswap take? */
static long more_stored(struct __test_metadata *_metadata,
			struct _test_data_vswap_reclaim *self, const char *writeback,
			int seed)
{
	long stored = read_num(ZSWAP_DEBUG "stored_pages");
	char *p = map_region(NR_MORE, false), cgroup[128];

	ASSERT_EQ(cgroup_enter(cgroup, sizeof(cgroup), "vswap_more"), 0);
	ASSERT_EQ(cgroup_write(cgroup, "memory.zswap.writeback", writeback), 0);
	fill_region(p, NR_MORE, PATTERN_QUARTER, seed);
	EXPECT_EQ(swap_out(p, NR_MORE), NR_MORE);
	stored = read_num(ZSWAP_DEBUG "stored_pages") - stored;
	EXPECT_EQ(check_region(p, NR_MORE, PATTERN_QUARTER, seed), NR_MORE);
	munmap(p, NR_MORE * page_size);
	cgroup_leave(cgroup);
	ASSERT_EQ(cgroup_write(self->cgroup, "cgroup.procs", "0"), 0);
	return stored;
}

/*
 * Once the pool has been full, pages go to devices until it has shrunk to the accept
 * threshold, but those that can't are taken as soon as there is room.
 */
VSWAP_TEST(vswap_reclaim, accept_threshold)
{
	/* With room for what others have in the pool, too */
	const char *missing = disk_setup(&self->disks[0], 0, NR + vswap_stat("slots_zswap"));
	static char *held[NR_HELD];
	long limit = pool_bytes(1);
	char *p = map_region(CHUNK, false);
	int nr = 0, kept = 0;

	if (missing)
		SKIP(return, "%s", missing);
	if (limit > 256L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	ASSERT_EQ(disk_on(&self->disks[0], 10), 0);
	set_zswap("max_pool_percent", "0");
	shrink_pool(limit / 8);
	set_zswap("max_pool_percent", "1");
	set_zswap("accept_threshold_percent", "50");
	EXPECT_EQ(more_stored(_metadata, self, "1", 1), NR_MORE);

	/* Fill it with what has no other place */
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "0"), 0);
	while (nr < NR_HELD && nr * (long)(CHUNK * page_size) < 2 * limit &&
	       read_num(ZSWAP_DEBUG "pool_total_size") < limit) {
		held[nr] = map_region(CHUNK, false);
		fill_region(held[nr], CHUNK, PATTERN_POOR, 100 + nr);
		try_swap_out(held[nr++], CHUNK);
	}
	ASSERT_GE(read_num(ZSWAP_DEBUG "pool_total_size"), limit);
	fill_region(p, CHUNK, PATTERN_QUARTER, 2);
	try_swap_out(p, CHUNK);
	EXPECT_EQ(count_swapped(p, CHUNK), 0);
	munmap(p, CHUNK * page_size);
	EXPECT_EQ(more_stored(_metadata, self, "1", 3), 0);

	while (kept < nr && read_num(ZSWAP_DEBUG "pool_total_size") > limit * 3 / 4)
		munmap(held[kept++], CHUNK * page_size);
	ASSERT_GT(read_num(ZSWAP_DEBUG "pool_total_size"), limit * 5 / 8);
	EXPECT_EQ(more_stored(_metadata, self, "1", 4), 0);
	EXPECT_EQ(more_stored(_metadata, self, "0", 5), NR_MORE);
	EXPECT_EQ(more_stored(_metadata, self, "1", 6), 0);

	while (kept < nr && read_num(ZSWAP_DEBUG "pool_total_size") > limit * 3 / 8)
		munmap(held[kept++], CHUNK * page_size);
	ASSERT_LT(kept, nr);
	EXPECT_EQ(more_stored(_metadata, self, "1", 7), NR_MORE);
	for (; kept < nr; kept++) {
		EXPECT_EQ(check_region(held[kept], CHUNK, PATTERN_POOR, 100 + kept), CHUNK);
		munmap(held[kept], CHUNK * page_size);
	}
	check_left(_metadata, self);
}

TEST_HARNESS_MAIN
