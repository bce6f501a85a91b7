// SPDX-License-Identifier: GPL-2.0
/*
 * One cgroup does its worst, in ways that differ by variant; a second one must not
 * notice: its work gets done in about the time that it takes without the first one,
 * nothing is OOM-killed there, and every byte is right.
 *
 * VSWAP_ALL=1 has more rounds, and all of it where there are all checkers.
 */
#include "../kselftest_harness.h"
#include <stdatomic.h>
#include "dm.h"
#include "fault.h"
#include "knobs.h"
#include "sigbus.h"

#define NR_GOOD		1536	/* pages, of which a third fits into GOOD_MAX */
#define GOOD_MAX	"2560K"
#define NR_BAD		1024
#define NR_FULL		32	/* cgroups that are over their limits */
#define NR_LOST		256

/*
 * The good one may lose its share of processors, locks and caches to the bad one, of
 * which some parts are several processes. On two processors that makes it about three
 * times as slow. It must not have to wait for what the bad one can't do: waits in reclaim
 * and for devices, and being given up for, take up to a second each and come by the dozen.
 * A few of them can't be told from a busy machine.
 */
#define BOUND_MS(alone)	(3000 + 8 * (alone))

/* Once it is alone again, only the machine may have become slower. */
#define AGAIN_MS(alone)	(3000 + 3 * (alone))

/* What the bad one tells. */
struct told {
	atomic_bool stop;
	atomic_long rounds;	/* that it has been through */
	atomic_long done;	/* times that it has achieved what it is after */
	atomic_long wrong;	/* pages or processes with wrong data, failed steps */
	atomic_int line;	/* where that was, */
	atomic_int status;	/* and what a process ended with */
};

struct bad {
	char cgroup[128];
	struct disk below, disk;
	struct told *told;
};

/* Nothing that it prints itself would be seen. */
#define WRONG_IF(bad, cond) do {		\
	if (cond) {				\
		(bad)->told->line = __LINE__;	\
		(bad)->told->wrong++;		\
	}					\
} while (0)

static void enter(const char *cgroup)
{
	if (cgroup_write(cgroup, "cgroup.procs", "0"))
		_exit(1);
	write_file("/proc/self/oom_score_adj", "1000");
}

/*
 * The worst that can be done. Each returns when it is told to stop, and nothing that
 * it has changed is left.
 */

/* It declines for ever, 4 MB at a time. */
static void declines(struct bad *bad)
{
	char *p = map_region(NR_BAD, false);

	enter(bad->cgroup);
	for (; !bad->told->stop; bad->told->rounds++) {
		long declined = vswap_stat("rejected");

		fill_region(p, NR_BAD, PATTERN_RANDOM, bad->told->rounds);
		for (int i = 0; i < 10; i++) {
			for (size_t j = 0; j < NR_BAD; j++)
				p[j * page_size]++;
			madvise(p, NR_BAD * page_size, MADV_PAGEOUT);
		}
		bad->told->done += vswap_stat("rejected") > declined;
	}
}

/* Out and in for ever; 2 if the data is wrong. */
static void limited_work(struct bad *bad)
{
	enter(bad->cgroup);
	for (int seed = 0;; seed++) {
		char *p = map_region(NR_BAD, false);

		fill_region(p, NR_BAD, PATTERN_ANY, seed);
		madvise(p, NR_BAD * page_size, MADV_PAGEOUT);
		if (check_region(p, NR_BAD, PATTERN_ANY, seed) != NR_BAD)
			_exit(2);
		munmap(p, NR_BAD * page_size);
	}
}

/* A process that has pages out when the limits come. */
static pid_t start_limited(struct bad *bad)
{
	long out = cgroup_read_key(bad->cgroup, "memory.stat", "zswpout") + NR_BAD / 4;
	pid_t pid = fork();

	if (!pid)
		limited_work(bad);
	for (int i = 0; i < 6000 && !bad->told->stop; i++) {
		if (cgroup_read_key(bad->cgroup, "memory.stat", "zswpout") >= out)
			break;
		usleep(10000);
	}
	return pid;
}

/*
 * Limits go to 0 and back, one after the other. memory.max does so once in a while and
 * else stops short of killing, or the machine would write reports of the OOM killer to
 * its console most of the time.
 */
