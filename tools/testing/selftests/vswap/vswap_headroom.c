// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim sees the truth: {device} x {zswap} x {memory.swap.max} x
 * {memory.zswap.max} x {memory.zswap.writeback}, with both kinds of LRU lists, and with
 * limits of the cgroup itself and of its parent. In each cell, what reclaim does with
 * compressible anonymous pages agrees with what the documentation says can be done with
 * them: who can swap out is neither refused nor OOM-killed, and where nothing can be
 * swapped out nobody looks for it.
 *
 * A choice runs in which each pair of values occurs that can, and each value with each
 * way out; a quarter of it with each kind of lists and limits. VSWAP_ALL=1 has all of
 * it with all of them.
 */
#include "../kselftest_harness.h"
#include <poll.h>
#include "dm.h"
#include "knobs.h"

enum { NO_DEVICE, DEVICE_ROOM, DEVICE_FULL, NR_DEVICES };
enum { ZSWAP_ROOM, ZSWAP_SHUT, ZSWAP_FULL, ZSWAP_OFF, NR_ZSWAPS };
enum { LIMIT_ZERO, LIMIT_REACHED, LIMIT_MAX, NR_LIMITS };
enum { WRITEBACK, NO_WRITEBACK, NR_WRITEBACKS };
enum { OWN, PARENT };	/* whose limits they are */

/* The ways out, as bits */
#define TO_ZSWAP	1
#define TO_DEVICE	2

#define NR_AXES	5

static const int axis_len[NR_AXES] = {
	NR_DEVICES, NR_ZSWAPS, NR_LIMITS, NR_LIMITS, NR_WRITEBACKS,
};

static const char * const axis_text[NR_AXES][4] = {
	{ "no device", "device has room", "device is full" },
	{ "zswap has room", "max_pool_percent 0", "pool is full", "zswap off" },
	{ "swap.max 0", "swap.max reached", "swap.max max" },
	{ "zswap.max 0", "zswap.max reached", "zswap.max max" },
	{ "writeback", "no writeback" },
};

union cell {
	struct {
		int device, zswap, swap_max, zswap_max, writeback;
	};
	int axis[NR_AXES];
};

#define NR		512	/* pages that a cell fills, twice */
#define NR_PRIME	64	/* pages that have reached a limit before */
#define NR_FREED	40	/* of these */
#define NR_FULL		512	/* slots of the device that is full */
#define NR_ROOM		4096
#define CHUNK		256
#define ASKED		256	/* pages for memory.reclaim */
#define LEFT		64	/* pages below memory.max before NR more come */

/*
 * Without a way out no anonymous page is to be looked at, and there are no others in
 * the cgroup: not one page is scanned, be it for memory.reclaim or before the OOM
 * killer comes. That takes no longer than filling the pages took, but there are
 * 16 rounds of reclaim to find out, and a guest may be slow.
 */
#define MAX_SCANNED	0
#define PROMPT_MS(fill)	(1000 + 20 * (fill))
#define NR_ROUNDS	16
#define WAIT_MS		200	/* in each round, see may_wait() */

/* What is said to be able to go out in a cell, and where. */
static int ways_out(const union cell *cell)
{
	int ways = 0;

	/*
	 * Documentation/admin-guide/mm/vswap.rst: the pool and memory.zswap.max leave
	 * room. memory.swap.max is about devices only.
	 */
	if (cell->zswap == ZSWAP_ROOM && cell->zswap_max == LIMIT_MAX)
		ways |= TO_ZSWAP;
	/*
	 * A device has free slots, memory.swap.max leaves some of them, and
	 * memory.zswap.writeback allows it; by cgroup-v2.rst it has no effect if
	 * zswap is disabled. memory.zswap.max does not matter: what zswap can't have
	 * goes to the device.
	 */
	if (cell->device == DEVICE_ROOM && cell->swap_max == LIMIT_MAX &&
	    (cell->writeback == WRITEBACK || cell->zswap == ZSWAP_OFF))
		ways |= TO_DEVICE;
	return ways;
}

/*
 * Documentation/mm/vswap.rst: who may use zswap, but no device, waits for its worker
 * before the OOM killer comes, if zswap is full and can write back pages of others.
 */
