// SPDX-License-Identifier: GPL-2.0
/*
 * A memory device that compresses by itself, simulated: for tests.
 *
 * Takes regions of memory that nobody uses (memmap= on the kernel command line) and
 * hands each to a node as compressed RAM. A device says that it has less room than
 * its range, and what a page takes of that room is found out by compressing it, when
 * the device gets to it. A page for which there is no room then is lost. What is
 * freed takes room until it is trimmed. The device counts for itself, and whether
 * the kernel has kept to the rules: see violations.
 *
 * Module parameters, one value for each device but the last four:
 *	start=ADDRESS,...	of the regions, in bytes
 *	size=BYTES,...		of the regions
 *	nid=NODE,...		the nodes
 *	adistance=N,...		their abstract distances
 *	ratio=N			times that the region is larger than the room
 *	stale=PERCENT		of the room that an earlier kernel has left in use
 *	late=MS			so long is what has been trimmed still said to be in use
 *	hole=BYTES		in the middle of each region, so that it is two ranges
 *
 * Files in debugfs, in cram_sim/N for the N-th device, from 1 on:
 *	capacity_bytes		the room, may be changed; an interrupt tells of that
 *	used_bytes		of the pages that the device has got to
 *	lag_pages		so many pages come in before the device gets to a page
 *	drain			write: have it get to all of them
 *	drop			what becomes of a page without room: 0: it is reported as
 *				poisoned; 1: nothing is said, it has what was there before
 *	glitch			1: what is read are other bytes; 0: the right ones again
 *	refuse			1: refuse every page; 2: say that there is no room for it;
 *				3: refuse every other one
 *	delay_us		so long does each page take, in microseconds
 *	dma			1: the device copies pages by itself
 *	copy_fail		so many commands to copy fail half-way
 *	copies			commands to copy that were carried out
 *	copied			... and the pages of these
 *	silent			1: do not say what a page takes, only the sum
 *	usage_fail		1: the usage can't be read
 *	trim_ms			so long does a command to trim take, in milliseconds
 *	trim_fail		so many of these commands fail
 *	trims			commands to trim
 *	poison			write N: lose the N-th page that is in use, from 0 on
 *	registered		write 0: give the memory up, which fails with EBUSY if some
 *				of it stays in use; 1: have it again
 *	gone			1: the device is not there any more, what is read are bytes
 *				of nobody
 *	stop			1: it wants nothing for now, as an interrupt tells
 *	lost_writes		pages that there was no room for
 *	violations		pages that were written without being asked for, or before
 *				they were trimmed, or trimmed while they were written
 */
#include <linux/cram.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/irq_work.h>
#include <linux/lz4.h>
#include <linux/memory-tiers.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#define CRAM_SIM_MAX	4

static ulong start[CRAM_SIM_MAX], size[CRAM_SIM_MAX];
static int nid[CRAM_SIM_MAX], adistance[CRAM_SIM_MAX];
static int nr_start, nr_size, nr_nid, nr_adistance;
static uint ratio = 4, stale, late, hole;
module_param_array(start, ulong, &nr_start, 0444);
module_param_array(size, ulong, &nr_size, 0444);
module_param_array(nid, int, &nr_nid, 0444);
module_param_array(adistance, int, &nr_adistance, 0444);
module_param(ratio, uint, 0444);
module_param(stale, uint, 0444);
module_param(late, uint, 0444);
module_param(hole, uint, 0444);

enum cram_sim_state {
	SIM_DIRTY,	/* an earlier kernel's, or not in use any more */
	SIM_BLANK,	/* trimmed */
	SIM_WRITING,	/* may be written */
	SIM_QUEUED,	/* is written, and the device has yet to get to it */
	SIM_MEASURED,
};

struct cram_sim_page {
	struct list_head queue;
	u32 bytes;
	u8 state;
};

