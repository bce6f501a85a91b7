// SPDX-License-Identifier: GPL-2.0
/*
 * Device DAX: memory that the device compresses by itself, as compressed RAM.
 *
 * The counterpart of kmem for memory that must not be given to the page allocator,
 * see include/linux/cram.h. This driver knows nothing of the device but its
 * memory: each page is taken to need as much room as there is in it, and how much
 * there is can be set by the user. A driver of a device's vendor can do better.
 */
#include <linux/cram.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include "dax-private.h"
#include "bus.h"

static unsigned int capacity_percent = 100;
module_param(capacity_percent, uint, 0644);
MODULE_PARM_DESC(capacity_percent,
		 "How much of its memory a device surely has when it is bound, in percent");

static struct range *dax_cram_ranges(struct dev_dax *dev_dax)
{
	struct range *ranges = kmalloc_objs(*ranges, dev_dax->nr_range);

	for (int i = 0; ranges && i < dev_dax->nr_range; i++)
		ranges[i] = dev_dax->ranges[i].range;

	return ranges;
}

static int dax_cram_probe(struct dev_dax *dev_dax)
{
	struct device *dev = &dev_dax->dev;
	struct cram_node *node;
	struct range *ranges;
	u64 bytes = 0, capacity = U64_MAX;

	if (dev_dax->target_node < 0) {
		dev_warn(dev, "rejecting DAX region with invalid node: %d\n",
			 dev_dax->target_node);
		return -EINVAL;
	}
	if (static_dev_dax(dev_dax) || !dev_dax->nr_range)
		return -EINVAL;

	ranges = dax_cram_ranges(dev_dax);
	if (!ranges)
		return -ENOMEM;
	for (int i = 0; i < dev_dax->nr_range; i++)
		bytes += range_len(&ranges[i]);
	if (capacity_percent < 100)
		capacity = div_u64(bytes, 100) * capacity_percent;
	node = cram_register(dev_dax->target_node, dev_name(dev), ranges,
			     dev_dax->nr_range, capacity, NULL, NULL);
	kfree(ranges);
	if (IS_ERR(node))
		return dev_err_probe(dev, PTR_ERR(node), "memory can't be used\n");

	dev_set_drvdata(dev, node);
	return 0;
}

static void dax_cram_remove(struct dev_dax *dev_dax)
{
	struct device *dev = &dev_dax->dev;

	if (cram_unregister(dev_get_drvdata(dev)))
		dev_warn(dev, "memory stays in use until it is empty\n");
	dev_set_drvdata(dev, NULL);
}

static struct dax_device_driver dax_cram_driver = {
	.probe = dax_cram_probe,
	.remove = dax_cram_remove,
	.type = DAXDRV_CRAM_TYPE,
};

/* With the device goes its memory, whether the driver was bound or not. */
static int dax_cram_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct dev_dax *dev_dax = to_dev_dax(data);

	if (action == BUS_NOTIFY_REMOVED_DEVICE) {
		for (int i = 0; i < dev_dax->nr_range; i++)
			cram_set_gone_range(&dev_dax->ranges[i].range);
	}

	return NOTIFY_OK;
}

static struct notifier_block dax_cram_nb = {
	.notifier_call = dax_cram_notify,
};

static int __init dax_cram_init(void)
{
	int err = dax_driver_register(&dax_cram_driver);

	if (err)
		return err;

	err = bus_register_notifier(dax_cram_driver.drv.bus, &dax_cram_nb);
	if (err)
		dax_driver_unregister(&dax_cram_driver);
	return err;
}
module_init(dax_cram_init);

/* No exit: somebody has to tell when memory goes that is still in use. */

MODULE_DESCRIPTION("CRAM DAX: dax devices as compressed RAM");
MODULE_LICENSE("GPL");
