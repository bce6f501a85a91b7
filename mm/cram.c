// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the memory of devices that compress by themselves.
 *
 * A driver registers the memory of a node. Each page of it that is not in use can
 * take a copy of one page, if the driver and the watermarks allow it; zswap keeps
 * the address of the copy in place of compressed data of its own. Nothing else
 * knows of these pages: they are device memory that the page allocator never
 * sees. mm/cram_map.c maps them; which of them are free is for mm/cram_pages.c, how
 * much room there is for mm/cram_room.c, and what happens to them when the driver
 * leaves for mm/cram_leave.c.
 *
 * Worker. Each node has one, which has the device discard what was freed, moves
 * pages elsewhere when there is no room, and backs off where that is in vain. It
 * does a little at a time, as it is frozen before the system sleeps.
 *
 * Locks: inside of cram_node::lock there are only those of waking somebody up; the
 * driver is never called with it held. Pages are freed under cluster locks of the
 * swap layer, so freeing does not sleep.
 */
#define pr_fmt(fmt) "cram: " fmt

#include <linux/highmem.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swapops.h>
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

static LIST_HEAD(cram_nodes);
static bool cram_hibernating;
static DEFINE_MUTEX(cram_mutex);	/* for these, and for (un)registering */
static DECLARE_WAIT_QUEUE_HEAD(cram_removed);	/* one of the nodes has gone */
static struct workqueue_struct *cram_wq;

static struct cram_node *direct_to_node(struct mt_direct *direct)
{
	return container_of(direct, struct cram_node, direct);
}

/**
 * cram_wake - Have the worker of a node run, unless it does before.
 * @node: the node.
 * @delay: in so many jiffies.
 *
 * Context: Any.
 */
void cram_wake(struct cram_node *node, unsigned long delay)
{
	struct timer_list *timer = &node->work.timer;

	if (delay && queue_delayed_work(cram_wq, &node->work, delay))
		return;
	/* What it waits for already may be for long */
	if (!delay || (timer_pending(timer) &&
		       time_before(jiffies + delay, READ_ONCE(timer->expires))))
		mod_delayed_work(cram_wq, &node->work, delay);
}

/**
 * cram_retry - Have the worker of a node try what has been in vain.
 * @node: the node.
 *
 * Context: Any.
 */
void cram_retry(struct cram_node *node)
{
	WRITE_ONCE(node->trim_backoff.delay, 0);
	WRITE_ONCE(node->evict_backoff.delay, 0);
	cram_wake(node, 0);
}

static void cram_work(struct work_struct *work)
{
	struct cram_node *node = container_of(to_delayed_work(work),
					      struct cram_node, work);
	unsigned long delay;

	switch (READ_ONCE(node->state)) {
	case CRAM_ONLINE:
		/* What is yet to be trimmed may be room enough */
		if (cram_trim(node) || cram_is_overfull(node))
			cram_make_room(node);
		break;
	case CRAM_ORPHAN:
		if (cram_leave(node))
			return;
		break;
	default:
		return;
	}
	delay = cram_backoff_delay(&node->trim_backoff);
	delay = min_not_zero(delay, cram_backoff_delay(&node->evict_backoff));
	if (delay)
		cram_wake(node, delay);
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

/* Give a page back, see mt_free_page(). */
static void cram_free(struct mt_direct *direct, struct page *page)
{
	struct cram_node *node = direct_to_node(direct);

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
	struct page *from[MT_STORE_PAGES];
	struct page *to[MT_STORE_PAGES];
	struct mt_copy *copies[MT_STORE_PAGES];
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
		struct mt_copy *copy = batch->copies[i];
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
static void cram_stored(struct cram_node *node, struct page *page, struct mt_copy *copy)
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
		cram_free(&node->direct, page);
		copy->page = ERR_PTR(err);
	}
}

/* Store some of the pages that are missing, from @first on. Returns where to go on. */
static int cram_store_some(struct cram_node *node, struct page *page, int first, int nr,
			   struct mt_copy *copies)
{
	struct cram_batch batch __uninitialized;
	int nr_missing = 0, got;

	for (int i = first; i < nr; i++)
		nr_missing += mt_copy_missing(&copies[i]);
	if (!nr_missing)
		return nr;
	got = cram_reserve(node, batch.to, nr_missing);
	if (got < 0) {
		for (; first < nr; first++) {
			if (mt_copy_missing(&copies[first]))
				copies[first].page = ERR_PTR(got);
		}
		return nr;
	}

