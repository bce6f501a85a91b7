// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zswap without virtual slots: entries are stored under slots of devices, in
 * xarrays. With CONFIG_VSWAP, mm/vswap_backing.c takes the place of this file.
 */
#define pr_fmt(fmt) "zswap: " fmt

#include <linux/bits.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/xarray.h>
#include <linux/zswap.h>
#include "zswap.h"

static struct xarray *zswap_trees[MAX_SWAPFILES];
static unsigned int nr_zswap_trees[MAX_SWAPFILES];

/* One swap address space for each 64M swap space */
#define ZSWAP_ADDRESS_SPACE_SHIFT 14
#define ZSWAP_ADDRESS_SPACE_PAGES BIT(ZSWAP_ADDRESS_SPACE_SHIFT)
static inline struct xarray *swap_zswap_tree(swp_entry_t swp)
{
	return &zswap_trees[swp_type(swp)][swp_offset(swp)
		>> ZSWAP_ADDRESS_SPACE_SHIFT];
}

int zswap_slot_store(swp_entry_t swp, struct zswap_entry *entry,
		     struct zswap_entry **old)
{
	void *ret = xa_store(swap_zswap_tree(swp), swp_offset(swp), entry,
			     GFP_KERNEL);

	if (xa_is_err(ret)) {
		int err = xa_err(ret);

		WARN_ONCE(err != -ENOMEM, "unexpected xarray error: %d\n", err);
		return err;
	}

	*old = ret;
	return 0;
}

struct zswap_entry *zswap_slot_load(swp_entry_t swp)
{
	return xa_load(swap_zswap_tree(swp), swp_offset(swp));
}

struct zswap_entry *zswap_slot_erase(swp_entry_t swp)
{
	struct xarray *tree = swap_zswap_tree(swp);

	if (xa_empty(tree))
		return NULL;

	return xa_erase(tree, swp_offset(swp));
}

void zswap_invalidate(swp_entry_t swp)
{
	struct zswap_entry *entry = zswap_slot_erase(swp);

	if (entry)
		zswap_entry_free(entry);
}

int zswap_swapon(int type, unsigned long nr_pages)
{
	struct xarray *trees, *tree;
	unsigned int nr, i;

	nr = DIV_ROUND_UP(nr_pages, ZSWAP_ADDRESS_SPACE_PAGES);
	trees = kvzalloc_objs(*tree, nr);
	if (!trees) {
		pr_err("alloc failed, zswap disabled for swap type %d\n", type);
		return -ENOMEM;
	}

	for (i = 0; i < nr; i++)
		xa_init(trees + i);

	nr_zswap_trees[type] = nr;
	zswap_trees[type] = trees;
	return 0;
}

void zswap_swapoff(int type)
{
	struct xarray *trees = zswap_trees[type];
	unsigned int i;

	if (!trees)
		return;

	/* try_to_unuse() invalidated all the entries already */
	for (i = 0; i < nr_zswap_trees[type]; i++)
		WARN_ON_ONCE(!xa_empty(trees + i));

	kvfree(trees);
	nr_zswap_trees[type] = 0;
	zswap_trees[type] = NULL;
}
