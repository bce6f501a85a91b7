// SPDX-License-Identifier: GPL-2.0
/*
 * Cutting through large folios of tmpfs that are swapped out, when there is memory
 * to read them back and when there is none. This is about tmpfs, so it is tested
 * with plain slots too, and then does not need CONFIG_VSWAP.
 */
#include <pthread.h>
#include "../kselftest_harness.h"
#include "dm.h"
#include "fault.h"
#include "knobs.h"

#define FOLIO		16UL			/* pages */
#define NR		(16 * FOLIO)
#define NR_DISK		(16 * NR)

/* What is cut, in pages of a folio in the middle of the file, and bytes */
struct cut {
	const char *name;
	long first, first_bytes;
	long last, last_bytes;	/* the end; of the file if last is 0 */
};

static const struct cut cuts[] = {
	{ "truncate at the edge of a page", 5, 0, 0, 0 },
	{ "truncate in a page", 5, 100, 0, 0 },
	{ "truncate at the edge of a folio", 16, 0, 0, 0 },
	{ "truncate in the first page of a folio", 16, 1, 0, 0 },
	{ "punch pages at the end of a folio", 11, 0, 16, 0 },
	{ "punch pages at the start of a folio", 0, 0, 5, 0 },
	{ "punch pages in the middle of a folio", 3, 0, 9, 0 },
	{ "punch from page to page", 3, 50, 9, 60 },
	{ "punch in a page", 7, 50, 7, 4000 },
	{ "punch from folio to folio", 5, 0, 37, 0 },
	{ "punch from folio to folio, in pages", 5, 10, 37, 20 },
	{ "punch a folio", 16, 0, 32, 0 },
};

FIXTURE(vswap_shmem) {
	char cgroup[128];
	struct disk disk;
	struct disk below, failing;
	int fd;
	long slots;
	char *want, *got;	/* what is in the file, and room to read it */
	long large;		/* folios that were out when the file was written */
	long least, most;	/* pages of it that are on disks */
	bool virtual;
	bool plain;		/* slots are, in this variant */
	bool ahead;		/* there is readahead */
};

FIXTURE_VARIANT(vswap_shmem) {
	const char *mode;
	const char *zswap;
	enum pattern pattern;
	int nr;
	long least, most;	/* pages that go to disks */
};

/* As without virtual swap space */
FIXTURE_VARIANT_ADD(vswap_shmem, plain) {
	.mode = "never",
	.zswap = "0",
	.pattern = PATTERN_RANDOM,
	.nr = 0,
	.least = NR,
	.most = NR,
};

FIXTURE_VARIANT_ADD(vswap_shmem, zswap) {
	.mode = "auto",
	.zswap = "1",
	.pattern = PATTERN_QUARTER,
	.nr = 1,
};

FIXTURE_VARIANT_ADD(vswap_shmem, disk) {
	.mode = "always",
	.zswap = "0",
	.pattern = PATTERN_RANDOM,
	.nr = 2,
	.least = NR,
	.most = NR,
};

FIXTURE_VARIANT_ADD(vswap_shmem, mixed) {
	.mode = "auto",
	.zswap = "1",
	.pattern = PATTERN_ANY,
	.nr = 3,
	.least = 1,
	.most = NR - 1,
};

/* Large folios that have been swapped out. */
static long count_large(void)
{
	return read_num(FOLIO_64K "stats/swpout") +
	       read_num(FOLIO_64K "stats/zswpout");
}

