// SPDX-License-Identifier: GPL-2.0
/*
 * The OOM killer comes to a cgroup at its limit when there is no other way, whatever
 * zswap has declined before, and takes who has the most.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"

#define NR	2048
#define LRU_GEN	"/sys/kernel/mm/lru_gen/"

VSWAP_FIXTURE(vswap_kill)

static long declined(void)
{
	return read_num(ZSWAP_DEBUG "reject_compress_fail") +
	       read_num(ZSWAP_DEBUG "reject_compress_poor");
}

/*
 * A few pages that can't be compressed are tried over and over, until it seems that
 * all have been. Then others come, which can be, but not so many that this alone would
 * be a reason to try again.
 */
VSWAP_TEST(vswap_kill, after_giving_up)
{
	const size_t nr_new = 512;
	char *p = map_region(NR, false), *q = map_region(nr_new, false);
	long given_up = vswap_stat("give_up"), kills = vm_events("oom_kill");
	char limit[32];
	pid_t pid;

	fill_region(p, NR, PATTERN_RANDOM, 1);
	for (int i = 0; i < 1000 && vswap_stat("give_up") == given_up; i++)
		ask_reclaim(self->cgroup, NR * page_size);
	ASSERT_GT(vswap_stat("give_up"), given_up);

	/* For the half of what comes; a child has it, as it may be killed */
	snprintf(limit, sizeof(limit), "%ld",
		 cgroup_read(self->cgroup, "memory.current") + nr_new / 2 * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", limit), 0);
	pid = fork();
	if (!pid) {
		write_file("/proc/self/oom_score_adj", "1000");
		fill_region(q, nr_new, PATTERN_WORD, 2);
		_exit(check_region(q, nr_new, PATTERN_WORD, 2) != nr_new);
	}
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(vm_events("oom_kill"), kills);
	EXPECT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	munmap(p, NR * page_size);
	munmap(q, nr_new * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/*
 * A huge page that does not fit into the cgroup's limit is done without, and nobody is
 * killed for it: it is no reason to try again what has been given up.
 */
VSWAP_TEST(vswap_kill, huge_fault)
{
	const size_t nr_huge = (2UL << 20) / page_size;
	char *p = map_region(NR, false), *q = map_region(nr_huge, true);
	long given_up = vswap_stat("give_up"), kills = vm_events("oom_kill"), before;
	long fallbacks = vm_events("thp_fault_fallback_charge");
	char limit[32];

	if (access(THP "enabled", W_OK))
		SKIP(return, "no huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	fill_region(p, NR, PATTERN_RANDOM, 14);
	for (int i = 0; i < 1000 && vswap_stat("give_up") == given_up; i++)
		ask_reclaim(self->cgroup, NR * page_size);
	ASSERT_GT(vswap_stat("give_up"), given_up);
	snprintf(limit, sizeof(limit), "%ld",
		 cgroup_read(self->cgroup, "memory.current") + 32 * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", limit), 0);
	before = declined();
	*q = 1;
	before = declined() - before;
	EXPECT_EQ(vm_events("thp_fault_fallback_charge"), fallbacks + 1);
	EXPECT_LT(before, NR / 8);
	EXPECT_EQ(vm_events("oom_kill"), kills);
	EXPECT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 14), NR);
	munmap(p, NR * page_size);
	munmap(q, nr_huge * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* A task pages out what another cgroup is charged for: it is not the other one's trial. */
VSWAP_TEST(vswap_kill, paged_out_by_others)
{
	const size_t nr = 256;
	const int rounds = debug_few(100, 20);
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC);
	long given_up = vswap_stat("give_up"), before;
	char *buf = malloc(nr * page_size), other[128];
	pid_t pid;

	ASSERT_GE(fd, 0);
	fill_region(buf, nr, PATTERN_RANDOM, 3);
	ASSERT_EQ(write(fd, buf, nr * page_size), nr * page_size);
	before = declined();
	pid = fork();
	if (!pid) {
		char *p = mmap(NULL, nr * page_size, PROT_READ, MAP_SHARED, fd, 0);

		if (cgroup_enter(other, sizeof(other), "vswap_kill_other"))
			_exit(1);
		/* Many times as much as the owner has of all kinds */
		for (int i = 0; i < rounds; i++) {
			madvise(p, nr * page_size, MADV_POPULATE_READ);
			madvise(p, nr * page_size, MADV_PAGEOUT);
		}
		if (check_region(p, nr, PATTERN_RANDOM, 3) != nr)
			_exit(2);
		cgroup_leave(other);
		_exit(0);
	}
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_GT(declined(), before + rounds / 2 * (long)nr);
	EXPECT_EQ(vswap_stat("give_up"), given_up);
	EXPECT_GE(cgroup_read_key(self->cgroup, "memory.stat", "shmem"), nr * page_size);
	free(buf);
	close(fd);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/*
 * A process that has a multiple of the limit out, and is to be spared, is not killed for
 * the growth of another one, and has what it had.
 */
static void spare(struct __test_metadata *_metadata, struct _test_data_vswap_kill *self,
		  enum pattern pattern)
{
	const size_t nr_spared = debug_few(8192, 4096), nr = nr_spared / 2;
	char limit[32];
	int go[2], ready[2];
	char c;
	pid_t spared, pid;
	int status;

	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	snprintf(limit, sizeof(limit), "%zu", nr_spared * 3 / 8 * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", limit), 0);
	spared = fork();
	if (!spared) {
		char *p = map_region(nr_spared, false);

		close(go[1]);
		if (cgroup_write(self->cgroup, "cgroup.procs", "0") ||
		    write_file("/proc/self/oom_score_adj", "-900"))
			_exit(1);
		fill_region(p, nr_spared, pattern, 4);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(check_region(p, nr_spared, pattern, 4) != nr_spared ? 3 : 0);
	}
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	pid = fork();
	if (!pid) {
		char *p = map_region(nr, false);

		if (cgroup_write(self->cgroup, "cgroup.procs", "0"))
			_exit(1);
		fill_region(p, nr, PATTERN_RANDOM, 5);
		_exit(0);
	}
	status = wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
	/* It looks at all of it, with its limit still there */
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(wait_child(spared), 0);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(ready[i]);
	}
	EXPECT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(cgroup_write(self->cgroup, "cgroup.procs", "0"), 0);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

VSWAP_TEST(vswap_kill, spared)
{
	spare(_metadata, self, PATTERN_WORD);
}

VSWAP_TEST(vswap_kill, spared_zeroes)
{
	spare(_metadata, self, PATTERN_ZERO);
}

/* fork() into @cgroup, of a child that goes with its parent. */
static pid_t fork_into(const char *cgroup, const char *oom_score_adj)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cgroup_write(cgroup, "cgroup.procs", "0") ||
	    write_file("/proc/self/oom_score_adj", oom_score_adj))
		_exit(1);
	return 0;
}

/*
 * In @cgroup, fill @nr pages, and again with what compresses as soon as that is asked for;
 * check them when it is asked once more, or at once where @go is NULL.
 */
static pid_t start_filling(const char *cgroup, size_t nr, int *go, int *ready)
{
	pid_t pid = fork_into(cgroup, "0");
	char c;

	if (!pid) {
		char *p = map_region(nr, false);

		fill_region(p, nr, PATTERN_RANDOM, 7);
		if (!go)
			_exit(check_region(p, nr, PATTERN_RANDOM, 7) != nr);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		madvise(p, nr * page_size, MADV_DONTNEED);
		fill_region(p, nr, PATTERN_WORD, 8);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(3);
		_exit(check_region(p, nr, PATTERN_WORD, 8) != nr);
	}
	return pid;
}

/*
 * One task has been killed since what its sibling had could not be compressed. That is
 * no reason to kill the next one: it can be by then.
 */
VSWAP_TEST(vswap_kill, beside_sibling)
{
	/* 16 MB of each 40 are the sibling's; 26 fit beside them once these are compressed */
	const int mb = debug_few(40, 8);
	const size_t each = (mb << 20) / 40 / page_size;
	char parent[64], child[2][96], limit[16], c;
	int go[2], ready[2], status;
	pid_t sibling;

	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	snprintf(parent, sizeof(parent), CGROUP "/vswap_parent_%d", getpid());
	ASSERT_EQ(mkdir(parent, 0755), 0);
	ASSERT_EQ(cgroup_write(parent, "cgroup.subtree_control", "+memory"), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(child[i], sizeof(child[i]), "%s/%d", parent, i);
		ASSERT_EQ(mkdir(child[i], 0755), 0);
	}
	snprintf(limit, sizeof(limit), "%dM", mb);
	ASSERT_EQ(cgroup_write(parent, "memory.max", limit), 0);
	sibling = start_filling(child[0], 16 * each, go, ready);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	status = wait_child(start_filling(child[1], 64 * each, NULL, NULL));
	EXPECT_TRUE(WIFSIGNALED(status));

	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	EXPECT_EQ(wait_child(start_filling(child[1], 26 * each, NULL, NULL)), 0);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(wait_child(sibling), 0);
	for (int i = 0; i < 2; i++) {
		while (rmdir(child[i]) && errno == EBUSY)
			usleep(10000);
	}
	while (rmdir(parent) && errno == EBUSY)
		usleep(10000);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(ready[i]);
	}
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* In @cgroup and not to be killed, fill @nr pages; then @drop of them go when asked for. */
static pid_t start_unkillable(const char *cgroup, size_t nr, size_t drop, int *go, int *ready)
{
	pid_t pid = fork_into(cgroup, "-1000");
	char c;

	if (!pid) {
		char *p;

		/* What else it has is to stay: there is no room for a page to come back */
		if (mlockall(MCL_CURRENT))
			_exit(3);
		p = map_region(nr, false);
		fill_region(p, nr, PATTERN_RANDOM, 9);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		madvise(p, drop * page_size, MADV_DONTNEED);
		for (;;)
			pause();
	}
	return pid;
}

/*
 * All that there is has been found not to compress, but nobody was killed, as somebody
 * gave up some memory. What comes in its place does compress.
 */
VSWAP_TEST(vswap_kill, freed_and_filled)
{
	const long max_pause = 10000, min_pause = 1000;
	long given_up = vswap_stat("give_up"), start, took;
	int go[2], ready[2];
	char cgroup[64], c;
	pid_t holder, filler, pid;

	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	snprintf(cgroup, sizeof(cgroup), CGROUP "/vswap_freed_%d", getpid());
	ASSERT_EQ(mkdir(cgroup, 0755), 0);
	ASSERT_EQ(cgroup_write(cgroup, "memory.max", "6M"), 0);
	holder = start_unkillable(cgroup, 768, 640, go, ready);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	/* It can't have the last of its pages */
	start = now_ms();
	filler = start_unkillable(cgroup, 1024, 0, go, ready);
	close(ready[1]);
	/* The second time it is for this need of memory */
	for (int i = 0; i < 3000 && vswap_stat("give_up") < given_up + 2; i++)
		usleep(10000);
	EXPECT_GE(vswap_stat("give_up"), given_up + 2);
	took = now_ms() - start;
	if (4 * took > max_pause)
		TH_LOG("after %ld ms it counts as long as ever", took);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	/* What was found out counts for four times as long as that has taken, within limits */
	usleep(1000 * ((4 * took > max_pause ? max_pause : 4 * took) + min_pause + 500));
	pid = fork_into(cgroup, "0");
	if (!pid) {
		char *p = map_region(640, false);

		fill_region(p, 640, PATTERN_WORD, 10);
		_exit(check_region(p, 640, PATTERN_WORD, 10) != 640);
	}
	EXPECT_EQ(wait_child(pid), 0);
	kill(holder, SIGKILL);
	kill(filler, SIGKILL);
	wait_child(holder);
	wait_child(filler);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	while (rmdir(cgroup) && errno == EBUSY)
		usleep(10000);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* Write to @fd a page that nobody ever fills in, with the file locked meanwhile. */
static pid_t start_locking(int fd, int *ready)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pid_t pid = fork();

	if (!pid) {
		int uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
		char *p = map_region(1, false);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		reg.range.start = (unsigned long)p;
		reg.range.len = page_size;
		if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(write(fd, p, page_size) != 1);
	}
	return pid;
}

static void *write_one(void *fd)
{
	return (void *)write((long)fd, "", 1);
}

/* In @cgroup, @nr pages of random data, with a thread that waits for the lock of @fd. */
static pid_t start_waiting(const char *cgroup, size_t nr, int fd, int *ready)
{
	pid_t pid = fork_into(cgroup, "1000");
	pthread_t thread;

	if (!pid) {
		char *p = map_region(nr, false);

		fill_region(p, nr, PATTERN_RANDOM, 11);
		if (pthread_create(&thread, NULL, write_one, (void *)(long)fd) ||
		    write(ready[1], "", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	return pid;
}

/*
 * Who has been killed can't go, so that the OOM reaper frees the memory in the end. What
 * comes in its place does compress.
 */
VSWAP_TEST(vswap_kill, reaped)
{
	const int mb = debug_few(20, 10);
	const size_t each = (mb << 20) / 5 / page_size;
	const size_t nr = 3 * each, nr_random = 2 * each, nr_word = 4 * each;
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC), uffd, ready[2], status;
	long kills = vm_events("oom_kill");
	pid_t locker, victim, pid;
	char cgroup[64], limit[16], c;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(pipe(ready), 0);
	uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	close(uffd);
	locker = start_locking(fd, ready);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	snprintf(cgroup, sizeof(cgroup), CGROUP "/vswap_reaped_%d", getpid());
	ASSERT_EQ(mkdir(cgroup, 0755), 0);
	snprintf(limit, sizeof(limit), "%dM", mb);
	ASSERT_EQ(cgroup_write(cgroup, "memory.max", limit), 0);
	victim = start_waiting(cgroup, nr, fd, ready);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	pid = fork_into(cgroup, "0");
	if (!pid) {
		char *p = map_region(nr_random, false), *q = map_region(nr_word, false);

		fill_region(p, nr_random, PATTERN_RANDOM, 12);
		fill_region(q, nr_word, PATTERN_WORD, 13);
		_exit(check_region(p, nr_random, PATTERN_RANDOM, 12) != nr_random ||
		      check_region(q, nr_word, PATTERN_WORD, 13) != nr_word ? 2 : 0);
	}
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(vm_events("oom_kill") - kills, 1);
	/* Not gone before */
	EXPECT_EQ(waitpid(victim, &status, WNOHANG), 0);
	kill(locker, SIGKILL);
	wait_child(locker);
	status = wait_child(victim);
	EXPECT_TRUE(WIFSIGNALED(status));
	close(ready[0]);
	close(ready[1]);
	close(fd);
	while (rmdir(cgroup) && errno == EBUSY)
		usleep(10000);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* Somebody fills a cgroup with random data until killed: how often was zswap given up? */
static long give_up_until_killed(const char *cgroup)
{
	long given_up = vswap_stat("give_up");
	int status = wait_child(start_filling(cgroup, 16384, NULL, NULL));

	return WIFSIGNALED(status) ? vswap_stat("give_up") - given_up : -1;
}

/* Again and again somebody is killed in a cgroup that has nothing to swap out. */
static pid_t start_killed(const char *cgroup)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* Not to be left when an assertion fails */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid = fork();

		if (!pid) {
			if (cgroup_write(cgroup, "cgroup.procs", "0"))
				_exit(1);
			memset(map_region(NR, false), 1, NR * page_size);
			_exit(0);
		}
		wait_child(pid);
	}
}

/*
 * Others are killed while a cgroup finds out that what it has can't be compressed. That is
 * no reason to find it out again.
 */
VSWAP_TEST(vswap_kill, beside_others)
{
	const int nr_rounds = debug_few(3, 2);
	char cgroup[64], other[64], limit[16];
	long alone = 0, beside = 0, n, kills;
	pid_t killed;

	snprintf(cgroup, sizeof(cgroup), CGROUP "/vswap_full_%d", getpid());
	snprintf(other, sizeof(other), CGROUP "/vswap_other_%d", getpid());
	ASSERT_EQ(mkdir(cgroup, 0755), 0);
	ASSERT_EQ(mkdir(other, 0755), 0);
	snprintf(limit, sizeof(limit), "%dM", debug_few(16, 6));
	ASSERT_EQ(cgroup_write(cgroup, "memory.max", limit), 0);
	ASSERT_EQ(cgroup_write(other, "memory.max", "1M"), 0);
	ASSERT_EQ(cgroup_write(other, "memory.zswap.max", "0"), 0);
	for (int i = 0; i < nr_rounds; i++) {
		n = give_up_until_killed(cgroup);
		EXPECT_GE(n, 0);
		alone += n;
	}
	EXPECT_GT(alone, 0);
	kills = vm_events("oom_kill");
	killed = start_killed(other);
	for (int i = 0; i < nr_rounds; i++) {
		n = give_up_until_killed(cgroup);
		EXPECT_GE(n, 0);
		beside += n;
	}
	kills = vm_events("oom_kill") - kills - nr_rounds;
	TH_LOG("given up %ld times alone, %ld times beside %ld kills", alone, beside, kills);
	/* So many that they would tell */
	EXPECT_GE(kills, 2 * (alone + nr_rounds));
	/* Who has to wait for a CPU may try for a while longer; with each kill is far more */
	EXPECT_LE(beside, 2 * alone + nr_rounds + kills / 10);
	kill(killed, SIGKILL);
	wait_child(killed);
	cgroup_write(other, "cgroup.kill", "1");
	while (rmdir(cgroup) && errno == EBUSY)
		usleep(10000);
	while (rmdir(other) && errno == EBUSY)
		usleep(10000);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/*
 * Hold memory until @spare kB of it are free, and pause; then take up to @nr pages more
 * until told to stop, slowly once kswapd has come. None of it can be reclaimed.
 */
static pid_t start_taking(long spare, size_t nr, int *go, int *ready)
{
	pid_t pid = fork_into(CGROUP, "1000");
	char c;

	if (!pid) {
		const size_t nr_step = (1UL << 20) / page_size, few = 64;
		size_t nr_free = read_key("/proc/meminfo", "MemFree") * 1024L / page_size, i;
		char *held = map_region(nr_free, true), *p = map_region(nr, false);
		struct pollfd told = { .fd = go[0], .events = POLLIN };
		long runs;

		if (mlockall(MCL_CURRENT | MCL_ONFAULT) || !held || !p)
			_exit(1);
		/* In steps, as CPUs take some for themselves meanwhile */
		for (i = 0; read_key("/proc/meminfo", "MemFree") > spare; i += nr_step)
			memset(held + i * page_size, 1, nr_step * page_size);
		if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		/* kswapd is to be the first to see it, and may find enough elsewhere for once */
		runs = vm_events("pageoutrun");
		for (i = 0; i < nr - few; i += few) {
			memset(p + i * page_size, 1, few * page_size);
			if (vm_events("pageoutrun") != runs && poll(&told, 1, 200) == 1)
				break;
		}
		_exit(read(go[0], &c, 1) == 1 && i < nr - few ? 0 : 3);
	}
	return pid;
}

/*
 * MGLRU kills where it finds no page older than min_ttl_ms, which is so where a cgroup's
 * memory has been given up. There are pages in it that compress.
 */
VSWAP_TEST(vswap_kill, min_ttl)
{
	const size_t mb = (1UL << 20) / page_size;
	const size_t nr = 40 * mb, nr_word = nr / 5;
	char *p = map_region(nr, false), *q = map_region(nr_word, false);
	long given_up, spare, kills = vm_events("oom_kill");
	int go[2], ready[2];
	pid_t pid;
	char c;

	if (debug_few(0, 1))
		SKIP(return, "only with VSWAP_ALL=1");
	if (access(LRU_GEN "min_ttl_ms", W_OK) || write_file(LRU_GEN "enabled", "y"))
		SKIP(return, "no MGLRU, the kernel has no CONFIG_LRU_GEN");
	if (read_key("/proc/meminfo", "MemTotal") > 2L << 20 && !run_all())
		SKIP(return, "takes all of more than 2 GB; VSWAP_ALL=1");
	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(ready), 0);
	/* Who locks its memory is not to have it, too */
	ASSERT_EQ(madvise(p, nr * page_size, MADV_DONTFORK), 0);
	ASSERT_EQ(madvise(q, nr_word * page_size, MADV_DONTFORK), 0);
	fill_region(p, nr, PATTERN_RANDOM, 15);
	/* To be found when the rest has been given up, which is for a second at least */
	ASSERT_EQ(mlock(q, nr_word * page_size), 0);
	fill_region(q, nr_word, PATTERN_WORD, 16);
	/* What others have is not worth looking at, of less than 16 MB */
	write_file("/proc/sys/vm/drop_caches", "1");
	for (int i = 0; i < 4; i++)
		cgroup_write(CGROUP, "memory.reclaim", "64M swappiness=max");
	/* kswapd is woken at 5/4 of this, which grows where huge pages are to be had */
	write_file(THP "enabled", "madvise");
	spare = read_num("/proc/sys/vm/min_free_kbytes") * 5 / 4 + 8192;
	pid = start_taking(spare, 32 * mb, go, ready);
	close(ready[1]);
	EXPECT_EQ(read(ready[0], &c, 1), 1);
	given_up = vswap_stat("give_up");
	for (int i = 0; i < 1000 && vswap_stat("give_up") == given_up; i++)
		ask_reclaim(self->cgroup, nr * page_size);
	ASSERT_GT(vswap_stat("give_up"), given_up);
	ASSERT_EQ(munlock(q, nr_word * page_size), 0);
	ASSERT_EQ(write_file(LRU_GEN "min_ttl_ms", "1"), 0);
	EXPECT_EQ(write(go[1], "", 1), 1);
	for (int i = 0; i < 30000; i++) {
		if (count_swapped(q, nr_word) || vm_events("oom_kill") > kills)
			break;
		usleep(10000);
	}
	EXPECT_GT(count_swapped(q, nr_word), 0);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(wait_child(pid), 0);
	EXPECT_EQ(vm_events("oom_kill"), kills);
	EXPECT_EQ(write_file(LRU_GEN "min_ttl_ms", "0"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 15), nr);
	EXPECT_EQ(check_region(q, nr_word, PATTERN_WORD, 16), nr_word);
	close(go[0]);
	close(go[1]);
	close(ready[0]);
	munmap(p, nr * page_size);
	munmap(q, nr_word * page_size);
	EXPECT_EQ(read_others_back(), 0);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/* What is told to a task that asks for memory over and over, and what it tells */
struct asking {
	pid_t pid;
	int fd;			/* for pages of this file, or for kernel memory */
	bool ready, stop;
	unsigned int phase;	/* odd: it is to ask */
	unsigned int done;	/* the last phase in which it has begun to do nothing */
	long longest;		/* in ms */
	long slept;		/* for how long it did not run meanwhile, in us */
	unsigned long asked, failed;
};

static long clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* More than a CPU has charged in advance; the arrays of large pipes are 16 kB each */
#define NR_PAGES	96
#define NR_PIPES	(NR_PAGES * page_size / 16384)

static size_t enlarge_pipes(int fds[][2])
{
	size_t n;

	for (n = 0; n < NR_PIPES; n++) {
		if (fcntl(fds[n][0], F_SETPIPE_SZ, 256 * page_size) < 0)
			break;
	}
	return n;
}

static void shrink_pipes(int fds[][2], size_t nr)
{
	for (size_t n = 0; n < nr; n++) {
		if (fcntl(fds[n][0], F_SETPIPE_SZ, page_size) < 0)
			_exit(3);
	}
}

static bool read_pages(int fd)
{
	char c;

	for (size_t n = 0; n < NR_PAGES; n++) {
		if (pread(fd, &c, 1, n * page_size) != 1)
			return false;
	}
	return true;
}

/* Ask for kernel memory, or for pages of a file, over and over. */
static void ask_for(struct asking *asking)
{
	int fds[NR_PIPES][2];

	go_to_cpu(0);
	for (size_t n = 0; n < NR_PIPES; n++) {
		if (pipe(fds[n]))
			_exit(1);
	}
	/* Nothing of its own is to be charged, and nobody to be killed, when it has gone there */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) || write_file("/proc/self/oom_score_adj", "-1000"))
		_exit(2);
	__atomic_store_n(&asking->ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&asking->stop, __ATOMIC_RELAXED)) {
		unsigned int phase;
		long took, ran;
		size_t n = 0;
		bool got;

		/* The kernel log is to have room for what the OOM killer says each time */
		usleep(50000);
		phase = __atomic_load_n(&asking->phase, __ATOMIC_ACQUIRE);
		if (phase % 2 == 0) {
			__atomic_store_n(&asking->done, phase, __ATOMIC_RELEASE);
			continue;
		}
		took = clock_us(CLOCK_MONOTONIC);
		ran = clock_us(CLOCK_THREAD_CPUTIME_ID);
		if (asking->fd < 0) {
			n = enlarge_pipes(fds);
			got = n == NR_PIPES;
		} else {
			got = read_pages(asking->fd);
		}
		took = clock_us(CLOCK_MONOTONIC) - took;
		ran = clock_us(CLOCK_THREAD_CPUTIME_ID) - ran;
		if (!got)
			asking->failed++;
		if (took / 1000 > asking->longest)
			asking->longest = took / 1000;
		asking->slept += took - ran;
		shrink_pipes(fds, n);
		__atomic_add_fetch(&asking->asked, 1, __ATOMIC_RELAXED);
	}
	_exit(0);
}

static int stop_asking(struct asking *asking)
{
	int status;

	__atomic_store_n(&asking->stop, true, __ATOMIC_RELAXED);
	status = wait_child(asking->pid);
	munmap(asking, page_size);
	return status;
}

/*
 * The task is to ask for @ms, and until it has done so @nr times, or that takes too long.
 * Returns how long that was, in ms, or 0.
 */
static long have_asked(struct asking *asking, long ms, unsigned long nr)
{
	long begin = now_ms();
	unsigned int phase;

	asking->longest = 0;
	asking->slept = 0;
	asking->asked = 0;
	asking->failed = 0;
	__atomic_add_fetch(&asking->phase, 1, __ATOMIC_RELEASE);
	do {
		usleep(10000);
	} while (now_ms() - begin < 120000 && (now_ms() - begin < ms ||
		 __atomic_load_n(&asking->asked, __ATOMIC_RELAXED) < nr));
	phase = __atomic_add_fetch(&asking->phase, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 12000; i++) {
		if (__atomic_load_n(&asking->done, __ATOMIC_ACQUIRE) == phase)
			return asking->asked >= nr ? now_ms() - begin : 0;
		usleep(10000);
	}
	return 0;
}

/* Put the task into a cgroup. */
static int move_asking(struct asking *asking, const char *cgroup)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", asking->pid);
	return cgroup_write(cgroup, "cgroup.procs", text);
}

FIXTURE(vswap_kill_disk)
{
	char cgroup[128], other[128];
	struct disk disk;
	struct asking *asking;
	long slots;
};

FIXTURE_SETUP(vswap_kill_disk)
{
	const char *missing = vswap_missing() ?: disk_setup(&self->disk, 1, NR);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->other, sizeof(self->other), "vswap_kill_other"), 0);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_kill",
			      &self->slots), 0);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_kill_disk)
{
	past_zswap(false);
	write_file(ZSWAP_PARAM "max_pool_percent", "20");
	/* If a failed assertion has left somebody there */
	cgroup_write(self->other, "cgroup.kill", "1");
	if (self->asking)
		stop_asking(self->asking);
	EXPECT_EQ(disk_remove(&self->disk), 0);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	cgroup_leave(self->cgroup);
	cgroup_leave(self->other);
}