static bool may_wait(const union cell *cell)
{
	return cell->device == DEVICE_ROOM && cell->zswap_max == LIMIT_MAX &&
	       (cell->zswap == ZSWAP_SHUT || cell->zswap == ZSWAP_FULL);
}

/* Why a cell can't occur or says nothing new, NULL if it has to run. */
static const char *pointless(const union cell *cell)
{
	if (cell->device == NO_DEVICE && cell->swap_max == LIMIT_REACHED)
		return "without a device nothing is charged to memory.swap";
	if (cell->zswap == ZSWAP_OFF && cell->zswap_max == LIMIT_REACHED)
		return "zswap takes nothing, whether its limit is 0, reached, or max";
	if (cell->zswap == ZSWAP_FULL && pool_bytes(1) > 256L << 20)
		return "too much memory to fill one percent of it";
	return NULL;
}

static const char *cell_text(const union cell *cell)
{
	static char text[256];
	int len = 0;

	for (int i = 0; i < NR_AXES; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s",
				i ? ", " : "", axis_text[i][cell->axis[i]]);
	return text;
}

/* A process that does what it is told by one letter, and answers with one. */
struct worker {
	pid_t pid;
	int go, done;
};

static bool worker_start(struct worker *w, const char *cgroup,
			 void (*run)(int go, int done))
{
	int go[2], done[2];

	w->pid = -1;
	if (pipe(go) || pipe(done))
		return false;
	w->pid = fork();
	if (!w->pid) {
		close(go[1]);
		close(done[0]);
		write_file("/proc/self/oom_score_adj", "1000");
		if (cgroup_write(cgroup, "cgroup.procs", "0"))
			_exit(1);
		run(go[0], done[1]);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	w->go = go[1];
	w->done = done[0];
	return w->pid > 0;
}

/* The answer, 0 if it has died, '?' if it takes longer than that. */
static char worker_ask(struct worker *w, char what, long ms)
{
	struct pollfd poll_done = { .fd = w->done, .events = POLLIN };
	char answer = 0;

	if (write(w->go, &what, 1) != 1)
		return 0;
	if (poll(&poll_done, 1, ms) <= 0)
		return '?';
	return read(w->done, &answer, 1) == 1 ? answer : 0;
}

/* How it ended, after SIGKILL if it has not ended yet. */
static int worker_end(struct worker *w)
{
	int status = 0;

	if (w->pid <= 0)
		return -1;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, &status, 0);
	close(w->go);
	close(w->done);
	w->pid = -1;
	return status;
}

static void answer(int done, bool good)
{
	if (write(done, good ? "y" : "n", 1) != 1)
		_exit(1);
}

/* The process of a cell. */
static void cell_work(int go, int done)
{
	char *prime[2] = {}, *p[2] = {}, what;
	bool good;

	signal(SIGPIPE, SIG_DFL);
	while (read(go, &what, 1) == 1) {
		int i = what == 'z' || what == '2';

		good = true;
		switch (what) {
		case 'd':	/* reach the limit of devices, */
		case 'z':	/* of zswap, */
			prime[i] = map_region(NR_PRIME, false);
			fill_region(prime[i], NR_PRIME, PATTERN_QUARTER, 10 + i);
			good = (i ? swap_out(prime[i], NR_PRIME) :
				    swap_out_past_zswap(prime[i], NR_PRIME)) == NR_PRIME;
			break;
		case 'f':	/* free most of what is in zswap */
			munmap(prime[1], NR_FREED * page_size);
			break;
		case '1':
		case '2':	/* ... of memory */
			p[i] = map_region(NR, false);
			fill_region(p[i], NR, PATTERN_QUARTER, 20 + i);
			break;
		case 's':
			/*
			 * Most of what was asked for has to be out; the rest may be
			 * what zswap has written back, and this process' own pages
			 */
			good = (p[0] ? count_swapped(p[0], NR) : 0) +
			       (p[1] ? count_swapped(p[1], NR) : 0) >= ASKED / 2;
			break;
		case 'c':	/* check what it has filled, or all */
		case 'a':
			for (i = 0; i < 2; i++) {
				if (p[i])
					good &= check_region(p[i], NR, PATTERN_QUARTER,
							     20 + i) == NR;
				if (what == 'a' && prime[i])
					good &= check_region(prime[i], NR_PRIME,
							     PATTERN_QUARTER,
							     10 + i) == NR_PRIME;
			}
			break;
		}
		answer(done, good);
	}
}

