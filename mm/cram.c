// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the memory of devices that compress by themselves.
 *
 * A driver registers the memory of a node. Each page of it that is not in use can
 * take a copy of one page, if the driver and the watermarks allow it; zswap keeps
 * the address of the copy in place of compressed data of its own. Nothing else
 * knows of these pages: they are device memory that the page allocator never
 * sees.
 *
 * Room. What a page takes is known after it is written only, and what is written
 * beyond the capacity is lost without notice. So a page is counted in full while
 * it is copied, in cram_node::bound, and the driver is asked how much is really in
 * use when the sum reaches the high watermark. From there on pages are refused,
 * and those that have been there for long are moved elsewhere, until the low
 * watermark is reached. What the CPUs' caches or the device have yet to get to,
 * the driver has to add.
 *
 * Owner. Each page knows the swap entry whose data it has. To give up a node
 * is to read all of these entries into the swap cache, in no matter which
 * processes they are mapped.
 *
 * Locks: inside of cram_node::lock there are only those of the driver, which is
 * asked with it held, and of waking somebody up. Pages are freed under cluster
 * locks of the swap layer, so freeing does not sleep.
 */
#define pr_fmt(fmt) "cram: " fmt

#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/memremap.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap_ops.h>
#include <linux/swapops.h>
#include <linux/vmalloc.h>
#include <linux/wait_bit.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap.h"
#include "cram.h"

/* Percent of the capacity at which stores stop and go on again */
#define CRAM_HIGH	95
#define CRAM_LOW	90

/* What a page is charged with if nothing is known of the device, in bytes */
#define CRAM_UNKNOWN_SIZE	(PAGE_SIZE / 2)

/* Pages stored after which the driver is asked again for their mean size */
#define CRAM_MEAN_PAGES		256

/* How long to wait if no page could be moved elsewhere, in jiffies */
#define CRAM_EVICT_DELAY	HZ

/* The same, between the rounds of giving up a node */
#define CRAM_IDLE_DELAY		(HZ / 50 + 1)

static LIST_HEAD(cram_nodes);
static bool cram_hibernating;
static DEFINE_MUTEX(cram_mutex);	/* for these, and for (un)registering */

static void cram_count(struct cram_node *node, enum cram_event event)
{
	atomic_long_inc(&node->events[event]);
}

static struct cram_node *cram_page_node(struct page *page)
{
	return READ_ONCE(page->zone_device_data);
}

/* Pages are numbered through all ranges. */
static struct page *cram_index_page(struct cram_node *node, unsigned long index)
{
	for (int i = 0; i < node->nr_ranges; i++) {
		unsigned long nr = range_len(&node->ranges[i]) >> PAGE_SHIFT;

		if (index < nr)
			return pfn_to_page(PHYS_PFN(node->ranges[i].start) + index);
		index -= nr;
	}

	return NULL;
}

/* Let the pages of a node know it, or with NULL forget it. */
static void cram_set_page_nodes(struct cram_node *node, struct cram_node *to)
{
	for (unsigned long i = 0; i < node->nr_pages; i++)
		WRITE_ONCE(cram_index_page(node, i)->zone_device_data, to);
}

static unsigned long cram_page_index(struct cram_node *node, struct page *page)
{
	phys_addr_t addr = page_to_phys(page);
	unsigned long index = 0;

	for (int i = 0; i < node->nr_ranges; i++) {
		struct range *range = &node->ranges[i];

		if (addr >= range->start && addr <= range->end)
			return index + ((addr - range->start) >> PAGE_SHIFT);
		index += range_len(range) >> PAGE_SHIFT;
	}

	WARN_ON_ONCE(1);
	return 0;
}

/* Ask the driver how much is in use; what is being copied counts in full. */
static void __cram_refresh(struct cram_node *node)
{
	struct cram_usage *usage = &node->usage;
	unsigned long stored = atomic_long_read(&node->stored);

	lockdep_assert_held(&node->lock);

	if (node->ops && node->ops->get_usage) {
		node->ops->get_usage(node->priv, usage);
	} else {
		usage->capacity = (u64)node->nr_pages << PAGE_SHIFT;
		usage->used = (u64)stored << PAGE_SHIFT;
	}
	if (stored)
		node->mean_size = div64_ul(usage->used, stored);
	node->bound = usage->used + (u64)node->in_flight * PAGE_SIZE;
}

/**
 * cram_refresh - See how much of a node is in use.
 * @node: the node.
 * @usage: returns it, in bytes.
 *
 * Context: Any but interrupts.
 */
