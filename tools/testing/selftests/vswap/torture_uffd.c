// SPDX-License-Identifier: GPL-2.0
/* Torture: memory with userfaultfd. Missing pages are zeroes. */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdalign.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "torture_region.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Answer the faults of this process; ends with it, or with the file. */
static void *uffd_serve(void *arg)
{
	int fd = (long)arg;
	struct uffd_msg msg;

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		struct uffdio_zeropage zero = {};

		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			return NULL;
		if (poll_fd.revents & (POLLNVAL | POLLERR))
			return NULL;
		if (read(fd, &msg, sizeof(msg)) != sizeof(msg)) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			return NULL;
		}
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		zero.range.start = msg.arg.pagefault.address & -page_size;
		zero.range.len = page_size;
		while (ioctl(fd, UFFDIO_ZEROPAGE, &zero)) {
			if (errno != EAGAIN && errno != ENOMEM) {
				/* It is there meanwhile, or unmapped */
				ioctl(fd, UFFDIO_WAKE, &zero.range);
				break;
			}
			sched_yield();
		}
	}
}

/* Without userfaultfd the region is memory like any other. */
int uffd_open(char *p, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)p, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	pthread_attr_t attr;
	pthread_t thread;

	if (fd < 0)
		return -1;
	/* Gets locked in memory, by children too; pattern.h has its buffer there */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	if (ioctl(fd, UFFDIO_REGISTER, &reg) ||
	    pthread_create(&thread, &attr, uffd_serve, (void *)(long)fd)) {
		close(fd);
		return -1;
	}
	pthread_detach(thread);
	return fd;
}

/* Missing pages are zeroes all the same, without a thread that has to be asked. */
void uffd_end(struct region *r)
{
	struct uffdio_range range = {
		.start = (unsigned long)r->p,
		.len = r->nr * page_size,
	};

	if (r->fd >= 0)
		ioctl(r->fd, UFFDIO_UNREGISTER, &range);
}

/* Fill missing pages by UFFDIO_COPY. */
void uffd_fill(struct region *r, size_t i, size_t nr)
{
	static alignas(4096) char buf[65536];
	uint32_t gen = new_gen(r);

	if (r->fd < 0)
		return;
	region_drop(r, i, nr);
	for (; nr--; i++) {
		struct uffdio_copy copy = {
			.dst = (unsigned long)page_at(r, i),
			.src = (unsigned long)buf,
			.len = page_size,
		};

		state_written(r, i, gen);
		page_expect(r, i, buf);
		if (ioctl(r->fd, UFFDIO_COPY, &copy))
			state_dropped(r, i, 1);
	}
}

/* Move some pages to where there are none. */
void uffd_move(struct region *r)
{
	size_t half = r->nr / 2, nr = 1 + choose(choose(4) ? 16 : 512);
	size_t from, to, moved = 0, pages = 0;
	int tries = 0;

	if (r->fd < 0)
		return;
	if (nr > half)
		nr = half;
	from = choose(half - nr + 1);
	to = half + choose(half - nr + 1);
	if (one_in(2)) {
		size_t swap = from;

		from = to;
		to = swap;
	}
	/* Holes move, too, but mostly there is to be something, in memory or out */
	if (!one_in(4)) {
		region_write(r, from, nr < 32 ? nr : 32);
		if (one_in(2))
			madvise(page_at(r, from), nr * page_size, MADV_PAGEOUT);
	}
	if (madvise(page_at(r, to), nr * page_size, MADV_DONTNEED)) {
		state_either(r, to, nr);
		return;
	}
	state_dropped(r, to, nr);

	while (moved < nr && tries++ < 100) {
		struct uffdio_move move = {
			.dst = (unsigned long)page_at(r, to + moved),
			.src = (unsigned long)page_at(r, from + moved),
			.len = (nr - moved) * page_size,
			.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES,
		};
		int ret = ioctl(r->fd, UFFDIO_MOVE, &move);
		size_t done = !ret ? nr - moved : move.move > 0 ? move.move / page_size : 0;

		for (size_t n = 0; n < done; n++, moved++) {
			pages += r->state[from + moved].gen && !r->state[from + moved].either;
			r->state[to + moved] = r->state[from + moved];
			state_dropped(r, from + moved, 1);
		}
		if (ret && errno != EAGAIN && !done)
			break;
	}
	count(COUNT_MOVED, pages);
}
