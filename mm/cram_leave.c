// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: devices that leave.
 *
 * Each page knows the swap entry whose data it has. To give up a device is to have
 * zswap move what it can, as if there were no room, and then to read all of the
 * other entries into the swap cache, in no matter which processes they are mapped.
 *
 * A driver can't be refused to go, and there may be no room for all of it, or the
 * user may not want to wait. What is left is an *orphan* then: its memory stays
 * mapped, what is there can be read, and nobody calls the driver for it any more.
 * The worker goes on to empty it, and removes it when that is done. If the memory
 * is registered again before, whoever does so adopts what is there.
 *
 * If the device itself is *gone*, there is nothing to be read. Each page is an error
 * for who wants it, and the orphan stays until nobody may.
 */
#define pr_fmt(fmt) "cram: " fmt

#include <linux/mempolicy.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/swap_ops.h>
#include <linux/swapops.h>
#include "internal.h"
#include "swap.h"
#include "cram.h"
#include "zswap.h"

/* How long to wait between the rounds of giving up a device, in jiffies */
#define CRAM_IDLE_DELAY		(HZ / 50 + 1)

/* Pages that are read in vain, one after the other, until the rest is left to the worker */
#define CRAM_LEAVE_TRIES	(32 * SWAP_CLUSTER_MAX)

/* Pages that are moved elsewhere until somebody else may have a say */
#define CRAM_LEAVE_PAGES	(4 * SWAP_CLUSTER_MAX)

/* The same of those that are looked at, whether in use or not */
#define CRAM_LEAVE_SLOTS	(128 * SWAP_CLUSTER_MAX)

/*
 * Have the folio of a swap entry hold the data that is on a device. The entry may be
 * gone, which the swap cache finds out: the virtual device always is there.
 */
static void cram_read_back(swp_entry_t entry, struct mempolicy *mpol)
{
	/* There are rounds enough, which are the retries */
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
 * Some of the pages. One whose owner is busy is left for the next round. Returns 0,
 * -EINTR, -ENODEV if the device is gone, or -EBUSY if too many were @in_vain, unless that
 * is NULL, since one was not.
 */
static int cram_read_some_back(struct cram_node *node, unsigned long index,
			       unsigned long nr, unsigned long *in_vain)
{
	struct mempolicy *mpol = get_task_policy(current);

	for (; nr-- && index < node->nr_pages; index++) {
		swp_entry_t entry = cram_owner(node, index);
		long before = atomic_long_read(&node->stored);

		cond_resched();
		if (!entry.val)
			continue;
		if (signal_pending(current))
			return -EINTR;
		if (READ_ONCE(node->gone))
			return -ENODEV;
		cram_read_back(entry, mpol);
		if (!in_vain)
			continue;
		if (atomic_long_read(&node->stored) < before)
			*in_vain = 0;
		else if (++*in_vain == CRAM_LEAVE_TRIES)
			return -EBUSY;
	}

	return 0;
}

/*
 * Empty a device that takes no pages any more. Returns 0, -EINTR, -ENODEV if the device
 * is gone, or -EBUSY if many pages, or few again and again, could not be moved.
 */
static int cram_evacuate(struct cram_node *node)
{
	unsigned long left, before, in_vain = 0;
	int idle = 0, err;

	while (!READ_ONCE(node->gone) && !signal_pending(current) &&
	       zswap_evict_direct(node, node->nid, CRAM_LEAVE_PAGES))
		cond_resched();

	left = atomic_long_read_acquire(&node->stored);
	while (left) {
		if (READ_ONCE(node->gone))
			return -ENODEV;
		err = cram_read_some_back(node, 0, node->nr_pages, &in_vain);
		before = left;
		left = atomic_long_read_acquire(&node->stored);
		if (left && err)
			return err;
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

/*
 * The same for an orphan, but only a little of it. Returns false if it was in vain, all
 * over.
 */
static bool cram_evacuate_some(struct cram_node *node)
{
	unsigned long before = atomic_long_read(&node->stored);

	if (READ_ONCE(node->gone))
		return false;
	if (zswap_evict_direct(node, node->nid, CRAM_LEAVE_PAGES))
		return true;

	if (node->leave_index >= node->nr_pages)
		node->leave_index = 0;
	cram_read_some_back(node, node->leave_index, CRAM_LEAVE_SLOTS, NULL);
	node->leave_index += CRAM_LEAVE_SLOTS;
	node->leave_idle += CRAM_LEAVE_SLOTS;
	if (atomic_long_read(&node->stored) < before)
		node->leave_idle = 0;
	if (node->leave_idle < node->nr_pages)
		return true;

	node->leave_idle = 0;
	return false;
}

/* Nobody calls the driver from here on. Those who store, and the worker, have ended. */
void cram_forget_driver(struct cram_node *node)
{
	/* There may be some who want to know the usage */
	mutex_lock(&node->usage_lock);
	node->ops = NULL;
	node->priv = NULL;
	cram_room_renew(node);
	mutex_unlock(&node->usage_lock);
}

/**
 * cram_unregister - Get the memory of a device back.
 * @node: the device, which the driver does not use any more.
 *
 * What is stored there is moved elsewhere: to swap devices, or into memory. If there is
 * no room for it, or a signal is pending, it stays, and so does the memory; it is
 * emptied later: until then the memory has to be there, powered and decoded, and somebody
 * has to tell if it is not, see below. The driver is not called any more when this returns.
 *
 * A device that is not there any more is for cram_set_gone() to be told of before, one
 * that vanishes later for cram_set_gone_range().
 *
 * Context: May sleep, and takes long.
 * Return: 0 if the memory is free now, -EBUSY if some of it is still in use.
 */
int cram_unregister(struct cram_node *node)
{
	struct module *owner = node->ops ? node->ops->owner : NULL;
	int err;

	cram_set_state(node, CRAM_LEAVING);
	cram_close(node);
	cram_store_del(node);
	cancel_delayed_work_sync(&node->work);
	err = cram_evacuate(node);
	cram_forget_driver(node);
	module_put(owner);
	if (!err) {
		cram_remove(node, false);
		return 0;
	}

	pr_warn("%s is left with %ld pages: %pe\n", node->name,
		atomic_long_read(&node->stored), ERR_PTR(err));
	cram_set_orphan(node);
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(cram_unregister);

/* For the worker: go on with emptying an orphan. It is gone if this returns true. */
bool cram_leave(struct cram_node *node)
{
	if (!cram_backoff_delay(&node->evict_backoff)) {
		bool moved = cram_evacuate_some(node);

		cram_backoff(&node->evict_backoff, !moved);
		if (moved)
			cram_wake(node, 0);
	}
	if (atomic_long_read_acquire(&node->stored) || !cram_disown(node))
		return false;

	pr_info("%s is empty now\n", node->name);
	cram_remove(node, true);
	return true;
}

/**
 * cram_set_gone - Tell that a device is not there any more.
 * @node: the device.
 *
 * What is stored there is lost: who wants it gets an error, and nobody the bytes that
 * can be read in its place.
 *
 * Context: Any but interrupts. cram_unregister() is called afterwards.
 */
void cram_set_gone(struct cram_node *node)
{
	spin_lock(&node->lock);
	WRITE_ONCE(node->gone, true);
	node->closed = true;
	spin_unlock(&node->lock);
}
EXPORT_SYMBOL_GPL(cram_set_gone);