static struct disk full;	/* for the process that fills it */

/* Fill the device that is to be full, with 'f', and check that with 'c'. */
static void device_work(int go, int done)
{
	size_t nr = full.pages - disk_used(&full);
	char *p = map_region(nr, false), what;

	while (read(go, &what, 1) == 1) {
		if (what == 'f') {
			fill_region(p, nr, PATTERN_RANDOM, 30);
			answer(done, swap_out_past_zswap(p, nr) == nr);
		} else {
			answer(done, check_region(p, nr, PATTERN_RANDOM, 30) == nr);
		}
	}
}

/* Fill one percent of the memory with zswap's pool, with 'f'; 'c' checks. */
static void pool_work(int go, int done)
{
	static char *p[4096];
	bool good = true;
	char what;
	int n = 0;

	while (read(go, &what, 1) == 1) {
		if (what == 'f') {
			long want = pool_bytes(1) + pool_bytes(1) / 8;

			while (n < 4096 && good &&
			       read_num(ZSWAP_DEBUG "pool_total_size") < want) {
				p[n] = map_region(CHUNK, false);
				fill_region(p[n], CHUNK, PATTERN_QUARTER, 100 + n);
				good = swap_out(p[n++], CHUNK) == CHUNK;
			}
		} else {
			for (int i = 0; i < n; i++)
				good &= check_region(p[i], CHUNK, PATTERN_QUARTER,
						     100 + i) == CHUNK;
		}
		answer(done, good);
	}
}

struct headroom {
	char pool[128], device[128];	/* cgroups of others */
	char top[128], leaf[160];	/* of a cell */
	char lru[32];			/* as it was */
	int owner;
	long slots;
	struct disk room;
	struct disk below, going;	/* what is being switched off */
	pid_t off;
	struct worker pool_filler, device_filler, worker;
};

#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

FIXTURE(vswap_headroom) {
	struct headroom h;
};

FIXTURE_VARIANT(vswap_headroom) {
	const char *lru_gen;
	int owner;
	int turn;		/* of the cells that each variant has a share of */
};

FIXTURE_VARIANT_ADD(vswap_headroom, lru) {
	.lru_gen = "n",
	.owner = OWN,
	.turn = 0,
};

FIXTURE_VARIANT_ADD(vswap_headroom, lru_parent) {
	.lru_gen = "n",
	.owner = PARENT,
	.turn = 1,
};

FIXTURE_VARIANT_ADD(vswap_headroom, lru_gen) {
	.lru_gen = "y",
	.owner = OWN,
	.turn = 2,
};

FIXTURE_VARIANT_ADD(vswap_headroom, lru_gen_parent) {
	.lru_gen = "y",
	.owner = PARENT,
	.turn = 3,
};

static int make_cgroup(char *path, size_t size, const char *name)
{
	snprintf(path, size, CGROUP "/vswap_headroom_%s_%d", name, getpid());
	return mkdir(path, 0755) ? -errno : 0;
}

static void remove_cgroup(const char *path)
{
	for (int i = 0; i < 100 && rmdir(path) && errno == EBUSY; i++)
		usleep(20000);
}

/* All that a cell may have changed, but for what is in its cgroups. */
static void all_as_before(struct headroom *h)
{
	set_zswap("max_pool_percent", "20");
	past_zswap(false);
	swapoff(h->room.path);
	swapoff(full.path);
}

