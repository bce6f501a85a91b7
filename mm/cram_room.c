// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the room on a node.
 *
 * What a page takes is known after it is written only, and what is written beyond
 * the capacity is lost without notice. So a page counts in full until the device
 * has seen it: cram_node::bound is what the driver has said, plus all of the pages
 * that it may not have been told of when it was asked,
 *
 *	bound = used + lag + reserved - written
 *
 * where "written" is from before it was asked, and "reserved" from afterwards. It
 * is asked when a page more might exceed the high watermark, and again whenever it
 * may have changed its mind. Pages that are freed count until it is asked the next
 * time, and it goes on counting them until they are trimmed.
 *
 * There are fewer pages than room if data compresses better than the device was
 * made for, so the watermarks hold for the number of pages, too. A device that does
 * not compress, or does not tell, has nothing but pages.
 *
 * Above the high watermark the node is full: it takes nothing until the worker has
 * moved pages elsewhere, and what is left is below the low one.
 */
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/sched/mm.h>
#include <linux/wait_bit.h>
#include "cram.h"
#include "zswap.h"

/* Percent of the capacity at which stores stop and go on again */
#define CRAM_HIGH	95
#define CRAM_LOW	90

/* How long to wait until what was in vain is tried again, in jiffies */
#define CRAM_BACKOFF_MIN	HZ
#define CRAM_BACKOFF_MAX	(64 * HZ)

/* What a page is charged with if nothing is known of the device, in bytes */
#define CRAM_UNKNOWN_SIZE	(PAGE_SIZE / 2)

/* Who only wants to know the usage has the driver asked so often, in jiffies. */
#define CRAM_USAGE_AGE	(HZ / 10)

/* How long a device may take to tell of what has changed, and when to look, in jiffies */
#define CRAM_SETTLE	HZ
#define CRAM_SETTLE_POLL	(HZ / 10)

/* Pages that are moved elsewhere until the driver is asked again, at the most */
#define CRAM_EVICT_PAGES	(4 * SWAP_CLUSTER_MAX)

/* Pages that are moved elsewhere for a driver that has no room for one. */
#define CRAM_WANTED	SWAP_CLUSTER_MAX

/* Something has been tried: do it later the next time if it was in vain. */
void cram_backoff(struct cram_backoff *backoff, bool failed)
{
	unsigned long delay = 0;

	if (failed)
		delay = clamp(2 * READ_ONCE(backoff->delay), CRAM_BACKOFF_MIN,
			      CRAM_BACKOFF_MAX);
	backoff->until = jiffies + delay;
	WRITE_ONCE(backoff->delay, delay);
}

/* How many jiffies to wait with it, 0 for not at all. */
unsigned long cram_backoff_delay(const struct cram_backoff *backoff)
{
	unsigned long now = jiffies;

	if (!READ_ONCE(backoff->delay) || !time_before(now, backoff->until))
		return 0;

	return backoff->until - now;
}

/* Pages that are in use, and that the device has without a fault. */
static unsigned long cram_used_pages(struct cram_node *node)
{
	return READ_ONCE(node->nr_taken) - READ_ONCE(node->nr_retired);
}

static unsigned long cram_sound_pages(struct cram_node *node)
{
	return node->nr_pages - READ_ONCE(node->nr_retired);
}

static u64 cram_capacity(struct cram_node *node)
{
	if (node->compresses)
		return READ_ONCE(node->usage.capacity);

	return min(READ_ONCE(node->capacity), (u64)cram_sound_pages(node) << PAGE_SHIFT);
}

static u64 cram_mark(struct cram_node *node, unsigned int percent)
{
	return div_u64(cram_capacity(node), 100) * percent;
}

/* Bytes that are in use at the most: a page in full, where the driver does not say. */
static u64 cram_bound(struct cram_node *node)
{
	if (node->compresses)
		return READ_ONCE(node->bound);

	return (u64)cram_data_pages(node) << PAGE_SHIFT;
}