struct cram_sim {
	struct mutex mutex;		/* for the node to be there, or not any more */
	struct cram_node *node;
	struct cram_sim_driver *driver;
	struct range ranges[2];
	int nr_ranges, nid;
	struct irq_work interrupt;
	spinlock_t lock;		/* for what is in use, and the pages */
	u64 capacity, used;
	u64 late_used;			/* what is said to be in use until then */
	unsigned long late_until;
	u32 delay_us, lag_pages, drop, refuse, trim_ms, trim_fail, copy_fail;
	bool silent, usage_fail, stop, gone, glitch, dma;
	u64 lost_writes, violations, trims, copies, copied;
	unsigned long nr_pages;		/* those of the hole, too */
	unsigned long nr_queued;
	struct list_head queue;
	struct cram_sim_page *pages;
	void *work, *out;		/* of LZ4, under lock */
	struct dentry *dir;
};

/* What a driver has of a device while it is bound to it. */
struct cram_sim_driver {
	struct cram_sim *sim;
};

static struct cram_sim *sims[CRAM_SIM_MAX];

static struct cram_sim *sim_of(void *priv)
{
	struct cram_sim_driver *driver = priv;

	return driver->sim;
}

static struct cram_sim_page *sim_page(struct cram_sim *sim, struct page *page)
{
	return &sim->pages[page_to_pfn(page) - PHYS_PFN(sim->ranges[0].start)];
}

static struct page *sim_page_of(struct cram_sim *sim, struct cram_sim_page *p)
{
	return pfn_to_page(PHYS_PFN(sim->ranges[0].start) + (p - sim->pages));
}

static void sim_poison(struct cram_sim *sim, struct cram_sim_page *p)
{
	phys_addr_t start = page_to_phys(sim_page_of(sim, p));

	if (sim->node)
		cram_set_poisoned(sim->node, &DEFINE_RANGE(start, start + PAGE_SIZE - 1));
}

/* What the page takes: all of it if it can't be compressed, next to nothing if zero. */
static void sim_measure(struct cram_sim *sim, struct cram_sim_page *p)
{
	struct page *page = sim_page_of(sim, p);
	int bytes;

	lockdep_assert_held(&sim->lock);
	list_del_init(&p->queue);
	sim->nr_queued--;
	bytes = LZ4_compress_default(page_address(page), sim->out, PAGE_SIZE,
				     PAGE_SIZE - 1, sim->work);
	p->bytes = bytes > 0 ? bytes : PAGE_SIZE;
	p->state = SIM_MEASURED;
	if (sim->used + p->bytes <= sim->capacity) {
		sim->used += p->bytes;
		return;
	}

	/* It was trimmed before */
	sim->lost_writes++;
	p->bytes = 0;
	memset(page_address(page), 0, PAGE_SIZE);
	if (!sim->drop)
		sim_poison(sim, p);
}

static void sim_drain(struct cram_sim *sim, unsigned long left)
{
	while (sim->nr_queued > left)
		sim_measure(sim, list_first_entry(&sim->queue, struct cram_sim_page,
						  queue));
}

static int sim_may_store(void *priv, struct page *page)
{
	struct cram_sim *sim = sim_of(priv);
	struct cram_sim_page *p = sim_page(sim, page);
	u32 refuse = READ_ONCE(sim->refuse);

	if (refuse == 3)
		refuse = page_to_pfn(page) % 2;
	if (refuse)
		return refuse == 2 ? -ENOSPC : -EBUSY;
	if (sim->delay_us)
		udelay(sim->delay_us);

	spin_lock(&sim->lock);
	if (p->state != SIM_BLANK)
		sim->violations++;
	p->state = SIM_WRITING;
	spin_unlock(&sim->lock);
	return 0;
}