static void limits(struct bad *bad)
{
	static const char * const files[] = {
		"memory.high", "memory.swap.max", "memory.zswap.max", "memory.max",
	};
	pid_t pid = -1;
	int status;

	for (; !bad->told->stop; bad->told->rounds++) {
		int n = bad->told->rounds % 16;
		const char *file = files[n % 4];

		if (pid < 0)
			pid = start_limited(bad);
		usleep(30000);
		cgroup_write(bad->cgroup, file, n == 3 || n % 4 < 3 ? "0" : "2M");
		/* And two together, then there is no way out at all */
		if (n == 9)
			cgroup_write(bad->cgroup, "memory.zswap.max", "0");
		usleep(10000);
		for (int i = 0; i < 4; i++)
			cgroup_write(bad->cgroup, files[i], "max");
		/* memory.high has it sleep for up to two seconds: the next is for another one */
		if (n % 4 == 0)
			kill(pid, SIGKILL);
		/* That a limit of 0 kills it is what it is there for */
		if (waitpid(pid, &status, n % 4 ? WNOHANG : 0) == pid) {
			pid = -1;
			bad->told->status = status;
			WRONG_IF(bad, !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL);
		}
		/* Each of them, with pages that were out */
		if (n % 4 == 3 &&
		    cgroup_read_key(bad->cgroup, "memory.stat", "zswpout") > 0)
			bad->told->done++;
	}
	if (pid > 0) {
		kill(pid, SIGKILL);
		status = wait_child(pid);
		WRONG_IF(bad, !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL);
	}
}

/*
 * Pages on a disk which then can't be read. What else this process has is kept in
 * memory, it would be lost with them.
 */
static char *out_to_disk(struct bad *bad)
{
	char *p;

	cgroup_write(bad->cgroup, "memory.zswap.max", "0");
	enter(bad->cgroup);
	mlockall(MCL_CURRENT);
	p = map_region(NR_LOST, false);
	fill_region(p, NR_LOST, PATTERN_QUARTER, 50);
	if (swap_out(p, NR_LOST) != NR_LOST)
		_exit(3);
	drop_swap_cache(bad->cgroup, NR_LOST);
	if (dm_table(&bad->below, "error_reads"))
		_exit(4);
	return p;
}

/* 0 if pages could not be read, but could later. */
static int fail_once(struct bad *bad)
{
	char *p = out_to_disk(bad);
	long failed = count_failed(p, NR_LOST, PATTERN_QUARTER, 50);

	if (dm_table(&bad->below, NULL))
		return 5;
	if (failed <= 0)
		return 6;
	for (int i = 0; i < 100 && failed > 0; i++) {
		drop_swap_cache(bad->cgroup, NR_LOST);
		failed = count_failed(p, NR_LOST, PATTERN_QUARTER, 50);
	}
	return failed ? 7 : 0;
}

/* 0 if pages were lost with the disk, and the disk is there again. */
static int lose_once(struct bad *bad)
{
	char *p = out_to_disk(bad);
	int err = disk_off(&bad->disk) ? 5 : 0;
	long failed;

	failed = count_failed(p, NR_LOST, PATTERN_QUARTER, 50);
	if (failed <= 0 || failed != vswap_stat("slots_poison"))
		err = err ?: 6;
	munmap(p, NR_LOST * page_size);
	if (dm_table(&bad->below, NULL) || disk_format(bad->disk.fd, bad->disk.pages) ||
	    disk_on(&bad->disk, 10))
		err = err ?: 7;
	return err;
}

static void go_through(struct bad *bad, int (*once)(struct bad *bad))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(once(bad));
	status = wait_child(pid);
	if (status)
		bad->told->status = status;
	WRONG_IF(bad, status != 0);
	bad->told->done += status == 0;
}

static void again(struct bad *bad, int (*once)(struct bad *bad))
{
	for (; !bad->told->stop; bad->told->rounds++)
		go_through(bad, once);
}

static void unreadable(struct bad *bad)
{
	again(bad, fail_once);
}

static void lost(struct bad *bad)
{
	again(bad, lose_once);
}

/*
 * zswap gets more pages that it can only keep as they are than its limit is, and then
 * there is no disk any more that they could go to, or they may not. 0 if that is so for
 * a while.
 */