/* Would that many pages more stay below a watermark? */
static bool __cram_fits(struct cram_node *node, unsigned int percent,
			unsigned int nr)
{
	if (cram_used_pages(node) + nr > mult_frac(cram_sound_pages(node), percent, 100))
		return false;

	return cram_bound(node) + nr * PAGE_SIZE <= cram_mark(node, percent);
}

/* Pages whose data the device has, of which it has said what they take together. */
static unsigned long __cram_measured_pages(struct cram_node *node)
{
	unsigned long nr = node->fresh - node->blank.nr - node->refused.nr - node->in_flight;

	return nr - min_t(u64, nr, node->usage.lag >> PAGE_SHIFT);
}

static void __cram_set_usage(struct cram_node *node, const struct cram_usage *usage,
			     u64 written)
{
	unsigned long nr;

	node->usage = *usage;
	node->bound = usage->used + usage->lag + node->reserved - written;
	nr = __cram_measured_pages(node);
	if (nr)
		node->mean_size = min_t(u64, div64_u64(usage->used, nr), PAGE_SIZE);
}

/*
 * Ask the driver, unless it was asked since @seq, or is being asked and nobody is to
 * @wait. Returns its error, if any.
 */
static int cram_ask(struct cram_node *node, unsigned int seq, bool wait)
{
	struct cram_usage usage = {};
	unsigned int noio;
	u64 written;
	int err;

	if (!node->compresses)
		return 0;
	if (wait)
		mutex_lock(&node->usage_lock);
	else if (!mutex_trylock(&node->usage_lock))
		return -EBUSY;

	/* An orphan, or another driver by now */
	err = node->ops && node->compresses ? 0 : -ENODEV;
	spin_lock(&node->lock);
	if (err || node->usage_seq != seq) {
		spin_unlock(&node->lock);
		goto out;
	}
	written = node->written;
	node->usage_stale = false;
	spin_unlock(&node->lock);

	noio = memalloc_noio_save();
	err = node->ops->get_usage(node->priv, &usage);
	memalloc_noio_restore(noio);

	spin_lock(&node->lock);
	node->usage_seq++;
	node->usage_time = jiffies;
	if (err)
		node->usage_stale = true;
	else
		__cram_set_usage(node, &usage, written);
	spin_unlock(&node->lock);
out:
	mutex_unlock(&node->usage_lock);
	return err;
}

/**
 * cram_refresh - Have the driver asked how much is in use.
 * @node: the node.
 *
 * Context: May sleep. Called while memory is reclaimed, too.
 * Return: 0, or the error of the driver.
 */
int cram_refresh(struct cram_node *node)
{
	return cram_ask(node, READ_ONCE(node->usage_seq), true);
}

/**
 * cram_get_usage - See how much of a node is in use.
 * @node: the node.
 * @usage: returns it, as it was a tenth of a second ago at the earliest unless the
 *	driver does not know, or takes longer to tell.
 *
 * Context: May sleep.
 */
void cram_get_usage(struct cram_node *node, struct cram_usage *usage)
{
	if (READ_ONCE(node->usage_stale) ||
	    time_after(jiffies, READ_ONCE(node->usage_time) + CRAM_USAGE_AGE))
		cram_ask(node, READ_ONCE(node->usage_seq), false);

	spin_lock(&node->lock);
	*usage = node->usage;
	if (!node->compresses) {
		usage->capacity = cram_capacity(node);
		usage->used = cram_bound(node);
	}
	spin_unlock(&node->lock);
}

static void __cram_set_full(struct cram_node *node)
{
	if (!node->full)
		node->full_time = jiffies;
	WRITE_ONCE(node->full, true);
}

/* Take nothing until the worker has made room. */
static void __cram_stop(struct cram_node *node)
{
	lockdep_assert_held(&node->lock);
	if (!node->full) {
		__cram_set_full(node);
		cram_wake(node, 0);
	}
}

/* There may be room after the driver has been asked */
#define CRAM_ASK	1