FIXTURE_SETUP(vswap_shmem)
{
	const char *missing;

	page_size = sysconf(_SC_PAGESIZE);
	self->fd = -1;
	self->disk.fd = -1;
	self->below.fd = -1;
	self->failing.fd = -1;
	self->virtual = !access(VSWAP_MODE, W_OK);
	self->plain = !strcmp(variant->mode, "never");
	self->ahead = variant->nr != 1;
	self->least = variant->least;
	self->most = variant->most;
	if (geteuid())
		SKIP(return, "needs root");
	if (page_size != 4096)
		SKIP(return, "needs pages of 4 kB");
	if (write_file(FOLIO_64K "shmem_enabled", "always"))
		SKIP(return, "no large folios, see CONFIG_TRANSPARENT_HUGEPAGE");
	if (!self->virtual && !self->plain)
		SKIP(return, "no " VSWAP_MODE ", the kernel has no CONFIG_VSWAP");
	missing = disk_setup(&self->disk, 0, NR_DISK);
	if (missing)
		SKIP(return, "%s", missing);
	if (self->virtual)
		ASSERT_EQ(write_file(VSWAP_MODE, variant->mode), 0);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", variant->zswap), 0);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup),
			       "vswap_shmem"), 0);
	/* With room for a part of the file: the rest goes to the disk */
	if (variant->nr == 3)
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "160K"), 0);
	/* Only the file is to be in it: we have to go on when it can't have a page */
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	if (self->virtual)
		self->slots = vswap_stat("slots_used");
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	self->want = calloc(NR, page_size);
	self->got = calloc(NR, page_size);
	self->fd = memfd_create("vswap_shmem", 0);
	ASSERT_GE(self->fd, 0);
}

/*
 * Is anything left of the file, in virtual slots or on disks? What was being read when it
 * was cut off is in the swap cache until reclaim finds it.
 */
static bool anything_left(struct _test_data_vswap_shmem *self)
{
	return (self->virtual && vswap_stat("slots_used") - own_pages() > self->slots) ||
	       disk_used(&self->disk) > own_pages() || disk_used(&self->failing) > own_pages();
}

FIXTURE_TEARDOWN(vswap_shmem)
{
	if (self->fd >= 0)
		close(self->fd);
	free(self->want);
	free(self->got);
	write_file("/proc/sys/vm/page-cluster", "3");
	write_file(FOLIO_64K "shmem_enabled", "never");
	/* Reclaim does not look at the swap cache of a cgroup that may not swap */
	if (self->cgroup[0]) {
		cgroup_write(self->cgroup, "memory.swap.max", "max");
		cgroup_write(self->cgroup, "memory.zswap.max", "max");
	}
	for (int i = 0; i < 100 && anything_left(self); i++) {
		drop_swap_cache(self->cgroup, NR);
		usleep(50000);
	}
	EXPECT_FALSE(anything_left(self)) {
		TH_LOG("%ld slots, %ld and %ld pages on disks", vswap_stat("slots_used"),
		       disk_used(&self->disk), disk_used(&self->failing));
	}
	EXPECT_EQ(vswap_validate_quiet(), 0);
	if (self->cgroup[0]) {
		cgroup_write(self->cgroup, "memory.max", "max");
		cgroup_leave(self->cgroup);
	}
	if (self->failing.fd >= 0) {
		dm_table(&self->below, NULL);
		swapoff(self->failing.path);
		dm_remove(&self->failing);
	}
	disk_remove(&self->below);
	disk_remove(&self->disk);
	if (self->virtual)
		write_file(VSWAP_MODE, "auto");
	write_file(ZSWAP_PARAM "enabled", "1");
}

/* Write the file in large folios, as the cgroup's own. */
static bool write_whole(struct _test_data_vswap_shmem *self, enum pattern pattern,
			unsigned long seed)
{
	size_t size = NR * page_size;
	int status;
	pid_t pid;
	char *p;

	if (ftruncate(self->fd, 0) || ftruncate(self->fd, size))
		return false;
	self->large = count_large();
	fill_region(self->want, NR, pattern, seed);
	pid = fork();
	if (!pid) {
		if (cgroup_write(self->cgroup, "cgroup.procs", "0"))
			_exit(1);
		/* Only faults get folios of this size, and where they are aligned */
		p = mmap(map_region(NR, false), size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, self->fd, 0);
		if (p == MAP_FAILED)
			_exit(2);
		memcpy(p, self->want, size);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

/* Is the file what it should be? Size and every byte; says what is not. */
static bool check_whole(struct _test_data_vswap_shmem *self, off_t size)
{
	struct stat st;
	ssize_t got;

	if (fstat(self->fd, &st) || st.st_size != size) {
		printf("# %ld bytes in size, not %ld\n", (long)st.st_size, (long)size);
		return false;
	}
	got = pread(self->fd, self->got, size, 0);
	if (got != size) {
		printf("# read %zd of %ld bytes: %s\n", got, (long)size,
		       got < 0 ? strerror(errno) : "no more");
		return false;
	}
	for (off_t i = 0; i < size; i++) {
		if (self->want[i] == self->got[i])
			continue;
		printf("# byte %ld is %#x, not %#x\n", (long)i,
		       self->got[i] & 0xff, self->want[i] & 0xff);
		return false;
	}
	return true;
}

/* How many pages of the file are out, and not in the swap cache either? */
static long swapped_out(struct _test_data_vswap_shmem *self)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ, MAP_SHARED, self->fd, 0);
	long out = count_out(p, NR);

	munmap(p, NR * page_size);
	return out;
}