/* From now on the cgroup is over its limit, but nobody has been asked to mend that. */
static int over_limit(const char *cgroup, long limit)
{
	char path[256], text[32];
	int fd, err = 0, len;

	snprintf(path, sizeof(path), "%s/memory.max", cgroup);
	len = snprintf(text, sizeof(text), "%ld", limit);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	if (fd < 0 || write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

/*
 * Pages that lie between those of another cgroup on the disk are read ahead by it, or
 * on its advice. For them nobody is killed whose cgroup has no room.
 */
VSWAP_TEST(vswap_kill_disk, read_ahead)
{
	const size_t nr = 256;
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC), ready[2], status;
	char *p = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long charged;
	pid_t other;
	char c;

	ASSERT_EQ(ftruncate(fd, nr * page_size), 0);
	ASSERT_EQ(pipe(ready), 0);
	other = fork();
	if (!other) {
		if (cgroup_write(self->other, "cgroup.procs", "0"))
			_exit(1);
		for (size_t i = 1; i < nr; i += 2)
			pattern_fill(p + i * page_size, page_size, PATTERN_QUARTER, 6, i);
		munmap(p, nr * page_size);
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	for (size_t i = 0; i < nr; i += 2)
		pattern_fill(p + i * page_size, page_size, PATTERN_QUARTER, 6, i);
	ASSERT_EQ(read(ready[0], &c, 1), 1);
	past_zswap(true);
	for (int i = 0; i < 100 && disk_used(&self->disk) < nr; i++) {
		go_to_cpu(i);
		madvise(p, nr * page_size, MADV_POPULATE_READ);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		wait_writeback();
	}
	drop_swap_cache(self->cgroup, nr);
	drop_swap_cache(self->other, nr);
	past_zswap(false);
	/* Some may be in memory again */
	EXPECT_GE(disk_used(&self->disk), nr - nr / 8);
	EXPECT_GE(count_out(p, nr), nr - nr / 8);

	ASSERT_EQ(cgroup_write(self->other, "memory.swap.max", "0"), 0);
	ASSERT_EQ(cgroup_write(self->other, "memory.zswap.max", "0"), 0);
	ASSERT_TRUE(stop_child(other));
	ASSERT_EQ(over_limit(self->other, 0), 0);
	for (size_t i = 0; i < nr / 2; i += 2)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_QUARTER, 6, i));
	/* Nor does it go over its limit, where the others are cut and not only read */
	charged = cgroup_read(self->other, "memory.current");
	for (size_t i = nr / 2; i < nr; i += 2)
		EXPECT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    i * page_size + 100, 100), 0);
	EXPECT_LE(cgroup_read(self->other, "memory.current"), charged);
	/* Nor on advice */
	EXPECT_EQ(madvise(p, nr * page_size, MADV_WILLNEED), 0);
	EXPECT_EQ(cgroup_read_key(self->other, "memory.events", "oom"), 0);
	EXPECT_EQ(cgroup_read_key(self->other, "memory.events", "oom_kill"), 0);
	EXPECT_EQ(waitpid(other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
	wait_child(other);
	ASSERT_EQ(cgroup_write(self->other, "memory.max", "max"), 0);
	for (size_t i = 1; i < nr; i += 2)
		EXPECT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_QUARTER, 6, i));
	munmap(p, nr * page_size);
	close(fd);
	close(ready[0]);
	close(ready[1]);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/*
 * How long it takes at the most, in ms, to make a cgroup while somebody tries over and over
 * to make one in @cgroup; -1 if it can't be made.
 */