FIXTURE_SETUP(vswap_headroom)
{
	struct headroom *h = &self->h;
	const char *missing = vswap_missing();

	h->owner = variant->owner;
	h->room.fd = -1;
	h->below.fd = -1;
	h->going.fd = -1;
	full.fd = -1;
	/* An answer is missed if the other side is gone, that is enough */
	signal(SIGPIPE, SIG_IGN);
	if (!missing)
		missing = ram_setup(&h->room, 0, NR_ROOM);
	if (!missing)
		missing = ram_setup(&full, 1, NR_FULL);
	if (!missing && access(LRU_GEN, W_OK) && *variant->lru_gen == 'y')
		missing = "no MGLRU, see CONFIG_LRU_GEN";
	if (missing)
		SKIP(return, "%s", missing);
	if (read_file(LRU_GEN, h->lru, sizeof(h->lru)) > 0) {
		h->lru[strcspn(h->lru, "\n")] = 0;
		ASSERT_EQ(write_file(LRU_GEN, variant->lru_gen), 0);
	}
	all_as_before(h);
	h->slots = vswap_stat("slots_used");
	ASSERT_EQ(make_cgroup(h->device, sizeof(h->device), "device"), 0);
	/* Neither do cells make room there, nor is it taken from others */
	ASSERT_EQ(make_cgroup(h->pool, sizeof(h->pool), "pool"), 0);
	ASSERT_EQ(cgroup_write(h->pool, "memory.zswap.writeback", "0"), 0);
}

FIXTURE_TEARDOWN(vswap_headroom)
{
	struct headroom *h = &self->h;

	worker_end(&h->worker);
	worker_end(&h->device_filler);
	worker_end(&h->pool_filler);
	/* It may be suspended, and who switches it off waits for that */
	if (h->going.fd >= 0) {
		dm_table(&h->below, NULL);
		if (h->off > 0)
			waitpid(h->off, NULL, 0);
		swapoff(h->going.path);
		dm_remove(&h->going);
	}
	disk_remove(&h->below);
	all_as_before(h);
	disk_remove(&h->room);
	disk_remove(&full);
	remove_cgroup(h->leaf);
	remove_cgroup(h->top);
	remove_cgroup(h->device);
	remove_cgroup(h->pool);
	if (*h->lru)
		write_file(LRU_GEN, h->lru);
	EXPECT_EQ(vswap_validate_quiet(), 0);
}

/* Cgroups and devices of a cell, and what has reached a limit there. */
static void cell_prepare(struct __test_metadata *_metadata, struct headroom *h,
			 const union cell *cell)
{
	const char *whose = h->owner == OWN ? h->leaf : h->top;

	ASSERT_EQ(make_cgroup(h->top, sizeof(h->top), "cell"), 0);
	snprintf(h->leaf, sizeof(h->leaf), "%s/leaf", h->top);
	ASSERT_EQ(cgroup_write(h->top, "cgroup.subtree_control", "+memory"), 0);
	ASSERT_EQ(mkdir(h->leaf, 0755), 0);
	if (cell->device == DEVICE_ROOM)
		ASSERT_EQ(disk_on(&h->room, 10), 0);
	if (cell->device == DEVICE_FULL)
		ASSERT_EQ(disk_on(&full, 10), 0);

	ASSERT_TRUE(worker_start(&h->worker, h->leaf, cell_work));
	if (cell->swap_max == LIMIT_REACHED) {
		ASSERT_EQ(worker_ask(&h->worker, 'd', 60000), 'y');
		ASSERT_GE(cgroup_read(h->top, "memory.swap.current"),
			  NR_PRIME * page_size);
	}
	if (cell->zswap_max == LIMIT_REACHED) {
		/* With a limit, who swaps out brings the statistics up to date */
		ASSERT_EQ(cgroup_write(whose, "memory.zswap.max", "1G"), 0);
		ASSERT_EQ(worker_ask(&h->worker, 'z', 60000), 'y');
		ASSERT_GE(cgroup_read(whose, "memory.zswap.current"),
			  NR_PRIME * page_size / 8);
	}
	if (cell->device == DEVICE_FULL) {
		ASSERT_TRUE(worker_start(&h->device_filler, h->device, device_work));
		ASSERT_EQ(worker_ask(&h->device_filler, 'f', 60000), 'y');
		drop_swap_cache(h->device, NR_FULL);
		ASSERT_EQ(disk_used(&full), full.pages);
	}
}

static void limit(const char *cgroup, const char *file, const char *current, int how)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", how == LIMIT_ZERO ? 0 :
		 cgroup_read(cgroup, current) / (long)page_size * (long)page_size);
	cgroup_write(cgroup, file, how == LIMIT_MAX ? "max" : text);
}