/* How many pages of the file are on disks; all are out. */
static long on_disks(struct _test_data_vswap_shmem *self)
{
	long other = disk_used(&self->failing);

	return disk_used(&self->disk) + (other > 0 ? other : 0);
}

/* Is all of the file, which is out, where the variant has it go? */
static bool in_place(struct _test_data_vswap_shmem *self)
{
	long slots = self->virtual ? vswap_stat("slots_used") - self->slots : 0;
	long disks = on_disks(self);

	if (disks >= self->least && disks <= self->most &&
	    (self->plain ? slots <= 0 : slots >= (long)NR))
		return true;
	printf("# %ld of %lu pages are on disks, %ld in virtual slots\n", disks, NR, slots);
	return false;
}

/*
 * Have the file swapped out, and the swap cache dropped, until no page is in; nobody
 * else swaps.
 */
static bool push_out(struct _test_data_vswap_shmem *self)
{
	static const char * const stats[] = { "swapcached", "file_writeback",
					      "active_anon", "inactive_anon" };
	bool out = false;
	cpu_set_t all;

	sched_getaffinity(0, sizeof(all), &all);
	for (int i = 0; i < 100 && !out; i++) {
		go_to_cpu(i);
		if (i)
			usleep(10000);
		cgroup_settle(self->cgroup);
		cgroup_write(self->cgroup, "memory.reclaim", "64M swappiness=max");
		wait_writeback();
		out = swapped_out(self) == NR;
	}
	sched_setaffinity(0, sizeof(all), &all);
	if (!out) {
		printf("# %ld of %lu pages are out; of the cgroup,", swapped_out(self), NR);
		for (size_t i = 0; i < ARRAY_SIZE(stats); i++)
			printf(" %ld %s", cgroup_read_key(self->cgroup, "memory.stat",
							  stats[i]), stats[i]);
		printf("\n");
	}
	return out && in_place(self) && !vswap_validate_quiet();
}

/* ... in large folios, as it was written. */
static bool push_out_large(struct _test_data_vswap_shmem *self)
{
	bool out = push_out(self);
	long large = count_large() - self->large;

	if (out && large < (long)(NR / FOLIO))
		printf("# %ld of %lu folios were large\n", large, NR / FOLIO);
	return out && large >= (long)(NR / FOLIO);
}

/* Its exit status, -EINTR if it was killed, or -ETIMEDOUT if it does not come back. */
static int wait_bounded(pid_t pid)
{
	int status;

	for (int i = 0; i < 60000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return -ETIMEDOUT;
		usleep(100000);
	}
	printf("# it does not die of SIGKILL either\n");
	return -ETIMEDOUT;
}

#define INJECTED	0x80	/* of an exit status: more than any errno here */

/*
 * Cut in a process of its own, with its @nth allocation failing, with 0 none; the
 * result, or -ETIMEDOUT if it does not come back, or -ESTALE if the file keeps its size
 * and private copies of its pages have gone. @injected: did one fail?
 */