static int strand_once(struct bad *bad)
{
	size_t nr = read_key("/proc/meminfo", "MemTotal") * 1024 / page_size / 90;
	char *p = map_region(nr, false);
	bool off = bad->told->rounds % 2;
	int err = 0;

	enter(bad->cgroup);
	fill_region(p, nr, PATTERN_RANDOM, 70);
	if (swap_out(p, nr) != nr)
		return 3;
	if (off ? disk_off(&bad->disk) : cgroup_write(bad->cgroup, "memory.swap.max", "0"))
		return 4;
	set_zswap("max_pool_percent", "1");
	if (read_num(ZSWAP_DEBUG "stored_incompressible_pages") < (long)nr * 95 / 100)
		err = 5;
	usleep(500000);
	set_zswap("max_pool_percent", "20");
	if (check_region(p, nr, PATTERN_RANDOM, 70) != nr)
		err = 6;
	munmap(p, nr * page_size);
	if (off ? disk_on(&bad->disk, 10) : cgroup_write(bad->cgroup, "memory.swap.max", "max"))
		err = 7;
	return err;
}

static void strands(struct bad *bad)
{
	again(bad, strand_once);
}

/*
 * zswap is full of pages that could go to the disk, which the good one may not use: there
 * is room for it once they have. 0 if it was full.
 */
static int fill_once(struct bad *bad)
{
	const size_t nr = poor_pages();
	char *p = map_region(nr, false);
	long hits = read_num(ZSWAP_DEBUG "pool_limit_hit");

	enter(bad->cgroup);
	set_zswap("max_pool_percent", "1");
	for (int seed = 80; seed < 82; seed++) {
		fill_region(p, nr, PATTERN_POOR, seed);
		if (swap_out(p, nr) != nr)
			return 3;
	}
	if (read_num(ZSWAP_DEBUG "pool_limit_hit") == hits)
		return 4;
	return check_region(p, nr, PATTERN_POOR, 81) == nr ? 0 : 5;
}

static void fills(struct bad *bad)
{
	again(bad, fill_once);
}

/* A cgroup with pages in zswap that is over its limit, with nobody in it. */
static void fill_up(const char *full, char *p, size_t nr)
{
	pid_t pid;

	if (mkdir(full, 0755))
		_exit(1);
	pid = fork();
	if (!pid) {
		enter(full);
		fill_region(p, nr, PATTERN_QUARTER, 90);
		_exit(page_out_all(p, nr, count_out) < nr);
	}
	if (wait_child(pid) || cgroup_write(full, "memory.max", "0"))
		_exit(2);
}

/*
 * ... beside pages of cgroups that are over their limits, so that they can't be read in
 * order to be written. The others have to be found all the same, however many of these
 * come first, and the OOM killer, for which there is no task here, is not to be called.
 */
