// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: copying pages there and back.
 *
 * zswap asks for copies of pages that are swapped out, see mm/cram_store.h. The
 * nearest device that takes them gets them, in the order that the memory tiers
 * give to the nodes: mm/memory-tiers.c.
 */
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/memory-tiers.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include <linux/swapops.h>
#include <linux/topology.h>
#include <linux/xxhash.h>
#include "internal.h"
#include "swap.h"
#include "cram.h"

/* What takes more is not worth it, in bytes */
#define CRAM_MAX_SIZE		(PAGE_SIZE - PAGE_SIZE / 8)

/* Stores after which the driver is asked again for the mean size of a page */
#define CRAM_MEAN_PAGES		256

/* How long pages that are freed wait for others to be trimmed with them, in jiffies */
#define CRAM_TRIM_DELAY		(HZ / 10)

DEFINE_STATIC_KEY_FALSE(cram_present);

/* Devices that take copies, by abstract distance; read under cram_store_srcu */
static LIST_HEAD(cram_stores);
static DEFINE_MUTEX(cram_store_mutex);
DEFINE_STATIC_SRCU(cram_store_srcu);

/* Whose turn it is among those that are as near as each other */
static atomic_t cram_store_turn;

/*
 * To one device
 */

/* Is a copy yet to be made? What can't be read is better not tried again. */
static bool cram_copy_missing(const struct cram_copy *copy)
{
	return IS_ERR(copy->page) && PTR_ERR(copy->page) != -EHWPOISON;
}

/*
 * Bytes, and nothing that an architecture keeps beside them: that would stay with a
 * page of the device. Returns whether all of @from could be read.
 */
static bool cram_copy(struct page *to, struct page *from)
{
	void *vfrom = kmap_local_page(from), *vto = kmap_local_page(to);
	unsigned long left = copy_mc_to_kernel(vto, vfrom, PAGE_SIZE);

	if (!left)
		kmsan_copy_page_meta(to, from);
	kunmap_local(vto);
	kunmap_local(vfrom);
	if (left)
		memory_failure_queue(page_to_pfn(from), 0);

	return !left;
}

/* What a page takes, the @nth that was stored, in bytes, as far as is known. */
static unsigned int cram_size(struct cram_node *node, struct page *page, long nth)
{
	unsigned int size = 0;

	if (node->ops && node->ops->stored_size)
		size = node->ops->stored_size(node->priv, page);
	else if (!node->compresses)
		return PAGE_SIZE;
	if (size)
		return size;

	if (!(nth % CRAM_MEAN_PAGES))
		cram_refresh(node);
	return min_t(unsigned int, cram_mean_size(node), CRAM_MAX_SIZE);
}

/* A page is not in use any more. */
static void cram_put_page(struct cram_node *node, struct page *page)
{
	bool wake;

	spin_lock(&node->lock);
	wake = __cram_put_page(node, page, &node->freed) || node->full;
	spin_unlock(&node->lock);
	if (wake)
		cram_wake(node, CRAM_TRIM_DELAY);
}

/**
 * cram_free_page - Give a copy back.
 * @page: its page.
 *
 * Context: Any but interrupts; does not sleep.
 */
void cram_free_page(struct page *page)
{
	struct cram_node *node = cram_page_node(page);

	/* With the last page it may go, see cram_leave(), though not yet */
	rcu_read_lock();
	cram_put_page(node, page);
	if (!atomic_long_dec_return_release(&node->stored) &&
	    READ_ONCE(node->state) == CRAM_ORPHAN)
		cram_wake(node, 0);
	rcu_read_unlock();
}

/* Of a page in memory that could be read before. Never 0. */
static u32 cram_sum(struct page *page)
{
	void *addr = kmap_local_page(page);
	u32 sum = xxhash(addr, PAGE_SIZE, 0);

	kunmap_local(addr);
	return sum ?: 1;
}

/* Pages that are stored together. */
struct cram_batch {
	int nr;
	struct page *from[CRAM_STORE_PAGES];
	struct page *to[CRAM_STORE_PAGES];
	struct cram_copy *copies[CRAM_STORE_PAGES];
};

/* Have the driver decide on each page of a batch, which keeps those that it takes. */
static void cram_offer(struct cram_node *node, struct cram_batch *batch)
{
	const struct cram_ops *ops = node->ops;
	int nr = 0, err = 0;

	if (!ops || !ops->may_store)
		return;

	for (int i = 0; i < batch->nr; i++) {
		/* Where there is no room for one, there is none for the next */
		if (err != -ENOSPC)
			err = ops->may_store(node->priv, batch->to[i]);
		if (err) {
			cram_unreserve(node, batch->to[i], err);
			batch->copies[i]->page = ERR_PTR(err == -ENOSPC ? err : -EAGAIN);
			continue;
		}
		batch->from[nr] = batch->from[i];
		batch->to[nr] = batch->to[i];
		batch->copies[nr++] = batch->copies[i];
	}
	batch->nr = nr;
}