/* From here on reclaim is to see what can be done. */
static void cell_limit(struct headroom *h, const union cell *cell)
{
	const char *whose = h->owner == OWN ? h->leaf : h->top;

	limit(whose, "memory.swap.max", "memory.swap.current", cell->swap_max);
	limit(whose, "memory.zswap.max", "memory.zswap.current", cell->zswap_max);
	cgroup_write(whose, "memory.zswap.writeback",
		     cell->writeback == WRITEBACK ? "1" : "0");
	if (cell->zswap == ZSWAP_SHUT)
		set_zswap("max_pool_percent", "0");
	else if (cell->zswap == ZSWAP_FULL)
		set_zswap("max_pool_percent", "1");
	else if (cell->zswap == ZSWAP_OFF)
		set_zswap("enabled", "0");
}

/* Anonymous pages scanned anywhere, by numbers that are not late. */
static long scanned_anywhere(void)
{
	write_file("/proc/sys/vm/stat_refresh", "1");
	return vm_events("pgscan_anon");
}

/*
 * Pages of the cgroup that were scanned, since scanned_anywhere() was @before. What a
 * cgroup says of itself is late by some pages and seconds, so it is asked only if
 * there are any, which may be those of others.
 */
static long scanned_since(struct headroom *h, long before)
{
	if (scanned_anywhere() == before)
		return 0;
	sleep(5);
	return cgroup_read_key(h->top, "memory.stat", "pgscan");
}

static long oom_kills(struct headroom *h)
{
	return cgroup_read_key(h->top, "memory.events", "oom_kill");
}

/* Ask for some pages; no way out is found out without looking at any. */
static void cell_reclaim(struct __test_metadata *_metadata, struct headroom *h,
			 const union cell *cell, long fill, const char *how)
{
	long before = scanned_anywhere(), start = now_ms(), took, nr;
	char text[64];
	int err;

	snprintf(text, sizeof(text), "%zu%s", ASKED * page_size, how);
	err = cgroup_write(h->top, "memory.reclaim", text);
	took = now_ms() - start;
	if (ways_out(cell)) {
		EXPECT_EQ(err, 0) {
			TH_LOG("%s: asked for %s, %ld scanned", cell_text(cell), text,
			       scanned_anywhere() - before);
		}
		EXPECT_EQ(worker_ask(&h->worker, 's', 60000), 'y') {
			TH_LOG("%s: not swapped out", cell_text(cell));
		}
	} else {
		EXPECT_EQ(err, -EAGAIN) {
			TH_LOG("%s: asked for %s", cell_text(cell), text);
		}
		nr = scanned_since(h, before);
		EXPECT_LE(nr, MAX_SCANNED) {
			TH_LOG("%s: asked for %s", cell_text(cell), text);
		}
		EXPECT_LE(took, PROMPT_MS(fill)) {
			TH_LOG("%s: asked for %s", cell_text(cell), text);
		}
	}
	EXPECT_EQ(worker_ask(&h->worker, 'c', 60000), 'y') {
		TH_LOG("%s: wrong data", cell_text(cell));
	}
	/* Folios stay locked on a device that stands still */
	EXPECT_EQ(h->off ? vswap_validate() : vswap_validate_quiet(), 0) {
		TH_LOG("%s", cell_text(cell));
	}
}

