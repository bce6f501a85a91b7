// SPDX-License-Identifier: GPL-2.0
/* Virtual slots and the memory controller, cgroup v2. */
#include <limits.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include "../kselftest_harness.h"
#include "knobs.h"
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
	int devices = have_swap_devices();

	ASSERT_GE(devices, 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "0"), 0);
	fill_region(p, NR, PATTERN_QUARTER, 2);
	for (int i = 0; i < 3; i++)
		madvise(p, NR * page_size, MADV_PAGEOUT);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.zswap.current"), 0);
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "zswpout"), 0);
	if (!devices) {
		EXPECT_EQ(count_swapped(p, NR), 0);
		EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.swap.events", "fail"), 0);
	}
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
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A cgroup can use several times its memory. */
VSWAP_TEST(vswap_memcg, overflow)
{
	char *p = map_region(2 * NR, false);

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "7M"), 0);
	fill_region(p, 2 * NR, PATTERN_MIXED, 4);
	EXPECT_EQ(check_region(p, 2 * NR, PATTERN_MIXED, 4), 2 * NR);
	for (int i = 0; i < 2 * NR; i += debug_few(1, 4)) {
		size_t j = (i * 2654435761UL) % (2 * NR);

		ASSERT_TRUE(pattern_check(p + j * page_size, page_size,
					  PATTERN_MIXED, 4, j));
	}
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.events", "oom_kill"), 0);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
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
	EXPECT_EQ(vswap_validate_quiet(), 0);
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
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

#define ZERO_DIR	"/tmp/vswap_zero"
#define HUGE		(2UL << 20)

/* A tmpfs with huge pages, on which there is no end of room; -1 if there is none. */
static int open_huge_file(void)
{
	mkdir(ZERO_DIR, 0755);
	if (mount("tmpfs", ZERO_DIR, "tmpfs", 0, "huge=always,size=1T"))
		return -1;
	return open(ZERO_DIR "/file", O_RDWR | O_CREAT, 0600);
}

/* Write zeroes, return how much could be written. */
static off_t write_zeroes(int fd, off_t size)
{
	char *buf = calloc(1, HUGE);
	off_t pos = 0;

	while (pos < size && pwrite(fd, buf, HUGE, pos) == HUGE)
		pos += HUGE;
	free(buf);
	return pos;
}

/*
 * Kernel memory of a cgroup, in bytes. It should be from @least to @most, which
 * statistics may take some seconds to tell, and RCU to bring about.
 */
static long kernel_memory(const char *cgroup, long least, long most)
{
	long bytes = 0;

	for (int i = 0; i < 300; i++) {
		bytes = cgroup_read_key(cgroup, "memory.stat", "kernel");
		if (bytes >= least && bytes <= most)
			break;
		usleep(100000);
	}
	return bytes;
}

/*
 * Zeroes take no room anywhere, but the tables of their slots do: they are charged
 * to whom they are for, and when that cgroup is gone, to its parent.
 */