void cram_refresh(struct cram_node *node, struct cram_usage *usage)
{
	spin_lock(&node->lock);
	__cram_refresh(node);
	*usage = node->usage;
	spin_unlock(&node->lock);
}

static u64 cram_mark(struct cram_node *node, unsigned int percent)
{
	return div_u64(node->usage.capacity, 100) * percent;
}

/* See whether stores have to stop, or can go on. */
static void __cram_check(struct cram_node *node)
{
	__cram_refresh(node);
	node->full = node->bound > cram_mark(node, node->full ? node->low : node->high);
}

/* Count a page in full before it is written, if there is room for it. */
static bool cram_reserve(struct cram_node *node)
{
	bool room = false;

	spin_lock(&node->lock);
	if (node->full || node->closed)
		goto out;
	if (node->bound + PAGE_SIZE > cram_mark(node, node->high))
		__cram_refresh(node);
	room = node->bound + PAGE_SIZE <= cram_mark(node, node->high);
	if (room) {
		node->bound += PAGE_SIZE;
		node->in_flight++;
	} else {
		node->full = true;
		mod_delayed_work(system_dfl_wq, &node->evict_work, 0);
	}
out:
	spin_unlock(&node->lock);

	return room;
}

/* The page is written, or will not be. */
static void cram_reserved(struct cram_node *node, bool written)
{
	spin_lock(&node->lock);
	if (!written)
		node->bound -= PAGE_SIZE;
	if (!--node->in_flight && node->closed)
		wake_up_var_locked(&node->in_flight, &node->lock);
	spin_unlock(&node->lock);
}

/* Take no pages any more, and wait for those that are being written. */
static void cram_close(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->closed = true;
	wait_var_event_spinlock(&node->in_flight, !node->in_flight, &node->lock);
	spin_unlock(&node->lock);
}

static void cram_open(struct cram_node *node)
{
	spin_lock(&node->lock);
	node->closed = false;
	spin_unlock(&node->lock);
}

/*
 * What to charge for a page. Never a page in full: freeing a page by moving it here
 * has to gain something.
 */
static unsigned int cram_size(struct cram_node *node, struct page *page)
{
	struct cram_usage usage;
	unsigned int size = 0;

	if (node->ops && node->ops->stored_size)
		size = node->ops->stored_size(node->priv, page);
	if (!size && node->ops && node->ops->get_usage) {
		if (!(atomic_long_read(&node->events[CRAM_STORED]) % CRAM_MEAN_PAGES))
			cram_refresh(node, &usage);
		size = READ_ONCE(node->mean_size);
	}
	if (!size)
		size = CRAM_UNKNOWN_SIZE;

	return min_t(unsigned int, size, PAGE_SIZE - 1);
}

/* A page that is not in use; those that have failed meanwhile are retired. */
static struct page *cram_get_page(struct cram_node *node, unsigned long *index)
{
	struct page *page;
	int bit;

	for (;;) {
		bit = sbitmap_get(&node->pages);
		if (bit < 0)
			return NULL;
		page = cram_index_page(node, bit);
		if (!PageHWPoison(page))
			break;
		atomic_long_inc(&node->retired);
	}

	*index = bit;
	return page;
}

/* A page is not in use any more. */
static void cram_put_page(struct cram_node *node, unsigned long index)
{
	/* Its owner is cleared before it gets another one */
	smp_mb__before_atomic();
	sbitmap_clear_bit(&node->pages, index);
}

/* Write a page that room is reserved for, if the driver allows it. */
static bool cram_write(struct cram_node *node, struct page *page,
		       struct page *from)
{
	const struct cram_ops *ops = node->ops;

	if (ops && ops->may_store && !ops->may_store(node->priv, page))
		return false;
	if (!copy_mc_highpage(page, from))
		return true;

	/* It is @from that can't be read */
	if (ops && ops->released)
		ops->released(node->priv, page);
	return false;
}

/* Copy a page to the node, see mt_store_page(). */
static struct page *cram_store(struct mt_direct *direct, struct page *from,
			       unsigned int *size)
{
	struct cram_node *node = container_of(direct, struct cram_node, direct);
	unsigned long index;
	struct page *page;
	bool written;

	page = cram_get_page(node, &index);
	if (!page)
		goto refused;
	if (!cram_reserve(node))
		goto put;

	written = cram_write(node, page, from);
	if (written) {
		WRITE_ONCE(node->owners[index], page_swap_entry(from));
		atomic_long_inc(&node->stored);
	}
	cram_reserved(node, written);
	if (!written)
		goto put;

	cram_count(node, CRAM_STORED);
	*size = cram_size(node, page);
	if (!PageHWPoison(page))
		return page;

	/* It has failed already; @from has the data still */
	cram_free(page);
	goto refused;

put:
	cram_put_page(node, index);
refused:
	cram_count(node, CRAM_REFUSED);
	return NULL;
}

