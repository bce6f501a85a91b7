/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Torture of virtual swap space: what its processes share.
 *
 * torture.c		starts everything, watches it, judges the end
 * torture_work.c	a worker: random operations, one after the other
 * torture_region.c	memory whose every byte is known
 * torture_ops.c	the operations on such memory
 * torture_uffd.c	those of userfaultfd
 * torture_disk.c	devices come and go, errors come and pass
 * torture_chaos.c	what else changes: knobs, cgroups, CPUs, memory
 * torture_left.c	what is left when everybody has gone
 */
#ifndef _VSWAP_TORTURE_H
#define _VSWAP_TORTURE_H

#include "vswap_util.h"

#define MAX_WORKERS	32
#define MAX_CHAOS	16
#define NR_REGIONS	7

/* Times that a device is spared because nobody uses it, and then fails all the same */
#define MOST_TRIES	4
#define TORTURE_CGROUP	CGROUP "/torture"
#define TORTURE_TMPFS	"/tmp/torture"

enum counter {
	COUNT_OPS,		/* operations of workers */
	COUNT_VERIFIED,		/* pages verified */
	COUNT_UNREADABLE,	/* pages that could not be read, legally */
	COUNT_LOST,		/* of these: for good, with a device */
	COUNT_FORKS,
	COUNT_MOVED,		/* pages moved with UFFDIO_MOVE */
	COUNT_OOM,		/* processes of workers killed for lack of memory */
	COUNT_CGROUPS,
	COUNT_SWAPON,
	COUNT_SWAPOFF,
	COUNT_SWAPOFF_FAILED,	/* interrupted, or no memory */
	COUNT_TRIES,		/* times that a device was to fail if somebody uses it */
	COUNT_ERRORS,		/* times that a device began to fail */
	COUNT_KNOBS,
	COUNT_CPUS,		/* CPUs switched off */
	COUNT_POISONED,
	COUNT_ROUNDS,		/* times that everything stood still to be validated */
	COUNT_QUIET,		/* of these: the kernel stood still, too */
	NR_COUNTERS
};

/* A worker, or somebody who causes chaos, as seen by the others. */
struct actor {
	pid_t pid;
	pid_t helper;			/* a child that may be what hangs */
	bool parked;
	unsigned long steps;		/* grows as long as it makes progress */
	char what[32];			/* it is doing */
	char cgroup[64];
	struct {
		unsigned long addr, size;
	} area[NR_REGIONS];		/* its memory, for process_madvise() */
};

/* In locked memory that all processes share. */
struct torture {
	unsigned long seed;
	size_t worker_pages;		/* memory of each worker */
	int nr_workers, nr_chaos;
	int calm;			/* no more chaos */
	int stop;			/* workers verify everything and end */
	int pause;			/* everybody stands still */
	time_t lifted;			/* when limits were lifted */
	int failed;
	/*
	 * Odd while reads of a device fail. A page may be unreadable only if this
	 * has changed since it was written, or is odd.
	 */
	unsigned int epoch;
	/* A page may be lost for good only if this has changed since, or may do so. */
	unsigned int losses;
	int losing;
	unsigned long count[NR_COUNTERS];
	struct actor worker[MAX_WORKERS];
	struct actor chaos[MAX_CHAOS];
};

extern struct torture *torture;
extern struct actor *self;		/* of this process */

/* What is left out on request. */
enum torture_part {
	PART_DEVICES = 1 << 0, PART_ERRORS = 1 << 1, PART_CGROUPS = 1 << 2,
	PART_KNOBS = 1 << 3, PART_CPUS = 1 << 4, PART_MEMORY = 1 << 5,
	PART_POISON = 1 << 6, PART_ALLOC = 1 << 7,
};

extern unsigned int parts;

static inline void __attribute__((constructor)) torture_page_size(void)
{
	page_size = sysconf(_SC_PAGESIZE);
}

static inline void count(enum counter what, unsigned long nr)
{
	__atomic_fetch_add(&torture->count[what], nr, __ATOMIC_RELAXED);
}

static inline unsigned int epoch_now(void)
{
	return __atomic_load_n(&torture->epoch, __ATOMIC_SEQ_CST);
}

/* Choices: the same for the same seed, process and turn of it. */
void choose_seed(unsigned long process, unsigned long turn);
unsigned long choose(unsigned long below);

static inline bool one_in(unsigned long n)
{
	return !choose(n);
}

#define pick(array)	((array)[choose(sizeof(array) / sizeof((array)[0]))])

/* A line of the report, and a failure, which ends the run. */
void say(const char *format, ...);
void complain(const char *format, ...);

/* Show what this process does, and that it gets on. */
void step(const char *what);
/* Get on, with the same; once a page, as the machine may be slow. */
static inline void progress(void)
{
	__atomic_fetch_add(&self->steps, 1, __ATOMIC_RELAXED);
}

/* Stand still for as long as all have to. */
void park(void);
/* Chaos: nothing for so long, then do that; false if it has to end. */
bool doze(unsigned long ms, const char *what);
/* Run something in a child, which may be killed or hang: its exit status or -1. */
int in_child_process(int (*run)(void *arg), void *arg);

/* torture_work.c */
void work(int nr, unsigned long turn);

/*
 * torture_left.c: are more slots in use than @expected and those of processes that are
 * left? Has @nr_pages reclaimed.
 */
bool slots_left(long expected, size_t nr_pages);
/* Removed cgroups that the kernel still has; are there more than @expected? */
bool cgroups_left(long expected);
/* Does a task, of the kernel's too, wait for what does not come? */
bool anybody_stuck(void);

/* torture_chaos.c: the workers' cgroups, and the limits that it has set for them */
void each_cgroup(void (*visit)(const char *path));
void lift_limits(void);

/* torture_disk.c, torture_chaos.c: a process each, and whether it applies here */
struct chaos {
	const char *name;
	unsigned int part;
	const char *(*setup)(void);	/* in the parent; NULL or why not */
	void (*run)(void);		/* until it has to stop */
	void (*end)(void);		/* in the parent */
};

extern const struct chaos disk_chaos[], other_chaos[];
int disks_off(void);
void remove_disks(void);
void restore_knobs(void);
const char *alloc_setup(void);
void alloc_fail(bool on);
long allocs_failed(int kind);

#endif
