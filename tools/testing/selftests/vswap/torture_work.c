// SPDX-License-Identifier: GPL-2.0
/*
 * Torture: a worker. Exit status 0 if it came to its end, 1 if it has complained.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include "torture_region.h"

#define MAX_CHILDREN	4
#define MAX_GROUPS	8

static int nr_worker;
static unsigned long groups_made;
static struct { char path[64]; } old_groups[MAX_GROUPS];
static int nr_old;
static pid_t children[MAX_CHILDREN];

/* Is this address in a region, whose pages may come and go? */
static bool in_region(unsigned long start, unsigned long end)
{
	for (int i = 0; i < NR_REGIONS; i++) {
		unsigned long p = (unsigned long)regions[i].p;

		if (p && start < p + regions[i].nr * page_size && p < end)
			return true;
	}
	return false;
}

/*
 * Everything else must not be lost when a device fails. Is all of it locked? A child has
 * it in memory, as its parent does, and need not copy what it does not write.
 */
static bool lock_self(void)
{
	static char maps[65536];
	char *line, *save = NULL;
	bool locked = true;

	read_file("/proc/self/maps", maps, sizeof(maps));
	for (line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;
		char access[8];

		if (sscanf(line, "%lx-%lx %7s", &start, &end, access) == 3 &&
		    access[0] == 'r' && !strstr(line, "[v") && !in_region(start, end) &&
		    mlock2((void *)start, end - start, in_child ? MLOCK_ONFAULT : 0))
			locked = false;
	}
	if (locked)
		bus_locked();
	return locked;
}

/* A new cgroup to live in; what is swapped out stays with the old one. */
static void enter_cgroup(void)
{
	char path[64];

	if (nr_old == MAX_GROUPS && rmdir(old_groups[choose(MAX_GROUPS)].path) == 0)
		nr_old = 0;
	if (nr_old == MAX_GROUPS)
		return;
	snprintf(path, sizeof(path), TORTURE_CGROUP "/%d_%d_%lu", nr_worker, getpid(),
		 groups_made++);
	if (mkdir(path, 0755) || cgroup_write(path, "cgroup.procs", "0")) {
		rmdir(path);
		return;
	}
	count(COUNT_CGROUPS, 1);
	if (self->cgroup[0] && rmdir(self->cgroup) && errno == EBUSY)
		memcpy(old_groups[nr_old++].path, self->cgroup, sizeof(self->cgroup));
	memcpy(self->cgroup, path, sizeof(self->cgroup));
	for (int i = nr_old; i--;) {
		if (!rmdir(old_groups[i].path) || errno == ENOENT)
			old_groups[i] = old_groups[--nr_old];
	}
}

/* How did a child end? */
static void judge_child(pid_t pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		count(COUNT_OOM, 1);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS && torture->epoch)
		count(COUNT_UNREADABLE, 1);	/* own memory, before it was locked */
	else if (status && !torture->failed)
		complain("child %d of worker %d: status %x", pid, nr_worker, status);
}

static void reap(bool all)
{
	int status;

	for (int i = 0; i < MAX_CHILDREN; i++) {
		if (children[i] && waitpid(children[i], &status, all ? 0 : WNOHANG) > 0) {
			judge_child(children[i], status);
			children[i] = 0;
		}
	}
}

static void any_range(struct region *r, size_t *i, size_t *nr)
{
	static const size_t most[] = { 1, 1, 1, 8, 8, 8, 8, 32, 32, 32, 32, 32, 128, 128, 512,
				       1024 };
	size_t max = pick(most);

	*nr = 1 + choose(max < r->nr ? max : r->nr);
	*i = choose(r->nr - *nr + 1);
	if (*nr >= 512 || one_in(4)) {
		/* As huge pages lie */
		*i &= ~511UL;
	}
}

/*
 * Memory that is locked is not locked in a child. Until it is again, SIGBUS for it ends
 * the child: a handler would need the stack, which may be what is lost.
 */
static pid_t fork_child(void)
{
	unsigned long turn = choose(1UL << 40);
	pid_t pid;

	bus_handle(false);
	pid = fork();
	if (pid) {
		bus_handle(true);
		return pid;
	}
	in_child = true;
	choose_seed(1000 + nr_worker, turn);
	alloc_fail(false);
	if (!lock_self())
		_exit(0);
	bus_handle(true);
	return 0;
}

void run_child(void (*run)(void))
{
	pid_t pid = fork_child();
	int status;

	if (!pid)
		run();
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		judge_child(pid, status);
}

/*
 * A child: what it has from its parent stays as it was, and what it does with it
 * concerns nobody else. With @shared the parent waits and does not write.
 */