static void fills_beside_full(struct bad *bad)
{
	char *p = mmap(NULL, NR_BAD * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const size_t nr = NR_BAD / NR_FULL;
	char full[NR_FULL][128];
	long ooms = 0, written;

	for (int i = 0; i < NR_FULL; i++) {
		snprintf(full[i], sizeof(full[i]), CGROUP "/vswap_full_%d_%d", getpid(), i);
		fill_up(full[i], p + i * nr * page_size, nr);
		ooms += cgroup_read_key(full[i], "memory.events", "oom");
	}

	written = read_num(ZSWAP_DEBUG "written_back_pages");
	again(bad, fill_once);
	/* Each entry has a second chance, which may take another round */
	for (int i = 0; i < 2; i++) {
		if (read_num(ZSWAP_DEBUG "written_back_pages") < written + 256)
			go_through(bad, fill_once);
	}
	WRONG_IF(bad, read_num(ZSWAP_DEBUG "written_back_pages") < written + 256);
	for (int i = 0; i < NR_FULL; i++) {
		ooms -= cgroup_read_key(full[i], "memory.events", "oom");
		cgroup_write(full[i], "memory.max", "max");
		WRONG_IF(bad, check_region(p + i * nr * page_size, nr,
					   PATTERN_QUARTER, 90) != nr);
	}
	WRONG_IF(bad, ooms != 0);
	munmap(p, NR_BAD * page_size);
	for (int i = 0; i < NR_FULL; i++)
		cgroup_leave(full[i]);
}

/* Pages of a file that zswap has, and then can't decompress for this task. */
static int spoil_once(struct bad *bad)
{
	long failed;
	char *p;

	enter(bad->cgroup);
	p = mmap(NULL, NR_LOST * page_size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill_region(p, NR_LOST, PATTERN_QUARTER, 60);
	for (int i = 0; i < 10; i++) {
		madvise(p, NR_LOST * page_size, MADV_PAGEOUT);
		usleep(1000);
	}
	write_file("/proc/self/make-it-fail", "1");
	failed = count_failed(p, NR_LOST, PATTERN_QUARTER, 60);
	write_file("/proc/self/make-it-fail", "0");
	return failed > 0 ? 0 : 1;
}

static void spoilt(struct bad *bad)
{
	fail_decompress(true, "-1");
	again(bad, spoil_once);
	fail_decompress_no_more();
}

/* Processes end while most of what they have is out, in zswap and on the disk. */
static void exits(struct bad *bad)
{
	cgroup_write(bad->cgroup, "memory.zswap.max", "128K");
	for (; !bad->told->stop; bad->told->rounds++) {
		bool kill_it = bad->told->rounds & 1;
		char c = 0;
		int out[2];
		pid_t pid;

		if (pipe(out))
			_exit(1);
		pid = fork();
		if (!pid) {
			char *p = map_region(NR_BAD, false);

			enter(bad->cgroup);
			fill_region(p, NR_BAD, PATTERN_MIXED, bad->told->rounds);
			madvise(p, NR_BAD * page_size, MADV_PAGEOUT);
			c = count_swapped(p, NR_BAD) > NR_BAD / 2 ? 'y' : 'n';
			if (write(out[1], &c, 1) != 1 || !kill_it)
				_exit(0);
			for (;;)
				madvise(p, NR_BAD * page_size, MADV_PAGEOUT);
		}
		close(out[1]);
		if (read(out[0], &c, 1) == 1 && c == 'y')
			bad->told->done++;
		close(out[0]);
		if (kill_it)
			kill(pid, SIGKILL);
		wait_child(pid);
	}
}

#define NR_GONE	4	/* cgroups whose pages are still out */

/* Cgroups are removed whose pages are still out; some are read later. */
static void removed(struct bad *bad)
{
	char path[160], *p[NR_GONE] = {};
	long n = 0;

	cgroup_write(bad->cgroup, "cgroup.subtree_control", "+memory");
	for (; !bad->told->stop || n % NR_GONE; n++) {
		int i = n % NR_GONE;
		pid_t pid;

		if (p[i]) {
			WRONG_IF(bad, n & 1 && check_region(p[i], NR_BAD, PATTERN_MIXED,
							    i) != NR_BAD);
			munmap(p[i], NR_BAD * page_size);
		}
		p[i] = mmap(NULL, NR_BAD * page_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		snprintf(path, sizeof(path), "%s/%ld", bad->cgroup, n);
		if (mkdir(path, 0755))
			_exit(1);
		cgroup_write(path, "memory.zswap.max", "128K");
		pid = fork();
		if (!pid) {
			enter(path);
			fill_region(p[i], NR_BAD, PATTERN_MIXED, i);
			for (int j = 0; j < 10 && count_out(p[i], NR_BAD) < NR_BAD / 2; j++) {
				go_to_cpu(j);
				madvise(p[i], NR_BAD * page_size, MADV_PAGEOUT);
			}
			_exit(0);
		}
		WRONG_IF(bad, wait_child(pid) != 0);
		for (int j = 0; j < 100 && rmdir(path) && errno == EBUSY; j++)
			usleep(10000);
		WRONG_IF(bad, !access(path, F_OK));
		bad->told->done += count_out(p[i], NR_BAD) >= NR_BAD / 2;
		bad->told->rounds++;
	}
	cgroup_write(bad->cgroup, "cgroup.subtree_control", "-memory");
}

FIXTURE(vswap_isolation) {
	struct bad bad;
	char good[128];		/* cgroup */
	char parent[128];	/* of it, with the limit, if there is one */
	long slots, kills;
	pid_t pid;
};

FIXTURE_VARIANT(vswap_isolation) {
	void (*worst)(struct bad *bad);
	bool disk;		/* the bad one has one */
	bool both;		/* and it works, so the good one may go there, too */
	bool parent;		/* the good one's memory is limited by its parent */
	const char *mode;
	const char *needs;
};

FIXTURE_VARIANT_ADD(vswap_isolation, declines) {
	.worst = declines,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, limits) {
	.worst = limits,
	.disk = true,
	.both = true,
	.mode = "auto",
};

/* In mode always, what is on the disk has virtual slots */
FIXTURE_VARIANT_ADD(vswap_isolation, unreadable) {
	.worst = unreadable,
	.disk = true,
	.mode = "always",
};

FIXTURE_VARIANT_ADD(vswap_isolation, lost) {
	.worst = lost,
	.disk = true,
	.mode = "always",
};

FIXTURE_VARIANT_ADD(vswap_isolation, strands) {
	.worst = strands,
	.disk = true,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, fills) {
	.worst = fills,
	.disk = true,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, fills_with_parent) {
	.worst = fills,
	.disk = true,
	.parent = true,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, fills_beside_full) {
	.worst = fills_beside_full,
	.disk = true,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, spoilt) {
	.worst = spoilt,
	.mode = "auto",
	.needs = FAIL_DECOMPRESS,
};

FIXTURE_VARIANT_ADD(vswap_isolation, exits) {
	.worst = exits,
	.disk = true,
	.both = true,
	.mode = "auto",
};

FIXTURE_VARIANT_ADD(vswap_isolation, removed) {
	.worst = removed,
	.disk = true,
	.both = true,
	.mode = "auto",
};

FIXTURE_SETUP(vswap_isolation)
{
	const char *missing = vswap_missing();
	/* There is room for all of what any of them swaps out */
	size_t nr = read_key("/proc/meminfo", "MemTotal") * 1024 / page_size / 16;
	struct bad *bad = &self->bad;

	bad->below.fd = -1;
	bad->disk.fd = -1;
	self->pid = -1;
	if (!missing && variant->needs && access(variant->needs, F_OK))
		missing = "no fault injection";
	/* With all checkers, those that need none of them take ten minutes */
	if (!missing && !variant->needs && debug_few(0, 1))
		missing = "only with VSWAP_ALL=1";
	if (!missing && variant->disk)
		missing = disk_setup(&bad->below, 0, nr > 4 * NR_GOOD ? nr : 4 * NR_GOOD) ?:
			  dm_setup(&bad->disk, &bad->below);
	if (missing)
		SKIP(return, "%s", missing);
	self->slots = vswap_stat("slots_used");
	self->kills = vm_events("oom_kill");
	bad->told = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(bad->told, MAP_FAILED);
	snprintf(bad->cgroup, sizeof(bad->cgroup), CGROUP "/vswap_bad_%d", getpid());
	ASSERT_EQ(mkdir(bad->cgroup, 0755), 0);
	snprintf(self->good, sizeof(self->good), CGROUP "/vswap_good_%d", getpid());
	ASSERT_EQ(mkdir(self->good, 0755), 0);
	ASSERT_EQ(cgroup_write(self->good, "memory.max", GOOD_MAX), 0);
	if (variant->parent) {
		memcpy(self->parent, self->good, sizeof(self->parent));
		strcat(self->good, "/child");
		ASSERT_EQ(cgroup_write(self->parent, "cgroup.subtree_control", "+memory"), 0);
		ASSERT_EQ(mkdir(self->good, 0755), 0);
	}
	ASSERT_EQ(cgroup_write(self->good, "memory.swap.max", variant->both ? "max" : "0"), 0);
	ASSERT_EQ(cgroup_write(self->good, "memory.zswap.max",
			       variant->both ? "512K" : "max"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, variant->mode), 0);
	if (variant->disk)
		ASSERT_EQ(disk_on(&bad->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_isolation)
{
	struct bad *bad = &self->bad;

	/* If it has not stopped by itself */
	cgroup_write(bad->cgroup, "cgroup.kill", "1");
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		wait_child(self->pid);
	}
	if (variant->disk) {
		dm_table(&bad->below, NULL);
		swapoff(bad->disk.path);
		dm_remove(&bad->disk);
		disk_remove(&bad->below);
	}
	past_zswap(false);
	set_zswap("max_pool_percent", "20");
	cgroup_leave(bad->cgroup);
	cgroup_leave(self->good);
	if (variant->parent)
		cgroup_leave(self->parent);
	if (variant->needs)
		fail_decompress_no_more();
	EXPECT_EQ(vswap_validate_quiet(), 0);
}

/* The good one's work: 0 if all is right. */
static int good_work(const char *cgroup, int seed)
{
	char *p = map_region(NR_GOOD, false);

	if (cgroup_write(cgroup, "cgroup.procs", "0"))
		return 1;
	fill_region(p, NR_GOOD, PATTERN_MIXED, seed);
	if (check_region(p, NR_GOOD, PATTERN_MIXED, seed) != NR_GOOD)
		return 2;
	for (size_t i = 0; i < NR_GOOD; i += debug_few(1, 4)) {
		size_t j = i * 2654435761UL % NR_GOOD;

		if (!pattern_check(p + j * page_size, page_size, PATTERN_MIXED, seed, j))
			return 3;
	}
	return 0;
}

/* Pages that it has swapped out: to disks while the bad one has zswap off for its own. */
static long nr_out(const char *cgroup)
{
	return cgroup_read_key(cgroup, "memory.stat", "zswpout") +
	       cgroup_read_key(cgroup, "memory.stat", "pswpout");
}

/*
 * One round of it, in milliseconds; it is ended when it takes a minute longer than it may
 * if one usually takes @usual, or three minutes. The limit is that of @limited, which is
 * told of what happens below it, too.
 */
static long good_round(struct __test_metadata *_metadata, const char *cgroup,
		       const char *limited, int seed, long usual)
{
	static const char * const events[] = { "oom", "oom_kill", "oom_group_kill" };
	long out = nr_out(cgroup);
	long start = now_ms(), took;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(good_work(cgroup, seed));
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(2000);
		if (now_ms() - start > (usual > 15000 ? 180000 : 60000 + 8 * usual))
			kill(pid, SIGKILL);
	}
	took = now_ms() - start;
	EXPECT_EQ(status, 0) {
		TH_LOG("after %ld ms", took);
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(cgroup_read_key(limited, "memory.events", events[i]), 0) {
			TH_LOG("%s", events[i]);
		}
	}
	/* It had too little memory */
	EXPECT_GT(nr_out(cgroup), out + NR_GOOD / 8);
	return took;
}

TEST_F_TIMEOUT(vswap_isolation, good, 2400)
{
	const char *limited = variant->parent ? self->parent : self->good;
	/* With all checkers, a round takes a minute */
	const int nr = !run_all() ? 1 : access(KMEMLEAK, F_OK) ? 20 : 4;
	struct told *told = self->bad.told;
	long before, after, longest = 0, took, rounds, done;
	bool ended = false;
	int status = 0;

	before = good_round(_metadata, self->good, limited, 0, 0);
	self->pid = fork();
	if (!self->pid) {
		variant->worst(&self->bad);
		_exit(0);
	}
	/* It is at it when the good one comes, */
	for (int i = 0; i < 6000 && told->rounds < 1; i++)
		usleep(10000);
	for (int n = 0; n < nr || (n < 8 * nr && (told->rounds < 3 || !told->done)); n++) {
		took = good_round(_metadata, self->good, limited, 1 + n, before);
		longest = took > longest ? took : longest;
		EXPECT_EQ(vswap_validate(), 0);
	}
	/* and not done with it before */
	ended = waitpid(self->pid, &status, WNOHANG) == self->pid;
	EXPECT_FALSE(ended);
	told->stop = true;
	for (int i = 0; i < 6000 && !ended; i++) {
		ended = waitpid(self->pid, &status, WNOHANG) == self->pid;
		usleep(10000);
	}
	ASSERT_TRUE(ended);
	self->pid = -1;
	EXPECT_EQ(status, 0);

	/* What harm there is ends with the bad one */
	after = good_round(_metadata, self->good, limited, 100, before);
	EXPECT_LE(longest, BOUND_MS(before));
	EXPECT_LE(after, AGAIN_MS(before));
	rounds = told->rounds;
	done = told->done;
	TH_LOG("alone %ld and %ld ms, beside the other one up to %ld ms", before, after,
	       longest);
	TH_LOG("which went through it %ld times, %ld times with success", rounds, done);
	EXPECT_GT(rounds, 1);
	EXPECT_GT(done, 0);
	EXPECT_EQ((long)told->wrong, 0) {
		TH_LOG("line %d, status %x", (int)told->line, (int)told->status);
	}
	/* Nobody was killed but by limits of the bad one */
	EXPECT_EQ(vm_events("oom_kill") - self->kills,
		  cgroup_read_key(self->bad.cgroup, "memory.events", "oom_kill"));
	/*
	 * What was being written when its process went is in the swap cache, and may
	 * wait in a CPU's batch for the LRU lists
	 */
	wait_writeback();
	for (int i = 0; i < 20 && vswap_stat("slots_used") > self->slots; i++) {
		drop_swap_cache(self->bad.cgroup, NR_BAD);
		drop_swap_cache(self->good, NR_GOOD);
		usleep(50000);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("slots_poison"), 0);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

TEST_HARNESS_MAIN