/* Let there be more than memory.max: all is right, or it is killed at once. */
static void cell_overflow(struct __test_metadata *_metadata, struct headroom *h,
			  const union cell *cell, long fill)
{
	const char *whose = h->owner == OWN ? h->leaf : h->top;
	long start, took, nr, before = scanned_anywhere();
	long prompt = PROMPT_MS(fill) + (may_wait(cell) ? NR_ROUNDS * WAIT_MS : 0);
	char text[32], result;
	int status;

	snprintf(text, sizeof(text), "%ld",
		 cgroup_read(whose, "memory.current") + LEFT * (long)page_size);
	ASSERT_EQ(cgroup_write(whose, "memory.max", text), 0);
	start = now_ms();
	if (ways_out(cell)) {
		EXPECT_EQ(worker_ask(&h->worker, '2', 60000), 'y') {
			TH_LOG("%s: not filled", cell_text(cell));
		}
		EXPECT_EQ(worker_ask(&h->worker, 's', 60000), 'y') {
			TH_LOG("%s: not swapped out", cell_text(cell));
		}
		EXPECT_EQ(worker_ask(&h->worker, 'a', 60000), 'y') {
			TH_LOG("%s: wrong data", cell_text(cell));
		}
		EXPECT_EQ(oom_kills(h), 0) {
			TH_LOG("%s", cell_text(cell));
		}
		worker_end(&h->worker);
		return;
	}

	result = worker_ask(&h->worker, '2', 2 * prompt);
	took = now_ms() - start;
	EXPECT_EQ(result, 0) {
		TH_LOG("%s: lives after %ld ms, %ld scanned", cell_text(cell), took,
		       scanned_anywhere() - before);
	}
	EXPECT_LE(took, prompt) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(oom_kills(h), 1) {
		TH_LOG("%s", cell_text(cell));
	}
	nr = scanned_since(h, before);
	EXPECT_LE(nr, MAX_SCANNED) {
		TH_LOG("%s: killed after %ld ms", cell_text(cell), took);
	}
	status = worker_end(&h->worker);
	EXPECT_TRUE(WIFSIGNALED(status));
}

static void cell_run(struct __test_metadata *_metadata, struct headroom *h,
		     const union cell *cell)
{
	long kills = vm_events("oom_kill"), slots = vswap_stat("slots_used"), fill;

	cell_prepare(_metadata, h, cell);
	fill = now_ms();
	ASSERT_EQ(worker_ask(&h->worker, '1', 60000), 'y');
	fill = now_ms() - fill;
	cell_limit(h, cell);

	cell_reclaim(_metadata, h, cell, fill, " swappiness=max");
	if (!ways_out(cell))
		cell_reclaim(_metadata, h, cell, fill, "");
	cell_overflow(_metadata, h, cell, fill);

	/* Nobody else has paid for it */
	EXPECT_EQ(vm_events("oom_kill") - kills, oom_kills(h));
	if (cell->device == DEVICE_FULL) {
		EXPECT_EQ(worker_ask(&h->device_filler, 'c', 60000), 'y');
		worker_end(&h->device_filler);
	}
	all_as_before(h);
	remove_cgroup(h->leaf);
	remove_cgroup(h->top);
	EXPECT_LE(wait_slots(slots), slots) {
		TH_LOG("%s", cell_text(cell));
	}
	EXPECT_EQ(vswap_stat("lost"), 0);
}

static void cell_from(union cell *cell, int n)
{
	for (int i = 0; i < NR_AXES; i++) {
		cell->axis[i] = n % axis_len[i];
		n /= axis_len[i];
	}
}

/*
 * How many pairs of values does a cell have that none before it had? What it has to
 * end in counts as a value, too.
 */
static int new_pairs(const union cell *cell,
		     bool seen[NR_AXES + 1][NR_AXES][4][4], bool note)
{
	int nr = 0;

	for (int i = 0; i <= NR_AXES; i++) {
		int value = i < NR_AXES ? cell->axis[i] : ways_out(cell);

		for (int j = 0; j < i && j < NR_AXES; j++) {
			bool *pair = &seen[i][j][value][cell->axis[j]];

			nr += !*pair;
			*pair |= note;
		}
	}
	return nr;
}

/* Has this reason been given before? */
static bool why_seen(const char *why)
{
	static const char *seen[8];
	int i;

	for (i = 0; seen[i]; i++) {
		if (seen[i] == why)
			return true;
	}
	seen[i] = why;
	return false;
}

