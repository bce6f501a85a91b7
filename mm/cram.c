// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM: the memory of devices that compress by themselves.
 *
 * A driver registers the memory of a node. Each page of it that is not in use can
 * take a copy of one page, if the driver and the watermarks allow it; zswap keeps
 * the address of the copy in place of compressed data of its own. Nothing else
 * knows of these pages: they are device memory that the page allocator never
 * sees. mm/cram_map.c maps them, mm/cram_store.c copies pages there and back; which of
 * them are free is for mm/cram_pages.c, how much room there is for mm/cram_room.c, and
 * what happens to them when the driver leaves for mm/cram_leave.c.
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

#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include "internal.h"
#include "swap.h"
#include "cram.h"

static LIST_HEAD(cram_nodes);
static bool cram_hibernating;
static DEFINE_MUTEX(cram_mutex);	/* for these, and for (un)registering */
static DECLARE_WAIT_QUEUE_HEAD(cram_removed);	/* one of the nodes has gone */
static struct workqueue_struct *cram_wq;

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
	node->nid = nid;
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
		if (node->nid == nid && node->instance == instance) {
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
	/* Who has given back the last page may be looking at it, see cram_free_page() */
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
	return node->nid == nid && node->nr_ranges == nr_ranges &&
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
	err = cram_store_add(node);
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
	err = cram_sysfs_add(node, cram_instance(node->nid));
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
