// SPDX-License-Identifier: GPL-2.0
/*
 * Device DAX: memory that the device compresses by itself, as compressed RAM.
 *
 * The counterpart of kmem for memory that must not be given to the page allocator,
 * see include/linux/cram.h. This driver knows nothing of the device but its
 * memory, so that each page is taken to need as much room as there is in it. A
 * driver of a device's vendor can do better.
 */
#include <linux/cram.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "dax-private.h"
#include "bus.h"

struct dax_cram {
	struct list_head list;
	struct cram_node *node;
	struct dev_dax *dev_dax;	/* NULL if it is gone and its pages are not */
	struct dev_pagemap *pgmap;
	const char *name;
	int nid;
	int nr_ranges;
	struct range ranges[] __counted_by(nr_ranges);
};

static LIST_HEAD(dax_crams);
static DEFINE_MUTEX(dax_cram_mutex);

static const struct dev_pagemap_ops dax_cram_pgmap_ops = {
	.memory_failure = cram_memory_failure,
};

static void dax_cram_release_ranges(struct dax_cram *cram, int nr)
{
	while (nr--)
		release_mem_region(cram->ranges[nr].start,
				   range_len(&cram->ranges[nr]));
}

static void dax_cram_free(struct dax_cram *cram)
{
	kfree(cram->pgmap);
	kfree(cram->name);
	kfree(cram);
}

static struct dax_cram *dax_cram_alloc(struct dev_dax *dev_dax)
{
	int nr_ranges = dev_dax->nr_range;
	struct dax_cram *cram;

	cram = kzalloc_flex(*cram, ranges, nr_ranges);
	if (!cram)
		return NULL;

	cram->nr_ranges = nr_ranges;
	cram->nid = dev_dax->target_node;
	cram->dev_dax = dev_dax;
	/* The regions may outlive the device */
	cram->name = kstrdup(dev_name(&dev_dax->dev), GFP_KERNEL);
	cram->pgmap = kzalloc(struct_size(cram->pgmap, ranges, nr_ranges - 1),
			      GFP_KERNEL);
	if (!cram->name || !cram->pgmap) {
		dax_cram_free(cram);
		return NULL;
	}

	cram->pgmap->type = MEMORY_DEVICE_GENERIC;
	cram->pgmap->ops = &dax_cram_pgmap_ops;
	cram->pgmap->nr_range = nr_ranges;
	for (int i = 0; i < nr_ranges; i++) {
		cram->ranges[i] = dev_dax->ranges[i].range;
		cram->pgmap->ranges[i] = cram->ranges[i];
	}
	return cram;
}

static int dax_cram_map(struct dax_cram *cram, struct device *dev)
{
	void *addr;
	int i, err;

	for (i = 0; i < cram->nr_ranges; i++) {
		struct range *range = &cram->ranges[i];

		if (!request_mem_region(range->start, range_len(range), cram->name)) {
			dev_warn(dev, "mapping%d: %#llx-%#llx could not reserve range\n",
				 i, range->start, range->end);
			err = -EBUSY;
			goto release;
		}
	}

	addr = memremap_pages(cram->pgmap, cram->nid);
	if (IS_ERR(addr)) {
		err = PTR_ERR(addr);
		goto release;
	}

	cram->node = cram_register(cram->nid, cram->ranges, cram->nr_ranges, NULL, NULL);
	if (IS_ERR(cram->node)) {
		err = PTR_ERR(cram->node);
		dev_warn(dev, "node %d can't be used: %d\n", cram->nid, err);
		memunmap_pages(cram->pgmap);
		goto release;
	}

	return 0;

release:
	dax_cram_release_ranges(cram, i);
	return err;
}

/* Is this the memory of the device, all of it and nothing else? */
static bool dax_cram_is(struct dax_cram *cram, struct dev_dax *dev_dax)
{
	if (cram->nid != dev_dax->target_node || cram->nr_ranges != dev_dax->nr_range)
		return false;

	for (int i = 0; i < cram->nr_ranges; i++) {
		if (memcmp(&cram->ranges[i], &dev_dax->ranges[i].range,
			   sizeof(cram->ranges[i])))
			return false;
	}

	return true;
}

/* The device was unbound when its pages could not be moved, and is back. */
static struct dax_cram *dax_cram_find(struct dev_dax *dev_dax)
{
	struct dax_cram *cram;

	list_for_each_entry(cram, &dax_crams, list) {
		if (!cram->dev_dax && dax_cram_is(cram, dev_dax))
			return cram;
	}

	return NULL;
}

static int dax_cram_probe(struct dev_dax *dev_dax)
{
	struct device *dev = &dev_dax->dev;
	int nid = dev_dax->target_node, err;
	struct dax_cram *cram;

	if (nid < 0) {
		dev_warn(dev, "rejecting DAX region with invalid node: %d\n", nid);
		return -EINVAL;
	}
	if (static_dev_dax(dev_dax) || !dev_dax->nr_range)
		return -EINVAL;

	guard(mutex)(&dax_cram_mutex);

	cram = dax_cram_find(dev_dax);
	if (cram) {
		cram->dev_dax = dev_dax;
		dev_set_drvdata(dev, cram);
		return 0;
	}

	cram = dax_cram_alloc(dev_dax);
	if (!cram)
		return -ENOMEM;
	err = dax_cram_map(cram, dev);
	if (err) {
		dax_cram_free(cram);
		return err;
	}

	list_add(&cram->list, &dax_crams);
	dev_set_drvdata(dev, cram);
	return 0;
}

static void dax_cram_remove(struct dev_dax *dev_dax)
{
	struct device *dev = &dev_dax->dev;
	struct dax_cram *cram = dev_get_drvdata(dev);
	int err;

	guard(mutex)(&dax_cram_mutex);

	dev_set_drvdata(dev, NULL);
	err = cram_unregister(cram->node);
	if (err) {
		/* Nobody can be told but in this way that it must not go yet */
		dev_warn(dev, "memory stays in use, it can't be emptied: %d\n", err);
		cram->dev_dax = NULL;
		return;
	}

	list_del(&cram->list);
	memunmap_pages(cram->pgmap);
	dax_cram_release_ranges(cram, cram->nr_ranges);
	dax_cram_free(cram);
}

static struct dax_device_driver dax_cram_driver = {
	.probe = dax_cram_probe,
	.remove = dax_cram_remove,
	.type = DAXDRV_CRAM_TYPE,
};

static int __init dax_cram_init(void)
{
	return dax_driver_register(&dax_cram_driver);
}
module_init(dax_cram_init);

/* No exit: what is on a device that was unbound too early needs the driver. */

MODULE_DESCRIPTION("CRAM DAX: dax devices as compressed RAM");
MODULE_LICENSE("GPL");