/* All of the cells take minutes on a debug kernel that is alone, and it may not be */
TEST_F_TIMEOUT(vswap_headroom, cells, 2400)
{
	static bool seen[NR_AXES + 1][NR_AXES][4][4];
	struct headroom *h = &self->h;
	int nr = 1, run = 0, left_out = 0, turn = 0;
	static bool done[4096];
	union cell cell;

	ASSERT_TRUE(worker_start(&h->pool_filler, h->pool, pool_work));
	if (pool_bytes(1) <= 256L << 20)
		ASSERT_EQ(worker_ask(&h->pool_filler, 'f', 300000), 'y');

	for (int i = 0; i < NR_AXES; i++)
		nr *= axis_len[i];
	for (int n = 0; n < nr; n++) {
		const char *why;

		cell_from(&cell, n);
		why = pointless(&cell);
		if (!why)
			continue;
		done[n] = true;
		left_out++;
		if (run_all() || !why_seen(why))
			TH_LOG("left out%s: %s: %s", run_all() ? "" : ", as others are",
			       cell_text(&cell), why);
	}
	for (;;) {
		int best = -1, most = 0;

		/* The next one, or the one with most that is new */
		for (int n = 0; n < nr && !(run_all() && best >= 0); n++) {
			int pairs;

			cell_from(&cell, n);
			pairs = done[n] ? 0 : run_all() ? 1 : new_pairs(&cell, seen, false);
			if (pairs > most) {
				most = pairs;
				best = n;
			}
		}
		if (best < 0)
			break;
		cell_from(&cell, best);
		new_pairs(&cell, seen, true);
		done[best] = true;
		if (run_all() || turn++ % 4 == variant->turn) {
			cell_run(_metadata, h, &cell);
			run++;
		}
	}
	TH_LOG("%d cells, %d run, %d left out", nr, run, left_out);
	EXPECT_GT(run, 0);

	/* All of what others have is still there */
	EXPECT_EQ(worker_ask(&h->pool_filler, 'c', 300000), 'y');
	worker_end(&h->pool_filler);
	EXPECT_LE(wait_slots(h->slots), h->slots);
}

/*
 * The number of free slots as reclaim knows it while @going is being switched off:
 * /proc/meminfo counts what is in use there as free.
 */
static long free_slots(struct disk *going)
{
	return read_key("/proc/meminfo", "SwapFree:") * 1024 / (long)page_size -
	       disk_used(going);
}

/*
 * While a device is being switched off, its slots in use are missing from the number
 * of free ones, which may be negative then for long. Other devices have some
 * nevertheless, and who has to go there must not be OOM-killed meanwhile. The device
 * takes its time here because nothing can be read from it.
 */
VSWAP_TEST(vswap_headroom, device_going)
{
	const union cell cell = { .device = DEVICE_ROOM, .zswap = ZSWAP_OFF,
				  .swap_max = LIMIT_MAX, .zswap_max = LIMIT_MAX };
	const size_t nr = NR_ROOM + 2 * CHUNK;	/* more than is free elsewhere */
	struct headroom *h = &self->h;
	struct disk *going = &h->going;
	const char *missing = disk_setup(&h->below, 2, nr) ?: dm_setup(going, &h->below);
	long reads, written;
	char *p;
	int status;

	if (missing)
		SKIP(return, "%s", missing);
	p = map_region(nr, false);
	ASSERT_EQ(cgroup_write(h->device, "cgroup.procs", "0"), 0);
	ASSERT_EQ(disk_on(going, 20), 0);
	fill_region(p, nr, PATTERN_QUARTER, 40);
	ASSERT_EQ(swap_out_past_zswap(p, nr), nr);
	drop_swap_cache(h->device, nr);
	ASSERT_EQ(cgroup_write(CGROUP, "cgroup.procs", "0"), 0);
	cell_prepare(_metadata, h, &cell);
	ASSERT_GE(disk_used(going), NR_ROOM + CHUNK);
	reads = vm_events("nrswpin");

	ASSERT_EQ(dm_hold(true), 0);
	h->off = fork();
	if (!h->off)
		_exit(disk_off(going) ? 1 : 0);
	/* What it reads first, it reads when it has taken the device out of use */
	for (int i = 0; i < 6000 && vm_events("nrswpin") == reads; i++)
		usleep(10000);
	ASSERT_GT(vm_events("nrswpin"), reads);
	ASSERT_LT(free_slots(going), 0);

	ASSERT_EQ(worker_ask(&h->worker, '1', 60000), 'y');
	cell_limit(h, &cell);
	written = vm_events("pswpout");
	cell_reclaim(_metadata, h, &cell, 0, "");
	EXPECT_GE(vm_events("pswpout"), written + ASKED / 2);
	cell_overflow(_metadata, h, &cell, 0);
	/* It was not over before */
	EXPECT_EQ(waitpid(h->off, &status, WNOHANG), 0);
	EXPECT_LT(free_slots(going), 0);

	ASSERT_EQ(dm_hold(false), 0);
	ASSERT_EQ(waitpid(h->off, &status, 0), h->off);
	h->off = 0;
	EXPECT_EQ(status, 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 40), nr);
	munmap(p, nr * page_size);
	all_as_before(h);
	EXPECT_LE(wait_slots(h->slots), h->slots);
}