/* What is in a page is lost, and nothing is ever stored there again. */
static void cram_poison(struct cram_node *node, struct page *page)
{
	if (!TestSetPageHWPoison(page))
		cram_count(node, CRAM_POISONED);
}

/**
 * cram_load - Copy a page back.
 * @page: from mt_store_page().
 * @to: where to.
 *
 * Context: May sleep.
 * Return: 0, or -EIO if what was stored is lost. @page is not used again then,
 * but is the caller's to free as ever.
 */
int cram_load(struct page *page, struct page *to)
{
	struct cram_node *node = cram_page_node(page);

	/* The device, or the machine check handler, may have said so before */
	if (!PageHWPoison(page) && !copy_mc_highpage(to, page)) {
		cram_count(node, CRAM_LOADED);
		return 0;
	}

	cram_poison(node, page);
	return -EIO;
}

/**
 * cram_free - Give a page back.
 * @page: from mt_store_page().
 *
 * Context: Any but interrupts; does not sleep.
 */
void cram_free(struct page *page)
{
	struct cram_node *node = cram_page_node(page);
	unsigned long index = cram_page_index(node, page);

	WRITE_ONCE(node->owners[index], (swp_entry_t) {});
	if (node->ops && node->ops->released)
		node->ops->released(node->priv, page);
	if (PageHWPoison(page))
		atomic_long_inc(&node->retired);
	else
		cram_put_page(node, index);

	/* With the last page the node may go, see cram_evacuate() */
	atomic_long_dec_return_release(&node->stored);
}

/**
 * cram_page_is_on - Is a page one of a node?
 * @page: from mt_store_page().
 * @node: the node.
 *
 * Context: Any.
 * Return: true if it is.
 */
bool cram_page_is_on(struct page *page, struct cram_node *node)
{
	return cram_page_node(page) == node;
}

/**
 * cram_free_pages - Estimate how many more pages can be stored on all nodes.
 *
 * The room below the high watermarks as if no page could be compressed.
 *
 * Context: Any.
 * Return: Number of pages.
 */
unsigned long cram_free_pages(void)
{
	struct cram_node *node;
	unsigned long nr = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(node, &cram_nodes, list) {
		u64 bound = READ_ONCE(node->bound);
		u64 mark = cram_mark(node, READ_ONCE(node->high));
		long left;

		/* A page that is retired may still count as stored, too */
		left = node->nr_pages - atomic_long_read(&node->stored) -
		       atomic_long_read(&node->retired);
		if (!READ_ONCE(node->full) && !READ_ONCE(node->closed) &&
		    mark > bound && left > 0)
			nr += min_t(u64, left, (mark - bound) >> PAGE_SHIFT);
	}
	rcu_read_unlock();

	return nr;
}

/* Move pages elsewhere, the oldest of each cgroup, until the low watermark is reached. */
static void cram_evict(struct work_struct *work)
{
	struct cram_node *node = container_of(to_delayed_work(work),
					      struct cram_node, evict_work);
	unsigned long nr;

	for (;;) {
		spin_lock(&node->lock);
		__cram_check(node);
		spin_unlock(&node->lock);
		if (!READ_ONCE(node->full))
			return;

		nr = zswap_evict_direct(node);
		if (!nr)
			break;
		atomic_long_add(nr, &node->events[CRAM_EVICTED]);
		cond_resched();
	}

	/* Nowhere to move them to for now. Pages may be freed as well */
	mod_delayed_work(system_dfl_wq, &node->evict_work, CRAM_EVICT_DELAY);
}

/**
 * cram_usage_changed - Let it be known that there is less room than there was.
 * @node: the node.
 *
 * For a driver whose device tells it by an interrupt, say: to be called by the
 * threaded handler.
 *
 * Context: Process context; does not sleep. Not called from the driver's own
 * functions in struct cram_ops, nor under locks that these take. The driver sees
 * to it that the node is not unregistered meanwhile.
 */
