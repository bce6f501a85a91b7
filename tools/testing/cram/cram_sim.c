// SPDX-License-Identifier: GPL-2.0
/*
 * A memory device that compresses by itself, simulated: for tests.
 *
 * Takes ranges of memory that nobody uses (memmap= on the kernel command line) and
 * hands each to a node as compressed RAM. A device says that it has less room than
 * its range, and what a page takes of that room is found out by compressing it.
 * A page that is written beyond the room is lost, and reported as poisoned.
 *
 * Module parameters, one value for each device:
 *	start=ADDRESS,...	of the ranges, in bytes
 *	size=BYTES,...		of the ranges
 *	nid=NODE,...		the nodes
 *	adistance=N,...		their abstract distances
 *	ratio=N			times that the range is larger than the room
 *
 * Files in debugfs, in cram_sim/NODE:
 *	capacity_bytes		the room, may be changed
 *	used_bytes
 *	refuse			1: refuse every page
 *	delay_us		so long does each page take, in microseconds
 *	silent			1: do not say what a page takes, only the sum
 *	poison			write N: lose the N-th page that is in use, from 0 on
 *	registered		write 0: give the node up; 1: have it again
 *	lost_writes		pages that were written beyond the room
 */
#include <linux/cram.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/lz4.h>
#include <linux/memory-tiers.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#define CRAM_SIM_MAX	4

static ulong start[CRAM_SIM_MAX], size[CRAM_SIM_MAX];
static int nid[CRAM_SIM_MAX], adistance[CRAM_SIM_MAX];
static int nr_start, nr_size, nr_nid, nr_adistance;
static uint ratio = 4;
module_param_array(start, ulong, &nr_start, 0444);
module_param_array(size, ulong, &nr_size, 0444);
module_param_array(nid, int, &nr_nid, 0444);
module_param_array(adistance, int, &nr_adistance, 0444);
module_param(ratio, uint, 0444);

enum cram_sim_state { SIM_FREE, SIM_WRITING, SIM_MEASURED };

struct cram_sim_page {
	u16 bytes;
	u8 state;
};

struct cram_sim {
	struct mutex mutex;		/* for the node to be there, or not any more */
	struct cram_node *node;
	struct dev_pagemap pgmap;
	struct range range;
	int nid;
	spinlock_t lock;		/* for what is in use, and the pages */
	u64 capacity, used;
	u32 delay_us;
	bool refuse, silent;
	u64 lost_writes;
	unsigned long nr_pages, nr_writing;
	struct cram_sim_page *pages;
	void *work, *out;		/* of LZ4, under lock */
	struct dentry *dir;
};

static struct cram_sim *sims[CRAM_SIM_MAX];

static unsigned long sim_index(struct cram_sim *sim, struct page *page)
{
	return page_to_pfn(page) - PHYS_PFN(sim->range.start);
}

/* What the page takes: all of it if it can't be compressed, next to nothing if zero. */
static void sim_measure(struct cram_sim *sim, struct page *page)
{
	struct cram_sim_page *p = &sim->pages[sim_index(sim, page)];
	int bytes;

	lockdep_assert_held(&sim->lock);
	if (p->state != SIM_WRITING)
		return;

	bytes = LZ4_compress_default(page_address(page), sim->out, PAGE_SIZE,
				     PAGE_SIZE - 1, sim->work);
	p->bytes = bytes > 0 ? bytes : PAGE_SIZE;
	p->state = SIM_MEASURED;
	sim->nr_writing--;
	sim->used += p->bytes;
	if (sim->used > sim->capacity) {
		sim->lost_writes++;
		cram_memory_failure(&sim->pgmap, page_to_pfn(page), 1, 0);
	}
}

static bool sim_may_store(void *priv, struct page *page)
{
	struct cram_sim *sim = priv;
	struct cram_sim_page *p = &sim->pages[sim_index(sim, page)];

	if (READ_ONCE(sim->refuse))
		return false;
	if (sim->delay_us)
		udelay(sim->delay_us);

	spin_lock(&sim->lock);
	p->state = SIM_WRITING;
	sim->nr_writing++;
	spin_unlock(&sim->lock);
	return true;
}

static void sim_released(void *priv, struct page *page)
{
	struct cram_sim *sim = priv;
	struct cram_sim_page *p = &sim->pages[sim_index(sim, page)];

	spin_lock(&sim->lock);
	if (p->state == SIM_MEASURED)
		sim->used -= p->bytes;
	else if (p->state == SIM_WRITING)
		sim->nr_writing--;
	*p = (struct cram_sim_page) { .state = SIM_FREE };
	spin_unlock(&sim->lock);
}

static unsigned int sim_stored_size(void *priv, struct page *page)
{
	struct cram_sim *sim = priv;
	unsigned int bytes;

	spin_lock(&sim->lock);
	sim_measure(sim, page);
	bytes = sim->pages[sim_index(sim, page)].bytes;
	spin_unlock(&sim->lock);
	return READ_ONCE(sim->silent) ? 0 : bytes;
}

static void sim_get_usage(void *priv, struct cram_usage *usage)
{
	struct cram_sim *sim = priv;

	spin_lock(&sim->lock);
	usage->capacity = sim->capacity;
	usage->used = sim->used + sim->nr_writing * PAGE_SIZE;
	spin_unlock(&sim->lock);
}