static int sim_copy(void *priv, struct page *const *to, struct page *const *from, int nr)
{
	struct cram_sim *sim = sim_of(priv);
	bool fail = false;

	if (!READ_ONCE(sim->dma))
		return -EOPNOTSUPP;

	spin_lock(&sim->lock);
	if (sim->copy_fail) {
		sim->copy_fail--;
		fail = true;
	} else {
		sim->copies++;
		sim->copied += nr;
	}
	for (int i = 0; i < nr; i++) {
		if (sim_page(sim, to[i])->state != SIM_WRITING)
			sim->violations++;
	}
	spin_unlock(&sim->lock);

	if (fail) {
		/* Some of it has been done, and what is there is of no use */
		for (int i = 0; i <= nr / 2; i++)
			memset(page_address(to[i]), 0x5a, PAGE_SIZE / 2);
		return -EIO;
	}
	while (nr--)
		memcpy_page(*to++, 0, *from++, 0, PAGE_SIZE);
	return 0;
}

static void sim_written(void *priv, struct page *page)
{
	struct cram_sim *sim = sim_of(priv);
	struct cram_sim_page *p = sim_page(sim, page);

	spin_lock(&sim->lock);
	if (p->state == SIM_WRITING) {
		p->state = SIM_QUEUED;
		list_add_tail(&p->queue, &sim->queue);
		sim->nr_queued++;
		sim_drain(sim, sim->lag_pages);
	} else {
		sim->violations++;
	}
	spin_unlock(&sim->lock);
}

static unsigned int sim_stored_size(void *priv, struct page *page)
{
	struct cram_sim *sim = sim_of(priv);
	struct cram_sim_page *p = sim_page(sim, page);
	unsigned int bytes = 0;

	spin_lock(&sim->lock);
	if (p->state == SIM_MEASURED && !sim->silent)
		bytes = p->bytes;
	spin_unlock(&sim->lock);
	return bytes;
}

static int sim_get_usage(void *priv, struct cram_usage *usage)
{
	struct cram_sim *sim = sim_of(priv);

	if (READ_ONCE(sim->usage_fail))
		return -EIO;
	spin_lock(&sim->lock);
	usage->capacity = sim->capacity;
	usage->used = sim->used;
	if (time_before(jiffies, sim->late_until))
		usage->used = max(usage->used, sim->late_used);
	usage->lag = sim->nr_queued * PAGE_SIZE;
	spin_unlock(&sim->lock);
	return 0;
}

static void sim_trim_page(struct cram_sim *sim, struct cram_sim_page *p)
{
	struct page *page = sim_page_of(sim, p);

	switch (p->state) {
	case SIM_WRITING:
		sim->violations++;
		return;
	case SIM_QUEUED:
		list_del_init(&p->queue);
		sim->nr_queued--;
		break;
	case SIM_DIRTY:
	case SIM_MEASURED:
		sim->used -= p->bytes;
		break;
	}
	p->bytes = 0;
	p->state = SIM_BLANK;
	memset(page_address(page), 0, PAGE_SIZE);
}

static int sim_trim(void *priv, const struct range *ranges, int nr)
{
	struct cram_sim *sim = sim_of(priv);
	u64 used;

	if (sim->trim_ms)
		msleep(sim->trim_ms);

	spin_lock(&sim->lock);
	used = sim->used;
	sim->trims++;
	if (sim->trim_fail) {
		sim->trim_fail--;
		spin_unlock(&sim->lock);
		return -EIO;
	}
	spin_unlock(&sim->lock);

	for (; nr--; ranges++) {
		unsigned long pfn = PHYS_PFN(ranges->start);

		for (; pfn <= PHYS_PFN(ranges->end); pfn++) {
			spin_lock(&sim->lock);
			sim_trim_page(sim, sim_page(sim, pfn_to_page(pfn)));
			spin_unlock(&sim->lock);
			cond_resched();
		}
	}

	spin_lock(&sim->lock);
	if (late) {
		sim->late_used = used;
		sim->late_until = jiffies + msecs_to_jiffies(late);
	}
	spin_unlock(&sim->lock);
	return 0;
}

static const struct cram_ops cram_sim_ops = {
	.owner = THIS_MODULE,
	.may_store = sim_may_store,
	.copy = sim_copy,
	.written = sim_written,
	.stored_size = sim_stored_size,
	.get_usage = sim_get_usage,
	.trim = sim_trim,
};