void cram_usage_changed(struct cram_node *node)
{
	spin_lock(&node->lock);
	__cram_check(node);
	spin_unlock(&node->lock);
	mod_delayed_work(system_dfl_wq, &node->evict_work, 0);
}
EXPORT_SYMBOL_GPL(cram_usage_changed);

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

	mod_delayed_work(system_dfl_wq, &node->evict_work, 0);
	return 0;
}

/*
 * Have the folio of a swap entry hold the data that is on a node. The entry may be
 * gone, which the swap cache finds out: the virtual device always is there.
 */
static void cram_read_back(swp_entry_t entry, struct mempolicy *mpol)
{
	/* The rounds of cram_evacuate() are the retries */
	const gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN;
	struct swap_io_ctx io = {};
	struct folio *folio;

	folio = swap_cache_read_folio(&io, entry, gfp, mpol, NO_INTERLEAVE_INDEX,
				      false);
	swap_read_submit(&io);
	/* No memory, or not in use any more: the page tells, if looked at again */
	if (!folio)
		return;

	folio_lock(folio);
	folio_wait_writeback(folio);
	if (folio_matches_swap_entry(folio, entry))
		zswap_leave_direct(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/*
 * Read back all pages of a node that takes none any more. A page whose owner is
 * busy is left for the next round.
 */
static int cram_evacuate(struct cram_node *node)
{
	struct mempolicy *mpol = get_task_policy(current);
	unsigned long left = atomic_long_read_acquire(&node->stored), before;
	int idle = 0;

	while (left) {
		for (unsigned long i = 0; i < node->nr_pages; i++) {
			swp_entry_t entry = READ_ONCE(node->owners[i]);

			cond_resched();
			if (!entry.val)
				continue;
			if (signal_pending(current))
				return -EINTR;
			cram_read_back(entry, mpol);
		}
		before = left;
		left = atomic_long_read_acquire(&node->stored);
		if (left < before) {
			idle = 0;
			continue;
		}
		if (++idle == MAX_RECLAIM_RETRIES)
			return -EBUSY;
		/* Let others get on: with what they free, or with reclaim */
		schedule_timeout_uninterruptible(CRAM_IDLE_DELAY);
	}

	return 0;
}

/* Nobody can reach it any more. */
void cram_node_free(struct cram_node *node)
{
	sbitmap_free(&node->pages);
	vfree(node->owners);
	kfree(node);
}

static struct cram_node *cram_node_alloc(int nid, const struct range *ranges,
					 int nr_ranges)
{
	struct cram_node *node;

	node = kzalloc_flex(*node, ranges, nr_ranges);
	if (!node)
		return NULL;

	node->nr_ranges = nr_ranges;
	for (int i = 0; i < nr_ranges; i++) {
		node->ranges[i] = ranges[i];
		node->nr_pages += range_len(&ranges[i]) >> PAGE_SHIFT;
	}
	node->owners = __vcalloc(node->nr_pages, sizeof(*node->owners),
				 GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!node->owners ||
	    sbitmap_init_node(&node->pages, node->nr_pages, -1, GFP_KERNEL,
			      numa_mem_id(), false, true)) {
		vfree(node->owners);
		kfree(node);
		return NULL;
	}

	spin_lock_init(&node->lock);
	INIT_DELAYED_WORK(&node->evict_work, cram_evict);
	node->high = CRAM_HIGH;
	node->low = CRAM_LOW;
	node->direct.nid = nid;
	node->direct.store = cram_store;
	cram_sysfs_init(node);
	return node;
}

/**
 * cram_register - Hand over the memory of a node that compresses by itself.
 * @nid: the NUMA node; one device a node.
 * @ranges: the memory, whole pages of ZONE_DEVICE that nothing else uses.
 * @nr_ranges: number of ranges.
 * @ops: what the driver provides, NULL for nothing.
 * @priv: for the functions of @ops.
 *
 * Context: May sleep.
 * Return: The node; -EEXIST if @nid has one; -EINVAL if @nid is not possible, or
 * @ranges are none, not whole pages, or more than INT_MAX pages; -EBUSY while the
 * system hibernates; -ENOMEM, or another error if its memory tier can't be made.
 */
struct cram_node *cram_register(int nid, const struct range *ranges,
				int nr_ranges, const struct cram_ops *ops,
				void *priv)
{
	struct cram_node *node, *other;
	struct cram_usage usage;
	u64 bytes = 0;
	int err;

	for (int i = 0; i < nr_ranges; i++) {
		if (!PAGE_ALIGNED(ranges[i].start) ||
		    !PAGE_ALIGNED(ranges[i].end + 1) || !range_len(&ranges[i]))
			return ERR_PTR(-EINVAL);
		bytes += range_len(&ranges[i]);
	}
	/* The bits of a bitmap are numbered by int */
	if (bytes >> PAGE_SHIFT > INT_MAX)
		return ERR_PTR(-EINVAL);
	if (nr_ranges < 1 || nid < 0 || nid >= MAX_NUMNODES || !node_possible(nid))
		return ERR_PTR(-EINVAL);

	node = cram_node_alloc(nid, ranges, nr_ranges);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->ops = ops;
	node->priv = priv;
	cram_refresh(node, &usage);

	mutex_lock(&cram_mutex);
	err = -EBUSY;
	if (cram_hibernating)
		goto unlock;
	err = -EEXIST;
	list_for_each_entry(other, &cram_nodes, list) {
		if (other->direct.nid == nid)
			goto unlock;
	}
	err = cram_sysfs_add(node);
	if (err)
		goto unlock;
	cram_set_page_nodes(node, node);
	err = mt_add_direct(&node->direct);
	if (err) {
		cram_set_page_nodes(node, NULL);
		cram_sysfs_remove(node);
		goto unlock;
	}
	list_add_tail_rcu(&node->list, &cram_nodes);
	mutex_unlock(&cram_mutex);
	return node;

unlock:
	mutex_unlock(&cram_mutex);
	synchronize_rcu();
	cancel_delayed_work_sync(&node->evict_work);
	kobject_put(&node->kobj);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(cram_register);

/**
 * cram_unregister - Get the memory of a node back.
 * @node: the node, which is gone afterwards unless this fails.
 *
 * What is stored there is read back into memory, from where reclaim may move it
 * to zswap or to a swap device. If that is not possible, the node is in use as
 * before, but for what has been moved.
 *
 * Context: May sleep, and takes long.
 * Return: 0; -EBUSY if there is no room for all of it elsewhere, -EINTR if a
 * signal is pending.
 */
int cram_unregister(struct cram_node *node)
{
	int err;

	mutex_lock(&cram_mutex);
	cram_close(node);
	err = cram_evacuate(node);
	if (err) {
		cram_open(node);
		mutex_unlock(&cram_mutex);
		return err;
	}
	mt_del_direct(&node->direct);
	list_del_rcu(&node->list);
	cram_set_page_nodes(node, NULL);
	cram_sysfs_remove(node);
	mutex_unlock(&cram_mutex);

	/* For cram_free_pages() and cram_memory_failure() */
	synchronize_rcu();
	cancel_delayed_work_sync(&node->evict_work);
	kobject_put(&node->kobj);
	return 0;
}
EXPORT_SYMBOL_GPL(cram_unregister);

/**
 * cram_memory_failure - For dev_pagemap_ops::memory_failure of a driver.
 * @pgmap: of the memory.
 * @pfn: first page that has failed.
 * @nr_pages: number of pages.
 * @mf_flags: flags of memory_failure().
 *
 * Nobody maps the pages: it is enough to remember, for the next load.
 *
 * Context: Any. The pages need not be of a node that is registered yet, or still.
 * Return: 0.
 */
int cram_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			unsigned long nr_pages, int mf_flags)
{
	for (; nr_pages; nr_pages--, pfn++) {
		struct page *page = pfn_to_page(pfn);
		struct cram_node *node;

		rcu_read_lock();
		node = cram_page_node(page);
		if (node)
			cram_poison(node, page);
		else
			SetPageHWPoison(page);
		rcu_read_unlock();
	}

	return 0;
}
EXPORT_SYMBOL_GPL(cram_memory_failure);

/*
 * The image of a hibernating system has no device memory, and what is there is
 * gone when the power is off: a system with such a node can't hibernate. Nor can it
 * use hibernate_quiet_exec() alone: what that is for is not known here.
 */
static int cram_pm_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	guard(mutex)(&cram_mutex);

	switch (action) {
	case PM_HIBERNATION_PREPARE:
		if (!list_empty(&cram_nodes)) {
			pr_err("compressed RAM is in use, can't hibernate\n");
			return notifier_from_errno(-EBUSY);
		}
		cram_hibernating = true;
		break;
	case PM_POST_HIBERNATION:
		cram_hibernating = false;
		break;
	}

	return NOTIFY_DONE;
}

static struct notifier_block cram_pm_nb = {
	.notifier_call = cram_pm_notify,
};

static int __init cram_init(void)
{
	return register_pm_notifier(&cram_pm_nb);
}
subsys_initcall(cram_init);