/* Take a page, and count it in full, if there is room. Returns 0, an error or CRAM_ASK. */
static int __cram_try_reserve(struct cram_node *node, struct page **page)
{
	if (node->closed || READ_ONCE(node->stopped))
		return -EAGAIN;
	if (node->full)
		return -ENOSPC;
	if (READ_ONCE(node->usage_stale) || !__cram_fits(node, node->high, 1))
		return CRAM_ASK;

	*page = __cram_take_page(node);
	if (!*page) {
		/* There are some yet to be trimmed */
		cram_wake(node, cram_backoff_delay(&node->trim_backoff));
		return -ENOSPC;
	}
	node->reserved += PAGE_SIZE;
	WRITE_ONCE(node->bound, node->bound + PAGE_SIZE);
	node->in_flight++;
	return 0;
}

/**
 * cram_reserve - Get pages that may be written.
 * @node: the node.
 * @pages: returns them.
 * @nr: how many are wanted, at least one.
 *
 * There may be more of them when these have been written, as they count in full until
 * then.
 *
 * Context: May sleep. Called while memory is reclaimed.
 * Return: How many pages, for each of which either cram_unreserve() or cram_reserved() is
 * called, in the end; -ENOSPC if there is no room; -EAGAIN if the device takes nothing
 * now.
 */
int cram_reserve(struct cram_node *node, struct page **pages, int nr)
{
	/* The second answer is younger than the first look, whoever has asked */
	for (int tries = 0; ; tries++) {
		unsigned int seq;
		int got = 0, err;

		spin_lock(&node->lock);
		seq = node->usage_seq;
		do {
			err = __cram_try_reserve(node, &pages[got]);
		} while (!err && ++got < nr);
		if (!got && err == CRAM_ASK && tries == 2) {
			__cram_stop(node);
			err = -ENOSPC;
		}
		spin_unlock(&node->lock);
		if (got)
			return got;
		if (err != CRAM_ASK)
			return err;
		cram_ask(node, seq, true);
	}
}

static void __cram_leave_flight(struct cram_node *node)
{
	if (!--node->in_flight && node->closed)
		wake_up_var_locked(&node->in_flight, &node->lock);
}

/*
 * The driver refuses the page, which has not been written: -ENOSPC if it would any other,
 * too.
 */
void cram_unreserve(struct cram_node *node, struct page *page, int err)
{
	spin_lock(&node->lock);
	node->reserved -= PAGE_SIZE;
	WRITE_ONCE(node->bound, node->bound - PAGE_SIZE);
	__cram_put_page(node, page, err == -ENOSPC ? &node->blank : &node->refused);
	__cram_leave_flight(node);
	if (err == -ENOSPC) {
		node->wanted = CRAM_WANTED;
		__cram_stop(node);
	}
	spin_unlock(&node->lock);
}

/* The page is written, as far as the CPU goes, or at least a part of it. */
void cram_reserved(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->written += PAGE_SIZE;
	__cram_leave_flight(node);
	spin_unlock(&node->lock);
}

/* What a page takes on average, in bytes. */
unsigned int cram_mean_size(struct cram_node *node)
{
	return READ_ONCE(node->mean_size) ?: CRAM_UNKNOWN_SIZE;
}

/* How many more pages fit, as if no page could be compressed? */
unsigned long cram_room_pages(struct cram_node *node)
{
	unsigned long used = cram_used_pages(node), most;
	unsigned int high = READ_ONCE(node->high);
	u64 bound = cram_bound(node), mark = cram_mark(node, high);

	most = mult_frac(cram_sound_pages(node), high, 100);
	/* What is yet to be trimmed can't be relied on */
	most = min(most, used + cram_blank_pages(node));
	if (READ_ONCE(node->full) || READ_ONCE(node->closed) ||
	    READ_ONCE(node->stopped) || used >= most || bound >= mark)
		return 0;

	return min_t(u64, most - used, (mark - bound) >> PAGE_SHIFT);
}

/* Take no pages any more, and wait for those that are being written. */
void cram_close(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->closed = true;
	wait_var_event_spinlock(&node->in_flight, !node->in_flight, &node->lock);
	spin_unlock(&node->lock);
}

void cram_open(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->closed = false;
	spin_unlock(&node->lock);
}