static long longest_making(const char *cgroup)
{
	long longest = 0, took, end = now_ms() + 3000;
	char below[160], path[64];
	pid_t pid;

	snprintf(below, sizeof(below), "%s/below", cgroup);
	snprintf(path, sizeof(path), CGROUP "/vswap_elsewhere_%d", getpid());
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			if (!mkdir(below, 0755))
				rmdir(below);
		}
	}
	while (longest >= 0 && now_ms() < end) {
		took = now_ms();
		if (mkdir(path, 0755) || rmdir(path))
			longest = -1;
		took = now_ms() - took;
		if (longest >= 0 && took > longest)
			longest = took;
	}
	kill(pid, SIGKILL);
	wait_child(pid);
	rmdir(below);
	return longest;
}

/*
 * Start a task that asks for kernel memory, or for pages of a file if @fd is one, when it is
 * told to.
 */
static struct asking *start_asking(struct __test_metadata *_metadata,
				   struct _test_data_vswap_kill_disk *self, int fd)
{
	struct asking *asking = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	ASSERT_NE(asking, MAP_FAILED);
	asking->fd = fd;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ask_for(asking);
	}
	ASSERT_GT(pid, 0);
	asking->pid = pid;
	self->asking = asking;
	for (int i = 0; i < 1000 && !__atomic_load_n(&asking->ready, __ATOMIC_ACQUIRE); i++)
		usleep(10000);
	return asking;
}