/* Lose the n-th of the pages that are in use. */
static int sim_poison_set(void *data, u64 n)
{
	struct cram_sim *sim = data;
	int err = -ENOENT;

	spin_lock(&sim->lock);
	for (unsigned long i = 0; i < sim->nr_pages; i++) {
		if (sim->pages[i].state < SIM_WRITING || n--)
			continue;
		sim_poison(sim, &sim->pages[i]);
		err = 0;
		break;
	}
	spin_unlock(&sim->lock);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_poison_fops, NULL, sim_poison_set, "%llu\n");

static int sim_drain_set(void *data, u64 ignored)
{
	struct cram_sim *sim = data;

	spin_lock(&sim->lock);
	sim_drain(sim, 0);
	spin_unlock(&sim->lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_drain_fops, NULL, sim_drain_set, "%llu\n");

static void sim_interrupt(struct irq_work *work)
{
	struct cram_sim *sim = container_of(work, struct cram_sim, interrupt);

	cram_set_stopped(sim->node, sim->stop);
	cram_usage_changed(sim->node);
}

static void sim_raise_interrupt(struct cram_sim *sim)
{
	guard(mutex)(&sim->mutex);
	if (sim->node) {
		irq_work_queue(&sim->interrupt);
		irq_work_sync(&sim->interrupt);
	}
}

/* What is read is the opposite of what was stored, for a while. */
static int sim_glitch_set(void *data, u64 glitch)
{
	struct cram_sim *sim = data;

	spin_lock(&sim->lock);
	for (unsigned long i = 0; !!glitch != sim->glitch && i < sim->nr_pages; i++) {
		u64 *word = page_address(sim_page_of(sim, &sim->pages[i]));

		if (sim->pages[i].state >= SIM_QUEUED)
			word[0] = ~word[0];
	}
	sim->glitch = glitch;
	spin_unlock(&sim->lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_glitch_fops, NULL, sim_glitch_set, "%llu\n");

static int sim_stop_set(void *data, u64 stop)
{
	struct cram_sim *sim = data;

	sim->stop = stop;
	sim_raise_interrupt(sim);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_stop_fops, NULL, sim_stop_set, "%llu\n");

/* What is there, for who reads it nevertheless, is what a bus answers for nobody. */
static void sim_answer_nobody(const struct range *range)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(PHYS_PFN(range->start));

	if (pgmap) {
		memset(__va(range->start), 0xff, range_len(range));
		put_dev_pagemap(pgmap);
	}
}

static int sim_gone_set(void *data, u64 gone)
{
	struct cram_sim *sim = data;

	guard(mutex)(&sim->mutex);
	if (sim->gone || !gone)
		return -EINVAL;
	sim->gone = true;
	if (sim->node)
		cram_set_gone(sim->node);
	for (int i = 0; i < sim->nr_ranges; i++) {
		if (!sim->node)
			cram_set_gone_range(&sim->ranges[i]);
		sim_answer_nobody(&sim->ranges[i]);
	}
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_gone_fops, NULL, sim_gone_set, "%llu\n");

static int sim_capacity_get(void *data, u64 *capacity)
{
	struct cram_sim *sim = data;

	*capacity = sim->capacity;
	return 0;
}

static int sim_capacity_set(void *data, u64 capacity)
{
	struct cram_sim *sim = data;

	spin_lock(&sim->lock);
	sim->capacity = capacity;
	spin_unlock(&sim->lock);
	sim_raise_interrupt(sim);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_capacity_fops, sim_capacity_get, sim_capacity_set,
			 "%llu\n");

static int sim_register(struct cram_sim *sim)
{
	struct cram_sim_driver *driver;
	struct cram_node *node;

	guard(mutex)(&sim->mutex);
	if (sim->node)
		return -EEXIST;
	if (sim->gone)
		return -ENODEV;
	driver = kmalloc_obj(*driver);
	if (!driver)
		return -ENOMEM;
	driver->sim = sim;
	node = cram_register(sim->nid, "cram_sim", sim->ranges, sim->nr_ranges, U64_MAX,
			     &cram_sim_ops, driver);
	if (IS_ERR(node)) {
		kfree(driver);
		return PTR_ERR(node);
	}
	sim->driver = driver;
	sim->node = node;
	return 0;
}

/* As a driver's remove(): whatever comes of it, nothing is left to be called. */
static int sim_unregister(struct cram_sim *sim)
{
	struct cram_node *node;
	int err;

	guard(mutex)(&sim->mutex);
	node = sim->node;
	if (!node)
		return -ENOENT;
	err = cram_unregister(node);
	sim->node = NULL;
	memset(sim->driver, 0x6b, sizeof(*sim->driver));
	kfree(sim->driver);
	sim->driver = NULL;
	return err;
}

static int sim_registered_get(void *data, u64 *registered)
{
	struct cram_sim *sim = data;

	*registered = !!READ_ONCE(sim->node);
	return 0;
}

static int sim_registered_set(void *data, u64 registered)
{
	return registered ? sim_register(data) : sim_unregister(data);
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_registered_fops, sim_registered_get, sim_registered_set,
			 "%llu\n");

static struct dentry *sim_dir;

static void sim_show(struct cram_sim *sim, int i)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", i + 1);
	sim->dir = debugfs_create_dir(name, sim_dir);
	debugfs_create_file("capacity_bytes", 0644, sim->dir, sim, &sim_capacity_fops);
	debugfs_create_u64("used_bytes", 0444, sim->dir, &sim->used);
	debugfs_create_u32("lag_pages", 0644, sim->dir, &sim->lag_pages);
	debugfs_create_file("drain", 0200, sim->dir, sim, &sim_drain_fops);
	debugfs_create_u32("drop", 0644, sim->dir, &sim->drop);
	debugfs_create_u32("refuse", 0644, sim->dir, &sim->refuse);
	debugfs_create_u32("delay_us", 0644, sim->dir, &sim->delay_us);
	debugfs_create_bool("dma", 0644, sim->dir, &sim->dma);
	debugfs_create_u32("copy_fail", 0644, sim->dir, &sim->copy_fail);
	debugfs_create_u64("copies", 0444, sim->dir, &sim->copies);
	debugfs_create_u64("copied", 0444, sim->dir, &sim->copied);
	debugfs_create_bool("silent", 0644, sim->dir, &sim->silent);
	debugfs_create_bool("usage_fail", 0644, sim->dir, &sim->usage_fail);
	debugfs_create_u32("trim_ms", 0644, sim->dir, &sim->trim_ms);
	debugfs_create_u32("trim_fail", 0644, sim->dir, &sim->trim_fail);
	debugfs_create_u64("trims", 0444, sim->dir, &sim->trims);
	debugfs_create_u64("lost_writes", 0444, sim->dir, &sim->lost_writes);
	debugfs_create_u64("violations", 0444, sim->dir, &sim->violations);
	debugfs_create_file("poison", 0200, sim->dir, sim, &sim_poison_fops);
	debugfs_create_file("registered", 0644, sim->dir, sim, &sim_registered_fops);
	debugfs_create_file("glitch", 0200, sim->dir, sim, &sim_glitch_fops);
	debugfs_create_file("gone", 0200, sim->dir, sim, &sim_gone_fops);
	debugfs_create_file("stop", 0200, sim->dir, sim, &sim_stop_fops);
}