VSWAP_TEST(vswap_memcg, tables)
{
	const long nr = debug_few(256, 96), slack = nr * page_size / 4;
	long before, after, tables, others;
	int fd = open_huge_file(), status;
	char child[192];
	pid_t pid;

	if (fd < 0)
		SKIP(return, "no tmpfs with huge pages");
	if (page_size != 4096)
		SKIP(return, "needs pages of 4 kB");

	/* All that has been counted is in the statistics by then */
	sleep(3);
	before = cgroup_read_key(self->cgroup, "memory.stat", "kernel");
	/* A cgroup below that of the test, which then is removed */
	snprintf(child, sizeof(child), "%s/child", self->cgroup);
	cgroup_write(CGROUP, "cgroup.procs", "0");
	ASSERT_EQ(cgroup_write(self->cgroup, "cgroup.subtree_control", "+memory"), 0);
	ASSERT_EQ(mkdir(child, 0755), 0);
	pid = fork();
	if (!pid) {
		if (cgroup_write(child, "cgroup.procs", "0"))
			_exit(1);
		_exit(write_zeroes(fd, nr * HUGE) == nr * HUGE ? 0 : 2);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
	for (int i = 0; i < 20 && vswap_stat("slots_zero") < nr * 512; i++)
		cgroup_write(child, "memory.reclaim", "512M swappiness=max");
	/* One may be in use, or in a CPU's batch for the LRU lists */
	ASSERT_GE(vswap_stat("slots_zero"), (nr - 4) * 512);
	tables = vswap_stat("slots_zero") / 512 * page_size;
	/* Memory was short, so that files of a root in tmpfs may be out, too, or about to be */
	others = vswap_stat("slots_zswap") + OWN_PAGES;
	after = kernel_memory(child, tables, 2 * tables);
	EXPECT_GE(after, tables);
	EXPECT_LE(after, 2 * tables);
	EXPECT_GE(cgroup_read(child, "memory.current"), tables);

	for (int i = 0; i < 50 && rmdir(child) && errno == EBUSY; i++)
		usleep(20000);
	ASSERT_NE(access(child, F_OK), 0);
	EXPECT_GE(kernel_memory(self->cgroup, before + tables, LONG_MAX), before + tables);
	EXPECT_EQ(vswap_validate_quiet(), 0);

	/* All of it is uncharged with the last slot, once RCU has freed it */
	close(fd);
	umount2(ZERO_DIR, 0);
	EXPECT_LE(wait_slots(self->slots + others), self->slots + others);
	after = kernel_memory(self->cgroup, 0, before + slack);
	EXPECT_LE(after, before + slack) {
		TH_LOG("up to %ld in zswap are others'", others);
	}
	cgroup_write(self->cgroup, "cgroup.subtree_control", "-memory");
	EXPECT_EQ(cgroup_write(self->cgroup, "cgroup.procs", "0"), 0);
}

/* A cgroup that writes zeroes for ever is stopped by its own limit. */
VSWAP_TEST(vswap_memcg, tables_limit)
{
	const long max = debug_few(4, 2) << 20;
	/* What it can have if only the tables of swap entries and counts are charged */
	const off_t bound = max / page_size * HUGE;
	int fd = open_huge_file(), status;
	long kills = read_key("/proc/vmstat", "oom_kill"), mine;
	char child[sizeof(self->cgroup) + 16], limit[32];
	struct stat st;
	pid_t pid;

	if (fd < 0)
		SKIP(return, "no tmpfs with huge pages");
	if (page_size != 4096)
		SKIP(return, "needs pages of 4 kB");
	/*
	 * Nobody else is to be killed, and no page of this process may be the
	 * cgroup's: it would have to go on when the cgroup can't have one.
	 */
	snprintf(child, sizeof(child), "%s/child", self->cgroup);
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "cgroup.subtree_control", "+memory"), 0);
	ASSERT_EQ(mkdir(child, 0755), 0);
	snprintf(limit, sizeof(limit), "%ld", max);
	ASSERT_EQ(cgroup_write(child, "memory.max", limit), 0);
	pid = fork();
	if (!pid) {
		if (cgroup_write(child, "cgroup.procs", "0"))
			_exit(1);
		_exit(write_zeroes(fd, 2 * bound) < 2 * bound ? 0 : 1);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	mine = cgroup_read_key(child, "memory.events", "oom_kill");
	ASSERT_EQ(fstat(fd, &st), 0);
	TH_LOG("stopped after %ld MB by %s", (long)(st.st_size >> 20),
	       WIFSIGNALED(status) ? "a signal" : "an error");
	EXPECT_TRUE(WIFSIGNALED(status) || !WEXITSTATUS(status));
	EXPECT_LE(st.st_size, bound);
	/* Not by others being killed */
	EXPECT_EQ(read_key("/proc/vmstat", "oom_kill") - kills, mine);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	close(fd);
	umount2(ZERO_DIR, 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	for (int i = 0; i < 50 && rmdir(child) && errno == EBUSY; i++)
		usleep(20000);
	EXPECT_NE(access(child, F_OK), 0);
	cgroup_write(self->cgroup, "cgroup.subtree_control", "-memory");
	EXPECT_EQ(cgroup_write(self->cgroup, "cgroup.procs", "0"), 0);
}

/* Have @nr pages at @p marked as accessed, so that the second time makes them active. */
static void mark_accessed(char *p, size_t nr)
{
	char buf[64];
	struct iovec local = { buf, 1 }, remote = { p, 1 };

	for (size_t i = 0; i < nr; i++) {
		remote.iov_base = p + i * page_size;
		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1)
			_exit(3);
	}
}