/* Fill the other cgroup with pages of @pattern, which it has no device for. */
static void fill_other(struct __test_metadata *_metadata, struct _test_data_vswap_kill_disk *self,
		       int fd, enum pattern pattern)
{
	const size_t nr = 512;
	pid_t pid = fork_into(self->other, "0");

	if (!pid) {
		char *q = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (ftruncate(fd, nr * page_size))
			_exit(1);
		fill_region(q, nr, pattern, 8);
		_exit(0);
	}
	ASSERT_EQ(wait_child(pid), 0);
	ASSERT_EQ(cgroup_write(self->other, "memory.swap.max", "0"), 0);
}

/*
 * Fill zswap with pages at @p, so that the worker finds nothing that it may write, and the
 * other cgroup with pages that can't be compressed.
 */
static void fill_zswap(struct __test_metadata *_metadata, struct _test_data_vswap_kill_disk *self,
		       char *p, size_t nr_full, int fd)
{
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "0"), 0);
	fill_region(p, nr_full, PATTERN_POOR, 7);
	ASSERT_EQ(swap_out(p, nr_full), nr_full);
	fill_other(_metadata, self, fd, PATTERN_RANDOM);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "1"), 0);
}

/* The pages that have filled zswap are as they were, and then they and their slots go. */
static void check_full(struct __test_metadata *_metadata, struct _test_data_vswap_kill_disk *self,
		       char *p, size_t nr_full)
{
	EXPECT_EQ(check_region(p, nr_full, PATTERN_POOR, 7), nr_full);
	munmap(p, nr_full * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
}

/*
 * Who makes a cgroup below another one, which is at its limit, holds a lock that all others
 * need who make one. That is not for much longer with zswap full than without anything to
 * wait for: the OOM killer's reports take their time.
 */
VSWAP_TEST(vswap_kill_disk, made_elsewhere)
{
	const size_t nr_full = poor_pages();
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC), err;
	char *p = map_region(nr_full, false);
	const long allowed = debug_few(600, 1500);
	long events, alone, full = LONG_MAX;

	if (pool_bytes(1) > 64L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	fill_zswap(_metadata, self, p, nr_full, fd);
	/* It may take a moment until it is empty */
	do {
		err = cgroup_write(self->other, "cgroup.subtree_control", "+memory");
	} while (err == -EBUSY && !usleep(10000));
	ASSERT_EQ(err, 0);

	/* Not even what has been charged in advance is left */
	ASSERT_EQ(cgroup_write(self->other, "memory.max", "0"), 0);
	events = cgroup_read_key(self->other, "memory.events", "max");
	ASSERT_EQ(cgroup_write(self->other, "memory.zswap.max", "0"), 0);
	alone = longest_making(self->other);
	EXPECT_GE(alone, 0);
	ASSERT_EQ(cgroup_write(self->other, "memory.zswap.max", "max"), 0);
	/* Again, as a busy machine may take as long for once */
	for (int i = 0; i < 3 && full > alone + allowed; i++) {
		full = longest_making(self->other);
		TH_LOG("the longest took %ld ms, with zswap full %ld ms", alone, full);
	}
	EXPECT_GE(read_num(ZSWAP_DEBUG "pool_total_size"), pool_bytes(1));
	EXPECT_GE(full, 0);
	EXPECT_LE(full, alone + allowed);
	EXPECT_GT(cgroup_read_key(self->other, "memory.events", "max"), events);
	ASSERT_EQ(cgroup_write(self->other, "memory.max", "max"), 0);

	ASSERT_EQ(cgroup_write(self->other, "cgroup.subtree_control", "-memory"), 0);
	close(fd);
	check_full(_metadata, self, p, nr_full);
}

/*
 * With zswap full, a task that asks for what the other cgroup is charged with, and in vain,
 * waits for a fifth of a second and then a sixteenth of the time, beyond what it waits for
 * anyway, as for a CPU.
 */
static void check_waits(struct __test_metadata *_metadata, struct _test_data_vswap_kill_disk *self)
{
	struct asking *asking = self->asking;
	long events, alone, took, waited = LONG_MAX, allowed = 0;

	/* Not even what has been charged in advance is left */
	ASSERT_EQ(cgroup_write(self->other, "memory.max", "0"), 0);
	events = cgroup_read_key(self->other, "memory.events", "max");

	ASSERT_EQ(cgroup_write(self->other, "memory.zswap.max", "0"), 0);
	ASSERT_GT(have_asked(asking, 3000, 3), 0);
	EXPECT_EQ(asking->failed, asking->asked);
	alone = asking->slept / (long)asking->asked;
	ASSERT_EQ(cgroup_write(self->other, "memory.zswap.max", "max"), 0);
	/* Again, as a busy machine may take longer for once */
	for (int i = 0; i < 3 && waited > allowed; i++) {
		took = have_asked(asking, 5000, 3);
		ASSERT_GT(took, 0);
		EXPECT_EQ(asking->failed, asking->asked);
		waited = (asking->slept - (long)asking->asked * alone) / 1000;
		allowed = 200 + took / 16 + 600;
		TH_LOG("asked %lu times in %ld ms, waited %ld, allowed %ld, the longest took %ld",
		       asking->asked, took, waited, allowed, asking->longest);
	}
	EXPECT_LE(waited, allowed);
	EXPECT_GE(read_num(ZSWAP_DEBUG "pool_total_size"), pool_bytes(1));
	EXPECT_GT(cgroup_read_key(self->other, "memory.events", "max"), events);

	ASSERT_EQ(cgroup_write(self->other, "memory.max", "max"), 0);
	self->asking = NULL;
	EXPECT_EQ(stop_asking(asking), 0);
}

/* Who needs kernel memory may hold a lock that all others need, as rtnl_lock. */
VSWAP_TEST(vswap_kill_disk, kernel_memory)
{
	const size_t nr_full = poor_pages();
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC);
	struct asking *asking;
	char *p;

	if (pool_bytes(1) > 64L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	asking = start_asking(_metadata, self, -1);
	p = map_region(nr_full, false);
	fill_zswap(_metadata, self, p, nr_full, fd);
	ASSERT_EQ(move_asking(asking, self->other), 0);
	check_waits(_metadata, self);
	close(fd);
	check_full(_metadata, self, p, nr_full);
}

/* A page that another cgroup has to pay for is not waited for any longer. */
VSWAP_TEST(vswap_kill_disk, read_elsewhere)
{
	const size_t nr_full = poor_pages(), nr = NR_PAGES;
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC);
	int shared = memfd_create("vswap_kill_shared", MFD_CLOEXEC);
	long out = vswap_stat("slots_zswap");
	char *p, *q;
	pid_t pid;

	if (pool_bytes(1) > 64L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	start_asking(_metadata, self, shared);
	ASSERT_EQ(ftruncate(shared, nr * page_size), 0);
	q = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	ASSERT_NE(q, MAP_FAILED);
	pid = fork_into(self->other, "0");
	if (!pid) {
		fill_region(q, nr, PATTERN_QUARTER, 9);
		start_swap_out(q, nr);
		_exit(0);
	}
	ASSERT_EQ(wait_child(pid), 0);
	ASSERT_GE(vswap_stat("slots_zswap"), out + (long)nr);
	p = map_region(nr_full, false);
	fill_zswap(_metadata, self, p, nr_full, fd);
	check_waits(_metadata, self);
	EXPECT_EQ(check_region(q, nr, PATTERN_QUARTER, 9), nr);
	munmap(q, nr * page_size);
	close(shared);
	close(fd);
	check_full(_metadata, self, p, nr_full);
}

/* Swap out of @nr pages as many as fill zswap, and a few more, beyond one percent. */
static size_t swap_out_past_pool(char *p, size_t nr)
{
	const size_t step = 8;
	size_t i;

	for (i = 0; i + step <= nr; i += step) {
		if (read_num(ZSWAP_DEBUG "pool_total_size") >= pool_bytes(1) + 16 * (long)page_size)
			break;
		start_swap_out(p + i * page_size, step);
	}
	wait_writeback();
	return i;
}

/* It does wait while the worker makes room, and then there is some. */
VSWAP_TEST(vswap_kill_disk, kernel_memory_room)
{
	const size_t nr_full = poor_pages();
	int fd = memfd_create("vswap_kill", MFD_CLOEXEC);
	long kills = vm_events("oom_kill"), written, events, limit, size;
	struct asking *asking;
	char *p, text[32];

	if (pool_bytes(1) > 64L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	asking = start_asking(_metadata, self, -1);
	p = map_region(nr_full, false);
	fill_other(_metadata, self, fd, PATTERN_QUARTER);
	ASSERT_EQ(move_asking(asking, self->other), 0);
	/* Again, as a busy machine may need longer for once, when all may be waited again */
	for (int i = 0; i < 3; i++) {
		if (i)
			sleep(5);
		ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
		fill_region(p, nr_full, PATTERN_POOR, 7);
		/* Nothing that is charged in advance is left */
		limit = cgroup_read(self->other, "memory.current") - 65536;
		snprintf(text, sizeof(text), "%ld", limit);
		ASSERT_EQ(cgroup_write(self->other, "memory.max", text), 0);
		ASSERT_LT(swap_out_past_pool(p, nr_full), nr_full);
		written = vm_events("zswpwb");
		events = cgroup_read_key(self->other, "memory.events", "max");
		ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "1"), 0);
		limit = cgroup_read(self->other, "memory.current") - 65536;
		ASSERT_EQ(over_limit(self->other, limit), 0);

		size = read_num(ZSWAP_DEBUG "pool_total_size");
		ASSERT_GT(have_asked(asking, 0, 1), 0);
		written = vm_events("zswpwb") - written;
		TH_LOG("asked %lu times, failed %lu, took %ld ms, slept %ld us, %ld pages written",
		       asking->asked, asking->failed, asking->longest, asking->slept, written);
		if (!asking->failed)
			break;
	}
	EXPECT_EQ(asking->failed, 0);
	EXPECT_GE(size, pool_bytes(1));
	EXPECT_GT(written, 0);
	EXPECT_GT(cgroup_read_key(self->other, "memory.events", "max"), events);
	EXPECT_EQ(vm_events("oom_kill"), kills);

	ASSERT_EQ(cgroup_write(self->other, "memory.max", "max"), 0);
	self->asking = NULL;
	EXPECT_EQ(stop_asking(asking), 0);
	close(fd);
	check_full(_metadata, self, p, nr_full);
}

TEST_HARNESS_MAIN