static void sim_free(struct cram_sim *sim)
{
	kfree(sim->work);
	kfree(sim->out);
	kvfree(sim->pages);
	kfree(sim);
}

/* What an earlier kernel has left: it can't be compressed, and is in front. */
static void sim_fill_stale(struct cram_sim *sim)
{
	u64 bytes = div_u64(sim->capacity * stale, 100);

	for (int i = 0; i < sim->nr_ranges; i++) {
		unsigned long pfn = PHYS_PFN(sim->ranges[i].start);

		for (; pfn <= PHYS_PFN(sim->ranges[i].end); pfn++) {
			if (sim->used + PAGE_SIZE > bytes)
				return;
			sim->pages[pfn - PHYS_PFN(sim->ranges[0].start)].bytes = PAGE_SIZE;
			sim->used += PAGE_SIZE;
		}
	}
}

static struct cram_sim *sim_alloc(int i)
{
	struct cram_sim *sim = kzalloc_obj(*sim);

	if (!sim)
		return NULL;
	sim->ranges[0] = DEFINE_RANGE(start[i], start[i] + size[i] - 1);
	sim->nr_ranges = 1;
	if (hole) {
		sim->ranges[0].end = start[i] + size[i] / 2 - 1;
		sim->ranges[1] = DEFINE_RANGE(sim->ranges[0].end + 1 + hole,
					      start[i] + size[i] - 1);
		sim->nr_ranges = 2;
	}
	sim->nid = nid[i];
	sim->nr_pages = size[i] >> PAGE_SHIFT;
	sim->capacity = div_u64(size[i], ratio);
	sim->interrupt = IRQ_WORK_INIT_HARD(sim_interrupt);
	mutex_init(&sim->mutex);
	spin_lock_init(&sim->lock);
	INIT_LIST_HEAD(&sim->queue);
	sim->work = kmalloc(LZ4_MEM_COMPRESS, GFP_KERNEL);
	sim->out = kmalloc(PAGE_SIZE, GFP_KERNEL);
	sim->pages = kvcalloc(sim->nr_pages, sizeof(*sim->pages), GFP_KERNEL);
	if (!sim->work || !sim->out || !sim->pages) {
		sim_free(sim);
		return NULL;
	}
	for (unsigned long n = 0; n < sim->nr_pages; n++)
		INIT_LIST_HEAD(&sim->pages[n].queue);
	sim_fill_stale(sim);
	return sim;
}

