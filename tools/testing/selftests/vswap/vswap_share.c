// SPDX-License-Identifier: GPL-2.0
/* Virtual slots that several processes hold, or that change hands. */
#include <sys/uio.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "vswap_util.h"

#define NR	512

VSWAP_FIXTURE(vswap_share);

static int reap(int nr)
{
	int status, bad = 0;

	while (nr--) {
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			bad++;
	}
	return bad;
}

/* More sharers than the swap table can count: the extend table has the rest. */
VSWAP_TEST(vswap_share, many_sharers)
{
	char *p = map_region(NR, false);
	int pipefd[2], nr = 40;
	char c;

	fill_region(p, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(pipe(pipefd), 0);
	for (int i = 0; i < nr; i++) {
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (!pid) {
			close(pipefd[1]);
			if (read(pipefd[0], &c, 1))
				_exit(2);
			/* Some look at everything, some just go */
			_exit(i % 2 && check_region(p, NR, PATTERN_MIXED, 1) != NR);
		}
	}
	EXPECT_EQ(count_swapped(p, NR), NR);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	close(pipefd[1]);
	EXPECT_EQ(reap(nr), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A write in one process does not show in the other, swapped out or not. */
VSWAP_TEST(vswap_share, copy_on_write)
{
	char *p = map_region(NR, false);
	pid_t pid;

	fill_region(p, NR, PATTERN_MIXED, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		fill_region(p, NR / 2, PATTERN_MIXED, 3);
		if (swap_out(p, NR) < NR / 2)
			_exit(1);
		if (check_region(p, NR / 2, PATTERN_MIXED, 3) != NR / 2)
			_exit(2);
		for (int i = NR / 2; i < NR; i++)
			if (!pattern_check(p + i * page_size, page_size,
					   PATTERN_MIXED, 2, i))
				_exit(3);
		_exit(0);
	}
	fill_region(p + NR / 2 * page_size, NR / 2, PATTERN_QUARTER, 4);
	EXPECT_EQ(reap(1), 0);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 2), NR / 2);
	EXPECT_EQ(check_region(p + NR / 2 * page_size, NR / 2, PATTERN_QUARTER, 4),
		  NR / 2);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Forks, writes, reads, unmaps and deaths at the same time. */
VSWAP_TEST(vswap_share, storm)
{
	char *p = map_region(NR, false);
	long out = cgroup_read_key(self->cgroup, "memory.stat", "zswpout");
	int nr = 12;

	fill_region(p, NR, PATTERN_MIXED, 5);
	for (int round = 0; round < debug_few(4, 2); round++) {
		for (int i = 0; i < nr; i++) {
			pid_t pid = fork();

			ASSERT_GE(pid, 0);
			if (pid)
				continue;
			madvise(p, NR * page_size, MADV_PAGEOUT);
			if (i % 4 == 1)
				munmap(p + NR / 4 * page_size, NR / 2 * page_size);
			if (i % 4 == 2) {
				fill_region(p, NR, PATTERN_MIXED, 100 + i);
				madvise(p, NR * page_size, MADV_PAGEOUT);
				_exit(check_region(p, NR, PATTERN_MIXED, 100 + i) != NR);
			}
			_exit(check_region(p, NR / 4, PATTERN_MIXED, 5) != NR / 4);
		}
		madvise(p, NR * page_size, MADV_PAGEOUT);
		EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 5), NR);
		EXPECT_EQ(vswap_validate(), 0);
		EXPECT_EQ(reap(nr), 0);
	}
	/* Those that have pages of their own, if nobody else, swap out more than a few */
	EXPECT_GE(cgroup_read_key(self->cgroup, "memory.stat", "zswpout"), out + NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A killed process gives its slots back. */
VSWAP_TEST(vswap_share, killed)
{
	int pipefd[2], status;
	pid_t pid;
	char c;

	ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *p = map_region(NR, false);

		fill_region(p, NR, PATTERN_MIXED, 6);
		c = swap_out(p, NR) == NR;
		if (write(pipefd[1], &c, 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(read(pipefd[0], &c, 1), 1);
	EXPECT_EQ(c, 1);
	EXPECT_GE(vswap_stat("slots_used"), self->slots + NR);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Another process reads swapped out pages. */
VSWAP_TEST(vswap_share, read_remote)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);
	struct iovec local = { q, NR * page_size }, remote = { p, NR * page_size };
	pid_t pid, parent = getpid();

	fill_region(p, NR, PATTERN_MIXED, 7);
	ASSERT_EQ(swap_out(p, NR), NR);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* The parent's pages are looked at, not the ones shared here */
		munmap(p, NR * page_size);
		if (process_vm_readv(parent, &local, 1, &remote, 1, 0) !=
		    (ssize_t)(NR * page_size))
			_exit(1);
		_exit(check_region(q, NR, PATTERN_MIXED, 7) != NR);
	}
	EXPECT_EQ(reap(1), 0);
	munmap(p, NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