static const struct cram_ops cram_sim_ops = {
	.may_store = sim_may_store,
	.released = sim_released,
	.stored_size = sim_stored_size,
	.get_usage = sim_get_usage,
};

/* Lose the n-th of the pages that are in use. */
static int sim_poison_set(void *data, u64 n)
{
	struct cram_sim *sim = data;
	int err = -ENOENT;

	spin_lock(&sim->lock);
	for (unsigned long i = 0; i < sim->nr_pages; i++) {
		if (sim->pages[i].state == SIM_FREE || n--)
			continue;
		cram_memory_failure(&sim->pgmap, PHYS_PFN(sim->range.start) + i, 1, 0);
		err = 0;
		break;
	}
	spin_unlock(&sim->lock);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_poison_fops, NULL, sim_poison_set, "%llu\n");

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
	guard(mutex)(&sim->mutex);
	if (sim->node)
		cram_usage_changed(sim->node);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_capacity_fops, sim_capacity_get, sim_capacity_set,
			 "%llu\n");

static int sim_register(struct cram_sim *sim)
{
	struct cram_node *node;

	guard(mutex)(&sim->mutex);
	if (sim->node)
		return -EEXIST;
	node = cram_register(sim->nid, &sim->range, 1, &cram_sim_ops, sim);
	if (IS_ERR(node))
		return PTR_ERR(node);
	sim->node = node;
	return 0;
}

static int sim_unregister(struct cram_sim *sim)
{
	int err;

	guard(mutex)(&sim->mutex);
	if (!sim->node)
		return -ENOENT;
	err = cram_unregister(sim->node);
	if (!err)
		sim->node = NULL;
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

static void sim_show(struct cram_sim *sim)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", sim->nid);
	sim->dir = debugfs_create_dir(name, sim_dir);
	debugfs_create_file("capacity_bytes", 0644, sim->dir, sim, &sim_capacity_fops);
	debugfs_create_u64("used_bytes", 0444, sim->dir, &sim->used);
	debugfs_create_bool("refuse", 0644, sim->dir, &sim->refuse);
	debugfs_create_u32("delay_us", 0644, sim->dir, &sim->delay_us);
	debugfs_create_bool("silent", 0644, sim->dir, &sim->silent);
	debugfs_create_u64("lost_writes", 0444, sim->dir, &sim->lost_writes);
	debugfs_create_file("poison", 0200, sim->dir, sim, &sim_poison_fops);
	debugfs_create_file("registered", 0644, sim->dir, sim, &sim_registered_fops);
}

static const struct dev_pagemap_ops sim_pgmap_ops = {
	.memory_failure = cram_memory_failure,
};

static void sim_free(struct cram_sim *sim)
{
	kfree(sim->work);
	kfree(sim->out);
	kvfree(sim->pages);
	kfree(sim);
}

static struct cram_sim *sim_alloc(int i)
{
	struct cram_sim *sim = kzalloc_obj(*sim);

	if (!sim)
		return NULL;
	sim->range.start = start[i];
	sim->range.end = start[i] + size[i] - 1;
	sim->nid = nid[i];
	sim->nr_pages = size[i] >> PAGE_SHIFT;
	sim->capacity = div_u64(size[i], ratio);
	mutex_init(&sim->mutex);
	spin_lock_init(&sim->lock);
	sim->work = kmalloc(LZ4_MEM_COMPRESS, GFP_KERNEL);
	sim->out = kmalloc(PAGE_SIZE, GFP_KERNEL);
	sim->pages = kvcalloc(sim->nr_pages, sizeof(*sim->pages), GFP_KERNEL);
	if (!sim->work || !sim->out || !sim->pages) {
		sim_free(sim);
		return NULL;
	}
	sim->pgmap.type = MEMORY_DEVICE_GENERIC;
	sim->pgmap.ops = &sim_pgmap_ops;
	sim->pgmap.nr_range = 1;
	sim->pgmap.range = sim->range;
	return sim;
}

static int sim_add(int i)
{
	struct cram_sim *sim = sim_alloc(i);
	void *addr;
	int err;

	if (!sim)
		return -ENOMEM;
	err = -EBUSY;
	if (!request_mem_region(start[i], size[i], "cram_sim"))
		goto free;
	addr = memremap_pages(&sim->pgmap, sim->nid);
	err = PTR_ERR_OR_ZERO(addr);
	if (err)
		goto release;
	err = sim_register(sim);
	if (err)
		goto unmap;
	sim_show(sim);
	sims[i] = sim;
	return 0;

unmap:
	memunmap_pages(&sim->pgmap);
release:
	release_mem_region(start[i], size[i]);
free:
	sim_free(sim);
	return err;
}

/* For a module that can't be refused to go: until it works, in spite of signals. */
static void sim_del(int i)
{
	struct cram_sim *sim = sims[i];
	sigset_t all, old;

	if (!sim)
		return;
	debugfs_remove_recursive(sim->dir);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	while (sim->node && sim_unregister(sim))
		msleep(100);
	sigprocmask(SIG_SETMASK, &old, NULL);
	memunmap_pages(&sim->pgmap);
	release_mem_region(start[i], size[i]);
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