static int sim_add(int i)
{
	struct cram_sim *sim = sim_alloc(i);
	int err;

	if (!sim)
		return -ENOMEM;
	err = sim_register(sim);
	if (err) {
		sim_free(sim);
		return err;
	}
	sim_show(sim, i);
	sims[i] = sim;
	return 0;
}

/* Nothing is registered any more, as the module could not go else, or is not yet. */
static void sim_del(int i)
{
	struct cram_sim *sim = sims[i];

	if (!sim)
		return;
	debugfs_remove_recursive(sim->dir);
	sim_unregister(sim);
	sim_free(sim);
}

static int sim_adistance(struct notifier_block *nb, unsigned long node, void *data)
{
	int *adist = data;

	for (int i = 0; i < nr_adistance; i++) {
		if (nid[i] == node) {
			*adist = adistance[i];
			return NOTIFY_STOP;
		}
	}
	return NOTIFY_OK;
}

static struct notifier_block sim_adistance_nb = {
	.notifier_call = sim_adistance,
	.priority = 200,
};

static void sim_del_all(void)
{
	for (int i = 0; i < nr_start; i++)
		sim_del(i);
	unregister_mt_adistance_algorithm(&sim_adistance_nb);
	debugfs_remove_recursive(sim_dir);
}

static int __init cram_sim_init(void)
{
	int err;

	if (!nr_start || nr_start != nr_size || nr_start != nr_nid || !ratio)
		return -EINVAL;

	sim_dir = debugfs_create_dir("cram_sim", NULL);
	register_mt_adistance_algorithm(&sim_adistance_nb);
	for (int i = 0; i < nr_start; i++) {
		err = sim_add(i);
		if (err) {
			sim_del_all();
			return err;
		}
	}
	return 0;
}
module_init(cram_sim_init);

static void __exit cram_sim_exit(void)
{
	sim_del_all();
}
module_exit(cram_sim_exit);

MODULE_DESCRIPTION("Simulated compressed RAM");
MODULE_LICENSE("GPL");