/* Bytes of what is stored: at the most, but for what is free and not trimmed. */
static u64 cram_stored_bound(struct cram_node *node)
{
	if (node->compresses)
		return READ_ONCE(node->bound);

	return (u64)cram_used_pages(node) << PAGE_SHIFT;
}

/* Can no trimming make room enough, as what is stored takes more by itself? */
bool cram_is_overfull(struct cram_node *node)
{
	return !node->compresses && cram_stored_bound(node) > cram_mark(node, node->high);
}

/*
 * How many pages have to go elsewhere until there is one page of room below the low
 * watermark?
 */
static unsigned long __cram_excess(struct cram_node *node)
{
	unsigned long used = cram_used_pages(node) + 1, nr = node->wanted, most;
	u64 bound = cram_stored_bound(node) + PAGE_SIZE, mark = cram_mark(node, node->low);

	/* It is not for those who have been there that there is no room */
	if (!atomic_long_read(&node->stored))
		return 0;

	most = mult_frac(cram_sound_pages(node), node->low, 100);
	if (used > most)
		nr = max(nr, used - most);
	/* Sizes differ: what is missing then, the next round finds out */
	if (bound > mark) {
		unsigned int size = node->compresses ? cram_mean_size(node) : PAGE_SIZE;

		nr = max(nr, div_u64(bound - mark, size) + 1);
	}

	return min(nr, CRAM_EVICT_PAGES);
}

/*
 * Is it the device that has to get on? It may say later what the last round has brought,
 * or that pages are smaller than they count.
 */
static bool __cram_is_settling(struct cram_node *node)
{
	if (!node->compresses || node->wanted ||
	    cram_used_pages(node) >= mult_frac(cram_sound_pages(node), node->low, 100))
		return false;
	if (node->usage.used >= node->evict_used &&
	    time_before(jiffies, node->evict_time + CRAM_SETTLE))
		return true;

	return node->bound - node->usage.lag + PAGE_SIZE <= cram_mark(node, node->low) &&
	       time_before(jiffies, node->full_time + CRAM_SETTLE);
}

/*
 * See whether a full node can take pages again. Returns how many of its pages have to
 * go elsewhere before, which may be for later to tell.
 */
static unsigned long cram_check(struct cram_node *node)
{
	int err = cram_refresh(node);
	unsigned long nr = 0;
	bool empty;

	spin_lock(&node->lock);
	if (!err && !node->wanted &&
	    __cram_fits(node, node->full ? node->low : node->high, node->full ? 1 : 0)) {
		WRITE_ONCE(node->full, false);
		/* What was in vain does not matter any more */
		WRITE_ONCE(node->evict_backoff.delay, 0);
	} else {
		__cram_set_full(node);
	}
	if (node->full && !err && !node->closed)
		nr = __cram_excess(node);
	if (nr && __cram_is_settling(node)) {
		cram_wake(node, CRAM_SETTLE_POLL);
		nr = 0;
	}
	/* It may be late to tell that all of it is free, and nobody comes who would ask */
	empty = node->full && node->compresses && !node->wanted &&
		!atomic_long_read(&node->stored);
	spin_unlock(&node->lock);

	if ((err || empty) && !cram_backoff_delay(&node->evict_backoff))
		cram_backoff(&node->evict_backoff, true);
	return nr;
}

static void cram_evicted(struct cram_node *node, unsigned long nr)
{
	cram_count(node, CRAM_EVICTED, nr);
	spin_lock(&node->lock);
	node->evict_used = nr ? node->usage.used : U64_MAX;
	node->evict_time = jiffies;
	/* If nothing can go, it is for the driver to say whether there is room now */
	node->wanted -= nr ? min_t(unsigned long, nr, node->wanted) : node->wanted;
	spin_unlock(&node->lock);
}

/**
 * cram_make_room - Move some pages elsewhere from a node that is full.
 * @node: the node.
 *
 * Those first that have been there for long, until the low watermark is reached. For
 * the node's worker, when all that is free is trimmed.
 *
 * Context: May sleep.
 */