/*
 * Room that has come back below memory.zswap.max is known at once: it is not the
 * statistics, which may be late, that the limit is about.
 */
VSWAP_TEST(vswap_headroom, zswap_max_freed)
{
	const union cell cell = { .device = NO_DEVICE, .zswap = ZSWAP_ROOM,
				  .swap_max = LIMIT_MAX, .zswap_max = LIMIT_REACHED };
	struct headroom *h = &self->h;
	char text[64];
	int err;
	long before;

	cell_prepare(_metadata, h, &cell);
	ASSERT_EQ(worker_ask(&h->worker, '1', 60000), 'y');
	cell_limit(h, &cell);
	snprintf(text, sizeof(text), "%zu swappiness=max", 4 * page_size);
	EXPECT_EQ(cgroup_write(h->top, "memory.reclaim", text), -EAGAIN);

	before = scanned_anywhere();
	/* Nobody reads statistics after this, which would bring them up to date */
	ASSERT_EQ(worker_ask(&h->worker, 'f', 60000), 'y');
	err = cgroup_write(h->top, "memory.reclaim", text);
	EXPECT_EQ(err, 0) {
		TH_LOG("%ld scanned", scanned_anywhere() - before);
	}
	/* It is known later, so it is there */
	for (int i = 0; i < 100 && err; i++) {
		usleep(100000);
		err = cgroup_write(h->top, "memory.reclaim", text);
	}
	EXPECT_EQ(err, 0);
	EXPECT_EQ(worker_ask(&h->worker, 'c', 60000), 'y');
	worker_end(&h->worker);
}

/*
 * As long as memory.zswap.max leaves room for some pages these can go, however few
 * they are: here for fewer than MGLRU goes to reclaim for, if none could be compressed.
 */
VSWAP_TEST(vswap_headroom, zswap_max_small)
{
	const union cell cell = { .device = NO_DEVICE, .zswap = ZSWAP_ROOM,
				  .swap_max = LIMIT_MAX, .zswap_max = LIMIT_MAX };
	const long max = 60 * page_size, out = 100;
	struct headroom *h = &self->h;
	const char *whose = h->owner == OWN ? h->leaf : h->top;
	char text[32];

	cell_prepare(_metadata, h, &cell);
	ASSERT_EQ(worker_ask(&h->worker, '1', 60000), 'y');
	snprintf(text, sizeof(text), "%ld", max);
	ASSERT_EQ(cgroup_write(whose, "memory.zswap.max", text), 0);
	/* What CPUs have been charged for in advance is no help: have it drained */
	snprintf(text, sizeof(text), "%ld", cgroup_read(whose, "memory.current") -
		 (long)page_size);
	ASSERT_EQ(cgroup_write(whose, "memory.max", text), 0);
	/* A quarter of each page stays, with what zswap needs beside */
	snprintf(text, sizeof(text), "%ld", cgroup_read(whose, "memory.current") -
		 out * (long)page_size);
	ASSERT_EQ(cgroup_write(whose, "memory.max", text), 0);
	EXPECT_EQ(oom_kills(h), 0);
	EXPECT_LE(cgroup_read(whose, "memory.current"), atol(text));
	EXPECT_GT(cgroup_read(whose, "memory.zswap.current"), 0);
	EXPECT_EQ(worker_ask(&h->worker, 'c', 60000), 'y');
	worker_end(&h->worker);
}

TEST_HARNESS_MAIN
