// SPDX-License-Identifier: GPL-2.0
/* The system calls and files that come across swap entries. */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

#define NR	256

VSWAP_FIXTURE(vswap_paths);

static long smaps_kb(const char *p, const char *key)
{
	char line[256], start[32];
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false;
	long kb = -1;

	if (!f)
		return -1;
	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	while (kb < 0 && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		else if (here && !strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key), NULL, 10);
	}
	fclose(f);
	return kb;
}

/* What a process has in virtual slots shows in its figures. */
VSWAP_TEST(vswap_paths, smaps)
{
	long kb = NR * page_size / 1024;
	char *p = map_region(NR, false);
	int go[2], ready[2], nr = 3;
	char c = 0;

	/* Out of the way of neighbours that would be merged with it */
	mprotect(p, NR * page_size, PROT_READ | PROT_WRITE | PROT_EXEC);
	fill_region(p, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(smaps_kb(p, "Swap:"), kb);
	EXPECT_EQ(smaps_kb(p, "SwapPss:"), kb);
	EXPECT_GE(read_key("/proc/self/status", "VmSwap"), kb);

	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	for (int i = 0; i < nr; i++) {
		if (fork())
			continue;
		close(go[1]);
		if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1))
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < nr; i++)
		ASSERT_EQ(read(ready[0], &c, 1), 1);
	EXPECT_EQ(smaps_kb(p, "Swap:"), kb);
	EXPECT_EQ(smaps_kb(p, "SwapPss:"), kb / (nr + 1));
	close(go[1]);
	while (wait(NULL) > 0)
		;
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	EXPECT_EQ(smaps_kb(p, "Swap:"), 0);
	munmap(p, NR * page_size);
}

/* madvise() in all its kinds. */
VSWAP_TEST(vswap_paths, madvise)
{
	char *p = map_region(NR, false);
	unsigned char vec[NR];

	fill_region(p, NR, PATTERN_MIXED, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(mincore(p, NR * page_size, vec), 0);
	for (int i = 0; i < NR; i++)
		EXPECT_FALSE(vec[i] & 1);

	/* Read ahead into the swap cache, where mincore() sees it */
	ASSERT_EQ(madvise(p, NR * page_size, MADV_WILLNEED), 0);
	ASSERT_EQ(mincore(p, NR * page_size, vec), 0);
	for (int i = 0; i < NR; i++)
		EXPECT_TRUE(vec[i] & 1);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 2), NR);

	/* Thrown away, in part */
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(madvise(p, NR / 2 * page_size, MADV_DONTNEED), 0);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_ZERO, 0), NR / 2);
	for (int i = NR / 2; i < NR; i++)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size,
					  PATTERN_MIXED, 2, i));
	/* What has been read since is the shared zero page */
	swap_out(p + NR / 2 * page_size, NR / 2);
	ASSERT_EQ(count_swapped(p, NR), NR / 2);
	ASSERT_EQ(madvise(p, NR * page_size, MADV_FREE), 0);
	EXPECT_EQ(count_swapped(p, NR), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_ZERO, 0), NR);

	/* Locked into memory */
	fill_region(p, NR, PATTERN_MIXED, 3);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(mlock(p, NR * page_size), 0);
	EXPECT_EQ(count_swapped(p, NR), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Only the page that is asked for is read. */
VSWAP_TEST(vswap_paths, no_readahead)
{
	char *p = map_region(NR, false);
	/* Others have pages, too, that have been out and only read since */
	long cached = vswap_stat("slots_cached");

	fill_region(p, NR, PATTERN_QUARTER, 4);
	ASSERT_EQ(swap_out(p, NR), NR);
	for (int i = 0; i < NR; i += 16)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size,
					  PATTERN_QUARTER, 4, i));
	EXPECT_EQ(count_swapped(p, NR), NR - NR / 16);
	EXPECT_LE(vswap_stat("slots_cached"), cached + NR / 16);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A mapping moves with what is swapped out. */