static int cut_file_failing(struct _test_data_vswap_shmem *self, off_t from, off_t to,
			    int nth, bool *injected)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		char *copy = NULL;
		int err, why;

		if (nth) {
			copy = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				    self->fd, (NR - 1) * page_size);
			snprintf(copy, page_size, "private");
			fail_open();
			fail_arm(nth);
		}
		err = to ? fallocate(self->fd, 3 /* KEEP_SIZE | PUNCH_HOLE */,
				     from, to - from) :
			   ftruncate(self->fd, from);
		why = errno;
		if (err && copy && !to && strcmp(copy, "private"))
			why = ESTALE;
		_exit((err ? why : 0) | (nth && fail_done() ? INJECTED : 0));
	}

	status = wait_bounded(pid);
	if (status < 0)
		return status;
	*injected = status & INJECTED;
	return -(status & ~INJECTED);
}

static int cut_file(struct _test_data_vswap_shmem *self, off_t from, off_t to)
{
	bool injected;

	return cut_file_failing(self, from, to, 0, &injected);
}

/*
 * Cut, and check what is left. What has to be read for it is read even if the limit
 * of the file's cgroup does not leave room for a page.
 */
static void run_cut(struct __test_metadata *_metadata,
		    struct _test_data_vswap_shmem *self, const struct cut *cut,
		    enum pattern pattern, bool memory)
{
	off_t start = (NR / 2) * page_size, size = NR * page_size;
	off_t from = start + cut->first * page_size + cut->first_bytes;
	off_t to = cut->last ? start + cut->last * page_size + cut->last_bytes : 0;
	int err;

	TH_LOG("%s, %s memory", cut->name, memory ? "with" : "without");
	ASSERT_TRUE(write_whole(self, pattern, from));
	ASSERT_TRUE(push_out_large(self));

	if (!memory)
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "0"), 0);
	err = cut_file(self, from, to);
	if (!memory)
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	ASSERT_EQ(err, 0);
	EXPECT_EQ(vswap_validate_quiet(), 0);

	if (!to) {
		memset(self->want + from, 0, size - from);
		EXPECT_TRUE(check_whole(self, from));
		ASSERT_EQ(ftruncate(self->fd, size), 0);
	} else {
		memset(self->want + from, 0, to - from);
	}
	EXPECT_TRUE(check_whole(self, size));

	/* Once more from swap, as what is left of the folios may be there again */
	cgroup_write(self->cgroup, "memory.reclaim", "64M swappiness=max");
	EXPECT_TRUE(check_whole(self, size));
}

/*
 * Others read the file when its cgroup can't have a page, and nobody is there to be
 * killed for one: wherever it is in a large folio, they get an error in time.
 */
VSWAP_TEST(vswap_shmem, read_without_memory)
{
	int nr_failed = 0;

	ASSERT_TRUE(write_whole(self, variant->pattern, 34));
	ASSERT_TRUE(push_out_large(self));
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "0"), 0);
	/* What CPUs have been charged for in advance may do for some pages */
	for (size_t i = 5; i < NR && nr_failed < 3; i += FOLIO + 1) {
		pid_t pid = fork();
		int err;

		if (!pid)
			_exit(pread(self->fd, self->got, 1, i * page_size) < 0 ? errno : 0);
		err = wait_bounded(pid);
		EXPECT_TRUE(err == 0 || err == ENOMEM)
			TH_LOG("page %zu: %d", i, err);
		nr_failed += err == ENOMEM;
		if (err < 0)
			break;
	}
	EXPECT_EQ(nr_failed, 3);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_TRUE(check_whole(self, NR * page_size));
}

/*
 * The pages on a disk that can't be read are an error, then and later, when it can be: what
 * could not be read is lost. All others are not.
 */