static void child(bool shared)
{
	for (int n = 1 + choose(12); n--;) {
		struct region *r = &regions[choose(NR_REGIONS)];
		size_t i, nr;

		if (!is_private(r) && !shared)
			continue;
		any_range(r, &i, &nr);
		if (one_in(3))
			madvise(page_at(r, i), nr * page_size, MADV_PAGEOUT);
		if (!region_verify(r, i, nr))
			_exit(1);
		if (is_private(r) && one_in(2)) {
			region_write(r, i, nr);
			madvise(page_at(r, i), nr * page_size, MADV_PAGEOUT);
			if (one_in(2) && !region_verify(r, i, nr))
				_exit(1);
		}
	}
	/* Out goes what is still swapped out */
	_exit(0);
}

static void fork_children(void)
{
	bool shared = one_in(3);
	int nr = shared ? MAX_CHILDREN : 1;

	if (shared)
		reap(true);
	for (int i = 0; i < MAX_CHILDREN && nr; i++) {
		if (children[i])
			continue;
		children[i] = fork_child();
		if (!children[i])
			child(shared);
		if (children[i] < 0)
			children[i] = 0;
		else
			count(COUNT_FORKS, 1);
		nr--;
	}
	if (shared)
		reap(true);
}

/* An operation, by weight, and a region, of those that it applies to. */
static const struct op *choose_op(struct region **r)
{
	struct region *fit[NR_REGIONS];
	static unsigned int sum;
	const struct op *op;
	unsigned int n;
	int nr = 0;

	if (!sum) {
		for (op = ops; op->name; op++)
			sum += op->weight;
	}
	while (!nr) {
		n = choose(sum);
		for (op = ops; n >= op->weight; op++)
			n -= op->weight;
		for (int i = 0; i < NR_REGIONS; i++) {
			if (op->kinds >> regions[i].kind & 1)
				fit[nr++] = &regions[i];
		}
	}
	*r = fit[choose(nr)];
	return op;
}

static void one_step(void)
{
	bool failing = (parts & PART_ALLOC) && one_in(8);
	struct region *r;
	const struct op *op = choose_op(&r);
	size_t i, nr;

	any_range(r, &i, &nr);
	step(op->name);
	if (failing)
		alloc_fail(true);
	op->run(r, i, nr);
	if (failing)
		alloc_fail(false);
	count(COUNT_OPS, 1);
}

static void setup(void)
{
	enum region_kind kinds[] = { KIND_SMALL, KIND_HUGE, KIND_UFFD, KIND_SHARED, KIND_MEMFD,
				     KIND_TMPFS, KIND_KSM };
	size_t nr = torture->worker_pages / NR_REGIONS;

	write_file("/proc/self/oom_score_adj", "500");
	bus_handle(true);
	enter_cgroup();
	for (int i = 0; i < NR_REGIONS; i++) {
		/* Sizes differ, their sum does not much */
		size_t mine = nr / 2 + choose(nr);

		/* One huge page at least where they are likely */
		if (kinds[i] == KIND_HUGE && mine < 512)
			mine = 512;
		for (int n = 0; !region_create(&regions[i], kinds[i], mine); n++) {
			if (n == 100) {
				complain("no memory of kind %d: %s", kinds[i],
					 strerror(errno));
				_exit(1);
			}
			usleep(10000);
		}
	}
	lock_self();
	/* There has to be something to swap out, however short the run */
	step("fill");
	for (int i = 0; i < NR_REGIONS; i++) {
		size_t some = regions[i].nr / 4;

		region_write(&regions[i], choose(regions[i].nr - some + 1), some);
	}
}

void work(int nr, unsigned long turn)
{
	bool drop;

	nr_worker = nr;
	self = &torture->worker[nr];
	self->cgroup[0] = 0;
	choose_seed(nr, turn);
	step("start");
	setup();
	while (!torture->stop && !torture->failed) {
		if (torture->pause) {
			step("children");
			reap(true);
			park();
		}
		one_step();
		reap(false);
		if (one_in(24)) {
			step("fork");
			fork_children();
		}
		if ((parts & PART_CGROUPS) && one_in(64)) {
			step("cgroup");
			enter_cgroup();
		}
		/* Exit with everything out, another one takes the place */
		if (one_in(600))
			break;
	}
	step("children");
	reap(true);
	step("last look");
	/* To exit with everything, or to have out of the way what has been looked at */
	drop = one_in(2);
	for (int i = 0; i < NR_REGIONS && !torture->failed; i++) {
		if (regions[i].kind == KIND_UFFD)
			uffd_end(&regions[i]);
		if (torture->stop ? !region_verify_last(&regions[i]) :
				    !region_verify(&regions[i], 0, regions[i].nr))
			_exit(1);
		if (drop)
			region_destroy(&regions[i]);
		step("last look");
	}
	_exit(0);
}
