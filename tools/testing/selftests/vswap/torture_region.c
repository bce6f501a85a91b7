// SPDX-License-Identifier: GPL-2.0
/* Torture: memory whose every byte is known. */
#define _GNU_SOURCE
#include <setjmp.h>
#include "torture_region.h"

struct region regions[NR_REGIONS];
bool in_child;

/* KSM merges pages of all processes: so few different ones per generation. */
#define KSM_PAGES	16
#define KSM_GENS	4

/* Reads of a page, with reclaim in between, before it has to be lost for good. */
#define MAX_READS	20

static sigjmp_buf bus;
static bool bus_armed, own_locked;
static void *bad_page;

/* The handler sees it in the order in which memory is accessed. */
static void arm(bool on)
{
	__atomic_store_n(&bus_armed, on, __ATOMIC_SEQ_CST);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void on_bus(int sig, siginfo_t *info, void *context)
{
	if (__atomic_load_n(&bus_armed, __ATOMIC_SEQ_CST))
		siglongjmp(bus, 1);
	if (info->si_addr == bad_page)
		return;
	/* Own memory, not that of a region */
	if (own_locked) {
		complain("%s: SIGBUS for own memory at %p", self->what, info->si_addr);
		_exit(1);
	}
	signal(SIGBUS, SIG_DFL);
}

void bus_locked(void)
{
	own_locked = true;
}

void bus_bad_page(void *p)
{
	bad_page = p;
}

void bus_handle(bool on)
{
	struct sigaction action = {
		.sa_sigaction = on_bus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (on)
		sigaction(SIGBUS, &action, NULL);
	else
		signal(SIGBUS, SIG_DFL);
}

/* Copy from or to a region; false if that was SIGBUS. */
bool guarded_copy(void *to, const void *from, size_t size)
{
	if (sigsetjmp(bus, 0)) {
		arm(false);
		return false;
	}
	arm(true);
	progress();
	memcpy(to, from, size);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	arm(false);
	return true;
}

/* What the page has to contain if nothing uncertain has been done to it. */
void page_expect(const struct region *r, size_t i, void *buf)
{
	const struct page_state *s = &r->state[i];

	if (!s->gen)
		memset(buf, 0, page_size);
	else if (r->kind == KIND_KSM)
		pattern_fill(buf, page_size, r->pattern, s->gen, s->index % KSM_PAGES);
	else
		pattern_fill(buf, page_size, r->pattern, r->seed + s->gen, s->index);
	if (s->cut)
		memset((char *)buf + s->cut, 0, page_size - s->cut);
}

uint32_t new_gen(struct region *r)
{
	return 1 + choose(r->kind == KIND_KSM ? KSM_GENS : 1U << 30);
}

static void state_stamp(struct page_state *s)
{
	s->epoch = epoch_now();
	s->losses = torture->losses;
}

void state_written(struct region *r, size_t i, uint32_t gen)
{
	struct page_state *s = &r->state[i];

	memset(s, 0, sizeof(*s));
	s->gen = gen;
	s->index = i;
	state_stamp(s);
}

void state_dropped(struct region *r, size_t i, size_t nr)
{
	while (nr--)
		state_written(r, i++, 0);
}

void state_either(struct region *r, size_t i, size_t nr)
{
	while (nr--)
		r->state[i++].either = 1;
}

/* May it be lost for good? Shared memory gives up a page at once. */
static bool may_be_lost(const struct region *r, const struct page_state *s)
{
	return !is_private(r) || __atomic_load_n(&torture->losing, __ATOMIC_SEQ_CST) ||
	       s->losses != __atomic_load_n(&torture->losses, __ATOMIC_SEQ_CST);
}

static bool is_zero(const char *buf)
{
	return !buf[0] && !memcmp(buf, buf + 1, page_size - 1);
}

/* May this page be unreadable? */
static bool may_fail(const struct page_state *s)
{
	unsigned int now = epoch_now();

	return (now & 1) || now != s->epoch;
}

static uint64_t pagemap_of(const struct region *r, size_t i)
{
	off_t at = (unsigned long)page_at(r, i) / page_size * sizeof(uint64_t);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t word = 0;

	if (pread(fd, &word, sizeof(word), at) < 0)
		word = 0;
	close(fd);
	return word;
}

static void complain_page(const struct region *r, size_t i, const char *what)
{
	static const char * const kinds[] = {
		"small", "huge", "KSM", "userfaultfd", "shared", "memfd", "tmpfs",
	};
	const struct page_state *s = &r->state[i];

	complain("%s: page %zu of %zu at %p, %s: %s", self->what, i, r->nr, page_at(r, i),
		 kinds[r->kind], what);
	say("  pattern %d, generation %x, cut %d, either %d, any %d", r->pattern, s->gen, s->cut,
	    s->either, s->any);
	say("  epoch %u (now %u), losses %u (now %u), pagemap %lx", s->epoch, epoch_now(),
	    s->losses, torture->losses, pagemap_of(r, i));
}

/* Say what is known of a page that is wrong. */
static void explain(const struct region *r, size_t i, const char *got,
		    const char *want, const char *how)
{
	static char other[65536], again[65536];
	size_t bad = 0, wrong = 0;
	long like = -1;

	for (size_t n = page_size; n--;) {
		if (got[n] != want[n]) {
			bad = n;
			wrong++;
		}
	}
	for (size_t n = 0; n < r->nr && like < 0; n++) {
		page_expect(r, n, other);
		if (r->state[n].gen && !memcmp(other, got, page_size))
			like = n;
	}
	if (!guarded_copy(again, page_at(r, i), page_size))
		memset(again, 0xbf, page_size);
	complain_page(r, i, how);
	say("  %zu bytes are wrong, first word %zu: %016lx, has to be %016lx", wrong, bad / 8,
	    *(unsigned long *)(got + bad / 8 * 8), *(unsigned long *)(want + bad / 8 * 8));
	say("  all zeroes: %d; like page %ld; read again: %s", is_zero(got), like,
	    !memcmp(again, want, page_size) ? "right" :
	    !memcmp(again, got, page_size) ? "the same" : "something else");
}

enum verdict { RIGHT, WRONG, UNREADABLE };

/* Judge what was read from a page. */
static enum verdict judge(struct region *r, size_t i, const char *got, const char *how)
{
	struct page_state *s = &r->state[i];
	static char want[65536];

	page_expect(r, i, want);
	count(COUNT_VERIFIED, 1);
	if (s->any || !memcmp(got, want, page_size))
		return RIGHT;
	if (s->either && is_zero(got)) {
		state_dropped(r, i, 1);
		return RIGHT;
	}
	explain(r, i, got, want, how);
	return WRONG;
}

/*
 * Reclaim drops from the swap cache what could not be read, but does not look there on
 * behalf of a cgroup that may not swap.
 */
static void forget_unread(struct region *r)
{
	char text[64];

	lift_limits();
	snprintf(text, sizeof(text), "%zu swappiness=max", r->nr * page_size);
	madvise(r->p, r->nr * page_size, MADV_PAGEOUT);
	write_file(TORTURE_CGROUP "/memory.reclaim", text);
	usleep(50000);
}

/*
 * What could not be read while a device failed can be read again, unless it is lost
 * for good.
 */
static enum verdict verify_page(struct region *r, size_t i)
{
	struct page_state *s = &r->state[i];
	static char got[65536];
	unsigned int first = epoch_now();

	for (int n = 0; n < MAX_READS; n++) {
		unsigned int epoch = epoch_now();

		if (guarded_copy(got, page_at(r, i), page_size))
			return judge(r, i, got, "wrong, mapped");
		if (!may_fail(s)) {
			complain_page(r, i, "SIGBUS, but no device has failed since");
			return WRONG;
		}
		if ((epoch & 1) || epoch != first || may_be_lost(r, s)) {
			count(COUNT_UNREADABLE, 1);
			return UNREADABLE;
		}
		forget_unread(r);
	}
	complain_page(r, i, "SIGBUS, although all devices work");
	return WRONG;
}

bool region_verify(struct region *r, size_t i, size_t nr)
{
	for (; nr--; i++) {
		switch (verify_page(r, i)) {
		case WRONG:
			return false;
		case UNREADABLE:
			/* Some are kept, they may come back */
			if ((is_private(r) || !in_child) && one_in(3))
				region_drop(r, i, 1);
			break;
		case RIGHT:
			break;
		}
	}
	return true;
}

bool region_verify_file(struct region *r, size_t i, size_t nr)
{
	static char got[65536];

	for (; nr--; i++) {
		ssize_t ret = pread(r->fd, got, page_size, i * page_size);

		if (ret == page_size) {
			if (judge(r, i, got, "wrong, by read()") == WRONG)
				return false;
		} else if (ret < 0 && errno == EIO && may_fail(&r->state[i])) {
			count(COUNT_UNREADABLE, 1);
		} else if (ret >= 0 || errno != ENOMEM) {
			complain("%s: read of page %zu of region %d: %zd, %s",
				 self->what, i, r->kind, ret, strerror(errno));
			return false;
		}
	}
	return true;
}

bool region_verify_last(struct region *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		switch (verify_page(r, i)) {
		case WRONG:
			return false;
		case UNREADABLE:
			count(COUNT_LOST, 1);
			break;
		case RIGHT:
			break;
		}
	}
	return true;
}

void region_write(struct region *r, size_t i, size_t nr)
{
	static char buf[65536];
	uint32_t gen = new_gen(r);

	for (; nr--; i++) {
		struct page_state old = r->state[i];

		state_written(r, i, gen);
		page_expect(r, i, buf);
		if (guarded_copy(page_at(r, i), buf, page_size))
			continue;
		/* It may have been swapped out in the middle */
		r->state[i] = old;
		r->state[i].any = 1;
		if (!may_fail(&old)) {
			complain_page(r, i, "SIGBUS for writing, but no device has failed");
			return;
		}
		count(COUNT_UNREADABLE, 1);
		region_drop(r, i, 1);
	}
}

void region_write_file(struct region *r, size_t i, size_t nr)
{
	static char buf[65536];
	uint32_t gen = new_gen(r);

	for (; nr--; i++) {
		struct page_state old = r->state[i];
		ssize_t ret;

		state_written(r, i, gen);
		page_expect(r, i, buf);
		ret = pwrite(r->fd, buf, page_size, i * page_size);
		if (ret == page_size)
			continue;
		/* It may have been written in part */
		r->state[i] = old;
		r->state[i].any = 1;
		if (ret >= 0 || (errno != ENOMEM && !(errno == EIO && may_fail(&old)))) {
			complain("%s: write of page %zu of region %d: %zd, %s", self->what, i,
				 r->kind, ret, ret < 0 ? strerror(errno) : "not all of it");
			return;
		}
		region_drop(r, i, 1);
	}
}

void region_touch(struct region *r, size_t i, size_t nr)
{
	char c;

	for (; nr--; i++) {
		/* It may become zero between reading and writing */
		if (r->state[i].either)
			region_write(r, i, 1);
		else if ((!guarded_copy(&c, page_at(r, i), 1) ||
			  !guarded_copy(page_at(r, i), &c, 1)) && !may_fail(&r->state[i]))
			complain_page(r, i, "SIGBUS for a touch, but no device has failed");
	}
}

/* Zeroes from now on, without reading what was there. */
void region_drop(struct region *r, size_t i, size_t nr)
{
	int err = madvise(page_at(r, i), nr * page_size,
			  is_private(r) ? MADV_DONTNEED : MADV_REMOVE);

	if (err)
		state_either(r, i, nr);
	else
		state_dropped(r, i, nr);
}

static int open_tmpfs(void)
{
	static const char * const dirs[] = { "never", "always", "within_size", "advise" };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TORTURE_TMPFS "/%s/%d", pick(dirs), getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	/* Where allocations fail, it may take more than one try */
	while (unlink(path) && errno == ENOMEM)
		;
	return fd;
}

/* Address space whose start is aligned for huge pages. */
static char *reserve(size_t size)
{
	size_t align = 2UL << 20;
	char *p = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start;

	if (p == MAP_FAILED)
		return NULL;
	start = (char *)(((unsigned long)p + align - 1) & ~(align - 1));
	if (start != p)
		munmap(p, start - p);
	munmap(start + size, p + align - start);
	return start;
}

void region_publish(const struct region *r)
{
	self->area[r - regions].addr = (unsigned long)r->p;
	self->area[r - regions].size = r->nr * page_size;
}

bool region_create(struct region *r, enum region_kind kind, size_t nr)
{
	static const enum pattern patterns[] = {
		PATTERN_ANY, PATTERN_ANY, PATTERN_MIXED, PATTERN_MIXED,
		PATTERN_QUARTER, PATTERN_RANDOM, PATTERN_ZERO,
	};
	int flags = MAP_FIXED | (kind <= KIND_UFFD ? MAP_PRIVATE : MAP_SHARED);
	size_t size = nr * page_size;

	r->kind = kind;
	r->nr = nr;
	r->fd = -1;
	r->seed = choose(1UL << 40);
	r->pattern = pick(patterns);
	r->state = mmap(NULL, nr * sizeof(*r->state), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->p = reserve(size);
	if (r->state == MAP_FAILED || !r->p)
		goto fail;
	/* What is known of the pages must not be lost with them */
	if (mlock(r->state, nr * sizeof(*r->state)))
		goto fail;

	if (kind == KIND_MEMFD)
		r->fd = memfd_create("torture", MFD_CLOEXEC);
	else if (kind == KIND_TMPFS)
		r->fd = open_tmpfs();
	if (kind == KIND_MEMFD || kind == KIND_TMPFS) {
		if (r->fd < 0 || ftruncate(r->fd, size))
			goto fail;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	if (mmap(r->p, size, PROT_READ | PROT_WRITE, flags, r->fd, 0) == MAP_FAILED)
		goto fail;

	if (kind == KIND_SMALL || kind == KIND_KSM)
		madvise(r->p, size, MADV_NOHUGEPAGE);
	else if (kind == KIND_HUGE || one_in(2))
		madvise(r->p, size, MADV_HUGEPAGE);
	if (kind == KIND_KSM)
		madvise(r->p, size, MADV_MERGEABLE);
	if (kind == KIND_UFFD)
		r->fd = uffd_open(r->p, size);
	state_dropped(r, 0, nr);
	region_publish(r);
	return true;

fail:
	region_destroy(r);
	return false;
}

void region_destroy(struct region *r)
{
	self->area[r - regions].size = 0;
	if (r->p)
		munmap(r->p, r->nr * page_size);
	if (r->state && r->state != MAP_FAILED)
		munmap(r->state, r->nr * sizeof(*r->state));
	if (r->fd >= 0)
		close(r->fd);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}