/* By the device if it can, else page by page. */
static void cram_copy_pages(struct cram_node *node, struct cram_batch *batch)
{
	const struct cram_ops *ops = node->ops;
	bool copied = ops && ops->copy &&
		      !ops->copy(node->priv, batch->to, batch->from, batch->nr);

	for (int i = 0; i < batch->nr; i++) {
		struct page *to = batch->to[i], *from = batch->from[i];

		if (copied)
			kmsan_copy_page_meta(to, from);
		batch->copies[i]->page = copied || cram_copy(to, from) ? to :
					 ERR_PTR(-EHWPOISON);
	}
}

/* Write pages that are reserved. */
static void cram_write(struct cram_node *node, struct cram_batch *batch)
{
	const struct cram_ops *ops = node->ops;

	cram_copy_pages(node, batch);
	if (node->compresses)
		cram_write_back(batch->to, batch->nr);
	for (int i = 0; i < batch->nr; i++) {
		struct cram_copy *copy = batch->copies[i];
		struct page *from = batch->from[i];

		if (ops && ops->written)
			ops->written(node->priv, batch->to[i]);
		if (!IS_ERR(copy->page)) {
			copy->sum = READ_ONCE(node->verify) ? cram_sum(from) : 0;
			cram_set_owner(node, copy->page, page_swap_entry(from));
			atomic_long_inc(&node->stored);
		}
		cram_reserved(node);
	}
}

/* See what has become of a page that was written: is it to be kept? */
static void cram_stored(struct cram_node *node, struct page *page, struct cram_copy *copy)
{
	int err = 0;

	if (IS_ERR(copy->page)) {
		cram_put_page(node, page);
		return;
	}

	copy->size = cram_size(node, page,
			       atomic_long_inc_return(&node->events[CRAM_STORED]));
	if (copy->size > CRAM_MAX_SIZE && node->ops && node->ops->stored_size)
		err = -E2BIG;
	else if (PageHWPoison(page) || READ_ONCE(node->gone))
		err = -EAGAIN;
	if (err) {
		/* Nothing is gained, or it has failed already; who stores has the data still */
		cram_free_page(page);
		copy->page = ERR_PTR(err);
	}
}

/* Store some of the pages that are missing, from @first on. Returns where to go on. */
static int cram_store_some(struct cram_node *node, struct page *page, int first, int nr,
			   struct cram_copy *copies)
{
	struct cram_batch batch __uninitialized;
	int nr_missing = 0, got;

	for (int i = first; i < nr; i++)
		nr_missing += cram_copy_missing(&copies[i]);
	if (!nr_missing)
		return nr;
	got = cram_reserve(node, batch.to, nr_missing);
	if (got < 0) {
		for (; first < nr; first++) {
			if (cram_copy_missing(&copies[first]))
				copies[first].page = ERR_PTR(got);
		}
		return nr;
	}

	for (batch.nr = 0; batch.nr < got; first++) {
		if (!cram_copy_missing(&copies[first]))
			continue;
		batch.from[batch.nr] = page + first;
		batch.copies[batch.nr++] = &copies[first];
	}
	cram_offer(node, &batch);
	if (batch.nr)
		cram_write(node, &batch);
	for (int i = 0; i < batch.nr; i++)
		cram_stored(node, batch.to[i], batch.copies[i]);

	return first;
}

/* Copy those pages to a device that no other one has taken. Returns how many are missing. */
static int cram_store(struct cram_node *node, struct page *page, int nr,
		      struct cram_copy *copies)
{
	int nr_missing = 0;

	for (int next = 0; next < nr;)
		next = cram_store_some(node, page, next, nr, copies);
	for (int i = 0; i < nr; i++)
		nr_missing += cram_copy_missing(&copies[i]);
	if (nr_missing)
		cram_count(node, CRAM_REFUSED, nr_missing);

	return nr_missing;
}

/*
 * To the nearest one
 */

/* How far a device is from a node: abstract distance first. */
static u64 cram_distance(struct cram_node *node, int nid)
{
	return (u64)node->adistance << 32 | node_distance(nid, node->nid);
}

#define cram_for_each_store(node)					\
	list_for_each_entry_srcu(node, &cram_stores, store_list,		\
				 srcu_read_lock_held(&cram_store_srcu))

/* How many devices are there at the next larger distance from a node? */
static unsigned int cram_next_distance(int nid, u64 *distance)
{
	struct cram_node *node;
	unsigned int nr = 0;
	u64 next = U64_MAX;

	cram_for_each_store(node) {
		u64 this = cram_distance(node, nid);

		if (this <= *distance || this > next)
			continue;
		nr = this == next ? nr + 1 : 1;
		next = this;
	}
	*distance = next;

	return nr;
}

/* Ask the devices at a distance, the @turn-th first. Returns how many are missing. */
static int cram_store_at(u64 distance, unsigned int turn,
			 struct page *page, int nr, struct cram_copy *copies)
{
	int nid = page_to_nid(page), missing = nr;