static void make_active(char *p, size_t nr)
{
	/* What CPUs have in their batches goes to the lists with it */
	if (write_file("/proc/sys/vm/drop_caches", "1"))
		_exit(2);
	mark_accessed(p, nr);
	mark_accessed(p, nr);
	if (write_file("/proc/sys/vm/drop_caches", "1"))
		_exit(2);
}

/*
 * When all pages of a cgroup are active, and have become so since the statistics were
 * brought together, a lower limit finds them and calls for no OOM killer.
 */
VSWAP_TEST(vswap_memcg, all_active)
{
	const int rounds = debug_few(5, 2);
	char path[sizeof(self->cgroup) + 16];
	pid_t pid;

	/* The multi-gen LRU has no such lists */
	write_file("/sys/kernel/mm/lru_gen/enabled", "n");
	snprintf(path, sizeof(path), "%s_active", self->cgroup);
	for (int i = 0; i < rounds; i++) {
		ASSERT_EQ(mkdir(path, 0755), 0);
		pid = fork();
		if (!pid) {
			char *p = map_region(NR, false);

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (cgroup_write(path, "cgroup.procs", "0"))
				_exit(1);
			fill_region(p, NR, PATTERN_QUARTER, 7);
			make_active(p, NR);
			raise(SIGSTOP);
			_exit(check_region(p, NR, PATTERN_QUARTER, 7) == NR ? 0 : 4);
		}
		EXPECT_EQ(waitpid(pid, NULL, WUNTRACED), pid);
		EXPECT_EQ(cgroup_write(path, "memory.max", "4M"), 0);
		EXPECT_LE(cgroup_read(path, "memory.current"), 4 << 20);
		EXPECT_EQ(cgroup_read_key(path, "memory.events", "oom_kill"), 0);
		EXPECT_EQ(kill(pid, SIGCONT), 0);
		EXPECT_EQ(wait_child(pid), 0);
		EXPECT_EQ(rmdir(path), 0);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

#define NR_SPINS	3

/* Have CPU @n so busy that work waits there. */
static void spin(pid_t *pids, int n)
{
	for (int i = 0; i < NR_SPINS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		go_to_cpu(n);
		for (;;)
			;
	}
}

static void spin_no_more(pid_t *pids)
{
	for (int i = 0; i < NR_SPINS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

/* A cgroup whose pages CPU @n has charged. */
static int charge_on_cpu(const char *path, int n)
{
	pid_t pid;

	if (mkdir(path, 0755))
		return -errno;
	pid = fork();
	if (!pid) {
		if (cgroup_write(path, "cgroup.procs", "0"))
			_exit(1);
		go_to_cpu(n);
		memset(map_region(NR / 8, false), 1, NR / 8 * page_size);
		_exit(0);
	}
	return wait_child(pid);
}

/*
 * A CPU goes offline just as it is to let go of what it has charged for a cgroup that has
 * been removed. When it is back, it does so for the next ones.
 */
VSWAP_TEST(vswap_memcg, cpu_off)
{
	const long dying = dying_cgroups();
	char path[sizeof(self->cgroup) + 16];
	pid_t spins[NR_SPINS], pid;

	if (cpu_missing(1))
		SKIP(return, "%s", cpu_missing(1));
	ASSERT_GE(dying, 0);
	snprintf(path, sizeof(path), "%s_cpu", self->cgroup);
	for (int i = 0; i < 15; i++) {
		ASSERT_EQ(charge_on_cpu(path, 1), 0);
		spin(spins, 1);
		pid = fork();
		if (!pid) {
			usleep(i % 4 * 500);
			_exit(switch_cpu(1, false) != 0);
		}
		usleep(i / 4 * 500);
		EXPECT_EQ(rmdir(path), 0);
		EXPECT_EQ(wait_child(pid), 0);
		spin_no_more(spins);
		ASSERT_EQ(switch_cpu(1, true), 0);
	}
	ASSERT_EQ(charge_on_cpu(path, 1), 0);
	EXPECT_EQ(rmdir(path), 0);
	for (int i = 0; i < 250 && dying_cgroups() > dying; i++)
		usleep(20000);
	EXPECT_LE(dying_cgroups(), dying);
}

TEST_HARNESS_MAIN