	for (batch.nr = 0; batch.nr < got; first++) {
		if (!mt_copy_missing(&copies[first]))
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

/* Copy pages to the node, see mt_store_pages(). */
static int cram_store(struct mt_direct *direct, struct page *page, int nr,
		      struct mt_copy *copies)
{
	struct cram_node *node = direct_to_node(direct);
	int nr_missing = 0;

	for (int next = 0; next < nr;)
		next = cram_store_some(node, page, next, nr, copies);
	for (int i = 0; i < nr; i++)
		nr_missing += mt_copy_missing(&copies[i]);
	if (nr_missing)
		cram_count(node, CRAM_REFUSED, nr_missing);

	return nr_missing;
}

/* Is it what was stored? The device may have dropped it, and said nothing. */
static bool cram_is_sound(const struct mt_copy *copy, struct page *page)
{
	return !copy->sum || copy->sum == cram_sum(page);
}

/* Copy a page back, see mt_load_page(). */
static int cram_load(struct mt_direct *direct, const struct mt_copy *copy,
		     struct page *to)
{
	struct cram_node *node = direct_to_node(direct);

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

static unsigned long cram_headroom(struct mt_direct *direct)
{
	return cram_room_pages(direct_to_node(direct));
}

static const struct mt_direct_ops cram_direct_ops = {
	.store = cram_store,
	.load = cram_load,
	.free = cram_free,
	.headroom = cram_headroom,
};

/* Nobody can reach it any more, but who is looking at the list of all. */
void cram_node_free(struct cram_node *node)
{
	cram_unmap(node);
	cram_pages_destroy(node);
	kfree(node->name);
	kfree_rcu(node, rcu);
}

/* What depends on the driver, of a device that nobody stores to. */
static void cram_set_driver(struct cram_node *node, u64 capacity,
			    const struct cram_ops *ops, void *priv)
{
	u64 bytes = (u64)node->nr_pages << PAGE_SHIFT;

	/* Who wants to know the usage may come any time */
	guard(mutex)(&node->usage_lock);
	node->ops = ops;
	node->priv = priv;
	node->compresses = ops && ops->get_usage;
	spin_lock(&node->lock);
	node->capacity = capacity;
	node->trims = (ops && (ops->get_usage || ops->trim)) || capacity < bytes;
	__cram_pages_renew(node);
	spin_unlock(&node->lock);
	cram_room_renew(node);
}

static struct cram_node *cram_node_alloc(int nid, const char *name,
					 const struct range *ranges, int nr_ranges)
{
	struct cram_node *node;

	node = kzalloc_flex(*node, ranges, nr_ranges);
	if (!node)
		return NULL;

	node->nr_ranges = nr_ranges;
	for (int i = 0; i < nr_ranges; i++)
		node->ranges[i] = ranges[i];
	node->direct.nid = nid;
	node->direct.kind = MT_COPIES;
	node->direct.ops = &cram_direct_ops;
	node->verify = true;
	INIT_DELAYED_WORK(&node->work, cram_work);
	cram_room_init(node);
	/* The region may outlive the driver */
	node->name = kstrdup(name, GFP_KERNEL);
	if (!node->name || cram_pages_init(node)) {
		cram_node_free(node);
		return NULL;
	}

	cram_sysfs_init(node);
	return node;
}

/* The first number that no device of a node has. */
static int cram_instance(int nid)
{
	struct cram_node *node;
	int instance = 0;

again:
	list_for_each_entry(node, &cram_nodes, list) {
		if (node->direct.nid == nid && node->instance == instance) {
			instance++;
			goto again;
		}
	}

	return instance;
}

void cram_set_state(struct cram_node *node, enum cram_state state)
{
	guard(mutex)(&cram_mutex);
	WRITE_ONCE(node->state, state);
}

/* Leave it to the worker, which may remove it as soon as this is left. */
void cram_set_orphan(struct cram_node *node)
{
	mutex_lock(&cram_mutex);
	cram_backoff(&node->evict_backoff, true);
	WRITE_ONCE(node->state, CRAM_ORPHAN);
	cram_wake(node, cram_backoff_delay(&node->evict_backoff));
	mutex_unlock(&cram_mutex);
	wake_up_all(&cram_removed);
}

/* Let nobody adopt it. Returns false if somebody has. */
bool cram_disown(struct cram_node *node)
{
	guard(mutex)(&cram_mutex);
	if (node->state != CRAM_ORPHAN)
		return false;

	WRITE_ONCE(node->state, CRAM_LEAVING);
	return true;
}

/* Nothing is stored there, and nothing will be. @worker: it is the worker that says so. */
void cram_remove(struct cram_node *node, bool worker)
{
	cram_sysfs_remove(node);
	/* Who has given back the last page may be looking at it, see cram_free() */
	synchronize_rcu();
	/* Nobody queues it any more */
	if (worker)
		cancel_delayed_work(&node->work);
	else
		cancel_delayed_work_sync(&node->work);
	cram_unmap(node);

	mutex_lock(&cram_mutex);
	list_del_rcu(&node->list);
	mutex_unlock(&cram_mutex);
	wake_up_all(&cram_removed);
	kobject_put(&node->kobj);
}

static bool cram_has_ranges(struct cram_node *node, int nid, const struct range *ranges,
			    int nr_ranges)
{
	return node->direct.nid == nid && node->nr_ranges == nr_ranges &&
	       !memcmp(node->ranges, ranges, nr_ranges * sizeof(*ranges));
}

/* The orphan that this memory is, if it is one; it is none then. */
static struct cram_node *cram_find_orphan(int nid, const struct range *ranges,
					  int nr_ranges)
{
	struct cram_node *node;

	guard(mutex)(&cram_mutex);
	list_for_each_entry(node, &cram_nodes, list) {
		if (node->state == CRAM_ORPHAN && !READ_ONCE(node->gone) &&
		    cram_has_ranges(node, nid, ranges, nr_ranges)) {
			WRITE_ONCE(node->state, CRAM_JOINING);
			return node;
		}
	}

	return NULL;
}

static bool cram_overlaps(struct cram_node *node, const struct range *ranges, int nr_ranges)
{
	for (int i = 0; i < node->nr_ranges; i++) {
		for (int j = 0; j < nr_ranges; j++) {
			if (range_overlaps(&node->ranges[i], &ranges[j]))
				return true;
		}
	}

	return false;
}

/* Is some of it about to be free? */
static bool cram_is_leaving(const struct range *ranges, int nr_ranges)
{
	struct cram_node *node;

	guard(rcu)();
	list_for_each_entry_rcu(node, &cram_nodes, list) {
		if (READ_ONCE(node->state) == CRAM_LEAVING &&
		    cram_overlaps(node, ranges, nr_ranges))
			return true;
	}

	return false;
}

static int cram_join(struct cram_node *node)
{
	int err;

	guard(mutex)(&cram_mutex);
	if (cram_hibernating)
		return -EBUSY;
	if (READ_ONCE(node->gone))
		return -ENODEV;
	err = mt_add_direct(&node->direct);
	if (err)
		return err;

	WRITE_ONCE(node->state, CRAM_ONLINE);
	return 0;
}

static int cram_adopt(struct cram_node *node, u64 capacity, const struct cram_ops *ops,
		      void *priv)
{
	int err;

	cancel_delayed_work_sync(&node->work);
	/* What somebody has found out about it is as true as before */
	cram_set_driver(node, min(capacity, node->capacity), ops, priv);
	cram_open(node);
	err = cram_join(node);
	if (err) {
		cram_close(node);
		cram_forget_driver(node);
		cram_set_orphan(node);
		return err;
	}

	cram_retry(node);
	return 0;
}

static int cram_show(struct cram_node *node)
{
	int err;

	guard(mutex)(&cram_mutex);
	if (cram_hibernating)
		return -EBUSY;
	err = cram_sysfs_add(node, cram_instance(node->direct.nid));
	if (err)
		return err;

	list_add_tail_rcu(&node->list, &cram_nodes);
	return 0;
}

static int cram_add(struct cram_node *node, u64 capacity, const struct cram_ops *ops,
		    void *priv)
{
	int err;

	err = cram_show(node);
	if (err) {
		kobject_put(&node->kobj);
		return err;
	}
	err = cram_map(node);
	if (err)
		goto remove;
	cram_set_driver(node, capacity, ops, priv);
	err = cram_join(node);
	if (err)
		goto remove;

	cram_wake(node, 0);
	return 0;

remove:
	cram_remove(node, false);
	return err;
}

static bool cram_ranges_valid(const struct range *ranges, int nr_ranges)
{
	unsigned long align = memremap_compat_align();

	for (int i = 0; i < nr_ranges; i++) {
		if (!IS_ALIGNED(ranges[i].start, align) ||
		    !IS_ALIGNED(ranges[i].end + 1, align) || !range_len(&ranges[i]))
			return false;
	}

	return nr_ranges > 0;
}

/**
 * cram_register - Hand over the memory of a device that compresses by itself.
 * @nid: the NUMA node, which may have several of them.
 * @name: of the device, for /proc/iomem and messages.
 * @ranges: its memory, from and to multiples of what memremap_compat_align() returns,
 *	2 MB mostly.
 * @nr_ranges: number of ranges.
 * @capacity: bytes that it can hold for sure, %U64_MAX for all that @ranges are; see
 *	cram_set_capacity(). Does not matter if the driver says what is in use.
 * @ops: what the driver provides, NULL for nothing.
 * @priv: for the functions of @ops.
 *
 * The memory is mapped here. If it is an orphan, see cram_unregister(), what is stored
 * there stays: a driver that knows that it is lost has called cram_set_gone_range().
 *
 * Context: May sleep, and takes long.
 * Return: The device, until cram_unregister(); -EINVAL if @nid is not possible, or @ranges
 * are none, or not as said above; -ENODEV if the module of @ops is being unloaded; -EBUSY
 * if the memory is in use, or the system hibernates; -ENOMEM; or another error if it can't
 * be mapped, or its memory tier can't be made; -ERESTARTSYS if it is about to become free,
 * and the caller is killed meanwhile.
 */
struct cram_node *cram_register(int nid, const char *name, const struct range *ranges,
				int nr_ranges, u64 capacity, const struct cram_ops *ops,
				void *priv)
{
	struct cram_node *node;
	int err;

	if (!cram_ranges_valid(ranges, nr_ranges) || nid < 0 || nid >= MAX_NUMNODES ||
	    !node_possible(nid))
		return ERR_PTR(-EINVAL);
	if (ops && !try_module_get(ops->owner))
		return ERR_PTR(-ENODEV);

	do {
		/* An orphan that is empty now goes, and its memory is free then */
		err = wait_event_killable(cram_removed,
					  !cram_is_leaving(ranges, nr_ranges));
		if (err)
			break;
		node = cram_find_orphan(nid, ranges, nr_ranges);
		if (node) {
			err = cram_adopt(node, capacity, ops, priv);
		} else {
			err = -ENOMEM;
			node = cram_node_alloc(nid, name, ranges, nr_ranges);
			if (node)
				err = cram_add(node, capacity, ops, priv);
		}
	} while (err == -EBUSY && cram_is_leaving(ranges, nr_ranges));
	if (err) {
		if (ops)
			module_put(ops->owner);
		return ERR_PTR(err);
	}

	return node;
}
EXPORT_SYMBOL_GPL(cram_register);

/**
 * cram_set_gone_range - Tell that memory is not there any more.
 * @range: the memory.
 *
 * The same as cram_set_gone(), for a driver whose device has vanished after
 * cram_unregister(): if some of the memory is still in use. Each device that has some
 * of it is gone.
 *
 * Context: May sleep.
 */
void cram_set_gone_range(const struct range *range)
{
	struct cram_node *node;

	guard(mutex)(&cram_mutex);
	list_for_each_entry(node, &cram_nodes, list) {
		if (cram_overlaps(node, range, 1)) {
			pr_warn("%s is gone with %ld pages\n", node->name,
				atomic_long_read(&node->stored));
			cram_set_gone(node);
		}
	}
}
EXPORT_SYMBOL_GPL(cram_set_gone_range);

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
	cram_wq = alloc_workqueue("cram", WQ_UNBOUND | WQ_FREEZABLE | WQ_MEM_RECLAIM, 0);
	if (!cram_wq)
		return -ENOMEM;

	return register_pm_notifier(&cram_pm_nb);
}
subsys_initcall(cram_init);