VSWAP_TEST(vswap_paths, mremap)
{
	char *p = map_region(NR, false), *q;

	fill_region(p, NR, PATTERN_MIXED, 5);
	ASSERT_EQ(swap_out(p, NR), NR);
	q = mmap(NULL, 2 * NR * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(q, MAP_FAILED);
	p = mremap(p, NR * page_size, 2 * NR * page_size,
		   MREMAP_MAYMOVE | MREMAP_FIXED, q);
	ASSERT_EQ(p, q);
	EXPECT_EQ(count_swapped(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 5), NR);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

#ifndef UFFDIO_MOVE
VSWAP_TEST(vswap_paths, uffd_move)
{
	SKIP(return, "built without UFFDIO_MOVE");
}
#else
/* Pages can be moved to @q with this; -1 if they can't be. */
static int open_mover(char *q, size_t nr)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };
	struct uffdio_register reg = {
		.range = { (unsigned long)q, nr * page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Returns how many pages of @nr have been moved. */
static size_t move_pages(int fd, char *q, char *p, size_t nr)
{
	unsigned long done = 0;

	while (done < nr * page_size) {
		struct uffdio_move move = {
			.dst = (unsigned long)q + done,
			.src = (unsigned long)p + done,
			.len = nr * page_size - done,
		};

		if (ioctl(fd, UFFDIO_MOVE, &move) && errno != EAGAIN)
			break;
		if (move.move > 0)
			done += move.move;
	}
	return done / page_size;
}

/* Move all @nr pages, which are out, and see that they are right where they are then. */
static void move_and_check(struct __test_metadata *_metadata,
			   struct _test_data_vswap_paths *self, int fd, char *q, char *p,
			   size_t nr, enum pattern pattern, unsigned long seed)
{
	EXPECT_EQ(move_pages(fd, q, p, nr), nr);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	/* Nobody answers for what was not moved */
	close(fd);
	EXPECT_EQ(check_region(q, nr, pattern, seed), nr);
	munmap(p, nr * page_size);
	munmap(q, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* userfaultfd moves swap entries from one place to another. */
VSWAP_TEST(vswap_paths, uffd_move)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);
	int fd = open_mover(q, NR);

	if (fd < 0)
		SKIP(return, "no userfaultfd that moves");

	fill_region(p, NR, PATTERN_MIXED, 6);
	ASSERT_EQ(swap_out(p, NR), NR);
	/* Some in the swap cache, and exclusive */
	EXPECT_EQ(check_region(p, NR / 4, PATTERN_MIXED, 6), NR / 4);
	move_and_check(_metadata, self, fd, q, p, NR, PATTERN_MIXED, 6);
}

/* ... and pages of a huge page that nothing takes: it stays in the swap cache, unmapped. */
VSWAP_TEST(vswap_paths, uffd_move_huge)
{
	const size_t nr = (2UL << 20) / page_size;
	char *p = map_region(nr, true), *q = map_region(nr, false);
	int fd = open_mover(q, nr);
	long zswap = vswap_stat("slots_zswap");

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	if (fd < 0)
		SKIP(return, "no userfaultfd that moves");

	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	fill_region(p, nr, PATTERN_RANDOM, 8);
	EXPECT_GT(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"), 0);
	for (int i = 0; i < 20 && count_swapped(p, nr) < nr; i++)
		ask_reclaim(self->cgroup, nr * page_size);
	ASSERT_EQ(count_swapped(p, nr), nr);
	EXPECT_LE(vswap_stat("slots_zswap"), zswap);
	move_and_check(_metadata, self, fd, q, p, nr, PATTERN_RANDOM, 8);
}
#endif

#define KSM		"/sys/kernel/mm/ksm/"
#define KSM_DIFFERENT	64	/* pages, repeated over and over */

/* Fill @nr pages of which most are alike, and have them merged: how many are gone? */
static long fill_merged(char *p, size_t nr, unsigned long seed)
{
	const long most = nr - KSM_DIFFERENT - 8;
	long pages = 0;

	for (size_t i = 0; i < nr; i++)
		pattern_fill(p + i * page_size, page_size, PATTERN_QUARTER, seed,
			     i % KSM_DIFFERENT);
	if (madvise(p, nr * page_size, MADV_MERGEABLE))
		return -1;
	write_file(KSM "pages_to_scan", "10000");
	write_file(KSM "sleep_millisecs", "10");
	write_file(KSM "run", "1");
	for (int i = 0; i < 200 && pages < most; i++) {
		usleep(50000);
		pages = read_num(KSM "pages_sharing");
	}
	write_file(KSM "run", "0");
	return pages;
}

/* How many of @nr pages, from page @first on, are as they were? */
static size_t check_merged(char *p, size_t first, size_t nr, unsigned long seed)
{
	size_t right = 0;

	for (size_t i = first; i < first + nr; i++)
		right += pattern_check(p + i * page_size, page_size, PATTERN_QUARTER, seed,
				       i % KSM_DIFFERENT);
	return right;
}

static void stop_merging(void)
{
	write_file(KSM "run", "2");
	write_file(KSM "run", "0");
}

/*
 * MADV_PAGEOUT leaves shared pages alone. Reclaim finds them used and activates them
 * first; whether the inactive list has become short it knows from statistics that are
 * brought up to date every two seconds.
 */
static void reclaim_merged(const char *cgroup, char *p, size_t nr, size_t wanted)
{
	for (int i = 0; i < 100 && count_swapped(p, nr) < wanted; i++) {
		cgroup_write(cgroup, "memory.reclaim", "512K swappiness=200");
		usleep(100000);
	}
}

/* Pages that KSM has merged are swapped out and split again by writing. */
VSWAP_TEST(vswap_paths, ksm)
{
	char *p = map_region(NR, false);

	if (access(KSM "run", W_OK))
		SKIP(return, "no KSM");

	EXPECT_GE(fill_merged(p, NR, 7), NR / 2);
	reclaim_merged(self->cgroup, p, NR, NR / 2);
	EXPECT_GE(count_swapped(p, NR), NR / 2);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	for (int i = 0; i < NR; i += 2)
		EXPECT_EQ(check_merged(p, i, 1, 7), 1);
	fill_region(p, NR / 2, PATTERN_MIXED, 8);
	cgroup_write(self->cgroup, "memory.reclaim", "512K swappiness=200");
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 8), NR / 2);
	EXPECT_EQ(check_merged(p, NR / 2, NR / 2, 7), NR / 2);
	stop_merging();
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The first of 16 pages whose slots follow each other from an aligned one on, or -1. */
static long find_run(const char *p, size_t nr)
{
	for (size_t first = 0; first + 16 <= nr; first++) {
		long slot = page_slot(p + first * page_size);
		int n = 1;

		if (slot < 0 || slot % 16)
			continue;
		while (n < 16 && page_slot(p + (first + n) * page_size) == slot + n)
			n++;
		if (n == 16)
			return first;
	}
	return -1;
}

/*
 * Where merged pages that lie side by side are swapped in as a large folio, it is for
 * these addresses only: others have copies of its pages, or writing to the one would
 * write to the other.
 */
VSWAP_TEST(vswap_paths, ksm_large)
{
	const size_t nr = KSM_DIFFERENT * 4, size = nr * page_size, align = 16 * page_size;
	unsigned long seed = 0;
	char *p = map_region(nr, false), *to;
	long first = -1, folios;

	if (access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	if (access(FOLIO_64K "enabled", W_OK))
		SKIP(return, "no folios of 64 kB");

	/* On one CPU, so that they are in their order on the LRU list */
	go_to_cpu(0);
	for (int i = 0; i < 20 && first < 0; i++) {
		EXPECT_GE(fill_merged(p, nr, 9 + i), nr / 2);
		reclaim_merged(self->cgroup, p, nr, nr);
		ASSERT_EQ(count_swapped(p, nr), nr);
		seed = 9 + i;
		first = find_run(p, nr);
	}
	ASSERT_GE(first, 0);

	/* To where the addresses are aligned like the slots */
	to = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(to, MAP_FAILED);
	to += -((unsigned long)to + first * page_size) % align;
	ASSERT_EQ(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	p = to;

	folios = read_num(FOLIO_64K "stats/nr_anon");
	ASSERT_EQ(write_file(FOLIO_64K "enabled", "always"), 0);
	madvise(p, size, MADV_HUGEPAGE);
	EXPECT_EQ(check_merged(p, 0, nr, seed), nr);
	EXPECT_GT(read_num(FOLIO_64K "stats/nr_anon"), folios);
	/* Each page by itself, so that one which is not the own would be written again */
	for (size_t i = 0; i < nr; i++) {
		EXPECT_EQ(check_merged(p, i, 1, seed), 1);
		fill_region(p + i * page_size, 1, PATTERN_RANDOM, 100 + i);
	}
	for (size_t i = 0; i < nr; i++)
		EXPECT_EQ(check_region(p + i * page_size, 1, PATTERN_RANDOM, 100 + i), 1);
	write_file(FOLIO_64K "enabled", "never");
	stop_merging();
	munmap(p, size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Compaction and page migration meet folios in the swap cache. */
VSWAP_TEST(vswap_paths, compaction)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 9);
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(swap_out(p, NR), NR);
		/* Into the swap cache, not mapped */
		madvise(p, NR * page_size, MADV_WILLNEED);
		write_file("/proc/sys/vm/compact_memory", "1");
		EXPECT_EQ(vswap_validate(), 0);
		EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 9), NR);
	}
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