VSWAP_TEST(vswap_shmem, read_error)
{
	const char *missing = disk_setup(&self->below, 1, NR_DISK) ?:
			      dm_setup(&self->failing, &self->below);
	bool failed[NR] = {};
	int nr_failed = 0;
	long nr_bad;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(disk_on(&self->failing, 20), 0);
	ASSERT_TRUE(write_whole(self, variant->pattern, 35));
	ASSERT_TRUE(push_out_large(self));
	nr_bad = disk_used(&self->failing);
	ASSERT_EQ(disk_used(&self->disk), 0);
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < NR; i++) {
			off_t pos = i * page_size;
			ssize_t got = pread(self->fd, self->got + pos, page_size, pos);

			if (got < 0)
				EXPECT_EQ(errno, EIO);
			if (!round)
				failed[i] = got < 0;
			nr_failed += !round && got < 0;
			EXPECT_EQ(got, failed[i] ? -1 : (ssize_t)page_size)
				TH_LOG("page %zu, round %d", i, round);
			if (got > 0)
				ASSERT_EQ(memcmp(self->got + pos, self->want + pos, got), 0);
		}
		ASSERT_EQ(dm_table(&self->below, NULL), 0);
	}
	TH_LOG("%d of %lu pages could not be read", nr_failed, NR);
	EXPECT_EQ(nr_failed, nr_bad);
	EXPECT_EQ(vswap_validate_quiet(), 0);
}

/*
 * What could not be read counts as one page, until it goes: all others are found, by
 * swapoff as well as when the file is cut off.
 */