	/* Those from it on, then those in front of it */
	for (int pass = 0; pass < 2; pass++) {
		struct cram_node *node;
		unsigned int nr_asked = 0;

		cram_for_each_store(node) {
			if (cram_distance(node, nid) != distance)
				continue;
			if ((nr_asked++ < turn) != pass)
				continue;
			missing = cram_store(node, page, nr, copies);
			if (!missing)
				return 0;
		}
	}

	return missing;
}

/**
 * cram_store_pages - Copy pages to devices.
 * @page: the first one. All are of one folio, and do not change meanwhile.
 * @nr: number of pages, at most %CRAM_STORE_PAGES.
 * @copies: returns the copies, which the caller gives back by cram_free_page().
 *
 * The nearest device that takes them gets them: by abstract distance first, then by
 * that of its node from the pages'; of those that are as near as each other, each in
 * turn. What one does not take is offered to the next.
 *
 * Where there is no copy of a page, its error is -ENODEV if there is no device;
 * -EHWPOISON if the page can't be read, which is better not tried again; or why the last
 * one that was asked does not take it: -ENOSPC if it is full, and makes room; -E2BIG if
 * it never takes this page, which can't be compressed; -EAGAIN if it does not take any
 * now.
 *
 * Context: May sleep. Called while memory is reclaimed.
 */
void cram_store_pages(struct page *page, int nr,
		      struct cram_copy *copies)
{
	unsigned int nr_devices;
	int idx, nid = page_to_nid(page);
	u64 distance = 0;

	for (int i = 0; i < nr; i++)
		copies[i].page = ERR_PTR(-ENODEV);
	if (WARN_ON_ONCE(nr > CRAM_STORE_PAGES))
		return;

	idx = srcu_read_lock(&cram_store_srcu);
	while ((nr_devices = cram_next_distance(nid, &distance))) {
		unsigned int turn = 0;

		if (nr_devices > 1)
			turn = (unsigned int)atomic_inc_return(&cram_store_turn) % nr_devices;
		if (!cram_store_at(distance, turn, page, nr, copies))
			break;
	}
	srcu_read_unlock(&cram_store_srcu, idx);
}

unsigned long __cram_headroom_pages(void)
{
	struct cram_node *node;
	unsigned long nr = 0;
	int idx;

	idx = srcu_read_lock(&cram_store_srcu);
	cram_for_each_store(node) {
		nr += cram_room_pages(node);
	}
	srcu_read_unlock(&cram_store_srcu, idx);

	return nr;
}

/*
 * And back
 */

/* Is it what was stored? The device may have dropped it, and said nothing. */
static bool cram_is_sound(const struct cram_copy *copy, struct page *page)
{
	return !copy->sum || copy->sum == cram_sum(page);
}

/**
 * cram_load_page - Copy a page back.
 * @copy: from cram_store_pages().
 * @to: where to.
 *
 * Context: May sleep.
 * Return: 0; -EIO if what was stored is lost, for good; -EBADMSG if what could be read is
 * not what was stored, which another try may find. The copy is the caller's to free as
 * ever.
 */
int cram_load_page(const struct cram_copy *copy, struct page *to)
{
	struct cram_node *node = cram_page_node(copy->page);

	/* The device, or the machine check handler, may have said so before */
	if (READ_ONCE(node->gone) || PageHWPoison(copy->page))
		return -EIO;
	if (!cram_copy(to, copy->page)) {
		cram_poison(node, copy->page);
		return -EIO;
	}
	/* It may have gone meanwhile, and what was read is anything */
	smp_rmb();
	if (READ_ONCE(node->gone))
		return -EIO;
	/* Dropped, or a device that is not itself for a moment */
	if (!cram_is_sound(copy, to)) {
		cram_count(node, CRAM_DROPPED, 1);
		return -EBADMSG;
	}

	cram_count(node, CRAM_LOADED, 1);
	return 0;
}

/*
 * Which devices there are
 */

/**
 * cram_store_add - Let a device take copies of pages.
 * @node: the device.
 *
 * Its node is shown in the memory tier where it belongs.
 *
 * Context: May sleep.
 * Return: 0; -ENOMEM, or another error if the memory tier can't be made.
 */
int cram_store_add(struct cram_node *node)
{
	struct list_head *next = &cram_stores;
	struct cram_node *other;
	int err;

	err = mt_attach_node(node->nid, &node->adistance);
	if (err)
		return err;

	guard(mutex)(&cram_store_mutex);
	list_for_each_entry(other, &cram_stores, store_list) {
		if (other->adistance > node->adistance) {
			next = &other->store_list;
			break;
		}
	}
	list_add_tail_rcu(&node->store_list, next);

	return 0;
}

/**
 * cram_store_del - Let a device take no more copies.
 * @node: the device.
 *
 * Waits for those that are being made. Those that there are can be loaded and freed.
 *
 * Context: May sleep.
 */
void cram_store_del(struct cram_node *node)
{
	mutex_lock(&cram_store_mutex);
	list_del_rcu(&node->store_list);
	mutex_unlock(&cram_store_mutex);
	mt_detach_node(node->nid);

	synchronize_srcu(&cram_store_srcu);
}
