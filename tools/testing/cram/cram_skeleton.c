// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver of compressed RAM consists of. The device is made up: a PCI function
 * whose memory is behind BAR 2 and whose registers are behind BAR 0. It counts the pages
 * that it has compressed, discards a range when told to, and raises an interrupt when
 * less is left than it was set to.
 */
#include <linux/cram.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/pci.h>

#define REG_CAPACITY	0x00	/* bytes */
#define REG_USED	0x08	/* bytes */
#define REG_SEEN	0x10	/* pages that were written, and are compressed or trimmed */
#define REG_TRIM_START	0x18	/* a physical address */
#define REG_TRIM_BYTES	0x20	/* starts, and is 0 when it is done */
#define REG_LOST	0x28	/* address of a page that is lost, 0 if none */

struct skeleton {
	void __iomem *regs;
	struct cram_node *node;
	atomic64_t written;	/* pages */
	u64 seen;		/* REG_SEEN in the beginning */
};

static void skeleton_written(void *priv, struct page *page)
{
	struct skeleton *s = priv;

	atomic64_inc(&s->written);
}

static int skeleton_get_usage(void *priv, struct cram_usage *usage)
{
	struct skeleton *s = priv;
	/* What has been written later is not asked for */
	u64 written = atomic64_read(&s->written);
	u64 seen = readq(s->regs + REG_SEEN) - s->seen;

	usage->capacity = readq(s->regs + REG_CAPACITY);
	usage->used = readq(s->regs + REG_USED);
	if (usage->used == U64_MAX)
		return -ENODEV;
	usage->lag = written > seen ? (written - seen) * PAGE_SIZE : 0;
	return 0;
}

static int skeleton_trim(void *priv, const struct range *ranges, int nr_ranges)
{
	struct skeleton *s = priv;
	u64 left;
	int err;

	for (; nr_ranges--; ranges++) {
		writeq(ranges->start, s->regs + REG_TRIM_START);
		writeq(range_len(ranges), s->regs + REG_TRIM_BYTES);
		err = readq_poll_timeout(s->regs + REG_TRIM_BYTES, left,
					 !left || left == U64_MAX,
					 USEC_PER_MSEC, 10 * USEC_PER_SEC);
		if (err || left)
			return err ?: -ENODEV;
	}
	return 0;
}

static const struct cram_ops skeleton_ops = {
	.owner = THIS_MODULE,
	.written = skeleton_written,
	.get_usage = skeleton_get_usage,
	.trim = skeleton_trim,
};

static irqreturn_t skeleton_interrupt(int irq, void *data)
{
	struct skeleton *s = data;
	u64 lost;

	while ((lost = readq(s->regs + REG_LOST)) && lost != U64_MAX)
		cram_set_poisoned(s->node, &DEFINE_RANGE(lost, lost + PAGE_SIZE - 1));
	cram_usage_changed(s->node);
	return IRQ_HANDLED;
}

static int skeleton_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct skeleton *s = devm_kzalloc(&pdev->dev, sizeof(*s), GFP_KERNEL);
	struct range range = {
		.start = pci_resource_start(pdev, 2),
		.end = pci_resource_end(pdev, 2),
	};
	int err;

	if (!s)
		return -ENOMEM;
	err = pci_enable_device(pdev);
	if (err)
		return err;
	/* For its interrupts */
	pci_set_master(pdev);
	s->regs = pcim_iomap_region(pdev, 0, "skeleton");
	if (IS_ERR(s->regs)) {
		err = PTR_ERR(s->regs);
		goto disable;
	}
	/* What somebody has written before does not count */
	s->seen = readq(s->regs + REG_SEEN);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (err < 0)
		goto disable;

	/* A real one has a node of its own, from a table of the firmware */
	s->node = cram_register(numa_map_to_online_node(dev_to_node(&pdev->dev)),
				pci_name(pdev), &range, 1, U64_MAX, &skeleton_ops, s);
	if (IS_ERR(s->node)) {
		err = PTR_ERR(s->node);
		goto free_vectors;
	}
	pci_set_drvdata(pdev, s);
	err = request_threaded_irq(pci_irq_vector(pdev, 0), NULL, skeleton_interrupt,
				   IRQF_ONESHOT, "skeleton", s);
	if (err)
		goto unregister;
	return 0;

unregister:
	pci_free_irq_vectors(pdev);
	if (!cram_unregister(s->node))
		pci_disable_device(pdev);
	return err;
free_vectors:
	pci_free_irq_vectors(pdev);
disable:
	pci_disable_device(pdev);
	return err;
}

static void skeleton_remove(struct pci_dev *pdev)
{
	struct skeleton *s = pci_get_drvdata(pdev);

	/* No interrupt uses the node any more */
	free_irq(pci_irq_vector(pdev, 0), s);
	/* If it is pulled out later, a notifier of the bus has to call cram_set_gone_range() */
	if (!pci_device_is_present(pdev))
		cram_set_gone(s->node);
	pci_free_irq_vectors(pdev);
	/* As long as something is stored there, it has to be readable */
	if (!cram_unregister(s->node))
		pci_disable_device(pdev);
}

static const struct pci_device_id skeleton_ids[] = {
	{ /* There is none */ }
};

static struct pci_driver skeleton_driver = {
	.name = "cram_skeleton",
	.id_table = skeleton_ids,
	.probe = skeleton_probe,
	.remove = skeleton_remove,
};
module_pci_driver(skeleton_driver);

MODULE_DESCRIPTION("Skeleton of a driver of compressed RAM");
MODULE_LICENSE("GPL");