VSWAP_TEST(vswap_shmem, error_counts)
{
	const char *missing = disk_setup(&self->below, 1, NR_DISK) ?:
			      dm_setup(&self->failing, &self->below);
	const off_t size = NR * page_size, last = size - page_size;
	struct stat st;
	bool failed;
	pid_t pid;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(write_file(FOLIO_64K "shmem_enabled", "never"), 0);
	ASSERT_EQ(disk_on(&self->failing, 20), 0);
	ASSERT_TRUE(write_whole(self, variant->pattern, 36));
	ASSERT_TRUE(push_out(self));
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	/* Only what is asked for, so that no other page is there unread */
	ASSERT_EQ(write_file("/proc/sys/vm/page-cluster", "0"), 0);
	errno = 0;
	failed = pread(self->fd, self->got, page_size, 0) < 0;
	EXPECT_EQ(errno, failed ? EIO : 0);
	if (variant->nr != 3)	/* where it may be in zswap or not */
		EXPECT_EQ(failed, variant->nr != 1);
	ASSERT_EQ(dm_table(&self->below, NULL), 0);
	ASSERT_EQ(write_file("/proc/sys/vm/page-cluster", "3"), 0);
	ASSERT_EQ(cut_file(self, 0, page_size), 0);
	memset(self->want, 0, page_size);

	/* One is left, for swapoff */
	ASSERT_EQ(pread(self->fd, self->got, last, 0), last);
	EXPECT_EQ(memcmp(self->got, self->want, last), 0);
	pid = fork();
	if (!pid)
		_exit(swapoff(self->failing.path) ? errno : 0);
	EXPECT_EQ(wait_bounded(pid), 0);
	EXPECT_TRUE(check_whole(self, size));

	/* And for the end */
	ASSERT_EQ(cut_file(self, page_size, last), 0);
	ASSERT_EQ(ftruncate(self->fd, 0), 0);
	ASSERT_EQ(fstat(self->fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 0);
	ASSERT_EQ(ftruncate(self->fd, size), 0);
	memset(self->want, 0, size);
	EXPECT_TRUE(check_whole(self, size));
}

/* A limit is no reason either to kill somebody who has not even asked for memory. */
VSWAP_TEST(vswap_shmem, cut_at_limit)
{
	off_t size = NR * page_size;
	long max = 0, hit = 0;
	int status, ready[2];
	char limit[32], c;
	pid_t pid;

	/* What a CPU has been charged for in advance is no more than that of one */
	go_to_cpu(0);
	ASSERT_TRUE(write_whole(self, variant->pattern, 33));
	ASSERT_TRUE(push_out_large(self));
	go_to_cpu(0);
	ASSERT_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (!cgroup_write(self->cgroup, "cgroup.procs", "0") &&
		    write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	/* It has some pages, which can't leave */
	ASSERT_EQ(read(ready[0], &c, 1), 1);
	ASSERT_TRUE(stop_child(pid));
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "0"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "0"), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(limit, sizeof(limit), "%ld",
			 cgroup_read(self->cgroup, "memory.current"));
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", limit), 0);
		usleep(20000);
	}
	/* Each of these makes it a page more, until there is no room for one ... */
	for (int i = NR - 1; i >= 2 * (int)FOLIO && hit < 8; i--) {
		long from = i * page_size + 100;

		ASSERT_EQ(cut_file(self, from, from + 100), 0);
		memset(self->want + from, 0, 100);
		hit += cgroup_read_key(self->cgroup, "memory.events", "max") > max;
		max = cgroup_read_key(self->cgroup, "memory.events", "max");
	}
	EXPECT_EQ(hit, 8);
	/* ... and these one less after that */
	size = 2 * FOLIO * page_size;
	for (int i = 0; i < 4; i++) {
		size -= FOLIO / 2 * page_size - 100;
		ASSERT_EQ(cut_file(self, size, 0), 0);
	}
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.events", "oom_kill"), 0);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_TRUE(check_whole(self, size));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* Each cut in one of the variants, unless all are asked for. */
static bool wanted(const struct _fixture_variant_vswap_shmem *variant, int cut)
{
	return run_all() || cut % 4 == variant->nr;
}

VSWAP_TEST(vswap_shmem, cut_without_memory)
{
	for (int i = 0; i < ARRAY_SIZE(cuts); i++) {
		if (wanted(variant, i))
			run_cut(_metadata, self, &cuts[i], variant->pattern, false);
	}
}

VSWAP_TEST(vswap_shmem, cut_with_memory)
{
	for (int i = 0; i < ARRAY_SIZE(cuts); i++) {
		if (wanted(variant, i))
			run_cut(_metadata, self, &cuts[i], variant->pattern, true);
	}
}

/*
 * A hole that failed may have removed some pages, but no byte that was to stay. A file
 * that could not be truncated is as it was.
 */
static bool check_failed(struct _test_data_vswap_shmem *self, off_t from, off_t to)
{
	off_t size = NR * page_size;

	if (pread(self->fd, self->got, size, 0) != size)
		return false;
	for (off_t i = from; i < to; i++) {
		if (!self->got[i])
			self->want[i] = 0;
	}
	return check_whole(self, size);
}

/* With no memory at all it fails, or it does without. */
static void cut_failing(struct __test_metadata *_metadata,
			struct _test_data_vswap_shmem *self, const struct cut *cut,
			enum pattern pattern)
{
	off_t start = (NR / 2) * page_size, size = NR * page_size;
	off_t from = start + cut->first * page_size + cut->first_bytes;
	off_t to = cut->last ? start + cut->last * page_size + cut->last_bytes : 0;
	bool injected = true;
	int nth, failed = 0;

	for (nth = 1; injected && nth < 100; nth++) {
		int err;

		ASSERT_TRUE(write_whole(self, pattern, nth));
		ASSERT_TRUE(push_out_large(self));
		err = cut_file_failing(self, from, to, nth, &injected);
		EXPECT_EQ(vswap_validate_quiet(), 0);
		if (err) {
			EXPECT_EQ(err, -ENOMEM);
			EXPECT_TRUE(injected);
			EXPECT_TRUE(check_failed(self, from, to));
			failed++;
			continue;
		}
		memset(self->want + from, 0, (to ?: size) - from);
		ASSERT_EQ(ftruncate(self->fd, size), 0);
		EXPECT_TRUE(check_whole(self, size));
	}
	TH_LOG("%s: %d allocations failed, %d cuts", cut->name, nth - 2, failed);
	EXPECT_FALSE(injected);
	/* With readahead, the page is asked for once more */
	EXPECT_GT(self->ahead ? nth - 2 : failed, 0);
}

VSWAP_TEST(vswap_shmem, cut_failing)
{
	const char *why = fault_setup();

	if (why)
		SKIP(return, "%s", why);
	if (variant->nr != 1 && !run_all())
		SKIP(return, "only with VSWAP_ALL=1");
	/* One that needs a page, and one that needs two */
	cut_failing(_metadata, self, &cuts[1], variant->pattern);
	cut_failing(_metadata, self, &cuts[10], variant->pattern);
}

struct reader {
	pthread_t thread;
	bool stop;
	int fd;
};

/* Read the file over and over, and so bring its folios back while it is cut. */
static void *read_along(void *arg)
{
	struct reader *reader = arg;
	char *buf = malloc(page_size);

	for (unsigned long i = 0; !__atomic_load_n(&reader->stop, __ATOMIC_RELAXED); i++) {
		size_t page = (i * 2654435761UL) % NR;

		if (pread(reader->fd, buf, page_size, page * page_size) < 0)
			break;
	}
	free(buf);
	return NULL;
}

/* Cuts race with those who read the pages and with reclaim. */
VSWAP_TEST(vswap_shmem, cut_while_read)
{
	const off_t size = NR * page_size;
	const int nr_readers = debug_few(2, 1);
	struct reader readers[2] = {};
	long large = count_large();
	unsigned int seed = 1;
	char bytes[64];

	snprintf(bytes, sizeof(bytes), "%ld swappiness=max", (long)size);

	ASSERT_TRUE(write_whole(self, variant->pattern, 1));
	for (int i = 0; i < nr_readers; i++) {
		readers[i].fd = self->fd;
		ASSERT_EQ(pthread_create(&readers[i].thread, NULL, read_along,
					 &readers[i]), 0);
	}

	for (int i = 0; i < (run_all() ? 200 : debug_few(40, 16)); i++) {
		off_t from = rand_r(&seed) % size, to = rand_r(&seed) % size;

		if (i % 2) {	/* whole pages */
			from &= -page_size;
			to &= -page_size;
		}
		if (from > to) {
			off_t tmp = from;

			from = to;
			to = tmp;
		}
		if (from == to)
			continue;
		/* The whole file again now and then, in large folios */
		if (i % 4 == 0)
			ASSERT_TRUE(write_whole(self, variant->pattern, i));
		/* Not more than there is: readers bring back what it takes */
		cgroup_write(self->cgroup, "memory.reclaim", bytes);
		if (i % 3) {
			ASSERT_EQ(cut_file(self, from, to), 0);
			memset(self->want + from, 0, to - from);
		} else {
			ASSERT_EQ(cut_file(self, from, 0), 0);
			memset(self->want + from, 0, size - from);
			ASSERT_EQ(ftruncate(self->fd, size), 0);
		}
		if (i % 8 == 0)
			EXPECT_EQ(vswap_validate(), 0);
		ASSERT_TRUE(check_whole(self, size));
	}
	for (int i = 0; i < nr_readers; i++) {
		__atomic_store_n(&readers[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(readers[i].thread, NULL);
	}
	EXPECT_GT(count_large(), large);
}

/* Cuts that are killed come back as well, and leave old data or zeroes. */
VSWAP_TEST(vswap_shmem, cut_killed)
{
	off_t from = (NR / 2 + 5) * page_size + 100;
	struct stat st;
	int status;

	for (int i = 0; i < 20; i += run_all() ? 1 : 4) {
		pid_t pid;

		ASSERT_TRUE(write_whole(self, variant->pattern, i));
		ASSERT_TRUE(push_out_large(self));
		pid = fork();
		if (!pid)
			_exit(ftruncate(self->fd, from) ? 1 : 0);
		usleep(i * 200);
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(vswap_validate_quiet(), 0);
		ASSERT_EQ(fstat(self->fd, &st), 0);
		ASSERT_TRUE(st.st_size == from || st.st_size == NR * page_size);
		if (st.st_size != from)
			ASSERT_EQ(ftruncate(self->fd, from), 0);
		ASSERT_TRUE(check_whole(self, from));
		ASSERT_EQ(ftruncate(self->fd, NR * page_size), 0);
		memset(self->want + from, 0, NR * page_size - from);
		ASSERT_TRUE(check_whole(self, NR * page_size));
	}
}

TEST_HARNESS_MAIN