void cram_make_room(struct cram_node *node)
{
	unsigned long nr = cram_check(node);
	/* None is left that could go for the driver */
	bool in_vain = !nr && READ_ONCE(node->wanted) && !atomic_long_read(&node->stored);

	if ((!nr && !in_vain) || cram_backoff_delay(&node->evict_backoff))
		return;

	if (nr)
		nr = zswap_evict_direct(node, node->nid, nr);
	cram_evicted(node, nr);
	cram_backoff(&node->evict_backoff, !nr);
	/* They take room until the device has discarded them, which comes first */
	if (nr)
		cram_wake(node, 0);
}

/**
 * cram_usage_changed - Let it be known that there is less room than there was.
 * @node: the node.
 *
 * Before any more pages are reserved, the driver is asked for the usage. Those that are,
 * up to %CRAM_STORE_PAGES on each CPU, are still written. For a driver whose device tells it
 * by an interrupt, say.
 *
 * Context: Any. The driver sees to it that the node is not unregistered meanwhile.
 */
void cram_usage_changed(struct cram_node *node)
{
	WRITE_ONCE(node->usage_stale, true);
	cram_retry(node);
}
EXPORT_SYMBOL_GPL(cram_usage_changed);

/**
 * cram_set_stopped - Have a device take nothing, or go on.
 * @node: the device.
 * @stopped: true if it has to stop.
 *
 * For what a driver learns of that does not pass by itself. Pages that are reserved are
 * still written, as for cram_usage_changed().
 *
 * Context: Any, as for cram_usage_changed().
 */
void cram_set_stopped(struct cram_node *node, bool stopped)
{
	WRITE_ONCE(node->stopped, stopped);
	if (!stopped)
		cram_retry(node);
}
EXPORT_SYMBOL_GPL(cram_set_stopped);

/**
 * cram_set_capacity - Set how much a device can hold that does not say what is in use.
 * @node: the device.
 * @bytes: what it can hold for sure. Each page that is stored, or has not been
 *	discarded, counts in full.
 *
 * Context: Any but interrupts.
 * Return: 0, or -EOPNOTSUPP if the driver says what is in use.
 */
int cram_set_capacity(struct cram_node *node, u64 bytes)
{
	spin_lock(&node->lock);
	if (node->compresses) {
		spin_unlock(&node->lock);
		return -EOPNOTSUPP;
	}
	WRITE_ONCE(node->capacity, bytes);
	/* It matters now what is in pages that are free */
	if (!node->trims && bytes < (u64)cram_sound_pages(node) << PAGE_SHIFT) {
		node->trims = true;
		__cram_pages_renew(node);
	}
	spin_unlock(&node->lock);

	cram_retry(node);
	return 0;
}
EXPORT_SYMBOL_GPL(cram_set_capacity);

/**
 * cram_set_watermark - Set at which use stores stop, or go on again.
 * @node: the node.
 * @mark: its high or its low watermark.
 * @percent: of the capacity.
 *
 * Context: Any but interrupts.
 * Return: 0, or -EINVAL unless 0 < low <= high <= 100 afterwards.
 */
int cram_set_watermark(struct cram_node *node, unsigned int *mark,
		       unsigned int percent)
{
	unsigned int low, high;
	bool valid;

	spin_lock(&node->lock);
	low = mark == &node->low ? percent : node->low;
	high = mark == &node->high ? percent : node->high;
	valid = low && low <= high && high <= 100;
	if (valid)
		WRITE_ONCE(*mark, percent);
	spin_unlock(&node->lock);
	if (!valid)
		return -EINVAL;

	cram_retry(node);
	return 0;
}

/* For another driver, of which nothing is known yet. */
void cram_room_renew(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->usage = (struct cram_usage) {};
	node->usage_stale = node->compresses;
	node->evict_used = U64_MAX;
	node->wanted = 0;
	node->stopped = false;
	WRITE_ONCE(node->full, false);
	spin_unlock(&node->lock);
}

void cram_room_init(struct cram_node *node)
{
	spin_lock_init(&node->lock);
	mutex_init(&node->usage_lock);
	node->high = CRAM_HIGH;
	node->low = CRAM_LOW;
}
